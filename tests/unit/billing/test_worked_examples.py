"""The worked examples of our billing rules for 2026, each under its number.

Goal: the examples an auditor would re-compute by hand. Method: tell the days and minutes, compare codes, units and
dates of service. Sources of the rules themselves: rpm/billing/rules.py. Strict profile, New York, everything in place.
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from rpm.billing.case import ReadingState, TimeElsewhere
from rpm.billing.claim import ClaimLine
from rpm.billing.days import local_day
from rpm.billing.outcome import ItemState
from tests.unit.billing.cast import NEW_YORK, at, bill, case_of, codes, daily, held, lines, names, phoned, reading, work

LIVE_22 = (work("2026-01-20", "15:00", 12 * 60, live=True), work("2026-01-27", "10:00", 10 * 60))


def test_01_sixteen_days_and_twenty_two_minutes() -> None:
    answer = bill(daily("2026-01-15", 16), LIVE_22)
    assert lines(answer.items) == {
        ("99454", 1, "2026-02-13"),
        ("99453", 1, "2026-02-13"),
        ("99457", 1, "2026-01-31"),
    }
    assert (answer.periods[0].start, answer.periods[0].end) == (date(2026, 1, 15), date(2026, 2, 13))
    supply = next(item for item in answer.items if item.code == "99454")
    assert len(supply.days) == len(supply.reading_ids) == 16
    management = next(item for item in answer.items if item.code == "99457")
    assert management.entry_ids == ("work-2026-01-20-15:00", "work-2026-01-27-10:00")


def test_03_three_readings_on_one_day_are_one_day() -> None:
    answer = bill([reading(at("2026-01-15", clock)) for clock in ("08:00", "12:00", "20:00")])
    assert answer.items == ()
    refused = {one.code: one.name for one in answer.not_billable if one.start == date(2026, 1, 15)}
    assert refused == {"99445": "TOO_FEW_DAYS", "99454": "TOO_FEW_DAYS", "99453": "NO_SUPPLY"}


def test_04_sixteen_readings_on_eight_days() -> None:
    answer = bill(
        daily("2026-01-15", 8) + [reading(one.measured_at + timedelta(hours=8)) for one in daily("2026-01-15", 8)]
    )
    assert codes(answer.items) == {"99445": 1, "99453": 1}


def test_06_the_sixteenth_day_on_day_31_counts_for_the_next_period() -> None:
    answer = bill([*daily("2026-01-01", 15), *daily("2026-01-31", 1)])
    assert lines(answer.items) == {("99445", 1, "2026-01-30"), ("99453", 1, "2026-01-30")}
    assert answer.periods[1].days == (date(2026, 1, 31),)


def test_08_ninety_days_are_three_claims_none_of_them_in_february() -> None:
    answer = bill(daily("2026-01-01", 90))
    supply = [item for item in answer.items if item.code == "99454"]
    assert [str(item.service_date) for item in supply] == ["2026-01-30", "2026-03-01", "2026-03-31"]
    warning = next(one for one in answer.warnings if one.name == "FREQ_WARN")
    assert (warning.start, warning.end) == (date(2026, 3, 1), date(2026, 3, 31))


def test_10_only_a_payer_that_counts_calendar_months_gets_them() -> None:
    february = daily("2026-02-01", 17)
    monthly = bill(february, start="2026-02-01", payer_profile="calendar_month")
    assert ("99454", 1, "2026-02-28") in lines(monthly.items)
    strict = bill(february, start="2026-02-01")
    assert ("99454", 1, "2026-03-02") in lines(strict.items)
    assert (strict.periods[0].start, strict.periods[0].end) == (date(2026, 2, 1), date(2026, 3, 2))


@pytest.mark.parametrize(
    "instant, day",
    [
        pytest.param(datetime(2026, 4, 1, 3, 30, tzinfo=UTC), date(2026, 3, 31), id="11 late evening in New York"),
        pytest.param(
            at("2026-03-31", "22:30", "America/Los_Angeles"), date(2026, 4, 1), id="12 the practice's zone, not hers"
        ),
    ],
)
def test_11_12_a_day_is_the_practices_day(instant: datetime, day: date) -> None:
    assert local_day(instant, NEW_YORK) == day
    assert [one.day for one in case_of([reading(instant)]).days] == [day]


def test_16_the_hour_that_comes_twice_is_one_day() -> None:
    before, after = datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    case = case_of([reading(before), reading(after)])
    assert [(one.day, len(one.readings)) for one in case.days] == [(date(2026, 11, 1), 2)]


@pytest.mark.parametrize(
    "seconds, expected",
    [
        (9 * 60 + 59, {}),
        (10 * 60, {"99470": 1}),
        (19 * 60 + 59, {"99470": 1}),
        (20 * 60, {"99457": 1}),
        (39 * 60 + 59, {"99457": 1}),
        (40 * 60, {"99457": 1, "99458": 1}),
        (60 * 60, {"99457": 1, "99458": 2}),
    ],
)
def test_18_totals_are_floors(seconds: int, expected: dict[str, int]) -> None:
    assert codes(bill(entries=[work("2026-01-20", "10:00", seconds, live=True)]).items) == expected


def test_20_review_voicemail_and_text_are_no_live_contact() -> None:
    entries = [
        work("2026-01-20", "10:00", 25 * 60, activity="review"),
        work("2026-01-21", "10:00", 60, activity="voicemail"),
        work("2026-01-22", "10:00", 60, activity="text"),
    ]
    answer = bill(entries=entries)
    assert answer.items == ()
    blocker = next(one for one in answer.blockers if one.name == "NO_LIVE_CONTACT")
    assert blocker.reason == "no live contact this month (27 minutes logged)"


def test_21_review_and_a_call_add_up() -> None:
    entries = [work("2026-01-20", "10:00", 15 * 60), work("2026-01-21", "10:00", 5 * 60, live=True)]
    assert codes(bill(entries=entries).items) == {"99457": 1}


def test_24_minutes_of_another_service_stand_beside_ours() -> None:
    entries = [
        work("2026-01-20", "10:00", 20 * 60, live=True),
        work("2026-01-20", "11:00", 20 * 60, live=True, service="CCM"),
    ]
    answer = bill(entries=entries)
    assert codes(answer.items) == {"99457": 1}
    assert [(one.evidence_id, one.name) for one in answer.entries_left_out] == [
        ("work-2026-01-20-11:00", "OTHER_SERVICE")
    ]


@pytest.mark.parametrize("first, expected", [("RPM", {"99457": 1}), ("CCM", {})])
def test_25_a_block_with_two_tags_belongs_to_the_first(first: str, expected: dict[str, int]) -> None:
    second = "CCM" if first == "RPM" else "RPM"
    entries = [
        work("2026-01-20", "10:00", 25 * 60, live=True, service=service, entry_id=service)
        for service in (first, second)
    ]
    answer = bill(entries=entries)
    assert codes(answer.items) == expected
    assert ("DOUBLE_TAG" in names(answer.warnings)) == (first == "CCM")


def test_28_another_practice_already_billed_the_supply() -> None:
    other = ClaimLine("99454", 1, date(2026, 6, 1), date(2026, 6, 30), "another practice")
    entries = [work("2026-06-05", "10:00", 20 * 60, live=True)]
    answer = bill(daily("2026-06-03", 20), entries, start="2026-06-01", other_claims=(other,))
    assert codes(answer.items) == {"99457": 1}
    assert "ONE_PRACTITIONER" in names(answer.blockers)
    assert "MANAGEMENT_WITHOUT_SUPPLY" in names(answer.warnings)


def test_31_a_pause_of_three_weeks_is_the_same_episode() -> None:
    answer = bill([*daily("2026-01-01", 16), *daily("2026-03-05", 5)])
    assert lines(answer.items) == {
        ("99454", 1, "2026-01-30"),
        ("99453", 1, "2026-01-30"),
        ("99445", 1, "2026-03-31"),
    }
    assert [str(one.start) for one in answer.periods[:3]] == ["2026-01-01", "2026-01-31", "2026-03-02"]
    assert answer.periods[1].days == ()


def test_35_nothing_before_the_order_counts() -> None:
    readings = daily("2026-08-01", 20)
    entries = [work("2026-08-03", "10:00", 20 * 60, live=True)]
    answer = bill(readings, entries, start="2026-08-01", ordered=date(2026, 8, 5))
    assert answer.anchor == date(2026, 8, 5)
    assert len(answer.periods[0].days) == 16
    assert names(answer.readings_left_out) == names(answer.entries_left_out) == {"BEFORE_SERVICE_START"}
    assert "99457" not in codes(answer.items)


def test_36_late_data_count_on_the_day_they_were_measured() -> None:
    received = at("2026-01-28")
    late = [reading(one.measured_at, received_at=received) for one in daily("2026-01-12", 4)]
    answer = bill([*daily("2026-01-01", 3), *late])
    assert answer.periods[0].days[3:] == tuple(date(2026, 1, day) for day in (12, 13, 14, 15))


def test_39_values_told_by_telephone_are_not_data() -> None:
    answer = bill([*daily("2026-01-15", 14), *phoned("2026-02-01", 4)])
    assert codes(answer.items) == {"99445": 1, "99453": 1}
    assert [one.name for one in answer.readings_left_out] == ["MANUAL"] * 4


def test_41_a_reading_delivered_twice_is_one_reading() -> None:
    once = daily("2026-01-15", 16)
    again = [reading(one.measured_at, received_at=one.received_at + timedelta(hours=3)) for one in once]
    assert bill(once + again) == bill(once)


@pytest.mark.parametrize("state", [ReadingState.QUARANTINED, ReadingState.VOID, ReadingState.TEST])
def test_only_accepted_readings_make_a_day(state: ReadingState) -> None:
    answer = bill([*daily("2026-01-15", 15), *held("2026-02-01", 3, state)])
    assert codes(answer.items) == {"99445": 1, "99453": 1}


def test_42_43_therapeutic_monitoring_and_self_measured_pressure_are_refused_by_name() -> None:
    january = (date(2026, 1, 15), date(2026, 2, 13))
    therapy = bill(daily("2026-01-15", 20), other_claims=(ClaimLine("98977", 1, *january),))
    assert therapy.items == ()
    assert "RPM_RTM_CONFLICT" in names(therapy.blockers)
    self_measured = bill(daily("2026-01-15", 20), other_claims=(ClaimLine("99474", 1, *january),))
    assert "SELF_MEASURED_WITH_RPM" in names(self_measured.blockers)


def test_the_short_supply_code_is_never_final_before_the_period_closes() -> None:
    readings = daily("2026-01-15", 10)
    open_yet = bill(readings, as_of=at("2026-02-13", "23:59"))
    assert open_yet.items == ()
    assert codes(open_yet.so_far) == {"99445": 1, "99453": 1}
    held_back = bill(readings, as_of=at("2026-02-14", "00:00"))
    assert {item.state for item in held_back.items} == {ItemState.ON_HOLD}
    settled = bill(readings, as_of=at("2026-02-19", "00:00"))
    assert {item.state for item in settled.items} == {ItemState.FINAL}


def test_data_after_the_lock_ask_for_a_corrected_claim_and_change_nothing() -> None:
    in_time = daily("2026-01-01", 14)
    last_moment, too_late = at("2026-02-04", "23:59"), at("2026-02-05", "00:00")
    fifteenth = reading(at("2026-01-20"), received_at=last_moment)
    sixteenth = reading(at("2026-01-21"), received_at=too_late)
    answer = bill([*in_time, fifteenth, sixteenth])
    assert codes(answer.items) == {"99445": 1, "99453": 1}
    assert len(answer.periods[0].days) == 15
    task = next(one for one in answer.warnings if one.name == "CORRECTED_CLAIM")
    assert task.evidence_ids == (sixteenth.reading_id,)
    assert "16 days would be 99454 instead of 99445" in task.reason
    locked_later = bill([*in_time, fifteenth, sixteenth], locks={date(2026, 1, 1): at("2026-02-06")})
    assert codes(locked_later.items) == {"99454": 1, "99453": 1}


def test_an_episode_that_ends_is_claimed_on_its_last_day_of_data() -> None:
    entries = [work("2026-01-20", "10:00", 12 * 60, live=True)]
    answer = bill(daily("2026-01-15", 9), entries, died_on=date(2026, 1, 24))
    assert lines(answer.items) == {
        ("99445", 1, "2026-01-23"),
        ("99453", 1, "2026-01-23"),
        ("99470", 1, "2026-01-24"),
    }


@pytest.mark.parametrize(
    "facts, name",
    [
        ({"consented": None}, "NO_CONSENT"),
        ({"ordered": None}, "NO_ORDER"),
        ({"set_up": None}, "NO_SET_UP"),
        ({"established_patient": False}, "NOT_ESTABLISHED"),
        ({"payer_profile": "acme_health"}, "PAYER_PROFILE_UNKNOWN"),
        ({"payer_profile": "pace"}, "PAYER_PROFILE_NOT_IMPLEMENTED"),
    ],
)
def test_nothing_is_billed_before_the_gates(facts: dict[str, object], name: str) -> None:
    answer = bill(daily("2026-01-15", 16), LIVE_22, **facts)
    assert (answer.items, answer.so_far, answer.still_possible) == ((), (), ())
    assert names(answer.blockers) == {name}
    assert {one.code for one in answer.not_billable if one.name == name} >= {"99454", "99453", "99457"}


def test_a_nurse_with_two_patients_at_one_moment_counts_for_neither() -> None:
    elsewhere = TimeElsewhere("nurse-1", at("2026-01-20", "15:11"), at("2026-01-20", "15:30"))
    answer = bill(entries=LIVE_22, elsewhere=(elsewhere,))
    assert answer.months[0].minutes == 10
    conflict = next(one for one in answer.blockers if one.name == "STAFF_CONFLICT")
    assert conflict.evidence_ids == ("work-2026-01-20-15:00",)
    touching = TimeElsewhere("nurse-1", at("2026-01-20", "15:12"), at("2026-01-20", "15:30"))
    assert codes(bill(entries=LIVE_22, elsewhere=(touching,)).items) == {"99457": 1}


def test_a_call_over_midnight_of_the_first_is_split() -> None:
    answer = bill(entries=[work("2026-01-31", "23:50", 25 * 60, live=True)])
    assert [(one.minutes, one.live_contact) for one in answer.months[:2]] == [(10, True), (15, True)]
    assert lines(answer.items) == {("99470", 1, "2026-01-31"), ("99470", 1, "2026-02-28")}


def test_set_up_teaching_and_other_peoples_work_never_count() -> None:
    entries = [
        work("2026-01-20", "10:00", 20 * 60, live=True, activity="set-up"),
        work("2026-01-21", "10:00", 20 * 60, live=True, clinical_staff=False),
    ]
    answer = bill(entries=entries)
    assert answer.items == ()
    assert [one.name for one in answer.entries_left_out] == ["NEVER_COUNTED", "NOT_CLINICAL_STAFF"]


def test_units_beyond_the_cap_are_named_not_billed() -> None:
    answer = bill(entries=[work("2026-01-20", "10:00", 100 * 60, live=True)])
    assert codes(answer.items) == {"99457": 1, "99458": 3}
    assert "UNITS_CAPPED" in names(answer.warnings)


@pytest.mark.parametrize("late", ["consented", "ordered", "set_up"])
def test_each_of_consent_order_and_set_up_holds_days_and_minutes_back(late: str) -> None:
    """The last of the three opens the door, on its own day."""
    entries = [work("2026-01-12", "10:00", 20 * 60, live=True), work("2026-01-20", "10:00", 10 * 60, live=True)]
    answer = bill(daily("2026-01-05", 20), entries, **{late: date(2026, 1, 15)})
    assert answer.anchor == date(2026, 1, 15)
    assert len(answer.periods[0].days) == 10
    assert codes(answer.items) == {"99445": 1, "99453": 1, "99470": 1}


@pytest.mark.parametrize("fact,counts", [("consented", False), ("ordered", False), ("set_up", True)])
def test_authority_counts_to_the_second_and_set_up_by_its_day(fact: str, *, counts: bool) -> None:
    """Set-up is written down late in the evening, after the day's first reading proved it: 21:00 is next day in UTC."""
    answer = bill([reading(at("2026-01-15", "20:59"))], **{fact: at("2026-01-15", "21:00")})
    assert (answer.anchor == date(2026, 1, 15)) is counts
    at_once = bill([reading(at("2026-01-15", "21:00"))], **{fact: at("2026-01-15", "21:00")})
    assert at_once.anchor == date(2026, 1, 15)


def test_set_up_billed_before_is_not_billed_again() -> None:
    answer = bill(daily("2026-01-15", 16), set_up_billed=True)
    assert codes(answer.items) == {"99454": 1}
    assert {one.name for one in answer.not_billable if one.code == "99453"} == {"SET_UP_BILLED"}


def test_an_anchor_that_would_hide_or_add_days_is_refused() -> None:
    early = bill(daily("2026-01-15", 16), start="2026-01-10", anchor=date(2026, 1, 12))
    assert early.anchor == date(2026, 1, 12)
    for anchor in (date(2026, 1, 9), date(2026, 1, 16)):
        refused = bill(daily("2026-01-15", 16), start="2026-01-10", anchor=anchor)
        assert refused.anchor == date(2026, 1, 15)
        assert "ANCHOR_REFUSED" in names(refused.warnings)


def test_an_episode_longer_than_ten_years_is_said_to_be_cut() -> None:
    answer = bill(daily("2012-01-01", 3), start="2012-01-01")
    assert "EPISODE_TOO_LONG" in names(answer.warnings)
    assert "EPISODE_TOO_LONG" not in names(bill(daily("2017-01-01", 3), start="2017-01-01").warnings)
