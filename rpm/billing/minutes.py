"""Whose time counts, once, and in which calendar month.

Instants are compared in UTC throughout: subtracting two local times of one zone would give wall-clock time, an hour
wrong across a clock change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from rpm.billing.case import Case, InPart, LeftOut, TimeEntry
from rpm.billing.days import first_moment, month_after

RPM_SERVICE: Final = "RPM"
#: Work that is never management time, by the activity it was entered as.
NEVER_COUNTED: Final[dict[str, str]] = {
    "set-up": "set-up and teaching are paid by 99453",
    "enrolment": "sales and enrolment calls are not management",
    "shipping": "shipping is not management",
    "technical support": "technical support is not management",
    "filing": "filing is not management",
    "supervision": "supervising others is not management",
    "automated": "no person spent this time",
}


def _letters(activity: str) -> str:
    """An activity however it was spelled: `Set up`, `setup` and `set-up` are one."""
    return "".join(letter for letter in activity.casefold() if letter.isalnum())


_NEVER_BY_LETTERS: Final = {_letters(activity): reason for activity, reason in NEVER_COUNTED.items()}

_BEFORE: Final = "BEFORE_SERVICE_START", "before consent, order and set-up were all in place"
_AFTER: Final = "AFTER_EPISODE", "the episode had ended"
_IN_HOSPITAL: Final = "IN_HOSPITAL", "the patient was in hospital"
_DOUBLE_TAG: Final = "DOUBLE_TAG", "these minutes were first entered for another service"

Interval = tuple[datetime, datetime]


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same instants without overlap, in order. Concurrent time counts once."""
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def subtract(interval: Interval, taken: Sequence[Interval]) -> tuple[Interval, ...]:
    """What is left of an interval once the instants in `taken` (a union) are gone."""
    left: list[Interval] = []
    start, end = interval
    for taken_start, taken_end in taken:
        if taken_end <= start or taken_start >= end:
            continue
        if taken_start > start:
            left.append((start, taken_start))
        start = max(start, taken_end)
    if start < end:
        left.append((start, end))
    return tuple(left)


def clip(intervals: Iterable[Interval], start: datetime, end: datetime) -> tuple[Interval, ...]:
    """The part of each interval within [start, end)."""
    return tuple((max(a, start), min(b, end)) for a, b in intervals if a < end and b > start)


def elapsed(intervals: Iterable[Interval]) -> timedelta:
    """The time in a union. Every instant is UTC, so this is elapsed time."""
    return sum((end - start for start, end in intervals), timedelta())


@dataclass(frozen=True, slots=True)
class CountedEntry:
    """A time entry and the instants of it that count."""

    entry: TimeEntry
    intervals: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class CountedTime:
    """What counts of all entries, what does not and why, and the doubts a person has to settle."""

    counted: tuple[CountedEntry, ...]
    left_out: tuple[LeftOut, ...]
    in_part: tuple[InPart, ...]
    conflicts: tuple[str, ...]
    double_tagged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MonthTime:
    """One calendar month of the practice: whole minutes (seconds summed, floored once), and the entries behind them."""

    first: date
    last: date
    seconds: float
    minutes: int
    entry_ids: tuple[str, ...]
    live_entry_ids: tuple[str, ...]


def count_time(case: Case, start: datetime | None) -> CountedTime:
    """Decide, entry by entry, what counts as management time for this patient."""
    counted: list[CountedEntry] = []
    left_out: list[LeftOut] = []
    in_part: list[InPart] = []
    conflicts: list[str] = []
    double: list[str] = []
    in_hospital = union(
        (stay.begins_at.astimezone(UTC), stay.ends_at.astimezone(UTC)) for stay in case.away if stay.in_hospital
    )
    until = case.last_day and first_moment(case.last_day + timedelta(days=1), case.zone)
    placed = list(enumerate(case.entries))
    for position, entry in placed:
        span: Interval = (entry.started_at.astimezone(UTC), entry.ended_at.astimezone(UTC))
        reason = _why_not(entry, case, start)
        if reason is None and _elsewhere(entry, span, case):
            conflicts.append(entry.entry_id)
            reason = "STAFF_CONFLICT", "the same person has time for another patient at the same moment"
        if reason is not None:
            left_out.append(LeftOut(entry.entry_id, *reason))
            continue
        assert start is not None, "an entry is refused where service has not started"
        open_for = clip([span], start.astimezone(UTC), until if until is not None else span[1])
        within = tuple(piece for interval in open_for for piece in subtract(interval, in_hospital))
        # A minute belongs to the service it was first entered under: nobody moves it later.
        earlier = [
            (other.started_at.astimezone(UTC), other.ended_at.astimezone(UTC))
            for place, other in placed
            if other.service != RPM_SERVICE and _entered(other, place) < _entered(entry, position)
        ]
        taken = union(earlier)
        remaining = tuple(piece for interval in within for piece in subtract(interval, taken))
        if remaining != within:
            double.append(entry.entry_id)
        lost = [
            *([_BEFORE] if span[0] < start else []),
            *([_AFTER] if until is not None and span[1] > until else []),
            *([_IN_HOSPITAL] if within != open_for else []),
            *([_DOUBLE_TAG] if remaining != within else []),
        ]
        if remaining:
            counted.append(CountedEntry(entry, remaining))
        if remaining and lost:
            reasons = "; ".join(reason for _, reason in lost)
            in_part.append(InPart(entry.entry_id, lost[0][0], reasons, remaining))
        elif lost:
            # What took the last of it is why nothing of it counts.
            left_out.append(LeftOut(entry.entry_id, *lost[-1]))
    return CountedTime(tuple(counted), tuple(left_out), tuple(in_part), tuple(conflicts), tuple(double))


def _entered(entry: TimeEntry, position: int) -> tuple[datetime, int]:
    return (entry.entered_at or entry.ended_at).astimezone(UTC), position


def _elsewhere(entry: TimeEntry, span: Interval, case: Case) -> bool:
    return any(
        other.staff_id == entry.staff_id and other.started_at < span[1] and other.ended_at > span[0]
        for other in case.elsewhere
    )


def _why_not(entry: TimeEntry, case: Case, start: datetime | None) -> tuple[str, str] | None:
    if entry.service != RPM_SERVICE:
        return "OTHER_SERVICE", f"entered for {entry.service}, so it never counts for monitoring"
    if not entry.clinical_staff:
        return "NOT_CLINICAL_STAFF", "not clinical staff"
    if (never := _NEVER_BY_LETTERS.get(_letters(entry.activity))) is not None:
        return "NEVER_COUNTED", never
    if entry.ended_at > case.as_of:
        return "AFTER_AS_OF", f"not over yet at {case.as_of.isoformat()}"
    if start is None:
        return "NOT_ELIGIBLE", "consent, order or set-up is missing"
    if entry.ended_at <= start:
        return _BEFORE
    return None


def month_time(time: CountedTime, first: date, zone: str) -> MonthTime:
    """What counts in the calendar month that begins on `first`: entries are split at its local midnights."""
    following = month_after(first)
    start, end = first_moment(first, zone), first_moment(following, zone)
    inside = [(one.entry, clip(one.intervals, start, end)) for one in time.counted]
    inside = sorted(
        ((entry, pieces) for entry, pieces in inside if pieces),
        key=lambda pair: (pair[0].started_at.astimezone(UTC), pair[0].entry_id),
    )
    total = elapsed(union(piece for _, pieces in inside for piece in pieces))
    return MonthTime(
        first=first,
        last=following - timedelta(days=1),
        seconds=total.total_seconds(),
        minutes=total // timedelta(minutes=1),
        entry_ids=tuple(entry.entry_id for entry, _ in inside),
        live_entry_ids=tuple(entry.entry_id for entry, _ in inside if entry.interactive),
    )
