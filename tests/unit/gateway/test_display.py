"""What the people at home see: every state has words and a light, and a lamp that is broken costs nothing.

Method: a folder with the files the kernel's LED class has; what is written there is what the kernel would be told.
"""

import io
from pathlib import Path

import pytest
import structlog

from gateway import display
from gateway.display import LIGHTS, STOPPED, WORDS, Lamp, Lamps, Terminal, displays
from gateway.health import PatientState, Shown
from gateway.settings import Display


class Led:
    """An LED as the kernel has it (drivers/leds/trigger/ledtrig-timer.c, led-core.c) once udev has put it on "timer"."""

    def __init__(self, leds: Path, name: str, *, trigger: str = "timer") -> None:
        self.folder = leds / name
        self.folder.mkdir()
        (self.folder / "trigger").write_text(trigger)
        if trigger == "timer":
            (self.folder / "delay_on").write_text("500")
            (self.folder / "delay_off").write_text("500")

    @property
    def seen(self) -> tuple[int, int]:
        """Its rhythm as an eye has it: (0, …) is dark, (…, 0) is steady."""
        on, off = (int((self.folder / name).read_text()) for name in ("delay_on", "delay_off"))
        assert (on, off) != (0, 0), "the kernel would choose: half a second each"
        return on, off

    @property
    def dark(self) -> bool:
        return self.seen[0] == 0

    @property
    def steady(self) -> bool:
        return self.seen[0] > 0 and self.seen[1] == 0


def test_every_state_has_words_and_a_light_of_its_own() -> None:
    assert set(LIGHTS) == set(WORDS) == set(PatientState)
    assert len({(light.lamp, light.on_ms, light.off_ms) for light in LIGHTS.values()}) == len(PatientState)
    assert len({(light.on_ms, light.off_ms) for light in LIGHTS.values() if light.off_ms}) >= 3


def test_sent_is_the_only_steady_green() -> None:
    steady = [state for state, light in LIGHTS.items() if light.lamp is Lamp.GREEN and not light.off_ms]
    assert steady == [PatientState.SENT]


def test_lamps_are_lit_and_put_out(tmp_path: Path) -> None:
    green, red = Led(tmp_path, "rpm-green"), Led(tmp_path, "rpm-red")
    lamps = Lamps({Lamp.GREEN: "rpm-green", Lamp.RED: "rpm-red"}, leds=tmp_path)
    lamps.show(Shown(PatientState.SENT, "why"))
    assert (green.steady, red.dark) == (True, True)
    lamps.show(Shown(PatientState.SEARCHING, "why"))
    assert (green.seen, red.dark) == ((100, 4900), True)
    lamps.show(Shown(PatientState.CALL_US, "why"))
    assert (green.dark, red.steady) == (True, True)
    lamps.put_out()
    assert (green.dark, red.dark) == (True, True)


def test_the_trigger_is_left_alone_for_its_files_would_be_roots_again(tmp_path: Path) -> None:
    """The files of a rhythm are made, root's own, whenever the trigger is set: the udev rule gives them away once."""
    green = Led(tmp_path, "rpm-green")
    (green.folder / "trigger").chmod(0)
    (green.folder / "trigger").unlink()
    lamps = Lamps({Lamp.GREEN: "rpm-green"}, leds=tmp_path)
    with structlog.testing.capture_logs() as logged:
        for state in PatientState:
            lamps.show(Shown(state, "why"))
            assert green.seen == (LIGHTS[state].on_ms, LIGHTS[state].off_ms)
        lamps.put_out()
    assert (logged, green.dark) == ([], True)


@pytest.mark.parametrize("before", list(PatientState))
@pytest.mark.parametrize("after", [*PatientState, None])
def test_no_change_passes_through_what_the_kernel_takes_for_its_own_choice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: PatientState, after: PatientState | None
) -> None:
    """0 and 0 blinks at half a second, at once: a lamp that goes from dark to steady must never say so."""
    led = Led(tmp_path, "rpm-green")
    lamps = Lamps({Lamp.GREEN: "rpm-green"}, leds=tmp_path)
    between: list[tuple[int, int]] = []
    write = display._write

    def writing(path: Path, text: str) -> None:
        write(path, text)
        between.append(led.seen)

    lamps.put_out()
    monkeypatch.setattr(display, "_write", writing)
    lamps.show(Shown(before, "why"))
    if after is None:
        lamps.put_out()
    else:
        lamps.show(Shown(after, "why"))
    assert len(between) == 4


def test_a_lamp_nobody_prepared_is_put_on_the_timer_where_that_is_allowed(tmp_path: Path) -> None:
    led = Led(tmp_path, "act", trigger="none")

    def show() -> None:
        Lamps({Lamp.GREEN: "act"}, leds=tmp_path).show(Shown(PatientState.DUE, "why"))

    with structlog.testing.capture_logs():
        show()
    assert (led.folder / "trigger").read_text() == "timer"
    (led.folder / "delay_on").write_text("500")
    (led.folder / "delay_off").write_text("500")
    show()
    assert led.seen == (1000, 1000)


def test_a_box_with_one_lamp_shows_everything_on_it(tmp_path: Path) -> None:
    only = Led(tmp_path, "act")
    lamps = Lamps({Lamp.GREEN: "act"}, leds=tmp_path)
    lamps.show(Shown(PatientState.DUE, "why"))
    assert only.seen == (1000, 1000)


def test_a_broken_lamp_is_said_once_and_costs_nothing(tmp_path: Path) -> None:
    lamps = Lamps({Lamp.RED: "not-there"}, leds=tmp_path)
    with structlog.testing.capture_logs() as logged:
        for _ in range(3):
            lamps.show(Shown(PatientState.CALL_US, "why"))
    assert [line["event"] for line in logged] == ["lamp_failed"]
    assert list(tmp_path.iterdir()) == [], "no file is made where there is no lamp"


def test_a_terminal_gets_a_line_for_each_change() -> None:
    out = io.StringIO()
    terminal = Terminal(out)
    terminal.show(Shown(PatientState.KEPT, "why"))
    terminal.show(Shown(PatientState.SENT, "why"))
    terminal.put_out()
    assert out.getvalue().splitlines() == [WORDS[PatientState.KEPT], WORDS[PatientState.SENT], STOPPED]


@pytest.mark.parametrize("name", ["../etc", "a/b", ""])
def test_a_lamp_is_a_name_and_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="green"):
        Display(green=name)


def test_the_settings_say_where_it_is_shown() -> None:
    assert displays(Display()) == []
    assert [type(each) for each in displays(Display(terminal=True, red="rpm-red"))] == [Terminal, Lamps]
