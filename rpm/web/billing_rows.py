"""A month's report as a biller reads it: which rows a filter shows, and what each says first. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import groupby
from typing import Final

from rpm.billing.case import Away, LeftOut, ReadingState, Transmission
from rpm.billing.days import count_days, local_day
from rpm.billing.episode import LoggedTime, ServiceMonth
from rpm.billing.minutes import Interval, clip, elapsed
from rpm.billing.outcome import BillableItem, ItemState, Possibility, SupplyPeriod
from rpm.billing.report import MonthReport, ReportRow
from rpm.billing.rules import FAMILY, Family
from rpm.store.billing import BilledReading
from rpm.web import formats

_ISO_DATE: Final = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
#: The last instant before a bound.
INSTANT: Final = timedelta(microseconds=1)
#: A page of so many rows stays below 300 kB.
ROWS_PER_PAGE: Final = 100
#: The month chooser reaches back so far; older months are a matter of the address.
MONTHS_BACK: Final = 12


class Show(StrEnum):
    """Which rows a biller wants to see, in the words of the page."""

    ALL = "all"
    READY = "ready"
    BLOCKED = "blocked"
    POSSIBLE = "possible"


def wanted(row: ReportRow, show: Show, text: str) -> bool:
    """Whether a row is shown."""
    if text and text.casefold() not in f"{row.episode.given_name} {row.episode.name}".casefold():
        return False
    return {
        Show.ALL: True,
        Show.READY: bool(row.codes),
        Show.BLOCKED: bool(row.blockers),
        Show.POSSIBLE: bool(next_steps(row)),
    }[show]


@dataclass(frozen=True, slots=True)
class Listing:
    """What the page shows of a report. `counts` are of all rows; `hidden` is what the filter hides."""

    rows: tuple[ReportRow, ...]
    counts: dict[Show, int]
    matching: int
    page: int
    pages: int

    @property
    def hidden(self) -> int:
        """How many rows the filter hides."""
        return self.counts[Show.ALL] - self.matching


def listing(report: MonthReport, *, show: Show, text: str, page: int) -> Listing:
    """One page of the rows a filter lets through; a page beyond the last is the last."""
    found = [row for row in report.rows if wanted(row, show, text)]
    pages = max(1, -(-len(found) // ROWS_PER_PAGE))
    page = min(page, pages)
    return Listing(
        rows=tuple(found[(page - 1) * ROWS_PER_PAGE : page * ROWS_PER_PAGE]),
        counts={one: sum(wanted(row, one, "") for row in report.rows) for one in Show},
        matching=len(found),
        page=page,
        pages=pages,
    )


def next_steps(row: ReportRow) -> tuple[Possibility, ...]:
    """What is still possible and not reached yet: each device-supply code, and the next step of management."""
    reached = {item.code for item in row.so_far}
    open_yet = [one for one in row.still_possible if one.code not in reached]
    supply = [one for one in open_yet if FAMILY[one.code] is Family.SUPPLY]
    # Short supply is passed, not missed, once the full code stands.
    if "99454" in reached:
        supply = []
    return (*supply, *[one for one in open_yet if FAMILY[one.code] is not Family.SUPPLY][:1])


def out_of_reach(row: ReportRow, period: SupplyPeriod) -> bool:
    """Whether sixteen days can no longer be reached in a period that is open."""
    return any(
        one.name == "OUT_OF_REACH" and one.start == period.start and one.reason.startswith("16 ")
        for one in row.warnings
    )


def period_item(row: ReportRow, period: SupplyPeriod) -> BillableItem | None:
    """The device-supply code of a period, in whichever month it is dated."""
    items = (*row.codes, *row.so_far, *row.other_months)
    return next((one for one in items if FAMILY[one.code] is Family.SUPPLY and one.start == period.start), None)


def period_words(period: SupplyPeriod) -> str:
    """How far a period is."""
    if period.state is ItemState.SO_FAR:
        return "open, 1 day left" if period.days_left == 1 else f"open, {period.days_left} days left"
    if period.state is ItemState.ON_HOLD:
        return f"closed, late data count to {formats.day((period.locked_at - INSTANT).date())}"
    return "closed"


def sentence(reason: str) -> str:
    """A reason as people read it: a capital first, and dates as they are said."""
    said = _ISO_DATE.sub(lambda found: formats.day(date.fromisoformat(found.group())), reason)
    return said[:1].upper() + said[1:]


def months_to_choose(today: date, chosen: ServiceMonth) -> list[ServiceMonth]:
    """The months the chooser offers, newest first, the chosen one among them."""
    months = [ServiceMonth(today.replace(day=1))]
    while len(months) <= MONTHS_BACK:
        months.append(months[-1].before)
    return months if chosen in months else [*months, chosen]


@dataclass(frozen=True, slots=True)
class EvidenceDay:
    """One local day's readings, each with the reason why it does not count, if there is one.

    `too_late`: all that would count came after the claim of its period was locked.
    """

    day: date
    readings: tuple[tuple[BilledReading, LeftOut | None], ...]
    too_late: bool

    @property
    def counts(self) -> bool:
        """Whether the day counts."""
        return not self.too_late and any(left_out is None for _, left_out in self.readings)


def evidence_days(
    row: ReportRow, readings: Sequence[BilledReading], *, away: Sequence[Away] = (), zone: str, now: datetime
) -> tuple[EvidenceDay, ...]:
    """The readings behind a row by local day, judged by the same rule that counts the days."""
    episode = row.episode
    transmissions = [
        Transmission(
            reading_id=str(one.reading_id),
            device=one.device or "",
            measured_at=one.measured_at,
            received_at=one.admitted_at,
            automatic=one.automatic,
            state=ReadingState.VOID if one.voided else ReadingState.TEST if one.test else ReadingState.ACCEPTED,
        )
        for one in readings
    ]
    _, left_out = count_days(
        transmissions,
        zone=zone,
        start=episode.begins(zone),
        last_day=episode.last_day(zone),
        as_of=now,
        away=away,
    )
    reasons = {one.evidence_id: one for one in left_out}
    late = {day for period in row.periods for day in period.late_days}
    return tuple(
        EvidenceDay(day, tuple((one, reasons.get(str(one.reading_id))) for one in group), day in late)
        for day, group in groupby(readings, key=lambda one: local_day(one.measured_at, zone))
    )


@dataclass(frozen=True, slots=True)
class EvidenceEntry:
    """A time entry of the patient: why it does not count, or which instants of it count in the month.

    `rest`: why not all of it does; empty where it counts whole.
    """

    logged: LoggedTime
    left_out: LeftOut | None
    counted: tuple[Interval, ...] = ()
    rest: str = ""

    @property
    def worked(self) -> timedelta:
        """How long the instants that count are together."""
        return elapsed(self.counted)


def evidence_entries(row: ReportRow, time: Sequence[LoggedTime], month: ServiceMonth, zone: str) -> list[EvidenceEntry]:
    """The patient's entries that touch the month, in order of time."""
    begins, ends = month.begins(zone), month.ends(zone)
    own = [
        one
        for one in time
        if one.patient_id == row.episode.patient_id and one.entry.started_at < ends and one.entry.ended_at > begins
    ]
    own.sort(key=lambda one: one.entry.started_at)
    return [_evidence_entry(one, row, begins, ends) for one in own]


def _evidence_entry(logged: LoggedTime, row: ReportRow, begins: datetime, ends: datetime) -> EvidenceEntry:
    entry, result = logged.entry, row.result
    left_out = next((one for one in result.entries_left_out if one.evidence_id == entry.entry_id), None)
    if left_out is not None:
        return EvidenceEntry(logged, left_out)
    part = next((one for one in result.entries_in_part if one.entry_id == entry.entry_id), None)
    counts = part.counted if part else ((entry.started_at, entry.ended_at),)
    here = clip(counts, begins, ends)
    rest = [part.reason] if part else []
    if here != counts:
        rest.append("another month has its own part of it")
    return EvidenceEntry(logged, None, here, "; ".join(rest))
