"""Charts: one unit, aligned columns, and the limits the patient is really judged by."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from alerts.limits import Limits, PatientLimit
from alerts.rulefile import read_rules
from rpm.settings import CARE
from rpm.store.charts import FLAGGED, LATE, Point
from rpm.web.chart import Chart, charts
from schemas.codes import BY_NAME, UNIT_NUMBER

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
RULES = read_rules(CARE / "rules.toml")
PATIENT = 7


def point(name: str, value: float, unit: str, *, hours_ago: float, quality: int = 0) -> Point:
    at = NOW - timedelta(hours=hours_ago)
    return Point(
        at, BY_NAME[name].number, value, UNIT_NUMBER[unit], quality, UUID(int=1), "2026-06-10T09:59:57",
        "device_corrected", 3.2, None, at + timedelta(seconds=2), at + timedelta(seconds=5),
    )  # fmt: skip


def drawn(*points: Point, own: list[dict[str, Any]] | None = None, minor: bool = False) -> dict[str, Chart]:
    ordered = sorted(points, key=lambda one: one.measured_at)
    limits = Limits.of([PatientLimit(PATIENT, **row) for row in own or []], RULES)
    found = charts(ordered, RULES, limits, patient_id=PATIENT, zone="America/New_York", minor=minor)
    return {chart.vital.key: chart for chart in found}


def test_a_squeeze_is_one_column_of_two_values() -> None:
    chart = drawn(
        point("systolic", 150, "mm[Hg]", hours_ago=2),
        point("diastolic", 90, "mm[Hg]", hours_ago=2),
        point("systolic", 140, "mm[Hg]", hours_ago=1, quality=FLAGGED),
        point("diastolic", 85, "mm[Hg]", hours_ago=1, quality=LATE),
    )["blood_pressure"]
    assert chart.series == (("Systolic", (150, 140)), ("Diastolic", (90, 85)))
    assert chart.quality == (0, FLAGGED | LATE)
    assert list(chart.x) == sorted(chart.x)
    assert chart.unit == "mmHg"
    assert "2 readings" in chart.summary
    assert "Systolic from 140 to 150, last 140" in chart.summary


def test_a_scale_that_changed_its_unit_is_drawn_in_the_newest() -> None:
    chart = drawn(point("body_weight", 180.0, "[lb_av]", hours_ago=30), point("body_weight", 82.0, "kg", hours_ago=1))[
        "body_weight"
    ]
    assert chart.unit == "kg"
    assert chart.mixed
    assert chart.series[0][1] == (81.647, 82.0)
    assert any("above 1.36 kg" in note for note in chart.notes), "a gain's limit is told in words, in the shown unit"
    assert not chart.limits


def test_limits_are_those_of_the_unit_not_converted_ones() -> None:
    chart = drawn(point("glucose", 9.0, "mmol/L", hours_ago=1))["glucose"]
    assert {line.value for line in chart.limits} == {3.0, 3.9, 33.3, 13.9}
    assert {line.severity for line in chart.limits} == {"urgent", "priority"}


def test_a_patients_own_limit_replaces_the_rules() -> None:
    own: dict[str, Any] = {
        "rule_id": "blood_pressure_high",
        "band": "urgent",
        "quantity": "systolic",
        "unit": "mm[Hg]",
        "value": 170.0,
        "approved_by": "the medical director",
        "approved_at": None,
    }
    lines = drawn(point("systolic", 150, "mm[Hg]", hours_ago=1), own=[own])["blood_pressure"].limits
    assert ("systolic above 170 (own)", 170.0) in {(line.label, line.value) for line in lines}
    assert 180.0 not in {line.value for line in lines}


def test_what_was_never_measured_has_no_chart() -> None:
    assert set(drawn(point("glucose", 110, "mg/dL", hours_ago=1))) == {"glucose"}
    assert drawn() == {}


def test_of_a_child_only_what_was_ordered_is_drawn_and_the_rest_says_that_no_rules_apply() -> None:
    own = [
        {"rule_id": "blood_pressure_high", "band": "urgent", "quantity": "systolic", "unit": "mm[Hg]", "value": 130.0}
    ]
    points = [
        point("systolic", 110, "mm[Hg]", hours_ago=1),
        point("diastolic", 70, "mm[Hg]", hours_ago=1),
        point("body_weight", 40.0, "kg", hours_ago=1),
    ]
    child = drawn(*points, own=own, minor=True)
    assert [line.value for line in child["blood_pressure"].limits] == [130.0]
    assert child["body_weight"].limits == ()
    assert child["body_weight"].notes == ("no rules apply: under 18, and no limits were ordered",)
    assert not any("no rules apply" in note for note in child["blood_pressure"].notes)
    adult = drawn(*points, own=own)
    assert len(adult["blood_pressure"].limits) > 1
    assert adult["body_weight"].notes
