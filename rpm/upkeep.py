"""How a device fares by what it says of itself: how long its battery lasts, how its clock goes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from rpm.store.events import Point
from schemas.messages import EventName

#: A device that says this is as good as empty.
BATTERY_EMPTY_PERCENT: Final = 5.0
#: A trend is said only over so many words of the device, so many days and so much of a fall: many devices know four steps.
TREND_POINTS_MIN: Final = 5
TREND_DAYS_MIN: Final = 7.0
TREND_FALL_MIN: Final = 10.0
#: A rise by so much is a new battery: the trend begins anew.
NEW_BATTERY_RISE: Final = 10.0
#: Further ahead nobody plans, and no trend reaches.
TREND_DAYS_MAX: Final = 90.0
#: How far back the trend looks.
TREND_SPAN: Final = timedelta(days=120)

#: A device clock is right to the minute: cuffs show no seconds.
CLOCK_RIGHT_S: Final = 60.0


def days_left(points: Sequence[Point], *, now: datetime) -> float | None:
    """In how many days the battery will be empty, by a straight line through what it said since it was new.

    `points` are percentages, oldest first. None where that would be a guess: too few, too short a time, no clear fall, too
    far ahead. Never below 0.
    """
    since_new = _since_new(points)
    if len(since_new) < TREND_POINTS_MIN:
        return None
    first = since_new[0]
    days = [(point.at - first.at) / timedelta(days=1) for point in since_new]
    if days[-1] - days[0] < TREND_DAYS_MIN or first.value - since_new[-1].value < TREND_FALL_MIN:
        return None
    mean_day = sum(days) / len(days)
    mean_value = sum(point.value for point in since_new) / len(since_new)
    spread = sum((day - mean_day) ** 2 for day in days)
    slope = (
        sum((day - mean_day) * (point.value - mean_value) for day, point in zip(days, since_new, strict=True)) / spread
    )
    if slope >= 0:
        return None
    empty_on = mean_day + (BATTERY_EMPTY_PERCENT - mean_value) / slope
    left = max(empty_on - (now - first.at) / timedelta(days=1), 0.0)
    return left if left <= TREND_DAYS_MAX else None


def _since_new(points: Sequence[Point]) -> Sequence[Point]:
    """What was said since the last new battery."""
    lowest, start = float("inf"), 0
    for place, point in enumerate(points):
        if point.value >= lowest + NEW_BATTERY_RISE:
            lowest, start = point.value, place
        lowest = min(lowest, point.value)
    return points[start:]


@dataclass(frozen=True, slots=True)
class ClockLine:
    """What a device's clock showed once. `put_right`: it was wrong the time before, and is not any more."""

    at: datetime
    said: str
    put_right: bool


def clock_lines(points: Sequence[Point]) -> list[ClockLine]:
    """A device clock's history, newest first; `points` are the seconds it was behind, oldest first."""
    lines: list[ClockLine] = []
    was_wrong = False
    for point in points:
        wrong = abs(point.value) >= CLOCK_RIGHT_S
        lines.append(ClockLine(point.at, clock_words(point.value), was_wrong and not wrong))
        was_wrong = wrong
    return lines[::-1]


def clock_words(behind_s: float) -> str:
    """How far a device's clock is off: `37 min behind`."""
    if abs(behind_s) < CLOCK_RIGHT_S:
        return "right"
    # A clock that lost its battery is off by half a century: in days nobody sees that.
    try:
        far = timedelta(seconds=abs(behind_s))
    except OverflowError:
        return "never set"
    years = far // timedelta(days=365)
    how = f"{years} years" if years > 1 else span(far)
    return f"{how} {'behind' if behind_s > 0 else 'ahead'}"


def span(length: timedelta) -> str:
    """A length of time in words: `less than a minute`, `40 minutes`, `5 hours`, `3 days`."""
    length = abs(length)
    for unit, one in ((timedelta(days=1), "day"), (timedelta(hours=1), "hour"), (timedelta(minutes=1), "minute")):
        count = length // unit
        if count:
            return f"{count} {one}" if count == 1 else f"{count} {one}s"
    return "less than a minute"


def whole_days(days: float) -> str:
    """A number of days in words."""
    whole = max(round(days), 0)
    return "less than a day" if whole == 0 else "1 day" if whole == 1 else f"{whole} days"


def event_words(name: str, value: float | str | None) -> str:
    """What an event says, with its unit: `37 minutes behind`, `18 %`. `value` is what EventName tells of it."""
    if value is None or isinstance(value, str):
        return value or ""
    match name:
        case EventName.DEVICE_CLOCK:
            return clock_words(value)
        case EventName.GATEWAY_CLOCK:
            return f"moved by {value:+.0f} s"
        case EventName.DEVICE_BATTERY:
            return f"{value:.0f} %"
        case EventName.OUTBOX_NEARLY_FULL:
            return f"{100 * value:.0f} % full"
        case _:
            return f"{value:g}"
