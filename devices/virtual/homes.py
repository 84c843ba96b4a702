"""Homes and what goes wrong in them, as a scenario: a pure function of how many there are and a seed.

    python -m devices.virtual homes --homes 200 --seed 7 --out homes.toml --story homes.txt
    python -m devices.virtual air --scenario homes.toml

Every home has people with a cuff, and perhaps a scale or a meter; a part of them has one thing that goes wrong, one of
TROUBLES. The scenario has a line of comment for each home that tells it, and the story is those lines alone. Home n is the
same home however many there are.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, cast

HOMES_MAX: Final = 100_000
#: Of so many homes, one is in each kind of trouble.
TROUBLED_ONE_IN: Final = 20

#: Arizona has no summer time.
_NO_SUMMER_TIME: Final = "America/Phoenix"
_ZONES: Final = (_NO_SUMMER_TIME, "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles")
_HOUR_S: Final = 3600.0

Device = dict[str, Any]


@dataclass
class Home:
    """One home while it is made. `tells` are the clauses of its story."""

    number: int
    zone: str
    people: int
    draw: random.Random
    devices: list[Device] = field(default_factory=list[Device])
    tells: list[str] = field(default_factory=list[str])

    @property
    def name(self) -> str:
        """What the scenario calls it."""
        return f"h{self.number:06}"

    def device(self, model: str) -> Device | None:
        """Its device of this model, if it has one."""
        return next((each for each in self.devices if each["model"] == model), None)

    def address(self) -> str:
        """A random static address that no other device of any home has."""
        return f"C{len(self.devices):X}:{self.number >> 16 & 0xFF:02X}:00:{self.number >> 8 & 0xFF:02X}:{self.number & 0xFF:02X}:01"

    def story(self) -> str:
        """One line for people."""
        who = "one person lives alone" if self.people == 1 else "two people live together"
        *others, last = (f"a {each['model']}" for each in self.devices)
        owns = f"{', '.join(others)} and {last}" if others else last
        return f"{self.name}, {self.zone}: {who}, with {owns}" + "".join(f"; {each}" for each in self.tells) + "."


def homes(*, count: int, seed: int) -> Iterator[Home]:
    """The homes, one after the other. The same seed gives the same, byte for byte; a larger count begins with the same."""
    for number in range(1, count + 1):
        draw = random.Random(f"{seed}/home/{number}")
        home = Home(number, draw.choice(_ZONES), draw.choice((1, 1, 2)), draw)
        _furnish(home)
        names = sorted(TROUBLES)
        kind = draw.randrange(TROUBLED_ONE_IN)
        if kind < len(names):
            TROUBLES[names[kind]](home)
        yield home


def scenario(*, count: int, seed: int) -> str:
    """The TOML of `scenario`, with the story of each home above it."""
    parts = [f"# {count} homes, seed {seed}.", f"seed = {seed}"]
    for home in homes(count=count, seed=seed):
        parts += ["", f"# {home.story()}", "[[home]]", f'name = "{home.name}"', f'time_zone = "{home.zone}"']
        for device in home.devices:
            parts += ["[[home.device]]", *(f"{key} = {_toml(value)}" for key, value in device.items())]
    return "\n".join(parts) + "\n"


def story(*, count: int, seed: int) -> str:
    """What is to be known of the homes, a line each, and how many are in which trouble."""
    told = list(homes(count=count, seed=seed))
    quiet = sum(not home.tells for home in told)
    return "\n".join([*(home.story() for home in told), f"{quiet} of {count} homes have no trouble at all."]) + "\n"


# Who has what ------------------------------------------------------------------------------------------------------------


def _furnish(home: Home) -> None:
    draw = home.draw
    systolic, diastolic = draw.randint(112, 158), draw.randint(66, 92)
    usual = {"systolic": systolic, "diastolic": diastolic, "pulse": draw.randint(58, 88)}
    _add(home, "cuff", usual)
    if home.people == 2 or draw.random() < 0.5:
        plays = [{**_every(draw), "usual": _weight(draw, slot)} for slot in range(1, home.people + 1)]
        _add(home, "scale", plays[0]["usual"], plays if home.people == 2 else None)
    if draw.random() < 0.35:
        _add(home, "meter", {"glucose": draw.randint(92, 190), "unit": "mg/dL", "meal": "fasting"})


def _add(home: Home, model: str, usual: dict[str, Any], plays: list[dict[str, Any]] | None = None) -> None:
    home.devices.append(
        {
            "name": model,
            "model": model,
            "address": home.address(),
            "usual": usual,
            "play": plays or [_every(home.draw)],
        }
    )


def _weight(draw: random.Random, slot: int) -> dict[str, Any]:
    return {"weight": round(draw.uniform(54, 108) * 20) / 20, "unit": "kg", "user_slot": slot}


def _every(draw: random.Random) -> dict[str, Any]:
    """Once a minute or two: a demonstration's day."""
    return {"after_s": draw.randint(1, 60), "every_s": draw.randint(60, 150), "act": "ordinary"}


# What goes wrong ---------------------------------------------------------------------------------------------------------


def _clock_missed_the_change(home: Home) -> None:
    ahead = home.draw.choice((True, False))
    home.zone = "America/Denver" if home.zone == _NO_SUMMER_TIME else home.zone
    home.devices[0] |= {"clock": "wrong", "wrong_by_s": _HOUR_S if ahead else -_HOUR_S}
    home.tells.append(
        f"nobody told the cuff of {'winter' if ahead else 'summer'} time: it is an hour {'fast' if ahead else 'slow'}"
    )


def _clock_is_years_off(home: Home) -> None:
    years = home.draw.randint(5, 20)
    home.devices[0] |= {"clock": "wrong", "wrong_by_s": -years * 365 * 86_400.0}
    home.tells.append(f"the cuff's battery was pulled, and its clock began anew {years} years ago")


def _clock_was_never_set(home: Home) -> None:
    home.devices[0] |= {"clock": "none"}
    home.tells.append("the cuff has no clock")


def _battery_dies(home: Home) -> None:
    after_s = home.draw.randint(120, 600)
    device = home.devices[0]
    device["habits"] = {"battery_percent": 3}
    device["play"] = [*device["play"], {"after_s": after_s, "command": {"do": "mute"}}]
    home.tells.append(f"the cuff's battery is at 3 % and gives out after {after_s // 60} minutes")


def _cuff_is_shared(home: Home) -> None:
    cuff = home.devices[0]
    spouse = {"systolic": home.draw.randint(112, 158), "diastolic": home.draw.randint(66, 92), "pulse": 70}
    cuff["usual"] |= {"user_slot": 1}
    cuff["play"] = [
        {**_every(home.draw), "usual": cuff["usual"]},
        {**_every(home.draw), "usual": spouse | {"user_slot": home.draw.choice((2, 255))}},
    ]
    home.people = 2
    slot = cuff["play"][1]["usual"]["user_slot"]
    home.tells.append(
        "both use the cuff, " + ("each by a button of their own" if slot == 2 else "and one presses no button")
    )


def _radio_drops_out(home: Home) -> None:
    seconds = home.draw.randint(5, 90)
    device = home.devices[-1]
    every_s = home.draw.randint(120, 400)
    silence = {"do": "silence", "seconds": seconds, "after_frames": home.draw.randint(1, 3)}
    device["play"] = [*device["play"], {"after_s": 30, "every_s": every_s, "command": silence}]
    home.tells.append(
        f"the {device['model']} is at the edge of reach: every {every_s} s it is lost for {seconds} s in mid-sentence"
    )


def _bond_is_lost(home: Home) -> None:
    device = home.devices[0]
    device |= {"bonded": True}
    after_s = home.draw.randint(120, 600)
    device["play"] = [*device["play"], {"after_s": after_s, "command": {"do": "forget_bond"}}]
    home.tells.append(f"the cuff forgets its bond after {after_s // 60} minutes")


def _device_repeats_itself(home: Home) -> None:
    home.devices[0]["habits"] = {"keeps_history": True, "repeats": 2}
    home.tells.append("the cuff tells everything twice, and its whole history each time")


#: Each takes a home to one that has it. A trouble that is not here is in `Habits` and `faults`, for a scenario by hand.
TROUBLES: Final[dict[str, Callable[[Home], None]]] = {
    "battery_dies": _battery_dies,
    "bond_is_lost": _bond_is_lost,
    "clock_is_years_off": _clock_is_years_off,
    "clock_missed_the_change": _clock_missed_the_change,
    "clock_was_never_set": _clock_was_never_set,
    "cuff_is_shared": _cuff_is_shared,
    "device_repeats_itself": _device_repeats_itself,
    "radio_drops_out": _radio_drops_out,
}


def _toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return f'"{value}"'
        case dict():
            pairs = cast("dict[str, object]", value)
            return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in pairs.items()) + "}"
        case list():
            return "[" + ", ".join(map(_toml, cast("list[object]", value))) + "]"
        case _:
            return str(value)
