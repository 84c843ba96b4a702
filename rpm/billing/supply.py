"""Device supply: days of data per period, the one code they support, and set-up with the first of them."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from rpm.billing.case import Case, DataDay
from rpm.billing.days import first_moment, local_day, periods
from rpm.billing.outcome import BillableItem, ItemState, NotBillable, Notice, Possibility, SupplyPeriod
from rpm.billing.rules import Family, PayerProfile, in_force, rule_for, supply_rule

SUPPLY_CODES: Final = ("99445", "99454")
SET_UP_CODE: Final = "99453"


def supply_periods(case: Case, profile: PayerProfile, anchor: date) -> tuple[SupplyPeriod, ...]:
    """Every period from the anchor up to `as_of` or the episode's end, each with the days that count for its claim.

    A day measured in the period counts when its first reading was received before the claim was locked; later ones are
    kept apart, and never move to another period.
    """
    today = local_day(case.as_of, case.zone)
    last_day = case.last_day
    through = today if last_day is None else min(today, last_day)
    hold_days = profile.hold_days if case.hold_days is None else case.hold_days
    found: list[SupplyPeriod] = []
    for period in periods(anchor, through=through, mode=profile.period_mode):
        closes_on = period.end if last_day is None else min(period.end, last_day)
        hold_ends = first_moment(closes_on + timedelta(days=hold_days + 1), case.zone)
        locked_at = case.locks.get(period.start, hold_ends)
        inside = [day for day in case.days if period.start <= day.day <= closes_on]
        in_time = [day for day in inside if day.received_at < locked_at]
        late = [day for day in inside if day.received_at >= locked_at]
        if today <= closes_on:
            state = ItemState.SO_FAR
        else:
            state = ItemState.ON_HOLD if case.as_of < locked_at else ItemState.FINAL
        found.append(
            SupplyPeriod(
                start=period.start,
                end=period.end,
                closes_on=closes_on,
                locked_at=locked_at.astimezone(ZoneInfo(case.zone)),
                state=state,
                days=tuple(day.day for day in in_time),
                reading_ids=_ids(in_time, locked_at),
                late_days=tuple(day.day for day in late),
                late_reading_ids=tuple(reading_id for day in late for _, reading_id in day.readings),
                days_left=_days_left(today, closes_on, in_time),
            )
        )
    return tuple(found)


def _ids(days: Sequence[DataDay], locked_at: datetime) -> tuple[str, ...]:
    return tuple(reading_id for day in days for received, reading_id in day.readings if received < locked_at)


def _days_left(today: date, closes_on: date, days: Sequence[DataDay]) -> int:
    """Days on which a new day of data can still be made; today only while it has none yet."""
    today_has_data = bool(days) and days[-1].day >= today
    return max(0, (closes_on - today).days + (0 if today_has_data else 1))


def service_date(period: SupplyPeriod) -> date:
    """The period's end; where the episode ended early, the last day with data, so never after a death."""
    if period.closes_on < period.end and period.days:
        return period.days[-1]
    return period.closes_on


def idle_locks(case: Case, periods: Sequence[SupplyPeriod]) -> Iterator[Notice]:
    """A lock that names no period locks nothing: somebody has to be told, for late data goes on counting."""
    for first in sorted(case.locks.keys() - {period.start for period in periods}):
        reason = f"the claim lock of {first} has no effect: no counted period begins on that day"
        yield Notice("LOCK_WITHOUT_PERIOD", reason)


def supply_items(found: Sequence[SupplyPeriod]) -> Iterator[BillableItem]:
    """The device-supply code of each period that has one."""
    for period in found:
        on, count = service_date(period), len(period.days)
        rule = supply_rule(count, on)
        if rule is None:
            continue
        reason = f"{_days(count)} of data from {period.start} to {period.closes_on}; {rule.code} needs {rule.needs}"
        yield BillableItem(
            code=rule.code,
            label=rule.label,
            units=1,
            service_date=on,
            start=period.start,
            end=period.end,
            state=period.state,
            reason=reason + _state_words(period),
            days=period.days,
            reading_ids=period.reading_ids,
        )


def _state_words(period: SupplyPeriod) -> str:
    if period.state is ItemState.SO_FAR:
        return f"; not final before the period closes on {period.closes_on}"
    if period.state is ItemState.ON_HOLD:
        return f"; data received before {period.locked_at.date()} still count"
    return ""


def set_up_item(case: Case, supplies: Sequence[BillableItem]) -> BillableItem | None:
    """Set-up: once per episode, on the first device-supply claim, where its days are enough for both."""
    if case.set_up_billed or not supplies:
        return None
    first = supplies[0]
    rule = rule_for(SET_UP_CODE, first.service_date)
    if rule is None or len(first.days) < rule.days_min:
        return None
    return BillableItem(
        code=rule.code,
        label=rule.label,
        units=1,
        service_date=first.service_date,
        start=first.start,
        end=first.end,
        state=first.state,
        reason=f"set up, and data on {_days(len(first.days))}: claimed once, with the first {first.code}",
        days=first.days,
        reading_ids=first.reading_ids,
    )


def supply_not_billable(
    case: Case, found: Sequence[SupplyPeriod], supplies: Sequence[BillableItem], set_up: BillableItem | None
) -> Iterator[NotBillable]:
    """For each period, every supply code that is not its item, and why."""
    billed = {item.start: item.code for item in supplies}
    for period in found:
        count, on = len(period.days), service_date(period)
        chosen = billed.get(period.start)
        for code in SUPPLY_CODES:
            if code == chosen:
                continue
            rule = rule_for(code, on)
            if rule is None:
                name, reason = no_rule(code, on)
            elif count < rule.days_min:
                name, reason = "TOO_FEW_DAYS", f"{_days(count)} of data; {code} needs {rule.needs}"
            else:
                name, reason = "FULL_CODE_INSTEAD", f"{_days(count)} of data: {chosen} instead, never both"
            yield NotBillable(code, period.start, period.end, name, reason)
        if set_up is None or set_up.start != period.start:
            yield NotBillable(SET_UP_CODE, period.start, period.end, *_why_no_set_up(case, period, set_up))


def _why_no_set_up(case: Case, period: SupplyPeriod, set_up: BillableItem | None) -> tuple[str, str]:
    if case.set_up_billed:
        return "SET_UP_BILLED", "already billed in this episode; once per episode"
    if set_up is not None and set_up.start < period.start:
        return "SET_UP_BILLED", f"claimed with the period of {set_up.start}; once per episode"
    return "NO_SUPPLY", "claimed with the first device supply that may stand, and this period has none"


def no_rule(code: str, on: date) -> tuple[str, str]:
    """Name and sentence for a code without a rule on a date of service."""
    if not in_force(on):
        return "NO_RULE_FOR_DATE", f"no rules are known for the date of service {on}, so none is applied"
    return "NO_RULE_FOR_DATE", f"{code} has no rule for the date of service {on}"


def supply_warnings(found: Sequence[SupplyPeriod], supplies: Sequence[BillableItem]) -> Iterator[Notice]:
    """Late data after a lock, and two supply units dated in one month."""
    for period in found:
        if not period.late_days:
            continue
        count, all_days = len(period.days), len(period.days) + len(period.late_days)
        was, would = supply_rule(count, service_date(period)), supply_rule(all_days, service_date(period))
        change = "the code stays the same"
        if was != would:
            change = f"{would.code if would else 'no code'} instead of {was.code if was else 'no code'}"
        reason = (
            f"{_days(len(period.late_days))} of the period from {period.start} came after the claim was locked"
            f" ({period.locked_at.date()}): {all_days} days would be {change}; correct the claim, do not edit it"
        )
        yield Notice("CORRECTED_CLAIM", reason, period.start, period.end, period.late_reading_ids)
    by_month: dict[tuple[int, int], list[BillableItem]] = {}
    for item in supplies:
        by_month.setdefault((item.service_date.year, item.service_date.month), []).append(item)
    for items in by_month.values():
        if len(items) > 1:
            dates = " and ".join(str(item.service_date) for item in items)
            reason = f"two device-supply claims dated in one calendar month ({dates}): some payers refuse the second"
            yield Notice("FREQ_WARN", reason, items[0].service_date, items[-1].service_date)


def supply_possibilities(found: Sequence[SupplyPeriod]) -> Iterator[Possibility]:
    """For the open period: what days still to come can reach, and the last day on which they can begin."""
    for period in found:
        if period.state is not ItemState.SO_FAR:
            continue
        count, left = len(period.days), period.days_left
        on = period.closes_on
        for rule in in_force(on, Family.SUPPLY):
            missing = rule.days_min - count
            if missing <= 0 and rule == supply_rule(count, on):
                until = "" if rule.days_max is None else f"; {rule.code} if the period closes with {rule.needs}"
                yield Possibility(rule.code, period.start, period.end, on, f"reached with {_days(count)}{until}")
            elif missing <= 0:
                continue
            elif missing <= left:
                by = on - timedelta(days=missing - 1)
                reason = f"{missing} more {'day' if missing == 1 else 'days'} of data needed; {_days(left)} left"
                yield Possibility(rule.code, period.start, period.end, by, reason)


def out_of_reach(found: Sequence[SupplyPeriod]) -> Iterator[Notice]:
    """The open period's codes that no number of further days can reach any more."""
    for period in found:
        if period.state is not ItemState.SO_FAR:
            continue
        for rule in in_force(period.closes_on, Family.SUPPLY):
            if rule.days_min - len(period.days) > period.days_left:
                reason = (
                    f"{rule.days_min} days can no longer be reached in the period to {period.closes_on}:"
                    f" {_days(len(period.days))} of data, {_days(period.days_left)} left"
                )
                yield Notice("OUT_OF_REACH", reason, period.start, period.end)


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
