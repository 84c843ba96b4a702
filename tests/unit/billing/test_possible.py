"""What can still be reached, and by when: the sentences outreach works from (F90)."""

from datetime import date

import pytest

from tests.unit.billing.cast import at, bill, daily, names, work


@pytest.mark.parametrize(
    "today, by",
    [("2026-01-20", "2026-01-20"), ("2026-01-19", "2026-01-20")],
)
def test_sixteen_days_by_measuring_every_day_from_now_on(today: str, by: str) -> None:
    """Five days by Jan 5, the period ends on Jan 30: eleven more can begin on Jan 20 at the latest."""
    answer = bill(daily("2026-01-01", 5), as_of=at(today, "08:00"))
    full = next(one for one in answer.still_possible if one.code == "99454")
    assert str(full.by) == by
    assert full.reason.startswith("11 more days of data needed")
    assert "OUT_OF_REACH" not in names(answer.warnings)


def test_sixteen_days_can_no_longer_be_reached() -> None:
    answer = bill(daily("2026-01-01", 5), as_of=at("2026-01-21", "08:00"))
    notice = next(one for one in answer.warnings if one.name == "OUT_OF_REACH")
    assert notice.reason.startswith("16 days can no longer be reached in the period to 2026-01-30: 5 days of data, 10 ")
    assert [one.code for one in answer.still_possible if one.code in {"99445", "99454"}] == ["99445"]


def test_todays_own_reading_uses_today_up() -> None:
    before = bill(daily("2026-01-01", 5), as_of=at("2026-01-06", "08:00"))
    after = bill(daily("2026-01-01", 6), as_of=at("2026-01-06", "18:00"))
    assert (before.periods[0].days_left, after.periods[0].days_left) == (25, 24)


def test_minutes_and_a_live_contact_by_the_end_of_the_month() -> None:
    answer = bill(entries=[work("2026-01-05", "10:00", 14 * 60)], as_of=at("2026-01-06"))
    wanted = {one.code: one.reason for one in answer.still_possible}
    assert wanted == {
        "99470": "14 minutes logged; a live contact by 2026-01-31",
        "99457": "6 more minutes and a live contact by 2026-01-31",
        "99458": "26 more minutes and a live contact by 2026-01-31",
    }
    assert {one.by for one in answer.still_possible} == {date(2026, 1, 31)}


def test_a_lock_of_a_day_on_which_no_period_begins_is_told() -> None:
    """The period begins on Jan 1: a lock written for Jan 3 would leave it open to late data, unnoticed."""
    slip = bill(daily("2026-01-01", 5), locks={date(2026, 1, 3): at("2026-02-03")})
    notice = next(one for one in slip.warnings if one.name == "LOCK_WITHOUT_PERIOD")
    assert notice.reason == "the claim lock of 2026-01-03 has no effect: no counted period begins on that day"
    right = bill(daily("2026-01-01", 5), locks={date(2026, 1, 1): at("2026-02-03")})
    assert "LOCK_WITHOUT_PERIOD" not in names(right.warnings)
