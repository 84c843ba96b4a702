"""A patient in hospital or on a journey: what counts for the bill, and what the bill says of it."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from rpm.billing.case import Away
from rpm.billing.evaluate import billable_items
from tests.unit.billing.cast import at, case_of, codes, daily, reading, work

#: From the evening of 10 July to the noon of 14 July.
STAY = Away("hospital", at("2026-07-10", "18:00"), at("2026-07-14", "12:00"))
THERE = "the patient was in hospital"
TRIP = Away("travel", STAY.begins_at, STAY.ends_at)
AUGUST = datetime(2026, 8, 20, tzinfo=UTC)


def test_32_in_hospital_neither_readings_nor_minutes_count() -> None:
    """The worked example: twenty days at home are 99454; the six minutes of 11 July do not count."""
    readings = [*daily("2026-07-01", 10), *daily("2026-07-15", 10)]
    entries = [work("2026-07-11", "09:00", 360), work("2026-07-20", "09:00", 20 * 60, live=True)]
    result = billable_items(case_of(readings, entries, as_of=AUGUST, start="2026-07-01", away=(STAY,)))
    assert codes(result.items)["99454"] == 1
    july = next(month for month in result.months if month.start.month == 7)
    assert (july.minutes, july.entry_ids) == (20, ("work-2026-07-20-09:00",))
    assert [(one.evidence_id, one.name, one.reason) for one in result.entries_left_out] == [
        ("work-2026-07-11-09:00", "IN_HOSPITAL", "the patient was in hospital")
    ]


def test_who_used_the_cuff_at_home_was_not_the_patient() -> None:
    """Sixteen days, of which four were measured during the stay; the day it began counts by its morning."""
    readings = [*daily("2026-07-01", 16), reading(at("2026-07-10", "20:00"))]
    case = case_of(readings, as_of=AUGUST, start="2026-07-01", away=(STAY,))
    result = billable_items(case)
    [period] = [one for one in result.periods if one.start.isoformat() == "2026-07-01"]
    assert [day.day for day in period.days] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 14, 15, 16]
    assert {one.reason for one in result.readings_left_out} == {"measured while the patient was in hospital"}
    assert len(result.readings_left_out) == 4
    assert "99445" in codes(result.items)
    assert "99454" in codes(billable_items(case_of(readings, as_of=AUGUST, start="2026-07-01")).items)


def test_a_call_that_goes_on_into_the_stay_counts_until_then() -> None:
    entries = [work("2026-07-10", "17:50", 20 * 60, live=True), work("2026-07-14", "11:50", 20 * 60)]
    result = billable_items(case_of(daily("2026-07-01", 5), entries, as_of=AUGUST, start="2026-07-01", away=(STAY,)))
    july = next(month for month in result.months if month.start.month == 7)
    assert (july.minutes, july.live_contact) == (20, True)
    assert result.entries_left_out == ()
    assert [(one.entry_id, one.name, one.reason, one.counted) for one in result.entries_in_part] == [
        ("work-2026-07-10-17:50", "IN_HOSPITAL", THERE, ((at("2026-07-10", "17:50"), STAY.begins_at),)),
        ("work-2026-07-14-11:50", "IN_HOSPITAL", THERE, ((STAY.ends_at, at("2026-07-14", "12:10")),)),
    ]


def test_a_stay_in_the_midst_of_an_entry_leaves_both_its_ends() -> None:
    short = Away("hospital", at("2026-07-11", "09:05"), at("2026-07-11", "09:15"))
    entries = [work("2026-07-11", "09:00", 20 * 60, live=True)]
    result = billable_items(case_of(daily("2026-07-01", 5), entries, as_of=AUGUST, start="2026-07-01", away=(short,)))
    [one] = result.entries_in_part
    assert one.counted == (
        (at("2026-07-11", "09:00"), short.begins_at),
        (short.ends_at, at("2026-07-11", "09:20")),
    )


def test_every_reason_for_which_a_part_does_not_count_is_told() -> None:
    """From before the order to after the death; the minutes between 09:50 and 10:00 were entered for another service first."""
    other = work("2026-07-11", "09:50", 600, service="CCM", entered_at=at("2026-07-11", "08:00"))
    entries = [
        other,
        work("2026-07-11", "09:00", 7200),
        work("2026-07-12", "23:50", 1200),
        work("2026-07-11", "14:00", 600),
    ]
    facts: dict[str, Any] = {"ordered": at("2026-07-11", "09:30"), "died_on": date(2026, 7, 12)}
    result = billable_items(case_of(daily("2026-07-12", 1), entries, as_of=AUGUST, start="2026-07-01", **facts))
    assert {one.entry_id: (one.name, one.reason) for one in result.entries_in_part} == {
        "work-2026-07-11-09:00": (
            "BEFORE_SERVICE_START",
            "before consent, order and set-up were all in place; these minutes were first entered for another service",
        ),
        "work-2026-07-12-23:50": ("AFTER_EPISODE", "the episode had ended"),
    }
    [july] = [month for month in result.months if month.start.month == 7]
    assert july.minutes == 20 + 60 + 10 + 10


def test_a_call_to_the_ward_is_no_live_contact() -> None:
    entries = [work("2026-07-11", "09:00", 600, live=True), work("2026-07-20", "09:00", 25 * 60)]
    result = billable_items(case_of(daily("2026-07-01", 5), entries, as_of=AUGUST, start="2026-07-01", away=(STAY,)))
    assert "NO_LIVE_CONTACT" in {one.name for one in result.blockers}


def test_a_journey_changes_nothing_and_is_told() -> None:
    readings, entries = daily("2026-07-01", 20), [work("2026-07-11", "09:00", 20 * 60, live=True)]
    home = billable_items(case_of(readings, entries, as_of=AUGUST, start="2026-07-01"))
    gone = billable_items(case_of(readings, entries, as_of=AUGUST, start="2026-07-01", away=(TRIP,)))
    assert (gone.items, gone.months, gone.periods) == (home.items, home.months, home.periods)
    assert [one.reason for one in gone.warnings if one.name == "AWAY"] == [
        "away (travel) from 2026-07-10 to 2026-07-14: readings and minutes count as ever"
    ]


@pytest.mark.parametrize(
    "as_of, said",
    [
        (STAY.begins_at - timedelta(seconds=1), []),
        (
            STAY.begins_at + timedelta(days=1),
            [
                "in hospital since 2026-07-10, expected to last to 2026-07-14: readings and minutes of that time do not count"
            ],
        ),
        (STAY.ends_at, ["in hospital from 2026-07-10 to 2026-07-14: readings and minutes of that time do not count"]),
    ],
)
def test_the_bill_says_so_as_far_as_it_is_known(as_of: datetime, said: list[str]) -> None:
    result = billable_items(case_of(daily("2026-07-01", 5), as_of=as_of, start="2026-07-01", away=(STAY,)))
    assert [one.reason for one in result.warnings if one.name == "IN_HOSPITAL"] == said


def test_stays_that_overlap_are_one() -> None:
    twice = (STAY, Away("hospital", at("2026-07-12", "00:00"), at("2026-07-16", "00:00")))
    entries = [work("2026-07-12", "09:00", 600), work("2026-07-15", "09:00", 600), work("2026-07-16", "09:00", 600)]
    result = billable_items(case_of(daily("2026-07-01", 5), entries, as_of=AUGUST, start="2026-07-01", away=twice))
    july = next(month for month in result.months if month.start.month == 7)
    assert july.minutes == 10


JULY_1 = date(2026, 7, 1)


def test_a_stay_over_the_first_days_takes_days_and_moves_no_period_that_was_claimed() -> None:
    """Twenty days from 1 July; in hospital to the 6th. Claimed by 1 July, 15 days are left of that period."""
    readings = daily("2026-07-01", 20)
    stay = (Away("hospital", at("2026-07-01", "00:00"), at("2026-07-06", "00:00")),)
    free = billable_items(case_of(readings, as_of=AUGUST, start="2026-07-01", away=stay))
    assert [str(one.start) for one in free.periods] == ["2026-07-06", "2026-08-05"]
    kept = billable_items(case_of(readings, as_of=AUGUST, start="2026-07-01", away=stay, claimed_anchor=JULY_1))
    assert [(str(one.start), len(one.days)) for one in kept.periods] == [("2026-07-01", 15), ("2026-07-31", 0)]
    assert codes(kept.items) == {"99445": 1, "99453": 1}
    assert [one.reason for one in kept.warnings if one.name == "ANCHOR_KEPT"] == [
        "the first countable day is now 2026-07-06; the periods go on from 2026-07-01, as a closed month claimed them"
    ]


def test_a_whole_period_in_hospital_stays_a_period() -> None:
    stay = (Away("hospital", at("2026-07-01", "00:00"), at("2026-08-01", "00:00")),)
    facts: dict[str, Any] = {
        "as_of": datetime(2026, 9, 20, tzinfo=UTC),
        "start": "2026-07-01",
        "claimed_anchor": JULY_1,
    }
    result = billable_items(case_of(daily("2026-07-01", 50), away=stay, **facts))
    assert [(str(one.start), len(one.days)) for one in result.periods][:2] == [("2026-07-01", 0), ("2026-07-31", 19)]
    nothing = billable_items(case_of(daily("2026-07-01", 20), away=stay, **facts))
    assert [one.reason.partition(";")[0] for one in nothing.warnings if one.name == "ANCHOR_KEPT"] == [
        "no day counts now"
    ]
    assert nothing.items == ()


def test_days_found_before_what_was_claimed_are_told_and_in_no_period() -> None:
    result = billable_items(
        case_of(daily("2026-07-01", 20), as_of=AUGUST, start="2026-07-01", claimed_anchor=date(2026, 7, 3))
    )
    assert [(str(one.start), len(one.days)) for one in result.periods] == [("2026-07-03", 18), ("2026-08-02", 0)]
    [said] = [one.reason for one in result.warnings if one.name == "ANCHOR_KEPT"]
    assert said.endswith("as a closed month claimed them, and 2 days of data before that are in no period")


def test_a_payer_that_counts_calendar_months_loses_no_day_of_the_month_claimed() -> None:
    facts: dict[str, Any] = {"payer_profile": "calendar_month", "claimed_anchor": date(2026, 7, 3)}
    result = billable_items(case_of(daily("2026-07-01", 20), as_of=AUGUST, start="2026-07-01", **facts))
    assert len(result.periods[0].days) == 20
    assert all("in no period" not in one.reason for one in result.warnings)
