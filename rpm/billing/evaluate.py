"""The one decision: what may be billed for an episode, what may not, and why."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from rpm.billing.anchor import anchor_notices, anchor_of
from rpm.billing.away import away_notices
from rpm.billing.case import Case
from rpm.billing.claim import ClaimLine, check_claim
from rpm.billing.days import PERIODS_MAX, local_day, month_after, service_start
from rpm.billing.management import (
    management_blockers,
    management_items,
    management_months,
    management_not_billable,
    management_possibilities,
    management_warnings,
    months_between,
)
from rpm.billing.minutes import count_time
from rpm.billing.outcome import (
    BillableItem,
    BillingResult,
    ItemState,
    ManagementMonth,
    NotBillable,
    Notice,
    SupplyPeriod,
)
from rpm.billing.rules import CODES, FAMILY, NOT_IMPLEMENTED, PAYER_PROFILES, Family, PayerProfile
from rpm.billing.supply import (
    idle_locks,
    out_of_reach,
    set_up_item,
    supply_items,
    supply_not_billable,
    supply_periods,
    supply_possibilities,
    supply_warnings,
)

STAFF_CONFLICT: Final = "time that the same person also logged for another patient does not count until it is settled"
DOUBLE_TAG: Final = "minutes first entered for another service are not counted again"


def billable_items(case: Case, *, months: Sequence[date] | None = None) -> BillingResult:
    """Judge one episode as of `case.as_of`. `months` (their first days) limits management to those calendar months.

    Pure: the same case gives the same answer, whenever it is asked.
    """
    start = service_start(consented=case.consented, ordered=case.ordered, set_up=case.set_up, zone=case.zone)
    profile = PAYER_PROFILES.get(case.payer_profile)
    gates = tuple(_gates(case))
    if profile is None or start is None:
        return _refused(case, gates)
    anchor, refused_anchor = anchor_of(case, profile, start)
    periods = supply_periods(case, profile, anchor) if anchor is not None else ()
    time = count_time(case, start)
    firsts = _months(case, start) if months is None else months
    managed = management_months(case, time, firsts)

    supplies = tuple(supply_items(periods))
    # Set-up goes with the first supply claim that may stand, so other claims are asked about supply first.
    standing, _ = _beside_other_claims(supplies, case.other_claims, profile)
    set_up = set_up_item(case, standing)
    management = tuple(management_items(managed, profile))
    candidates = (*supplies, *((set_up,) if set_up else ()), *management)
    not_billable = [
        *supply_not_billable(case, periods, supplies, set_up),
        *management_not_billable(managed, management),
    ]
    if not periods:
        not_billable += _no_data()
    blockers = [
        *gates,
        *management_blockers(managed),
        *_by_month(case, time.conflicts, "STAFF_CONFLICT", STAFF_CONFLICT),
    ]
    if gates:
        names = ", ".join(gate.name for gate in gates)
        not_billable += [NotBillable(item.code, item.start, item.end, names, gates[0].reason) for item in candidates]
        kept: tuple[BillableItem, ...] = ()
    else:
        kept, refused = _beside_other_claims(candidates, case.other_claims, profile)
        blockers += [
            Notice(one.name, one.reason, one.start, one.end) for one in {one.name: one for one in refused}.values()
        ]
        not_billable += refused
    return BillingResult(
        as_of=case.as_of,
        payer_profile=case.payer_profile,
        service_start=start,
        anchor=anchor,
        items=tuple(item for item in kept if item.state is not ItemState.SO_FAR),
        so_far=tuple(item for item in kept if item.state is ItemState.SO_FAR),
        not_billable=tuple(not_billable),
        blockers=tuple(blockers),
        warnings=(
            *refused_anchor,
            *anchor_notices(case, profile, periods),
            *away_notices(case),
            *_too_long(periods),
            *idle_locks(case, periods),
            *supply_warnings(periods, supplies),
            *out_of_reach(periods),
            *management_warnings(managed, profile),
            *_by_month(case, time.double_tagged, "DOUBLE_TAG", DOUBLE_TAG),
            *_components(kept, managed),
        ),
        still_possible=() if gates else (*supply_possibilities(periods), *management_possibilities(managed)),
        periods=periods,
        months=managed,
        readings_left_out=case.readings_left_out,
        entries_left_out=time.left_out,
        entries_in_part=time.in_part,
    )


def _gates(case: Case) -> Iterator[Notice]:
    """What must be in place before any unit."""
    if case.payer_profile not in PAYER_PROFILES:
        if case.payer_profile in NOT_IMPLEMENTED:
            reason = f"the rules of payer profile {case.payer_profile} are not implemented, so nothing is billed"
            yield Notice("PAYER_PROFILE_NOT_IMPLEMENTED", reason)
        else:
            reason = f"payer profile {case.payer_profile} is not known; known: {', '.join(sorted(PAYER_PROFILES))}"
            yield Notice("PAYER_PROFILE_UNKNOWN", reason)
    if not case.established_patient:
        yield Notice("NOT_ESTABLISHED", "no earlier visit with the practice: not an established patient")
    if case.consented is None:
        yield Notice("NO_CONSENT", "no consent on record")
    if case.ordered is None:
        yield Notice("NO_ORDER", "no order on record")
    if case.set_up is None:
        yield Notice("NO_SET_UP", "no device was set up and taught")


def _refused(case: Case, gates: Sequence[Notice]) -> BillingResult:
    """The answer where counting cannot begin: a payer whose rules are not known here, or nothing that authorises it."""
    return BillingResult(
        as_of=case.as_of,
        payer_profile=case.payer_profile,
        service_start=None,
        anchor=None,
        items=(),
        so_far=(),
        not_billable=tuple(NotBillable(code, None, None, gate.name, gate.reason) for code in CODES for gate in gates),
        blockers=tuple(gates),
        warnings=(),
        still_possible=(),
        periods=(),
        months=(),
        readings_left_out=case.readings_left_out,
        entries_left_out=(),
    )


def _months(case: Case, start: datetime | None) -> tuple[date, ...]:
    """Every month from the start of service to `as_of` or the episode's end."""
    if start is None:
        return ()
    today = local_day(case.as_of, case.zone)
    last = today if case.last_day is None else min(today, case.last_day)
    return months_between(local_day(start, case.zone), last)


def _too_long(periods: Sequence[SupplyPeriod]) -> Iterator[Notice]:
    if len(periods) == PERIODS_MAX:
        reason = f"only the first {PERIODS_MAX} periods are counted, ten years: check the dates of the episode"
        yield Notice("EPISODE_TOO_LONG", reason)


def _no_data() -> Iterator[NotBillable]:
    for code in ("99453", "99445", "99454"):
        yield NotBillable(
            code, None, None, "NO_DATA", "no countable reading yet: the first one starts the first period"
        )


def _by_month(case: Case, entry_ids: Sequence[str], name: str, reason: str) -> Iterator[Notice]:
    """One notice for each calendar month in which one of these entries began."""
    months: dict[date, list[str]] = {}
    for entry in case.entries:
        if entry.entry_id in entry_ids:
            first = local_day(entry.started_at, case.zone).replace(day=1)
            months.setdefault(first, []).append(entry.entry_id)
    for first, ids in sorted(months.items()):
        yield Notice(name, reason, first, month_after(first) - timedelta(days=1), tuple(ids))


def _beside_other_claims(
    candidates: Sequence[BillableItem], others: Sequence[ClaimLine], profile: PayerProfile
) -> tuple[tuple[BillableItem, ...], list[NotBillable]]:
    """The items that may stand beside what was already claimed, and the others with the name of the refusal."""
    if not others:
        return tuple(candidates), []
    kept: list[BillableItem] = []
    refused: list[NotBillable] = []
    for item in candidates:
        beside = (*others, *(_line(one) for one in kept))
        new = [
            refusal
            for refusal in check_claim((*beside, _line(item)), profile=profile)
            if item.code in refusal.codes and refusal not in check_claim(beside, profile=profile)
        ]
        if new:
            refused.append(NotBillable(item.code, item.start, item.end, new[0].name, new[0].reason))
        else:
            kept.append(item)
    return tuple(kept), refused


def _line(item: BillableItem) -> ClaimLine:
    return ClaimLine(item.code, item.units, item.start, item.end)


def _components(kept: Sequence[BillableItem], months: Sequence[ManagementMonth]) -> Iterator[Notice]:
    """A month with one of supply and management but not the other: allowed, but what an auditor looks for first."""
    closed = {month.start for month in months if month.state is ItemState.FINAL}
    managed = {item.start for item in kept if FAMILY[item.code] is Family.MANAGEMENT}
    supplies = [item for item in kept if FAMILY[item.code] is Family.SUPPLY]
    for month in months:
        supplied = any(item.start <= month.end and item.end >= month.start for item in supplies)
        if month.start in managed and not supplied:
            yield Notice("MANAGEMENT_WITHOUT_SUPPLY", "management without device supply", month.start, month.end)
    for item in supplies:
        touched = set(months_between(item.start, item.end))
        if touched <= closed and not touched & managed:
            yield Notice("SUPPLY_WITHOUT_MANAGEMENT", "device supply without management", item.start, item.end)
