"""A practice's month: one row per patient's episode, from its records. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final, Protocol

from rpm.billing.anchor import periods_kept
from rpm.billing.case import Case, TimeElsewhere
from rpm.billing.claim import ClaimLine
from rpm.billing.episode import Episode, LoggedTime, MonthRecords, Practice, ServiceMonth
from rpm.billing.evaluate import billable_items
from rpm.billing.outcome import (
    BillableItem,
    BillingResult,
    ManagementMonth,
    NotBillable,
    Notice,
    Possibility,
    SupplyPeriod,
)
from rpm.billing.rules import FAMILY, Family
from rpm.billing.supply import service_date

#: As long as no claim is held open: a hundred years.
NEVER_LOCKED_DAYS: Final = 36_500


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One episode in one month.

    `codes` are dated in the month and may be claimed; `so_far` are supported as of now by a period or month that is
    still open; `other_months` may be claimed too, but a period that touches this month is dated in another. `periods`
    are those that touch the month, in order.
    """

    episode: Episode
    periods: tuple[SupplyPeriod, ...]
    management: ManagementMonth | None
    codes: tuple[BillableItem, ...]
    so_far: tuple[BillableItem, ...]
    other_months: tuple[BillableItem, ...]
    not_billable: tuple[NotBillable, ...]
    blockers: tuple[Notice, ...]
    warnings: tuple[Notice, ...]
    still_possible: tuple[Possibility, ...]
    result: BillingResult


@dataclass(frozen=True, slots=True)
class MonthReport:
    """A practice's month as of an instant."""

    practice: Practice
    month: ServiceMonth
    as_of: datetime
    rows: tuple[ReportRow, ...]


def month_report(records: MonthRecords, *, late_counts: bool = False) -> MonthReport:
    """Judge every episode of the records. `late_counts`: data that came after a claim was locked count, too."""
    zone, month = records.practice.time_zone, records.month
    by_patient: dict[int, list[LoggedTime]] = defaultdict(list)
    for logged in records.time:
        by_patient[logged.patient_id].append(logged)
    conflicts = conflicting(records.time)
    billed: dict[int, list[ClaimLine]] = defaultdict(list)
    rows: list[ReportRow] = []
    for episode in records.episodes:
        own = by_patient.get(episode.patient_id, [])
        elsewhere = tuple(other for one in own for other in conflicts.get(one.entry.entry_id, ()))
        case = Case(
            as_of=records.now,
            zone=zone,
            payer_profile=episode.payer_profile,
            established_patient=episode.established_patient,
            consented=episode.consented_at,
            ordered=episode.ordered_at,
            set_up=episode.set_up_at,
            claimed_anchor=episode.claimed_anchor,
            ended_on=episode.last_day(zone),
            days=records.days.get(episode.episode_id, ()),
            entries=tuple(one.entry for one in own),
            elsewhere=elsewhere,
            # A patient's earlier episode may already have used the month or the thirty days.
            other_claims=tuple(billed[episode.patient_id]),
            away=records.away.get(episode.patient_id, ()),
        )
        if late_counts:
            case = replace(periods_kept(case), hold_days=NEVER_LOCKED_DAYS)
        result = billable_items(case, months=(month.before.first, month.first))
        billed[episode.patient_id] += lines_of(result)
        if episode.ended_at is None or episode.ended_at > month.begins(zone):
            rows.append(row_of(episode, month, result))
    return MonthReport(records.practice, month, records.now, tuple(rows))


def locked_out(row: ReportRow, month: ServiceMonth) -> list[tuple[datetime, date, int]]:
    """Of each claim dated in the month that data came too late for: when it was locked, and the first and how many of their days."""
    return [
        (one.locked_at, one.late_days[0], len(one.late_days))
        for one in row.periods
        if one.late_days and month.first <= service_date(one) <= month.last
    ]


def lines_of(result: BillingResult) -> list[ClaimLine]:
    """What an episode claims of a patient's time; set-up is each episode's own."""
    return [
        ClaimLine(item.code, item.units, item.start, item.end)
        for item in (*result.items, *result.so_far)
        if FAMILY[item.code] is not Family.SET_UP
    ]


def conflicting(time: Iterable[LoggedTime]) -> Mapping[str, Sequence[TimeElsewhere]]:
    """For each entry during which the same person also logged time for another patient: that other time, by entry id."""
    by_staff: dict[str, list[LoggedTime]] = defaultdict(list)
    for logged in time:
        by_staff[logged.entry.staff_id].append(logged)
    found: dict[str, list[TimeElsewhere]] = defaultdict(list)
    for logs in by_staff.values():
        open_yet: list[LoggedTime] = []
        for logged in sorted(logs, key=lambda one: one.entry.started_at):
            open_yet = [one for one in open_yet if one.entry.ended_at > logged.entry.started_at]
            for other in open_yet:
                if other.patient_id != logged.patient_id:
                    found[logged.entry.entry_id].append(_elsewhere(other))
                    found[other.entry.entry_id].append(_elsewhere(logged))
            open_yet.append(logged)
    return found


def _elsewhere(logged: LoggedTime) -> TimeElsewhere:
    return TimeElsewhere(logged.entry.staff_id, logged.entry.started_at, logged.entry.ended_at)


class _Spanned(Protocol):
    @property
    def start(self) -> date | None: ...
    @property
    def end(self) -> date | None: ...


def row_of(episode: Episode, month: ServiceMonth, result: BillingResult) -> ReportRow:
    """The part of an episode's answer that belongs to one month."""
    periods = tuple(one for one in result.periods if one.start <= month.last and one.closes_on >= month.first)
    spans = {(one.start, one.end) for one in periods} | {(month.first, month.last)}

    def here(one: _Spanned) -> bool:
        """Whether it speaks of a period that touches the month, of the month itself, or of the whole episode."""
        return one.start is None or (one.start, one.end) in spans

    def touches(one: Notice) -> bool:
        return one.start is None or one.end is None or (one.start <= month.last and one.end >= month.first)

    return ReportRow(
        episode=episode,
        periods=periods,
        management=next((one for one in result.months if one.start == month.first), None),
        codes=tuple(one for one in result.items if month.first <= one.service_date <= month.last),
        so_far=tuple(one for one in result.so_far if here(one)),
        other_months=tuple(
            one for one in result.items if here(one) and not month.first <= one.service_date <= month.last
        ),
        not_billable=tuple(one for one in result.not_billable if here(one)),
        blockers=tuple(one for one in result.blockers if touches(one)),
        warnings=tuple(one for one in result.warnings if touches(one)),
        still_possible=tuple(one for one in result.still_possible if here(one)),
        result=result,
    )
