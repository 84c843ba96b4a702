"""Which days have data, and the periods they are counted in.

A day is a calendar date in the practice's zone at the time of measurement. Many readings, many devices: one day.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from typing import Final
from zoneinfo import ZoneInfo

from rpm.billing.case import Away, DataDay, LeftOut, ReadingState, Transmission
from rpm.billing.rules import PeriodMode

PERIOD_DAYS: Final = 30
#: Ten years of periods: an episode that seems longer has a wrong date in it.
PERIODS_MAX: Final = 122


def local_day(instant: datetime, zone: str) -> date:
    """The practice's calendar date of an instant."""
    return instant.astimezone(ZoneInfo(zone)).date()


def first_moment(day: date, zone: str) -> datetime:
    """The instant at which a local day begins, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def since(fact: date | datetime, zone: str) -> datetime:
    """From when a fact holds: its instant, or the first moment of its local day where only the day is known."""
    return fact if isinstance(fact, datetime) else first_moment(fact, zone)


def service_start(
    *, consented: date | datetime | None, ordered: date | datetime | None, set_up: date | datetime | None, zone: str
) -> datetime | None:
    """From when days and minutes count: after consent, order and set-up, whichever was last; None where one is missing.

    Consent and order count to the second, because they are the authority. Set-up counts from the start of its day: its
    own first reading is what proves it, and that comes before the visit is written down.
    """
    if consented is None or ordered is None or set_up is None:
        return None
    set_up_day = local_day(set_up, zone) if isinstance(set_up, datetime) else set_up
    return max(since(consented, zone), since(ordered, zone), first_moment(set_up_day, zone))


def count_days(
    transmissions: Iterable[Transmission],
    *,
    zone: str,
    start: datetime | None,
    last_day: date | None,
    as_of: datetime,
    away: Sequence[Away] = (),
) -> tuple[tuple[DataDay, ...], tuple[LeftOut, ...]]:
    """The days with countable data in date order, and each reading that does not count with its reason.

    A reading that came twice is one reading: what was received first stands. `start` is None where the patient is not
    yet eligible: then nothing counts.
    """
    by_day: dict[date, list[tuple[datetime, str]]] = {}
    left_out: list[LeftOut] = []
    seen: set[str] = set()
    # Of two copies received together the one that does not count stands: a doubt never makes a day.
    ordered = sorted(transmissions, key=lambda one: (one.received_at, _countable(one), one.measured_at, one.reading_id))
    for one in ordered:
        if one.reading_id in seen:
            continue
        seen.add(one.reading_id)
        reason = _why_not(one, zone=zone, start=start, last_day=last_day, as_of=as_of, away=away)
        if reason is None:
            by_day.setdefault(local_day(one.measured_at, zone), []).append((one.received_at, one.reading_id))
        else:
            left_out.append(LeftOut(one.reading_id, *reason))
    days = (DataDay(day, readings[0][0], tuple(readings)) for day, readings in by_day.items())
    return tuple(sorted(days, key=attrgetter("day"))), tuple(left_out)


def _countable(one: Transmission) -> bool:
    return one.automatic and one.state is ReadingState.ACCEPTED


def _why_not(
    one: Transmission,
    *,
    zone: str,
    start: datetime | None,
    last_day: date | None,
    as_of: datetime,
    away: Sequence[Away],
) -> tuple[str, str] | None:
    if one.state is not ReadingState.ACCEPTED:
        return one.state.name, f"the reading is {one.state.value}, not accepted"
    if not one.automatic:
        return "MANUAL", "told or typed by a person, not sent by the device"
    if one.received_at > as_of or one.measured_at > as_of:
        return "AFTER_AS_OF", f"not known yet at {as_of.isoformat()}"
    if start is None:
        return "NOT_ELIGIBLE", "consent, order or set-up is missing"
    if one.measured_at < start:
        day = local_day(start, zone)
        return "BEFORE_SERVICE_START", f"measured before consent, order and set-up were all in place ({day})"
    if last_day is not None and local_day(one.measured_at, zone) > last_day:
        return "AFTER_EPISODE", f"measured after the episode ended on {last_day}"
    if any(stay.in_hospital and stay.begins_at <= one.measured_at < stay.ends_at for stay in away):
        return "IN_HOSPITAL", "measured while the patient was in hospital"
    return None


@dataclass(frozen=True, slots=True)
class Period:
    """A device-supply period: local dates, both inclusive."""

    start: date
    end: date


def periods(anchor: date, *, through: date, mode: PeriodMode) -> Iterator[Period]:
    """The periods from the anchor up to the one that holds `through`. Days are added to dates, never hours to instants.

    Fixed and consecutive: an empty one does not move the next.
    """
    start = anchor if mode is PeriodMode.FIXED_30 else anchor.replace(day=1)
    for _ in range(PERIODS_MAX):
        if start > through:
            return
        fixed = mode is PeriodMode.FIXED_30
        following = start + timedelta(days=PERIOD_DAYS) if fixed else month_after(start)
        yield Period(start, following - timedelta(days=1))
        start = following


def month_after(day: date) -> date:
    """The first day of the month after the one that holds `day`."""
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)
