"""What the people at home see: every state has words and a light, and a lamp that is broken costs nothing.

Method: a folder with the files the kernel's LED class has; what is written there is what the kernel would be told.
"""

import io
from pathlib import Path

import pytest
import structlog

from gateway.display import LIGHTS, WORDS, Lamp, Lamps, Terminal
from gateway.health import PatientState, Shown
from gateway.program import displays
from gateway.settings import Display


def led(folder: Path, name: str) -> Path:
    made = folder / name
    made.mkdir()
    for file, text in (
        ("trigger", "none"),
        ("brightness", "0"),
        ("max_brightness", "255\n"),
        ("delay_on", "500"),
        ("delay_off", "500"),
    ):
        (made / file).write_text(text)
    return made


def told(folder: Path) -> tuple[str, str, str, str]:
    trigger, brightness, on, off = (
        (folder / name).read_text() for name in ("trigger", "brightness", "delay_on", "delay_off")
    )
    return trigger, brightness, on, off


def test_every_state_has_words_and_a_light_of_its_own() -> None:
    assert set(LIGHTS) == set(WORDS) == set(PatientState)
    assert len({(light.lamp, light.on_ms, light.off_ms) for light in LIGHTS.values()}) == len(PatientState)
    assert len({(light.on_ms, light.off_ms) for light in LIGHTS.values() if light.off_ms}) >= 3


def test_sent_is_the_only_steady_green() -> None:
    steady = [state for state, light in LIGHTS.items() if light.lamp is Lamp.GREEN and not light.off_ms]
    assert steady == [PatientState.SENT]


def test_lamps_are_lit_and_put_out(tmp_path: Path) -> None:
    green, red = led(tmp_path, "rpm-green"), led(tmp_path, "rpm-red")
    lamps = Lamps({Lamp.GREEN: "rpm-green", Lamp.RED: "rpm-red"}, leds=tmp_path)
    lamps.show(Shown(PatientState.SENT, "why"))
    assert told(green)[:2] == ("none", "255")
    lamps.show(Shown(PatientState.SEARCHING, "why"))
    assert told(green)[0::2] == ("timer", "100")
    lamps.show(Shown(PatientState.CALL_US, "why"))
    assert (told(green)[:2], told(red)[:2]) == (("none", "0"), ("none", "255"))


def test_a_box_with_one_lamp_shows_everything_on_it(tmp_path: Path) -> None:
    only = led(tmp_path, "act")
    lamps = Lamps({Lamp.GREEN: "act"}, leds=tmp_path)
    lamps.show(Shown(PatientState.DUE, "why"))
    assert told(only) == ("timer", "0", "1000", "1000")


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
    assert out.getvalue().splitlines() == [WORDS[PatientState.KEPT], WORDS[PatientState.SENT]]


@pytest.mark.parametrize("name", ["../etc", "a/b", ""])
def test_a_lamp_is_a_name_and_no_path(name: str) -> None:
    with pytest.raises(ValueError, match="green"):
        Display(green=name)


def test_the_settings_say_where_it_is_shown() -> None:
    assert displays(Display()) == []
    assert [type(each) for each in displays(Display(terminal=True, red="rpm-red"))] == [Terminal, Lamps]
