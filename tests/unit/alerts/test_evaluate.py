"""The vectorised engine says what a plain loop says, on random data of every awkward kind; and the traps by name.

Random data: NaN values, patients with one reading, equal times, any order, mixed units, own limits. Values are drawn from
the grid devices use and crowd around the limits, where engines disagree.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evaluate import evaluate
from alerts.kernels.gains import earlier_value
from alerts.limits import NO_LIMITS, Limits, PatientLimit
from alerts.rulefile import read_rules
from alerts.rules import Rule
from alerts.series import MEALS, Series, microseconds
from alerts.settled import Settled
from alerts.severity import Severity
from rpm.settings import CARE
from schemas.codes import BY_NAME, UNIT_NUMBER
from tests.unit.alerts.scalar import Found, Row, findings


def calling_at_once(rules: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules without a wait for a second reading: what that makes of a first one is told of in test_repeats."""
    return tuple(rule.model_copy(update={"repeat": None}) for rule in rules)


#: The shipped rules that call for somebody the same day; trends are told of in test_trends.
RULES = calling_at_once(
    rule
    for rule in read_rules(Path(CARE) / "rules.toml")
    if rule.bands[0].severity > Severity.ROUTINE and rule.pregnancy != "only"
)
#: The same without a look at jumps, of which the plain loop here knows nothing (the one of test_trends does).
PLAIN = tuple(
    rule.model_copy(update={"gain_since": rule.gain_since.model_copy(update={"step": None})})
    if rule.gain_since
    else rule
    for rule in RULES
)
BY_ID = {rule.id: rule for rule in RULES}
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def series_of(rows: list[Row]) -> Series:
    return Series.of(
        patient=[row.patient for row in rows],
        measured_at_us=[microseconds(row.at) for row in rows],
        reading_no=[row.reading_no for row in rows],
        code=[BY_NAME[row.quantity].number for row in rows],
        unit=[UNIT_NUMBER[row.unit] for row in rows],
        value=[row.value for row in rows],
        disturbed=[row.disturbed for row in rows],
        meal=[MEALS.index(row.meal) for row in rows],
    )


def found_by_numpy(rows: list[Row], own: list[PatientLimit], rules: tuple[Rule, ...] = RULES) -> list[Found]:
    result = evaluate(series_of(rows), rules, limits=Limits.of(own, rules), now=NOW)
    assert result.failures == ()
    return sorted(
        Found(one.rule_id, one.patient, one.measured_at, one.reading_no, int(one.severity), one.late) for one in result
    )


def reading(patient: int, hours_ago: float, number: int, **values: tuple[float, str]) -> list[Row]:
    at = NOW - timedelta(hours=hours_ago)
    return [Row(patient, at, number, name, unit, value) for name, (value, unit) in values.items()]


def weight(patient: int, hours_ago: float, number: int, value: float, unit: str = "kg") -> list[Row]:
    return reading(patient, hours_ago, number, body_weight=(value, unit))


# Values near the limits, on each device's own grid.
_VALUES: dict[tuple[str, str], st.SearchStrategy[float]] = {
    ("systolic", "mm[Hg]"): st.sampled_from([70, 79, 80, 89, 90, 120, 159, 160, 161, 180, 181, 200]).map(float),
    ("systolic", "kPa"): st.sampled_from([10.6, 10.7, 11.9, 12.0, 16.0, 21.2, 21.3, 24.0, 24.1]),
    ("diastolic", "mm[Hg]"): st.sampled_from([60, 99, 100, 101, 120, 121]).map(float),
    ("diastolic", "kPa"): st.sampled_from([8.0, 13.2, 13.3, 16.0, 16.1]),
    ("pulse_rate", "/min"): st.sampled_from([39, 40, 80, 110, 111, 130, 131]).map(float),
    ("body_weight", "kg"): st.integers(16000, 16800).map(lambda steps: steps * 5 / 1000),
    ("body_weight", "[lb_av]"): st.integers(17600, 18500).map(lambda steps: steps / 100),
    ("glucose", "mg/dL"): st.sampled_from([53, 54, 69, 70, 110, 250, 251, 600, 601]).map(float),
    ("glucose", "mmol/L"): st.sampled_from([2.9, 3.0, 3.8, 3.9, 10.0, 13.9, 14.0, 33.3, 33.4]),
    ("oxygen_saturation", "%"): st.sampled_from([80, 88, 88.5, 89, 92, 93, 94, 95, 99]).map(float),
    ("body_temperature", "Cel"): st.sampled_from([34.9, 35.0, 36.6, 37.7, 37.8, 37.9, 38.0, 39.3, 39.4]),
    ("body_temperature", "[degF]"): st.sampled_from([94.9, 95.0, 98.6, 99.9, 100.0, 100.4, 102.9, 103.0]),
}
# Hours ago: ends of windows, equal times, and anything.
_HOURS = st.one_of(
    st.sampled_from([0, 0.1, 0.5, 4, 4.01, 12, 18, 24, 30, 36, 60, 168, 180, 186, 204, 210, 348]).map(float),
    st.integers(0, 15 * 24 * 60).map(lambda minutes: minutes / 60),
)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    for number in range(draw(st.integers(0, 25))):
        patient = draw(st.integers(1, 4))
        hours = draw(_HOURS)
        names = {
            "pressure": ["systolic", "diastolic", "pulse_rate"],
            "weight": ["body_weight"],
            "glucose": ["glucose"],
            "oximeter": ["oxygen_saturation", "pulse_rate"],
            "thermometer": ["body_temperature"],
        }
        kind = draw(st.sampled_from(sorted(names)))
        values: dict[str, tuple[float, str]] = {}
        unit_choice = draw(st.integers(0, 1))
        for name in names[kind]:
            unit = BY_NAME[name].units[unit_choice % len(BY_NAME[name].units)]
            value = (
                draw(st.one_of(_VALUES[(name, unit)], st.just(float("nan"))))
                if draw(st.integers(0, 9)) == 0
                else draw(_VALUES[(name, unit)])
            )
            values[name] = (value, unit)
        rows += reading(patient, hours, number, **values)
    return draw(st.permutations(rows))


@st.composite
def own_limits(draw: st.DrawFn) -> list[PatientLimit]:
    rows: dict[tuple[Any, ...], PatientLimit] = {}
    for _ in range(draw(st.integers(0, 4))):
        rule = draw(st.sampled_from(RULES))
        band = draw(st.sampled_from(rule.bands))
        name = draw(st.sampled_from(sorted(band.limits)))
        unit = draw(st.sampled_from(BY_NAME[name].units))
        value = draw(_VALUES[(name, unit)]) if rule.gain_since is None else draw(st.sampled_from([0.5, 1.0, 2.0]))
        row = PatientLimit(
            draw(st.integers(1, 4)), rule.id, band.severity.word, name, unit, value, "the medical director"
        )
        rows[(row.patient, row.rule_id, row.band, row.quantity, row.unit)] = row
    return list(rows.values())


@settings(max_examples=400, deadline=None)
@given(rows=tables(), own=own_limits())
def test_numpy_says_what_the_plain_loop_says(rows: list[Row], own: list[PatientLimit]) -> None:
    assert found_by_numpy(rows, own, PLAIN) == findings(rows, PLAIN, own, now=NOW)


@pytest.mark.parametrize(
    "value, unit, severity",
    [
        # The guideline's pairs are rounded: converting first would fire on 13.9 mmol/L (= 250.42 mg/dL).
        (13.9, "mmol/L", None),
        (14.0, "mmol/L", 2),
        (250.0, "mg/dL", None),
        (251.0, "mg/dL", 2),
        (54.0, "mg/dL", 2),
        (53.0, "mg/dL", 3),
        (3.0, "mmol/L", 2),
        (2.9, "mmol/L", 3),
    ],
)
def test_a_limit_is_compared_in_the_unit_the_meter_used(value: float, unit: str, severity: int | None) -> None:
    found = found_by_numpy(reading(1, 0, 1, glucose=(value, unit)), [])
    assert [one.severity for one in found] == ([] if severity is None else [severity])


def test_a_cuff_that_shows_24_0_kpa_is_not_above_180_mmhg() -> None:
    assert found_by_numpy(reading(1, 0, 1, systolic=(24.0, "kPa"), diastolic=(13.0, "kPa")), []) == []
    [red] = found_by_numpy(reading(1, 0, 1, systolic=(24.1, "kPa"), diastolic=(13.0, "kPa")), [])
    assert red.severity == 3


@pytest.mark.parametrize("before", [125.02, 125.05, 125.08, 125.11, 125.21])
def test_three_pounds_are_not_more_than_three_pounds(before: float) -> None:
    """Binary subtraction of these pairs gives 3.000000000000014; the scale's own step is 0.01 lb."""
    at_limit = float(f"{before + 3:.2f}")
    assert at_limit - before > 3
    above = float(f"{before + 3.01:.2f}")
    assert found_by_numpy(weight(1, 24, 1, before, "[lb_av]") + weight(1, 0, 2, at_limit, "[lb_av]"), []) == []
    [priority] = found_by_numpy(weight(1, 24, 1, before, "[lb_av]") + weight(1, 0, 2, above, "[lb_av]"), [])
    assert priority.severity == 2


def test_a_scale_switched_from_kilograms_to_pounds_is_no_gain() -> None:
    assert found_by_numpy(weight(1, 24, 1, 82.1, "kg") + weight(1, 0, 2, 181.0, "[lb_av]"), []) == []


@pytest.mark.parametrize("hours, found", [(17.99, 0), (18, 1), (36, 1), (36.01, 0)])
def test_a_day_s_gain_is_since_a_weight_taken_18_to_36_hours_before(hours: float, found: int) -> None:
    rows = weight(1, hours, 1, 80.0) + weight(1, 0, 2, 82.0)
    assert sum(one.rule_id == "weight_gain_24h" for one in found_by_numpy(rows, [])) == found


def test_a_week_s_gain_is_since_its_oldest_weight() -> None:
    rows = weight(1, 168, 1, 80.0) + weight(1, 96, 2, 81.0) + weight(1, 0, 3, 82.3)
    assert [one.rule_id for one in found_by_numpy(rows, [])] == ["weight_gain_7d"]
    assert found_by_numpy(weight(1, 200, 1, 80.0) + weight(1, 0, 3, 83.0), []) == []


def pressure(hours_ago: float, number: int, systolic: float, diastolic: float = 80.0, patient: int = 1) -> list[Row]:
    return reading(patient, hours_ago, number, systolic=(systolic, "mm[Hg]"), diastolic=(diastolic, "mm[Hg]"))


def test_orange_blood_pressure_needs_two_of_the_last_three_sessions() -> None:
    once = pressure(3, 1, 165)
    assert found_by_numpy(once, []) == []
    same_session = once + pressure(2.9, 2, 166)
    assert found_by_numpy(same_session, []) == []
    twice = once + pressure(2, 2, 130) + pressure(1, 3, 160)
    assert [one.reading_no for one in found_by_numpy(twice, [])] == [3]
    too_far = once + pressure(2, 2, 130) + pressure(1, 3, 130) + pressure(0, 4, 160)
    assert found_by_numpy(too_far, []) == []


def test_a_patient_s_own_limit_replaces_the_default_whichever_way() -> None:
    own = [PatientLimit(1, "blood_pressure_high", "urgent", "systolic", "mm[Hg]", 200, "the medical director")]
    assert found_by_numpy(pressure(0, 1, 195), own) == []
    assert len(found_by_numpy(pressure(0, 1, 201), own)) == 1
    assert len(found_by_numpy(pressure(0, 1, 195, patient=2), own)) == 1


def test_a_limit_of_an_unknown_rule_is_named_not_used() -> None:
    stray = PatientLimit(1, "no_such_rule", "urgent", "systolic", "mm[Hg]", 1)
    assert Limits.of([stray], RULES).ignored == (stray,)


def test_one_broken_rule_leaves_the_others_speaking(monkeypatch: pytest.MonkeyPatch) -> None:
    """H2: the fault is named, without its text; every other rule fires."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("82.1 kg")

    monkeypatch.setattr("alerts.kernels.gains.earlier_value", broken)
    rows = weight(1, 24, 1, 80.0) + weight(1, 0, 2, 84.0) + pressure(0, 3, 190)
    result = evaluate(series_of(rows), RULES, limits=NO_LIMITS, now=NOW)
    assert [(one.rule_id, one.error) for one in result.failures] == [
        ("weight_gain_24h", "ZeroDivisionError"),
        ("weight_gain_7d", "ZeroDivisionError"),
    ]
    assert [one.rule_id for one in result] == ["blood_pressure_high"]


def test_a_red_by_a_clock_nobody_could_read_is_not_taken_for_an_old_one() -> None:
    """A cuff set to another zone is hours slow: its red came just now, and calls."""
    rows = pressure(6, 1, 190)
    columns = series_of(rows)
    doubted = replace(columns, doubted=np.ones(len(columns), np.bool_))
    lates = [[one.late for one in evaluate(each, RULES, limits=NO_LIMITS, now=NOW)] for each in (columns, doubted)]
    assert lates == [[True], [False]]


def test_late_values_are_marked_and_older_than_a_week_is_history() -> None:
    assert [one.late for one in found_by_numpy(pressure(3.9, 1, 190), [])] == [False]
    assert [one.late for one in found_by_numpy(pressure(4.1, 1, 190), [])] == [True]
    assert found_by_numpy(pressure(7 * 24 + 0.1, 1, 190), []) == []


def test_settled_readings_are_found_no_more() -> None:
    rows = pressure(1, 1, 190) + pressure(0.5, 2, 195)
    result = evaluate(
        series_of(rows), RULES, limits=NO_LIMITS, now=NOW, settled={"blood_pressure_high": Settled.of([1])}
    )
    assert [one.reading_no for one in result] == [2]


def test_a_reading_between_limit_and_margin_changes_nothing() -> None:
    """Hysteresis: 158 is inside the orange limit, but not by the 5 mmHg that clear it."""

    def out(*systolics: float) -> bool | None:
        rows = [row for place, value in enumerate(systolics) for row in pressure(3 - place, place, value)]
        standing = evaluate(series_of(rows), RULES, limits=NO_LIMITS, now=NOW).standing(1, "blood_pressure_high")
        return standing.out if standing else None

    assert out(190) is True
    assert out(190, 158) is True
    assert out(190, 154) is False
    assert out(190, 154, 158) is False
    assert out(158) is None


@pytest.mark.parametrize(
    "rows, sentence",
    [
        (pressure(0, 1, 192, 118), "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg"),
        (pressure(0, 1, 150, 125), "Blood pressure 150/125 mmHg; limit diastolic above 120 mmHg"),
        (pressure(0, 1, 78, 50), "Blood pressure 78/50 mmHg; limit systolic below 80 mmHg"),
        (reading(1, 0, 1, glucose=(2.9, "mmol/L")), "Glucose 2.9 mmol/L; limit below 3 mmol/L"),
        (
            weight(1, 72, 1, 82.1) + weight(1, 0, 2, 84.6),
            "Weight up 2.5 kg (5.5 lb) in 3 days: 82.1 kg → 84.6 kg; limit 2.27 kg",
        ),
        (
            weight(1, 23, 1, 180.2, "[lb_av]") + weight(1, 0, 2, 184.2, "[lb_av]"),
            "Weight up 4.0 lb (1.8 kg) in 23 hours: 180.2 lb → 184.2 lb; limit 3 lb",
        ),
        (
            pressure(5, 1, 165) + pressure(0, 2, 168, 90),
            "Blood pressure 168/90 mmHg in 2 of the last 3 sessions; limit systolic at or above 160 mmHg",
        ),
    ],
)
def test_a_finding_says_what_the_nurse_needs(rows: list[Row], sentence: str) -> None:
    result = list(evaluate(series_of(rows), RULES, limits=NO_LIMITS, now=NOW))
    assert [one.sentence for one in result if not one.late] == [sentence]


def test_a_finding_names_its_readings_limit_and_version() -> None:
    [found] = evaluate(series_of(weight(1, 24, 7, 80.0) + weight(1, 0, 9, 82.0)), RULES, limits=NO_LIMITS, now=NOW)
    assert [(value.reading_no, value.value, value.role) for value in found.values] == [
        (7, 80.0, "reference"),
        (9, 82.0, "value"),
    ]
    assert (found.limit.value, found.limit.unit, found.rule_version) == (1.36, "kg", BY_ID["weight_gain_24h"].version)


def test_times_ages_apart_do_not_wrap_around() -> None:
    """Whoever is first in time is not found through another patient's row or a sum beyond 63 bits."""
    at = np.array([0, 2**62, 2**62 + 30], np.int64)
    found = earlier_value(at, np.array([0, 0, 1], np.int32), take="newest", from_us=10, to_us=50)
    assert found.tolist() == [-1, -1, 1]
