"""Management: minutes and live contact per calendar month, and the codes they support."""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Final

from rpm.billing.case import Case
from rpm.billing.days import local_day, month_after
from rpm.billing.minutes import CountedTime, month_time
from rpm.billing.outcome import BillableItem, ItemState, ManagementMonth, NotBillable, Notice, Possibility
from rpm.billing.rules import PayerProfile, additional_units, in_force, management_rule, rule_for
from rpm.billing.supply import no_rule

MANAGEMENT_CODES: Final = ("99470", "99457", "99458")
ADDITIONAL_CODE: Final = "99458"


def management_months(case: Case, time: CountedTime, firsts: Sequence[date]) -> tuple[ManagementMonth, ...]:
    """What counts in each of these calendar months, given by their first days."""
    today = local_day(case.as_of, case.zone)
    found: list[ManagementMonth] = []
    for first in firsts:
        counted = month_time(time, first, case.zone)
        closes_on = counted.last if case.last_day is None else max(first, min(counted.last, case.last_day))
        found.append(
            ManagementMonth(
                start=first,
                end=counted.last,
                closes_on=closes_on,
                state=ItemState.FINAL if today > closes_on else ItemState.SO_FAR,
                seconds=counted.seconds,
                minutes=counted.minutes,
                live_contact=bool(counted.live_entry_ids),
                entry_ids=counted.entry_ids,
                live_entry_ids=counted.live_entry_ids,
            )
        )
    return tuple(found)


def months_between(first: date, last: date) -> tuple[date, ...]:
    """The first days of the calendar months from the one that holds `first` to the one that holds `last`."""
    months: list[date] = []
    month = first.replace(day=1)
    while month <= last:
        months.append(month)
        month = month_after(month)
    return tuple(months)


def management_items(months: Sequence[ManagementMonth], profile: PayerProfile) -> Iterator[BillableItem]:
    """The codes of each month: one for its first minutes, and the add-on for each full further step, up to the cap."""
    for month in months:
        if not month.live_contact:
            continue
        rule = management_rule(month.minutes, month.closes_on)
        if rule is None:
            continue
        yield _item(month, rule.code, rule.label, 1, f"{rule.code} needs {rule.needs}")
        further = rule_for(ADDITIONAL_CODE, month.closes_on)
        units = additional_units(month.minutes, further) if further else 0
        if further and units:
            billed = min(units, profile.additional_units_max)
            needs = f"one unit for each full {further.minutes_step} minutes from {further.minutes_min} on"
            yield _item(month, further.code, further.label, billed, needs)


def _item(month: ManagementMonth, code: str, label: str, units: int, needs: str) -> BillableItem:
    words = "" if month.state is ItemState.FINAL else f"; not final before the month closes on {month.closes_on}"
    return BillableItem(
        code=code,
        label=label,
        units=units,
        service_date=month.closes_on,
        start=month.start,
        end=month.end,
        state=month.state,
        reason=f"{month.minutes} minutes with live contact; {needs}{words}",
        entry_ids=month.entry_ids,
    )


def management_not_billable(months: Sequence[ManagementMonth], items: Sequence[BillableItem]) -> Iterator[NotBillable]:
    """For each month, every management code that is not its item, and why."""
    for month in months:
        billed = {item.code for item in items if item.start == month.start}
        for code in MANAGEMENT_CODES:
            if code in billed:
                continue
            rule = rule_for(code, month.closes_on)
            if rule is None:
                name, reason = no_rule(code, month.closes_on)
            elif month.minutes < rule.minutes_min:
                reason = f"{_minutes(month.minutes)} of management; {code} needs {rule.needs}"
                name = "TOO_FEW_MINUTES"
            elif not month.live_contact:
                name, reason = "NO_LIVE_CONTACT", _no_contact(month)
            else:
                name, reason = "FULL_CODE_INSTEAD", f"{_minutes(month.minutes)}: 99457 instead, never both"
            yield NotBillable(code, month.start, month.end, name, reason)


def _no_contact(month: ManagementMonth) -> str:
    return f"no live contact this month ({_minutes(month.minutes)} logged)"


def management_blockers(months: Sequence[ManagementMonth]) -> Iterator[Notice]:
    """A month with minutes enough and no live contact."""
    for month in months:
        if not month.live_contact and management_rule(month.minutes, month.closes_on) is not None:
            yield Notice("NO_LIVE_CONTACT", _no_contact(month), month.start, month.end, month.entry_ids)


def management_warnings(months: Sequence[ManagementMonth], profile: PayerProfile) -> Iterator[Notice]:
    """Minutes beyond the cap on add-on units."""
    for month in months:
        rule = rule_for(ADDITIONAL_CODE, month.closes_on)
        units = additional_units(month.minutes, rule) if rule else 0
        if month.live_contact and units > profile.additional_units_max:
            reason = f"{units} further units earned, {profile.additional_units_max} may be claimed per month"
            yield Notice("UNITS_CAPPED", reason, month.start, month.end)


def management_possibilities(months: Sequence[ManagementMonth]) -> Iterator[Possibility]:
    """For the open month: what more minutes and a live contact can still reach."""
    for month in months:
        if month.state is not ItemState.SO_FAR:
            continue
        contact = "" if month.live_contact else " and a live contact"
        rules = [rule for rule in in_force(month.closes_on) if rule.minutes_min]
        reached = max((rule.minutes_min for rule in rules if month.minutes >= rule.minutes_min), default=0)
        for rule in sorted(rules, key=lambda rule: rule.minutes_min):
            missing = rule.minutes_min - month.minutes
            if missing > 0:
                reason = f"{missing} more {'minute' if missing == 1 else 'minutes'}{contact} by {month.closes_on}"
                yield Possibility(rule.code, month.start, month.end, month.closes_on, reason)
            elif contact and rule.minutes_min == reached:
                reason = f"{_minutes(month.minutes)} logged; a live contact by {month.closes_on}"
                yield Possibility(rule.code, month.start, month.end, month.closes_on, reason)


def _minutes(count: int) -> str:
    return "1 minute" if count == 1 else f"{count} minutes"
