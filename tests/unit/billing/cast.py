"""A patient of a practice in New York, told in days and minutes: each test changes one thing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from rpm.billing.case import Case, ReadingState, TimeEntry, Transmission
from rpm.billing.days import count_days, service_start
from rpm.billing.evaluate import billable_items
from rpm.billing.outcome import BillableItem, BillingResult

NEW_YORK = "America/New_York"
LONG_AFTER = datetime(2026, 12, 1, 12, tzinfo=UTC)


def at(day: str, clock: str = "12:00", zone: str = NEW_YORK) -> datetime:
    """A local time of a zone, as an instant in UTC."""
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def reading(measured_at: datetime, *, received_at: datetime | None = None, **facts: Any) -> Transmission:
    """A reading that was received a minute after it was measured, unless told otherwise."""
    name = facts.pop("reading_id", f"reading-{measured_at.isoformat()}")
    return Transmission(name, "cuff", measured_at, received_at or measured_at + timedelta(minutes=1), **facts)


def daily(first: str, count: int) -> list[Transmission]:
    """One reading at noon on each of so many days in a row."""
    start = date.fromisoformat(first)
    return [reading(at(str(start + timedelta(days=number)))) for number in range(count)]


def phoned(first: str, count: int) -> list[Transmission]:
    """Values told by telephone."""
    return [replace(one, automatic=False, reading_id=f"told-{one.reading_id}") for one in daily(first, count)]


def held(first: str, count: int, state: ReadingState) -> list[Transmission]:
    """Readings that were not accepted."""
    return [replace(one, state=state, reading_id=f"{state}-{one.reading_id}") for one in daily(first, count)]


def work(day: str, clock: str, seconds: float, *, live: bool = False, **facts: Any) -> TimeEntry:
    """A stretch of staff time that begins at a local time in New York."""
    start = at(day, clock)
    name = facts.pop("entry_id", f"work-{day}-{clock}")
    staff = facts.pop("staff_id", "nurse-1")
    return TimeEntry(name, staff, start, start + timedelta(seconds=seconds), interactive=live, **facts)


def case_of(
    readings: Iterable[Transmission] = (),
    entries: Sequence[TimeEntry] = (),
    *,
    start: str = "2026-01-01",
    as_of: datetime = LONG_AFTER,
    **facts: Any,
) -> Case:
    """Order, consent and set-up in place from `start`; Medicare, New York."""
    day = date.fromisoformat(start)
    case = Case(
        as_of=as_of,
        zone=facts.pop("zone", NEW_YORK),
        established_patient=facts.pop("established_patient", True),
        consented=facts.pop("consented", day),
        ordered=facts.pop("ordered", day),
        set_up=facts.pop("set_up", day),
        entries=tuple(entries),
        **facts,
    )
    begins = service_start(consented=case.consented, ordered=case.ordered, set_up=case.set_up, zone=case.zone)
    days, left_out = count_days(
        readings, zone=case.zone, start=begins, last_day=case.last_day, as_of=as_of, away=case.away
    )
    return replace(case, days=days, readings_left_out=left_out)


def bill(*arguments: Any, **facts: Any) -> BillingResult:
    """The answer for `case_of(...)`."""
    return billable_items(case_of(*arguments, **facts))


def lines(items: Iterable[BillableItem]) -> set[tuple[str, int, str]]:
    """Items as (code, units, date of service)."""
    return {(item.code, item.units, str(item.service_date)) for item in items}


def codes(items: Iterable[BillableItem]) -> dict[str, int]:
    """Items as code → units."""
    return {item.code: item.units for item in items}


def names(notices: Iterable[Any]) -> set[str]:
    """The names of notices, refusals or reasons."""
    return {notice.name for notice in notices}
