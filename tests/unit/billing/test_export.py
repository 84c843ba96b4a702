"""The month as CSV: every row has every column, and no cell is run as a formula."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.billing.case import DataDay, TimeEntry
from rpm.billing.episode import Episode, LoggedTime, MonthRecords, Practice, ServiceMonth
from rpm.billing.export import COLUMNS, as_csv, as_json, safe_cell
from rpm.billing.report import conflicting, month_report
from tests.unit.billing.cast import NEW_YORK, at, codes

PRACTICE = Practice(1, "Hill Street", NEW_YORK)
NOVEMBER = ServiceMonth(date(2026, 11, 1))
BEGUN = at("2026-10-10", "00:00")


def episode(number: int = 1, **facts: object) -> Episode:
    made = Episode(
        episode_id=number,
        patient_id=number,
        public_id=UUID(int=number),
        given_name="Ann",
        family_name="Lee",
        birth_date=date(1950, 1, 1),
        established_patient=True,
        consented_at=BEGUN,
        ordered_at=BEGUN,
        ordered_by="Dr. Hill",
        condition_icd10="I10",
        set_up_at=BEGUN,
        payer_profile="medicare_ffs",
        started_at=BEGUN,
        ended_at=None,
    )
    return replace(made, **facts)


def days(first: str, count: int) -> tuple[DataDay, ...]:
    start = date.fromisoformat(first)
    whole = [start + timedelta(days=number) for number in range(count)]
    return tuple(DataDay(day, at(str(day), "12:00")) for day in whole)


def logged(patient: int, day: str, clock: str, minutes: int, *, live: bool = False, staff: str = "1") -> LoggedTime:
    start = at(day, clock)
    name = f"{patient}-{day}-{clock}"
    entry = TimeEntry(name, staff, start, start + timedelta(minutes=minutes), interactive=live)
    return LoggedTime(patient, "Rosa N.", entry)


def records(now: datetime, **facts: object) -> MonthRecords:
    made = MonthRecords(
        PRACTICE,
        NOVEMBER,
        now,
        (episode(),),
        {1: days("2026-10-10", 40)},
        (logged(1, "2026-11-03", "10:00", 22, live=True), logged(1, "2026-10-20", "10:00", 12, live=True)),
    )
    return replace(made, **facts)


def test_a_row_holds_its_month_and_no_other() -> None:
    """Oct 10 - Nov 8 is dated in November, Nov 9 - Dec 8 in December; October's minutes are October's."""
    (row,) = month_report(records(at("2026-12-20"))).rows
    assert codes(row.codes) == {"99454": 1, "99453": 1, "99457": 1}
    assert {one.service_date for one in row.codes} == {date(2026, 11, 8), date(2026, 11, 30)}
    assert [(str(one.start), len(one.days)) for one in row.periods] == [("2026-10-10", 30), ("2026-11-09", 10)]
    assert codes(row.other_months) == {"99445": 1}
    assert row.management is not None
    assert row.management.minutes == 22
    october = month_report(records(at("2026-12-20"), month=NOVEMBER.before)).rows[0]
    assert codes(october.codes) == {"99470": 1}
    december = month_report(records(at("2026-12-20"), month=NOVEMBER.after)).rows[0]
    assert codes(december.codes) == {"99445": 1}


def test_the_months_of_a_year_claim_every_item_once() -> None:
    year = [ServiceMonth(date(2026, month, 1)) for month in range(1, 13)]
    claimed = [
        (one.code, one.service_date)
        for month in year
        for row in month_report(records(at("2026-12-31"), month=month)).rows
        for one in row.codes
    ]
    assert len(claimed) == len(set(claimed))
    assert sum(code == "99453" for code, _ in claimed) == 1


def test_nothing_is_final_while_the_month_runs() -> None:
    (row,) = month_report(records(at("2026-11-05"), days={1: days("2026-10-10", 20)})).rows
    assert row.codes == ()
    assert codes(row.so_far) == {"99454": 1, "99453": 1, "99457": 1}
    assert {one.code for one in row.still_possible} >= {"99458"}


def test_a_second_episode_never_bills_the_month_or_the_thirty_days_again() -> None:
    """The patient is enrolled again two days after the first episode ended."""
    first = episode(ended_at=at("2026-11-06", "00:00"))
    begun = at("2026-11-08", "00:00")
    second = episode(2, patient_id=1, started_at=begun, consented_at=begun, ordered_at=begun, set_up_at=begun)
    made = month_report(
        records(
            at("2026-12-20"),
            episodes=(first, second),
            days={1: days("2026-10-10", 20), 2: days("2026-11-08", 20)},
            time=(
                logged(1, "2026-11-03", "10:00", 22, live=True),
                logged(1, "2026-11-13", "10:00", 22, live=True),
            ),
        )
    )
    assert codes(made.rows[0].codes) == {"99457": 1}
    assert codes(made.rows[0].other_months) == {"99454": 1, "99453": 1}
    assert made.rows[1].codes == ()
    assert {one.name for one in made.rows[1].blockers} == {"SUPPLY_TWICE", "MANAGEMENT_TWICE"}


def test_two_patients_at_one_moment_are_found_once_each() -> None:
    time = (
        logged(1, "2026-11-03", "10:00", 20),
        logged(2, "2026-11-03", "10:19", 20),
        logged(1, "2026-11-03", "10:10", 20),
        logged(2, "2026-11-03", "10:00", 20, staff="2"),
        logged(3, "2026-11-03", "10:39", 20),
    )
    found = conflicting(time)
    assert {name: len(others) for name, others in found.items()} == {
        "1-2026-11-03-10:00": 1,
        "1-2026-11-03-10:10": 1,
        "2-2026-11-03-10:19": 2,
    }


def test_every_line_has_every_column() -> None:
    made = month_report(records(at("2026-12-20"), episodes=(episode(), episode(2, consented_at=None))))
    table = list(csv.reader(io.StringIO(as_csv(made))))
    assert tuple(table[0]) == COLUMNS
    assert [len(line) for line in table] == [len(COLUMNS)] * 3
    first, second = (dict(zip(COLUMNS, line, strict=True)) for line in table[1:])
    assert first["codes"] == "99454x1 on 2026-11-08; 99453x1 on 2026-11-08; 99457x1 on 2026-11-30"
    assert first["codes_in_other_months"] == "99445x1 on 2026-12-08"
    assert (first["period_1"], first["period_1_days"]) == ("2026-10-10 to 2026-11-08", "30")
    assert (first["minutes"], first["live_contact"]) == ("22", "yes")
    assert second["blockers"] == "no consent on record"
    assert (second["codes"], second["period_1"], second["minutes"]) == ("", "", "0")


def test_a_name_that_is_a_formula_stays_a_name() -> None:
    evil = episode(family_name='=HYPERLINK("http://x.invalid","pay")', given_name="\r\n+1", condition_icd10="@I10")
    text = as_csv(month_report(records(at("2026-12-20"), episodes=(evil,))))
    line = next(csv.DictReader(io.StringIO(text)))
    assert line["patient"].startswith("'=HYPERLINK(")
    assert "\n" not in line["patient"]
    assert line["condition_icd10"] == "'@I10"


@given(st.text())
def test_no_cell_is_run(text: str) -> None:
    cell = safe_cell(text)
    assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))
    assert cell.isprintable()


def test_json_carries_days_and_entries() -> None:
    made = as_json(month_report(records(at("2026-12-20"))))
    assert made["month"] == "2026-11"
    text = str(made)
    assert "2026-10-10" in text
    assert "1-2026-11-03-10:00" in text


@pytest.mark.parametrize("text", ["2026-13", "2026-1", "november", "2026-11-01", "", "-026-11"])
def test_a_month_is_written_one_way(text: str) -> None:
    with pytest.raises(ValueError, match=r"month|isoformat"):
        ServiceMonth.parse(text)


def test_months_follow_each_other() -> None:
    december = ServiceMonth.parse("2026-12")
    assert (str(december.after), str(december.before), december.last) == ("2027-01", "2026-11", date(2026, 12, 31))
    assert december.ends(NEW_YORK) == datetime(2027, 1, 1, 5, tzinfo=UTC)
