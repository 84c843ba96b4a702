"""The clinical table, row by row, on the shipped rules: what each asks for, at its limit and just inside of it.

Sources are named in `rpm/care/rules.toml`: AHA/ACC 2025, BEAT-HF, ADA, ACOG, ESC, UK home oximetry, and the averages of
AHA 2008 (12 readings on 3 days). A case is the readings of one patient, hours before now, and what rules say of the newest.
"""

from datetime import date, timedelta

import pytest

from alerts.evaluate import evaluate
from alerts.facts import Facts, PatientFacts
from alerts.findings import Finding, FindingKind, Findings
from alerts.limits import Limits
from alerts.rulefile import read_rules
from rpm.settings import CARE
from tests.unit.alerts.scalar import Row
from tests.unit.alerts.test_evaluate import NOW, calling_at_once, pressure, reading, series_of, weight

RULES = calling_at_once(read_rules(CARE / "rules.toml"))


def judged(rows: list[Row], **facts: object) -> Findings:
    known = Facts.of([PatientFacts(1, **facts)]) if facts else Facts.of([])  # pyright: ignore[reportArgumentType]
    found = evaluate(series_of(rows), RULES, limits=Limits.of([], RULES), now=NOW, facts=known)
    assert found.failures == ()
    return found


def of_newest(rows: list[Row], **facts: object) -> dict[str, Finding]:
    newest = max(rows, key=lambda row: (row.at, row.reading_no)).reading_no
    return {one.rule_id: one for one in judged(rows, **facts) if one.reading_no == newest}


def week_of_pressures(systolic: float, diastolic: float, *, days: int = 6, unit: str = "mm[Hg]") -> list[Row]:
    """Morning and evening."""
    return [
        row
        for half in range(2 * days)
        for row in reading(1, 12.0 * half, half, systolic=(systolic, unit), diastolic=(diastolic, unit))
    ][::-1]


def daily(quantity: str, unit: str, before: float, last: float, *, days: int = 8) -> list[Row]:
    """A value a day, the last one today's."""
    return [
        row
        for day in range(days + 1)
        for row in reading(1, 24.0 * day, 100 - day, **{quantity: (last if day == 0 else before, unit)})
    ]


def weights(*kilograms: float) -> list[Row]:
    """One a day, the last one today's."""
    last = len(kilograms) - 1
    return [row for day, kg in enumerate(kilograms) for row in weight(1, 24.0 * (last - day), day, kg)]


def rising(kg_per_day: float) -> list[Row]:
    return [row for day in range(10) for row in weight(1, 24.0 * day, 100 - day, round(85 - kg_per_day * day, 3))]


CASES: list[tuple[str, list[Row], list[Row]]] = [
    ("blood_pressure_mean_7d", week_of_pressures(135, 70), week_of_pressures(134, 70)),
    ("blood_pressure_mean_7d", week_of_pressures(120, 85), week_of_pressures(120, 84)),
    ("blood_pressure_mean_7d", week_of_pressures(18.0, 9.0, unit="kPa"), week_of_pressures(17.9, 9.0, unit="kPa")),
    ("blood_pressure_low_days", pressure(24, 1, 99) + pressure(0, 2, 99), pressure(1, 1, 99) + pressure(0, 2, 99)),
    ("blood_pressure_fall", daily("systolic", "mm[Hg]", 140, 110), daily("systolic", "mm[Hg]", 140, 111)),
    ("oxygen_saturation_fall", daily("oxygen_saturation", "%", 99, 96), daily("oxygen_saturation", "%", 99, 97)),
    ("weight_gain_3d", weight(1, 72, 1, 80) + weight(1, 0, 2, 82.005), weight(1, 72, 1, 80) + weight(1, 0, 2, 82)),
    ("weight_loss_2d", weights(80, 80, 79.085, 79.085), weights(80, 80, 79.085, 79.09)),
    ("weight_gain_usual", weights(*[80.0] * 5, 80.915, 80.915), weights(*[80.0] * 5, 80.91, 80.91)),
    (
        "oxygen_saturation_low",
        reading(1, 24, 1, oxygen_saturation=(94, "%")) + reading(1, 0, 2, oxygen_saturation=(94, "%")),
        reading(1, 24, 1, oxygen_saturation=(95, "%")) + reading(1, 0, 2, oxygen_saturation=(94, "%")),
    ),
    ("weight_trend", rising(0.33), rising(0.32)),
    (
        "glucose_low_repeated",
        reading(1, 30, 1, glucose=(3.8, "mmol/L")) + reading(1, 0, 2, glucose=(3.8, "mmol/L")),
        reading(1, 30, 1, glucose=(3.9, "mmol/L")) + reading(1, 0, 2, glucose=(3.8, "mmol/L")),
    ),
]


@pytest.mark.parametrize("rule_id, beyond, inside", CASES)
def test_a_trend_is_routine_beyond_its_limit_and_silent_inside(
    rule_id: str, beyond: list[Row], inside: list[Row]
) -> None:
    assert of_newest(beyond)[rule_id].severity == 1
    assert rule_id not in of_newest(inside)


def test_pulse_that_changed_from_its_own_baseline() -> None:
    for rule_id, sign in (("heart_rate_rise", 1), ("heart_rate_fall", -1)):
        for change, expected in ((15, True), (14, False)):
            rows = [
                row
                for day in range(14)
                for row in reading(1, 24.0 * day, 100 - day, pulse_rate=(70.0 + sign * change * (day < 3), "/min"))
            ]
            assert (rule_id in of_newest(rows)) is expected


@pytest.mark.parametrize(
    "meal, rule_id, above", [("fasting", "glucose_fasting_high", 131), ("postprandial", "glucose_after_meal_high", 181)]
)
def test_glucose_is_judged_by_when_it_was_taken(meal: str, rule_id: str, above: float) -> None:
    """220 two hours after a meal is not 220 fasting; and it takes three days of seven."""

    def taken(value: float, days: int, when: str) -> list[Row]:
        return [Row(1, NOW - timedelta(days=day), 9 - day, "glucose", "mg/dL", value, meal=when) for day in range(days)]

    assert rule_id in of_newest(taken(above, 3, meal))
    assert rule_id not in of_newest(taken(above, 2, meal))
    assert rule_id not in of_newest(taken(above - 1, 3, meal))
    assert rule_id not in of_newest(taken(above, 3, "casual"))


@pytest.mark.parametrize(
    "systolic, diastolic, severity",
    [(160, 80, 3), (159, 110, 3), (150, 80, 2), (149, 100, 2), (140, 80, 1), (139, 89, 0)],
)
@pytest.mark.parametrize("delivered", [None, date(2026, 10, 15)])
def test_pregnancy_and_six_weeks_after_birth_have_their_own_limits(
    systolic: float, diastolic: float, severity: int, delivered: date | None
) -> None:
    found = of_newest(pressure(0, 1, systolic, diastolic), pregnant_from=date(2026, 2, 1), delivered_on=delivered)
    assert [int(one.severity) for one in found.values()] == ([severity] if severity else [])


def test_and_no_longer() -> None:
    found = of_newest(pressure(0, 1, 165, 80), pregnant_from=date(2026, 1, 1), delivered_on=date(2026, 10, 1))
    assert found == {}, "one session of three, by the limits of everybody"


def test_eleven_readings_or_two_days_are_not_enough_and_that_is_said() -> None:
    eleven = judged(week_of_pressures(150, 70)[2:])
    assert not any(one.rule_id == "blood_pressure_mean_7d" for one in eleven)
    assert eleven.not_enough(1, "blood_pressure_mean_7d")
    assert eleven.standing(1, "blood_pressure_mean_7d") is None, "neither in range nor out of it"
    crowded = judged([row for number in range(12) for row in pressure(number / 2, number, 150)])
    assert crowded.not_enough(1, "blood_pressure_mean_7d")
    assert not judged(week_of_pressures(120, 70)).not_enough(1, "blood_pressure_mean_7d")


def test_somebody_else_on_the_scale_is_asked_about_and_nothing_to_measure_from() -> None:
    """F45: one bad reading; the next one is right again."""
    bad = weight(1, 48, 1, 80.0) + weight(1, 24, 2, 80.2) + weight(1, 0, 3, 91.0)
    assert {one.kind for one in of_newest(bad).values()} == {FindingKind.ASK}
    assert all("was it this person" in one.sentence for one in of_newest(bad).values())
    again = weight(1, 48, 1, 80.0) + weight(1, 24, 2, 70.0) + weight(1, 0, 3, 80.2)
    assert of_newest(again) == {}, "not up by ten kilograms since the bad one"


def test_another_scale_is_asked_about_and_hides_no_true_gain() -> None:
    """From the second weighing on the scale says 4 kg less; on it the patient gains 2.4 kg, which the table calls orange."""
    kilograms = [84.0, 80.0, 80.8, 81.6, 82.4]
    swapped = [row for day, kg in enumerate(kilograms) for row in weight(1, 24.0 * (4 - day), day, kg)]
    found = of_newest(swapped)["weight_gain_7d"]
    assert (found.kind, int(found.severity)) == (FindingKind.ASK, 2)


def test_a_disturbed_orange_is_asked_about_and_a_disturbed_red_is_raised() -> None:
    """A cuff that says it was loose: F6."""

    def disturbed(systolic: float) -> Finding:
        rows = [Row(1, NOW, 1, "systolic", "mm[Hg]", systolic, disturbed=True)]
        return of_newest(rows)["blood_pressure_low"]

    assert (disturbed(85).kind, disturbed(75).kind) == (FindingKind.ASK, FindingKind.ALERT)
    assert "ask for another one" in disturbed(75).sentence


def test_a_trend_says_what_it_rests_on() -> None:
    mean = of_newest(week_of_pressures(140, 70))["blood_pressure_mean_7d"]
    assert mean.sentence == "7-day mean systolic 140.0 mmHg over 12 readings; limit systolic at or above 135 mmHg"
    assert len(mean.values) == 12
    assert {value.quantity for value in mean.values} == {"systolic"}
    trend = of_newest(rising(0.5))["weight_trend"]
    assert trend.sentence == (
        "Weight rising by 3.50 kg a week (95 % interval 3.50 kg to 3.50 kg), from 10 readings; limit above 2.27 kg"
    )
