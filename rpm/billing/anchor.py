"""Where an episode's device-supply periods begin, and what is said where that is not the first day with data, or was not.

The first countable day, as far as it was known in time. Before any claim could be made the periods follow it: a day
uploaded late moves them, and is told with its date. Once a claim is locked they stay: what is final may have been sent,
and only a corrected claim changes it. Periods cut anew would overlap those that were paid (one unit in thirty days),
and move days from one to its neighbour.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from operator import attrgetter

from rpm.billing.case import Case, DataDay
from rpm.billing.days import local_day
from rpm.billing.outcome import ItemState, Notice, SupplyPeriod
from rpm.billing.rules import PAYER_PROFILES, STRICT, PayerProfile, PeriodMode, supply_rule
from rpm.billing.supply import service_date, supply_periods


@dataclass(frozen=True, slots=True)
class Begin:
    """The first day of the first period. Where it was another before: that one, and the day on which it changed.

    `locked`: the claim that was locked before an earlier day came, and so keeps the periods where they are.
    """

    day: date
    before: date | None = None
    moved_on: date | None = None
    locked: SupplyPeriod | None = None


def known_begin(case: Case, profile: PayerProfile) -> Begin | None:
    """The first countable day that was known before the first claim was locked; None where there is no day.

    Told over again in the order in which days came, so the answer is the same whoever asks, and whenever.
    """
    begin: Begin | None = None
    known: list[DataDay] = []
    known_on: date | None = None
    for day in sorted(case.days, key=attrgetter("received_at", "day")):
        came_on = local_day(day.received_at, case.zone)
        if begin is None:
            begin, known_on = Begin(day.day), came_on
        elif day.day < begin.day:
            locked = _locked_claim(case, profile, known, begin.day, at=day.received_at)
            if locked is not None:
                return replace(begin, locked=locked)
            # What a box sends on one day in any order is one look at the bill: only a later day's arrival moves anything.
            if came_on == known_on:
                begin = replace(begin, day=day.day)
            else:
                begin, known_on = Begin(day.day, begin.day, came_on), came_on
        known.append(day)
    return begin


def _locked_claim(
    case: Case, profile: PayerProfile, known: Sequence[DataDay], begin: date, *, at: datetime
) -> SupplyPeriod | None:
    """The first claim for which nothing counted any more when a day came, of the days known until then."""
    then = replace(case, days=tuple(sorted(known, key=attrgetter("day"))), as_of=at)
    found = supply_periods(then, profile, begin)
    locked = (one for one in found if one.state is ItemState.FINAL and supply_rule(len(one.days), service_date(one)))
    return next(locked, None)


def periods_kept(case: Case) -> Case:
    """The case with its periods where its bill has them: to see what a late day would be, among the same periods."""
    if case.claimed_anchor is not None:
        return case
    begin = known_begin(case, PAYER_PROFILES.get(case.payer_profile, STRICT))
    return case if begin is None else replace(case, claimed_anchor=begin.day)


def anchor_of(case: Case, profile: PayerProfile, start: datetime | None) -> tuple[date | None, tuple[Notice, ...]]:
    """The first day of the first period: one a closed month claimed, or one that was set and may stand, or the first known.

    A set anchor later than the first countable day would drop days at will; one before service started would bill a
    time that nothing authorised. Both are refused with a notice, and the first countable day is taken.
    """
    if case.claimed_anchor is not None:
        return case.claimed_anchor, ()
    begin = known_begin(case, profile)
    first = None if begin is None else begin.day
    if case.anchor is None or case.anchor == first:
        return first, ()
    late = first is not None and case.anchor > first
    early = start is None or case.anchor < local_day(start, case.zone)
    if not late and not early:
        return case.anchor, ()
    why = "is after the first countable day" if late else "is before service could start"
    instead = f"the first countable day, {first}, is taken" if first else "there is no countable day to take instead"
    return first, (Notice("ANCHOR_REFUSED", f"the anchor {case.anchor} {why}; {instead}"),)


def anchor_notices(case: Case, profile: PayerProfile, periods: Sequence[SupplyPeriod]) -> Iterator[Notice]:
    """Where the periods do not begin with the first countable day, since when and why; or did not until a day came."""
    if not periods:
        return
    if case.claimed_anchor is not None:
        yield from _kept(case, profile, periods, case.claimed_anchor, "as a closed month claimed them")
        return
    begin = known_begin(case, profile)
    if begin is None or case.anchor not in (None, begin.day):
        return
    if begin.locked is not None:
        claim = f"the claim of {begin.locked.start} to {begin.locked.end}, locked on {begin.locked.locked_at.date()}"
        yield from _kept(case, profile, periods, begin.day, f"as {claim}, has them")
    if begin.before is None or begin.moved_on is None:
        return
    start, before = _first_of(begin.day, profile), _first_of(begin.before, profile)
    if start != before:
        reason = (
            f"the periods begin on {start} since {begin.moved_on}, when data of {begin.day} came, before a claim was"
            f" locked; until then they began on {before}"
        )
        yield Notice("ANCHOR_MOVED", reason, periods[0].start, max(periods[0].end, begin.moved_on))


def _first_of(day: date, profile: PayerProfile) -> date:
    """Where the first period begins, by a day in it."""
    return day if profile.period_mode is PeriodMode.FIXED_30 else day.replace(day=1)


def _kept(
    case: Case, profile: PayerProfile, periods: Sequence[SupplyPeriod], begin: date, why: str
) -> Iterator[Notice]:
    first = case.days[0].day if case.days else None
    if first is not None and _first_of(first, profile) == _first_of(begin, profile):
        return
    start, end = periods[0].start, periods[0].end
    before = sum(day.day < start for day in case.days)
    known = f"the first countable day is now {first}" if first else "no day counts now"
    lost = f", and {before} {'day' if before == 1 else 'days'} of data before that {'is' if before == 1 else 'are'}"
    reason = f"{known}; the periods go on from {begin}, {why}{lost + ' in no period' if before else ''}"
    yield Notice("ANCHOR_KEPT", reason, first if before else start, end)
