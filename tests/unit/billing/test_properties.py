"""What must hold of any days and minutes (B1, B2, B4, B5): random cases against sums done another way."""

import itertools
import random
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from rpm.billing.case import ReadingState, TimeEntry, Transmission
from rpm.billing.days import first_moment, local_day, periods
from rpm.billing.evaluate import billable_items
from rpm.billing.minutes import elapsed, subtract, union
from rpm.billing.rules import PeriodMode
from tests.support.periods import first_day
from tests.unit.billing.cast import NEW_YORK, bill, case_of

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = st.integers(min_value=0, max_value=120 * 24 * 3600)


@st.composite
def entries(draw: st.DrawFn) -> list[TimeEntry]:
    spans = draw(st.lists(st.tuples(SECONDS, st.integers(1, 5400), st.sampled_from("ab"), st.booleans()), max_size=12))
    return [
        TimeEntry(
            f"entry-{number}",
            staff,
            EPOCH + timedelta(seconds=start),
            EPOCH + timedelta(seconds=start + length),
            interactive=live,
        )
        for number, (start, length, staff, live) in enumerate(spans)
    ]


@st.composite
def transmissions(draw: st.DrawFn) -> list[Transmission]:
    facts = st.tuples(SECONDS, st.integers(0, 20 * 24 * 3600), st.booleans(), st.sampled_from(ReadingState))
    return [
        Transmission(
            f"reading-{number}",
            "cuff",
            EPOCH + timedelta(seconds=measured),
            EPOCH + timedelta(seconds=measured + late),
            automatic,
            state,
        )
        for number, (measured, late, automatic, state) in enumerate(draw(st.lists(facts, max_size=60)))
    ]


@given(entries())
def test_minutes_are_the_distinct_instants_worked(worked: list[TimeEntry]) -> None:
    """A second-by-second count of when anybody worked, in a month of New York, is the oracle."""
    instants = {
        second
        for one in worked
        for second in range(int((one.started_at - EPOCH).total_seconds()), int((one.ended_at - EPOCH).total_seconds()))
    }
    by_month: dict[date, int] = {}
    zone = ZoneInfo(NEW_YORK)
    for second in instants:
        local = (EPOCH + timedelta(seconds=second)).astimezone(zone)
        first = date(local.year, local.month, 1)
        by_month[first] = by_month.get(first, 0) + 1
    answer = bill(entries=worked, start="2025-12-01")
    assert {month.start: month.seconds for month in answer.months if month.seconds} == by_month
    assert all(month.minutes == by_month.get(month.start, 0) // 60 for month in answer.months)


@given(entries(), st.integers(0, 10_000))
def test_the_order_in_which_evidence_comes_changes_nothing(worked: list[TimeEntry], seed: int) -> None:
    shuffled = list(worked)
    random.Random(seed).shuffle(shuffled)
    first, second = bill(entries=worked), bill(entries=shuffled)
    assert (first.items, first.months, first.not_billable) == (second.items, second.months, second.not_billable)


@given(transmissions(), st.integers(0, 10_000))
def test_duplicates_and_order_change_nothing(sent: list[Transmission], seed: int) -> None:
    again = [replace(one, received_at=one.received_at + timedelta(days=1)) for one in sent]
    mixed = [*sent, *again]
    random.Random(seed).shuffle(mixed)
    assert bill(mixed) == bill(sent)


@given(transmissions())
def test_what_is_final_is_never_taken_back_by_what_comes_later(sent: list[Transmission]) -> None:
    """A claim that may have been sent stands in every later answer: its code, its date and its days."""
    claimed: set[tuple[str, date, tuple[date, ...]]] = set()
    for week in range(4, 26):
        answer = billable_items(case_of(sent, as_of=EPOCH + timedelta(weeks=week)))
        final = {(one.code, one.service_date, one.days) for one in answer.items if one.days and one.state == "final"}
        assert claimed <= final
        claimed = final


@given(transmissions())
def test_days_and_codes_from_a_ledger_of_its_own(sent: list[Transmission]) -> None:
    """Days recounted with nothing but sets: what was measured in the period and received before its lock."""
    zone = ZoneInfo(NEW_YORK)
    good = [one for one in sent if one.automatic and one.state == "accepted"]
    after_start = [one for one in good if one.measured_at >= datetime(2026, 1, 1, 5, tzinfo=UTC)]
    answer = bill(sent)
    if not after_start:
        assert answer.periods == ()
        return
    first = first_day([(one.measured_at.astimezone(zone).date(), one.received_at) for one in after_start], zone)
    assert answer.anchor == first
    for number, period in enumerate(answer.periods):
        start = first + timedelta(days=30 * number)
        lock = datetime.combine(start + timedelta(days=35), datetime.min.time(), zone)
        days = {
            one.measured_at.astimezone(zone).date()
            for one in after_start
            if 0 <= (one.measured_at.astimezone(zone).date() - start).days < 30 and one.received_at < lock
        }
        assert set(period.days) == days
        codes = {one.code for one in answer.items if one.start == start} & {"99445", "99454"}
        assert codes == ({"99454"} if len(days) > 15 else {"99445"} if len(days) > 1 else set())
    assert sum(item.code == "99453" for item in answer.items) <= 1


@given(st.dates(date(2025, 1, 1), date(2027, 12, 31)), st.integers(1, 900), st.sampled_from(PeriodMode))
def test_periods_tile_the_calendar(anchor: date, length: int, mode: PeriodMode) -> None:
    found = list(periods(anchor, through=anchor + timedelta(days=length), mode=mode))
    assert found[0].start <= anchor
    assert found[-1].start <= anchor + timedelta(days=length) <= found[-1].end
    for one, following in itertools.pairwise(found):
        assert following.start - one.end == timedelta(days=1)


@given(
    st.integers(0, 364 * 24 * 3600),
    st.sampled_from([NEW_YORK, "America/Los_Angeles", "America/Havana", "Pacific/Apia", "Asia/Kathmandu", "UTC"]),
)
def test_a_day_begins_when_its_date_begins(second: int, zone: str) -> None:
    """Across clock changes too, also where the missing hour begins at midnight (Havana)."""
    aware = EPOCH + timedelta(seconds=second)
    day = local_day(aware, zone)
    assert first_moment(day, zone) <= aware < first_moment(day + timedelta(days=1), zone)
    assert local_day(first_moment(day, zone), zone) == day
    assert local_day(first_moment(day, zone) - timedelta(microseconds=1), zone) == day - timedelta(days=1)


def test_an_hour_of_work_across_a_clock_change_is_an_hour() -> None:
    """Both changes of 2026 in New York, in local times of one zone: wall clocks would say 0 and 2 hours."""
    zone = ZoneInfo(NEW_YORK)
    for day, hour, fold in ((date(2026, 3, 8), 3, 0), (date(2026, 11, 1), 1, 1)):
        end = datetime(day.year, day.month, day.day, hour, 30, tzinfo=zone, fold=fold)
        start = datetime(day.year, day.month, day.day, 1, 30, tzinfo=zone)
        assert end.astimezone(UTC) - start.astimezone(UTC) == timedelta(hours=1)
        entry = TimeEntry("entry", "nurse", start, end, interactive=True)
        answer = bill(entries=[entry], as_of=datetime(2026, 12, 20, tzinfo=UTC))
        month = next(one for one in answer.months if one.start.month == day.month)
        assert month.minutes == 60


INTERVALS = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 60)), max_size=15)


@given(INTERVALS, INTERVALS)
@settings(max_examples=200)
def test_intervals_behave_like_sets_of_seconds(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> None:
    def real(spans: list[tuple[int, int]]) -> list[tuple[datetime, datetime]]:
        return [(EPOCH + timedelta(seconds=a), EPOCH + timedelta(seconds=a + n)) for a, n in spans]

    def seconds(spans: list[tuple[int, int]]) -> set[int]:
        return {second for a, n in spans for second in range(a, a + n)}

    joined, taken = union(real(first)), union(real(second))
    assert elapsed(joined).total_seconds() == len(seconds(first))
    left = [piece for span in joined for piece in subtract(span, taken)]
    assert elapsed(left).total_seconds() == len(seconds(first) - seconds(second))
    wall = sum(n for _, n in first)
    assert elapsed(joined).total_seconds() <= wall


@given(transmissions(), entries(), st.integers(0, 130))
def test_what_is_final_stays_when_time_goes_on(sent: list[Transmission], worked: list[TimeEntry], day: int) -> None:
    """No later evidence and no later date takes back or alters a final item (B6)."""
    then = EPOCH + timedelta(days=day)
    before = billable_items(case_of(sent, worked, as_of=then))
    after = billable_items(case_of(sent, worked, as_of=then + timedelta(days=60)))
    final = {(one.code, one.units, one.service_date) for one in before.items if one.state == "final"}
    assert final <= {(one.code, one.units, one.service_date) for one in after.items}
