"""Every figure of the plausibility table, on its own line and one step to either side.

Figures: clinical rules, "Plausibility limits", written out again here so that a typing error in the table shows.
"""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.ingest.plausibility import (
    ROWS,
    Verdict,
    Weighing,
    judge,
    judge_pulse_pressure,
    judge_weight_change,
)
from schemas.quantity import KPA_PER_MMHG

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
FINE, FLAG, HOLD, REJECT = Verdict


@pytest.mark.parametrize(
    "name,unit,value,verdict",
    [
        ("systolic", "mm[Hg]", 29, REJECT),
        ("systolic", "mm[Hg]", 30, HOLD),
        ("systolic", "mm[Hg]", 59, HOLD),
        ("systolic", "mm[Hg]", 60, FLAG),
        ("systolic", "mm[Hg]", 79, FLAG),
        ("systolic", "mm[Hg]", 80, FINE),
        ("systolic", "mm[Hg]", 220, FINE),
        ("systolic", "mm[Hg]", 221, FLAG),
        ("systolic", "mm[Hg]", 260, FLAG),
        ("systolic", "mm[Hg]", 261, HOLD),
        ("systolic", "mm[Hg]", 300, HOLD),
        ("systolic", "mm[Hg]", 301, REJECT),
        ("diastolic", "mm[Hg]", 14, REJECT),
        ("diastolic", "mm[Hg]", 15, HOLD),
        ("diastolic", "mm[Hg]", 29, HOLD),
        ("diastolic", "mm[Hg]", 30, FLAG),
        ("diastolic", "mm[Hg]", 39, FLAG),
        ("diastolic", "mm[Hg]", 40, FINE),
        ("diastolic", "mm[Hg]", 130, FINE),
        ("diastolic", "mm[Hg]", 131, FLAG),
        ("diastolic", "mm[Hg]", 180, FLAG),
        ("diastolic", "mm[Hg]", 181, HOLD),
        ("diastolic", "mm[Hg]", 220, HOLD),
        ("diastolic", "mm[Hg]", 221, REJECT),
        ("pulse_rate", "/min", 19, REJECT),
        ("pulse_rate", "/min", 20, HOLD),
        ("pulse_rate", "/min", 30, FLAG),
        ("pulse_rate", "/min", 40, FINE),
        ("pulse_rate", "/min", 150, FINE),
        ("pulse_rate", "/min", 151, FLAG),
        ("pulse_rate", "/min", 220, FLAG),
        ("pulse_rate", "/min", 221, HOLD),
        ("pulse_rate", "/min", 301, REJECT),
        ("body_weight", "kg", 1.9, REJECT),
        ("body_weight", "kg", 2, HOLD),
        ("body_weight", "kg", 22.6, HOLD),
        ("body_weight", "kg", 22.7, FINE),
        ("body_weight", "kg", 340.2, FINE),
        ("body_weight", "kg", 340.3, HOLD),
        ("body_weight", "kg", 500.1, REJECT),
        # 50 lb is 22.68 kg: converted first, it would be held.
        ("body_weight", "[lb_av]", 50, FINE),
        ("body_weight", "[lb_av]", 49.9, HOLD),
        ("body_weight", "[lb_av]", 750, FINE),
        ("body_weight", "[lb_av]", 750.1, HOLD),
        ("body_weight", "[lb_av]", 1103, REJECT),
        ("glucose", "mg/dL", -1, REJECT),
        ("glucose", "mg/dL", 19, HOLD),
        ("glucose", "mg/dL", 20, FINE),
        ("glucose", "mg/dL", 600, FINE),
        ("glucose", "mg/dL", 601, HOLD),
        ("glucose", "mg/dL", 1001, REJECT),
        ("glucose", "mmol/L", 1.0, HOLD),
        ("glucose", "mmol/L", 33.3, FINE),
        ("glucose", "mmol/L", 33.4, HOLD),
        ("glucose", "mmol/L", 56, REJECT),
        ("systolic", "kPa", 24.0, FINE),
        ("systolic", "kPa", 35.0, HOLD),
        ("bmi", "kg/m2", 400, FINE),
        ("oxygen_saturation", "%", 0.9, REJECT),
        ("oxygen_saturation", "%", 1, HOLD),
        ("oxygen_saturation", "%", 69, HOLD),
        ("oxygen_saturation", "%", 70, FLAG),
        ("oxygen_saturation", "%", 84, FLAG),
        ("oxygen_saturation", "%", 85, FINE),
        ("oxygen_saturation", "%", 100, FINE),
        ("oxygen_saturation", "%", 101, REJECT),
        ("body_temperature", "Cel", 24.9, REJECT),
        ("body_temperature", "Cel", 25, HOLD),
        ("body_temperature", "Cel", 31.9, HOLD),
        ("body_temperature", "Cel", 32, FLAG),
        ("body_temperature", "Cel", 34.9, FLAG),
        ("body_temperature", "Cel", 35, FINE),
        ("body_temperature", "Cel", 40.9, FINE),
        ("body_temperature", "Cel", 41, FLAG),
        ("body_temperature", "Cel", 43, FLAG),
        ("body_temperature", "Cel", 43.1, HOLD),
        ("body_temperature", "Cel", 45.1, REJECT),
        # Fahrenheit that says it is Celsius: the commonest mistake with temperatures.
        ("body_temperature", "Cel", 98.6, REJECT),
        ("body_temperature", "[degF]", 76.9, REJECT),
        ("body_temperature", "[degF]", 89.5, HOLD),
        ("body_temperature", "[degF]", 94.9, FLAG),
        ("body_temperature", "[degF]", 98.6, FINE),
        ("body_temperature", "[degF]", 105.8, FLAG),
        ("body_temperature", "[degF]", 109.5, HOLD),
        ("body_temperature", "[degF]", 113.1, REJECT),
        # Celsius that says it is Fahrenheit.
        ("body_temperature", "[degF]", 37.0, REJECT),
    ],
)
def test_each_limit_of_the_table(name: str, unit: str, value: float, verdict: Verdict) -> None:
    assert judge(name, value, unit) is verdict


def test_every_row_is_ordered() -> None:
    for row in ROWS:
        limits = [row.reject_below, row.hold_below, row.flag_below, row.flag_above, row.hold_above, row.reject_above]
        assert limits == sorted(limits), row


@pytest.mark.parametrize(
    "systolic,diastolic,verdict",
    [(80, 80, REJECT), (79, 80, REJECT), (94, 80, HOLD), (95, 80, FINE), (230, 80, FINE), (231, 80, HOLD)],
)
def test_pulse_pressure(systolic: float, diastolic: float, verdict: Verdict) -> None:
    assert judge_pulse_pressure(systolic, diastolic, "mm[Hg]") is verdict


@given(st.integers(31, 299), st.integers(16, 219))
def test_pulse_pressure_is_the_same_in_kpa(systolic: int, diastolic: int) -> None:
    # Half a millimetre off the limits, so that rounding cannot decide.
    systolic_mmhg, diastolic_mmhg = systolic + 0.25, float(diastolic)
    assert judge_pulse_pressure(systolic_mmhg, diastolic_mmhg, "mm[Hg]") is judge_pulse_pressure(
        systolic_mmhg * KPA_PER_MMHG, diastolic_mmhg * KPA_PER_MMHG, "kPa"
    )


def _before(*weights_kg: float, last_hours_ago: float = 24) -> list[Weighing]:
    """A weighing a day, the last one so many hours before noon."""
    last = NOON - timedelta(hours=last_hours_ago)
    return [Weighing(last - timedelta(days=days), kg) for days, kg in enumerate(reversed(weights_kg))]


@pytest.mark.parametrize(
    "weight_kg,earlier,verdict",
    [
        (80, [], FINE),
        (82.5, _before(80), FINE),
        (82.6, _before(80), FLAG),
        (85, _before(80), FLAG),
        (85.1, _before(80), HOLD),
        (74.9, _before(80), HOLD),
        # The weighing before is too long ago for the day's rule, and one is too few for the week's.
        (95, _before(80, last_hours_ago=37), FINE),
        # More than a tenth off the week's median, though not more than 5 kg in a day.
        (54.9, _before(50, 50, 50, 52), FLAG),
        (55.1, _before(50, 50, 50, 52), HOLD),
        # One wrong weighing of the days before does not move a median.
        (80.5, _before(80, 120, 80, 80), FINE),
    ],
)
def test_weight_beside_the_days_before(weight_kg: float, earlier: list[Weighing], verdict: Verdict) -> None:
    assert judge_weight_change(weight_kg, measured_at=NOON, earlier=earlier) is verdict


def test_weighings_of_later_days_do_not_count() -> None:
    later = [Weighing(NOON + timedelta(hours=1), 200.0)]
    assert judge_weight_change(80, measured_at=NOON, earlier=later) is FINE
