"""Time spent: how long, how much of it counts, and from what a person typed. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from rpm.web.problems import BadInput

#: A timer that ran longer was forgotten: its owner says how many minutes were work.
UNASKED_MAX: Final = timedelta(minutes=60)
#: One entry is one piece of work.
ENTRY_MINUTES_MAX: Final = 240
#: Older work belongs to a month that is billed already.
ENTRY_AGE_MAX: Final = timedelta(days=62)


class Activity(StrEnum):
    """What the time was spent on."""

    CALL = "call"
    REVIEW = "review of readings"
    COORDINATION = "care coordination"
    EDUCATION = "education"
    DOCUMENTATION = "documentation"


@dataclass(frozen=True, slots=True)
class Spent:
    """A span of work. `manual`: a person said how long it was; no timer measured it."""

    started_at: datetime
    ended_at: datetime
    manual: bool

    @property
    def length(self) -> timedelta:
        """How long."""
        return self.ended_at - self.started_at


def timed(started_at: datetime, *, now: datetime, pause_minutes: int = 0, minutes: int | None = None) -> Spent:
    """The work a stopped timer stands for. BadInput where nobody can know how long it was.

    A pause shortens it from the end. `minutes`, where its owner says so, replaces what the timer measured and is marked
    as typed in; it can never be more than the timer ran.
    """
    ran = now - started_at
    if minutes is not None:
        worked = timedelta(minutes=minutes)
        if not timedelta(0) < worked <= ran:
            raise BadInput("The minutes of work must be at least 1 and no more than the timer ran.")
        return Spent(started_at, started_at + worked, manual=True)
    if ran > UNASKED_MAX:
        raise BadInput("The timer ran for more than an hour. Say how many minutes of it were work, or discard it.")
    worked = ran - timedelta(minutes=pause_minutes)
    if worked <= timedelta(0):
        raise BadInput("The pause is as long as the timer ran: nothing is left to save. Discard it instead.")
    return Spent(started_at, started_at + worked, manual=pause_minutes > 0)


def typed(day: date, start: time, minutes: int, *, zone: str, now: datetime) -> Spent:
    """The work a person typed in, in the practice's zone. BadInput where it cannot have been so."""
    if not 1 <= minutes <= ENTRY_MINUTES_MAX:
        raise BadInput(f"Minutes must be 1 to {ENTRY_MINUTES_MAX}.")
    local = datetime.combine(day, start.replace(tzinfo=None), ZoneInfo(zone))
    started_at = local.astimezone(UTC)
    if started_at.astimezone(ZoneInfo(zone)).time() != local.time():
        raise BadInput("That time did not exist: the clocks went forward. Check the start.")
    ended_at = started_at + timedelta(minutes=minutes)
    if ended_at > now:
        raise BadInput("That work would end in the future. Check day, start and minutes.")
    if now - started_at > ENTRY_AGE_MAX:
        raise BadInput(f"Work older than {ENTRY_AGE_MAX.days} days cannot be added.")
    return Spent(started_at, ended_at, manual=True)


def counted(spans: Iterable[tuple[datetime, datetime]]) -> timedelta:
    """How long the spans last together: minutes that two of them claim count once."""
    total, until = timedelta(0), None
    for start, end in sorted(spans):
        if until is None or start > until:
            total, until = total + (end - start), end
        elif end > until:
            total, until = total + (end - until), end
    return total


def shared(a: tuple[datetime, datetime], b: tuple[datetime, datetime]) -> timedelta:
    """How long two spans overlap."""
    return max(timedelta(0), min(a[1], b[1]) - max(a[0], b[0]))


def month_start(now: datetime, zone: str) -> datetime:
    """The first instant of the calendar month in the practice's zone."""
    local = now.astimezone(ZoneInfo(zone))
    return local.replace(day=1, hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
