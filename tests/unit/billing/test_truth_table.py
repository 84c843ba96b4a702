"""Every day count 0-31 with every minute count 0-80, against an oracle written from the rules' table (F83, B3).

The oracle shares nothing with rpm.billing: it is the table of codes as a person would read it aloud. Day 31 of a run of
daily readings is day 1 of the next period.
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from rpm.billing.claim import ClaimLine, check_claim
from tests.unit.billing.cast import bill, daily, work

SUPPLY_BY_DAYS = ("none", "none", *("short",) * 14, *("full",) * 15)
MANAGEMENT_BY_TEN_MINUTES = ("none", "short", "full", "full", "full+1", "full+1", "full+2", "full+2", "full+3")


def oracle(days: int, minutes: int, *, live: bool) -> set[tuple[str, int]]:
    """The lines of the first period and the first month, from two tables written out by hand."""
    expected: set[tuple[str, int]] = set()
    supply = SUPPLY_BY_DAYS[min(days, 30)]
    if supply != "none":
        expected |= {("99453", 1), ("99445" if supply == "short" else "99454", 1)}
    management = MANAGEMENT_BY_TEN_MINUTES[minutes // 10]
    if live and management == "short":
        expected.add(("99470", 1))
    elif live and management.startswith("full"):
        expected.add(("99457", 1))
        if management != "full":
            expected.add(("99458", int(management[-1])))
    return expected


@pytest.mark.parametrize("days", range(32))
def test_every_count_of_days_and_minutes(days: int) -> None:
    readings = daily("2026-01-01", days)
    for minutes in range(81):
        for live in (True, False):
            entries = [work("2026-01-10", "09:00", minutes * 60, live=live)] if minutes else []
            answer = bill(readings, entries, as_of=datetime(2026, 3, 20, tzinfo=UTC))
            got = {(item.code, item.units) for item in answer.items}
            assert got == oracle(days, minutes, live=live), (days, minutes, live)
            assert check_claim([ClaimLine(one.code, one.units, one.start, one.end) for one in answer.items]) == ()
            said = {one.code for one in answer.not_billable if one.start in {date(2026, 1, 1), None}}
            assert said | {code for code, _ in got} == {"99453", "99445", "99454", "99470", "99457", "99458"}
            assert not said & {code for code, _ in got}


def test_day_thirty_one_is_the_next_periods_first_day() -> None:
    answer = bill(daily("2026-01-01", 31), as_of=datetime(2026, 3, 20, tzinfo=UTC))
    assert [len(period.days) for period in answer.periods[:2]] == [30, 1]
    assert answer.periods[1].start - answer.periods[0].start == timedelta(days=30)
