"""Observations and patients as CSV: what comes out, and that every fault names its row and its column."""

from datetime import UTC, datetime

import numpy as np
import pytest

from alerts.facts import ALWAYS, NEVER
from alerts.observations import ObservationsError, parse_observations, parse_patients
from alerts.series import MEALS, microseconds
from schemas.codes import BY_NUMBER, UNIT_BY_NUMBER

HEADER = "patient,measured_at,quantity,value,unit"
ROW = "a,2026-03-08T07:21:09Z,systolic,138,mm[Hg]"


def test_columns_come_in_any_order_and_rows_of_an_instant_are_one_reading() -> None:
    observed = parse_observations(
        [
            "unit,value,quantity,measured_at,patient",
            "mm[Hg],84,diastolic,2026-03-08T07:21:09Z,b",
            "mm[Hg],138,systolic,2026-03-08T02:21:09-05:00,b",
            "[lb_av],181.4,body_weight,2026-03-08T07:30:00Z,a",
        ],
        name="x",
    )
    series = observed.series
    told = [
        (observed.patients[int(patient)], BY_NUMBER[int(code)].name, float(value), UNIT_BY_NUMBER[int(unit)])
        for patient, code, value, unit in zip(series.patient, series.code, series.value, series.unit, strict=True)
    ]
    assert told == [
        ("b", "systolic", 138.0, "mm[Hg]"),
        ("b", "diastolic", 84.0, "mm[Hg]"),
        ("a", "body_weight", 181.4, "[lb_av]"),
    ]
    assert series.reading_no.tolist() == [1, 1, 2]
    assert set(series.measured_at_us[:2].tolist()) == {microseconds(datetime(2026, 3, 8, 7, 21, 9, tzinfo=UTC))}
    assert not series.disturbed.any()


def test_what_the_optional_columns_say_reaches_the_series() -> None:
    observed = parse_observations(
        [
            HEADER + ",reading,received_at,meal,status,note",
            "a,2026-03-08T07:21:09Z,glucose,98,mg/dL,r7,2026-03-09T08:00:00Z,fasting,,late",
            "a,2026-03-08T07:25:00Z,systolic,150,mm[Hg],r8,,,irregular_pulse cuff_loose,",
            "a,2026-03-08T07:28:00Z,systolic,140,mm[Hg],r9,,,irregular_pulse,",
        ],
        name="x",
        disturbing=frozenset({"cuff_loose"}),
    )
    assert observed.readings == ("", "r7", "r8", "r9")
    assert [MEALS[meal] for meal in observed.series.meal] == ["fasting", "", ""]
    assert observed.series.disturbed.tolist() == [False, True, False]
    at_nine = observed.come_by(datetime(2026, 3, 8, 9, tzinfo=UTC))
    assert [observed.readings[number] for number in at_nine.series.reading_no] == ["r8", "r9"]
    assert len(observed.come_by(datetime(2026, 3, 9, 8, tzinfo=UTC)).series) == 3


@pytest.mark.parametrize(
    "lines, told",
    [
        ([], "row 1, column patient: this column is missing"),
        (["patient,measured_at,quantity,value"], "row 1, column unit: this column is missing"),
        ([HEADER + ",pulse"], "row 1, column pulse: no such column is known"),
        ([HEADER + ",unit"], "row 1, column unit: this column is given twice"),
        ([HEADER, ROW + ",1"], "row 2: 6 cells, and the header has 5"),
        ([HEADER, ROW, ROW], "row 3, column quantity: systolic twice in one reading"),
        ([HEADER, ROW, ROW.replace("systolic", "blood")], "row 3, column quantity: 'blood' is none of systolic,"),
        ([HEADER, ROW.replace("mm[Hg]", "mmHg")], "row 2, column unit: systolic is in mm[Hg] or kPa, not in 'mmHg'"),
        ([HEADER, ROW.replace("138", "HI")], "row 2, column value: this is no number"),
        ([HEADER, ROW.replace("138", "nan")], "row 2, column value: this is no number"),
        ([HEADER, ROW.replace("09Z", "09")], "row 2, column measured_at: its offset is missing"),
        ([HEADER, ROW.replace("2026-03-08T07:21:09Z", "8 March")], "row 2, column measured_at: this is no instant"),
        ([HEADER, ROW.replace("a,", ",", 1)], "row 2, column patient: 1 to 40 characters, not 0"),
        ([HEADER + ",meal", ROW + ",lunch"], "row 2, column meal: 'lunch' is none of fasting,"),
        (
            [HEADER + ",reading", ROW + ",1", ROW.replace("a,", "b,", 1) + ",1"],
            "row 3, column reading: its other rows have another patient or time",
        ),
        ([HEADER, 'a,"2026-03-08T07:21:09Z,systolic,138,mm[Hg]'], "row 2: unexpected end of data"),
    ],
)
def test_a_fault_names_its_row_and_column_in_one_line(lines: list[str], told: str) -> None:
    with pytest.raises(ObservationsError) as caught:
        parse_observations(lines, name="x.csv")
    assert str(caught.value).startswith(f"x.csv: {told}")
    assert "\n" not in str(caught.value)


def test_patients_become_facts() -> None:
    facts = parse_patients(
        [
            "patient,time_zone,birth_date,pregnant_from,delivered_on,dry_weight_kg,monitored_since,every_h,programme",
            "b,America/New_York,2010-05-01,,,81.5,2026-02-02T05:00:00Z,24,heart_failure",
            "stranger,,,,,,,,",
            "a,,1990-01-01,2026-01-01,,,,,",
        ],
        ("", "a", "b"),
        name="x",
    )
    assert facts.patient.tolist() == [1, 2]
    assert [facts.zones[zone] for zone in facts.zone] == ["UTC", "America/New_York"]
    assert facts.adult_from_us[1] == microseconds(datetime(2028, 5, 1, 4, tzinfo=UTC))
    assert facts.pregnant_from_us.tolist() == [microseconds(datetime(2026, 1, 1, tzinfo=UTC)), NEVER]
    assert np.isnan(facts.dry_weight_kg[0])
    assert facts.dry_weight_kg[1] == 81.5
    assert facts.every_h[1] == 24
    assert facts.adult_from_us[0] != ALWAYS


@pytest.mark.parametrize(
    "row, told",
    [
        ("a,Mars/Olympus,,,", "row 2, column time_zone: 'Mars/Olympus' is no time zone"),
        ("a,../etc/passwd,,,", "row 2, column time_zone: '../etc/passwd' is no time zone"),
        ("a,,5 May,,", "row 2, column birth_date: this is no day"),
        ("a,,,0,", "row 2, column dry_weight_kg: this is no number above 0"),
        ("a,,,,soon", "row 2, column monitored_since: this is no instant"),
    ],
)
def test_a_fault_of_a_patient_names_its_row_and_column(row: str, told: str) -> None:
    with pytest.raises(ObservationsError) as caught:
        parse_patients(["patient,time_zone,birth_date,dry_weight_kg,monitored_since", row], ("", "a"), name="x.csv")
    assert str(caught.value).startswith(f"x.csv: {told}")


def test_a_patient_is_given_once() -> None:
    with pytest.raises(ObservationsError, match=r"row 3, column patient: this patient is given twice"):
        parse_patients(["patient", "a", "a"], ("", "a"), name="x.csv")
