"""The one word for the people at home, where they can see it: lamps on the box, or lines on a terminal.

    state       lamp     looks like                means
    searching   green    a short blink every 5 s   ready: step on, squeeze, prick
    due         yellow   slow blink                please measure
    measuring   yellow   fast blink                a device is being listened to
    kept        yellow   on                        safe on this box; on its way
    sent        green    on                        the practice has it (its database has committed it)
    no_radio    red      slow blink                the box is mending its radio
    call_us     red      on                        please call the practice

Lamps are the kernel's own LEDs (/sys/class/leds, Documentation/leds/leds-class.rst): on a Raspberry Pi a line such as
`dtoverlay=gpio-led,gpio=17,label=rpm-green` makes one of any GPIO pin, and the kernel does the blinking, also while this
program is busy. A box with one lamp shows every state on it, by its rhythm. All lamps dark: the program does not run.

A lamp is kept on the kernel's "timer" trigger, steady light and darkness too: the files of its rhythm are there only while it is
on that trigger, and belong to root whenever they appear. So they appear once, when the machine starts, and a udev rule gives
them to the gateway (deploy/gateway/70-rpm-gateway.rules); the program itself never changes the trigger of such a lamp.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Protocol, TextIO

import structlog

from gateway.health import PatientState, Shown
from gateway.settings import Display

log = structlog.get_logger()

LEDS: Final = Path("/sys/class/leds")


class Lamp(StrEnum):
    """A lamp's colour."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Light:
    """One lamp and its rhythm in milliseconds; `off_ms` 0: steadily on (`on_ms` is then any but 0)."""

    lamp: Lamp
    on_ms: int
    off_ms: int


#: Never on.
DARK: Final = Light(Lamp.RED, 0, 1000)

LIGHTS: Final[Mapping[PatientState, Light]] = {
    PatientState.SEARCHING: Light(Lamp.GREEN, 100, 4900),
    PatientState.DUE: Light(Lamp.YELLOW, 1000, 1000),
    PatientState.MEASURING: Light(Lamp.YELLOW, 150, 150),
    PatientState.KEPT: Light(Lamp.YELLOW, 1, 0),
    PatientState.SENT: Light(Lamp.GREEN, 1, 0),
    PatientState.NO_RADIO: Light(Lamp.RED, 1000, 1000),
    PatientState.CALL_US: Light(Lamp.RED, 1, 0),
}

WORDS: Final[Mapping[PatientState, str]] = {
    PatientState.SEARCHING: "READY. You can measure.",
    PatientState.DUE: "PLEASE MEASURE.",
    PatientState.MEASURING: "LISTENING to your device.",
    PatientState.KEPT: "SAVED here. On its way to your care team.",
    PatientState.SENT: "SENT. Your care team has it.",
    PatientState.NO_RADIO: "ONE MOMENT. The box is mending itself.",
    PatientState.CALL_US: "PLEASE CALL your care team.",
}

STOPPED: Final = "THE BOX IS NOT RUNNING. Please call your care team."


class PatientDisplay(Protocol):
    """Shows one state until the next."""

    def show(self, shown: Shown) -> None:
        """Show it. Never raises: a broken lamp must not cost a reading."""
        ...

    def put_out(self) -> None:
        """The program ends: show nothing that is no longer true. Never raises."""
        ...


class Terminal:
    """One plain line for each change."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stdout

    def show(self, shown: Shown) -> None:
        """Write the line."""
        print(WORDS[shown.state], file=self._out, flush=True)

    def put_out(self) -> None:
        """Say that nobody listens any more."""
        print(STOPPED, file=self._out, flush=True)


class Lamps:
    """The box's LEDs by colour; `names` are theirs below /sys/class/leds."""

    def __init__(self, names: Mapping[Lamp, str], *, leds: Path = LEDS) -> None:
        self._folders = {lamp: leds / name for lamp, name in names.items()}
        self._broken = False

    def show(self, shown: Shown) -> None:
        """Light the state's lamp, and put out the others."""
        light = LIGHTS[shown.state]
        self._set(light, light.lamp if light.lamp in self._folders else next(iter(self._folders), None))

    def put_out(self) -> None:
        """All dark: nobody listens any more. The kernel would go on showing the last state for ever."""
        self._set(DARK, None)

    def _set(self, light: Light, lit: Lamp | None) -> None:
        try:
            for lamp, folder in self._folders.items():
                if lamp is not lit:
                    _put_out(folder)
            if lit is not None:
                _light(self._folders[lit], light)
        except OSError as error:
            if not self._broken:
                log.error("lamp_failed", error=type(error).__name__, errno=error.errno)
            self._broken = True
        else:
            self._broken = False


def lamps(settings: Display) -> list[PatientDisplay]:
    """The lamps of the settings as one display; empty where there are none."""
    names = {Lamp.GREEN: settings.green, Lamp.YELLOW: settings.yellow, Lamp.RED: settings.red}
    found = {lamp: name for lamp, name in names.items() if name is not None}
    return [Lamps(found)] if found else []


def displays(settings: Display) -> list[PatientDisplay]:
    """What the settings say the state is shown on."""
    return [*([Terminal()] if settings.terminal else []), *lamps(settings)]


# The order of the two writes matters: the kernel takes 0 for both as "you choose", and blinks (drivers/leds/led-core.c).


def _put_out(folder: Path) -> None:
    _rhythmic(folder)
    _write(folder / "delay_off", str(DARK.off_ms))
    _write(folder / "delay_on", str(DARK.on_ms))


def _light(folder: Path, light: Light) -> None:
    _rhythmic(folder)
    _write(folder / "delay_on", str(light.on_ms))
    _write(folder / "delay_off", str(light.off_ms))


def _rhythmic(folder: Path) -> None:
    """Put a lamp on the trigger that has a rhythm, where nobody did so when the machine started."""
    if not (folder / "delay_on").exists():
        _write(folder / "trigger", "timer")


def _write(path: Path, text: str) -> None:
    # Never made: a file that is not there is an LED that is not there.
    with path.open("r+", encoding="ascii") as file:
        file.write(text)
        file.truncate()
