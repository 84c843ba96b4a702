"""A patient's own usual: deaf to odd readings, silent without two weeks of days, and never an offer of a looser red, or an absurd one."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.baseline import DAYS_MIN, Baseline, Offer, TooLittle, baselines, offers
from alerts.facts import NO_FACTS, Facts, PatientFacts
from alerts.layers import LayerKind, PatientLimit
from alerts.limits import Limits
from alerts.rulefile import read_rules
from alerts.series import Series, microseconds
from alerts.severity import Severity
from schemas.codes import BY_NAME, UNIT_NUMBER

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
RULES = read_rules(Path("rpm/care/rules.toml"))


def weights(*values: tuple[float, float], unit: str = "kg", quantity: str = "body_weight") -> Series:
    """(days ago, value) of patient 1."""
    count = len(values)
    return Series.of(
        patient=np.ones(count),
        measured_at_us=[microseconds(NOW - timedelta(days=days)) for days, _ in values],
        reading_no=np.arange(1, count + 1),
        code=np.full(count, BY_NAME[quantity].number),
        unit=np.full(count, UNIT_NUMBER[unit]),
        value=[value for _, value in values],
    )


def usual(series: Series, quantity: str = "body_weight", facts: Facts = NO_FACTS) -> list[Baseline | TooLittle]:
    return baselines(series, [quantity], patient=1, facts=facts, now=NOW)


def test_the_usual_is_the_median_and_the_width_two_and_a_half_deviations() -> None:
    """Values 1 to 15 apart: the median is 88, the MAD 4 (half of them lie within 4 of it)."""
    (found,) = usual(weights(*[(day, 80.0 + day) for day in range(1, 16)]))
    assert isinstance(found, Baseline)
    assert (found.median, found.mad, found.readings, found.days) == (88.0, 4.0, 15, 15)
    assert (found.low, found.high) == (round(88 - 2.5 * 1.4826 * 4, 1), round(88 + 2.5 * 1.4826 * 4, 1))


def test_of_normal_values_one_in_a_hundred_lies_outside() -> None:
    draw = np.random.default_rng(5)
    values = draw.normal(128, 8, 4000)
    (found,) = usual(
        weights(*[(27 * n / 4000, float(v)) for n, v in enumerate(values)], unit="mm[Hg]", quantity="systolic"),
        "systolic",
    )
    assert isinstance(found, Baseline)
    assert 0.005 < np.mean((values < found.low) | (values > found.high)) < 0.025


def test_a_stranger_on_the_scale_changes_next_to_nothing() -> None:
    days = [(float(day), 80.0 + day % 3 * 0.2) for day in range(1, 21)]
    (alone,), (with_strangers,) = usual(weights(*days)), usual(weights(*days, (4.5, 52.0), (9.5, 110.0)))
    assert isinstance(alone, Baseline)
    assert isinstance(with_strangers, Baseline)
    assert abs(alone.median - with_strangers.median) <= 0.1
    assert abs(alone.high - with_strangers.high) <= 0.2


@pytest.mark.parametrize("days, enough", [(DAYS_MIN, True), (DAYS_MIN - 1, False)])
def test_two_weeks_of_days_are_needed_however_many_readings(days: int, enough: bool) -> None:  # noqa: FBT001
    readings = [(day + part / 10, 80.0) for day in range(days) for part in range(3)]
    (found,) = usual(weights(*readings))
    assert isinstance(found, Baseline) == enough
    assert found.days == days


def test_days_are_those_of_the_patients_zone() -> None:
    pairs = [(day + part, 80.0) for day in range(7) for part in (0.06, 0.10)]
    there = Facts.of([PatientFacts(1, "Pacific/Kiritimati")])
    # 10:33 and 09:36 UTC are 00:33 of one day and 23:36 of the day before there (UTC+14).
    assert [found.days for found in usual(weights(*pairs))] == [7]
    assert [found.days for found in usual(weights(*pairs), facts=there)] == [8]


def test_what_is_old_or_doubted_or_another_patients_does_not_count() -> None:
    old = weights(*[(29 + day, 80.0) for day in range(20)])
    assert usual(old) == []
    good = weights(*[(float(day), 80.0) for day in range(1, 16)])
    assert baselines(good, ["body_weight"], patient=2, facts=NO_FACTS, now=NOW) == []
    doubted = Series.of(
        **{name: getattr(good, name) for name in ("patient", "measured_at_us", "reading_no", "code", "unit", "value")},
        disturbed=np.ones(len(good), np.bool_),
    )
    assert usual(doubted) == []


def of(low: float, high: float, quantity: str = "systolic", unit: str = "mm[Hg]") -> Baseline:
    return Baseline(quantity, unit, (low + high) / 2, 5.0, 40, 20, low, high)


def test_offers_are_for_bands_below_urgent_with_the_limit_that_holds_beside_them() -> None:
    own = PatientLimit(1, "blood_pressure_high", "priority", "systolic", "mm[Hg]", 150.0, "Dr. Shah", NOW)
    limits = Limits.of([own], RULES)
    found = {(one.rule_id, one.band): one for one in offers(of(96, 146), RULES, limits, patient=1)}
    assert all(band is not Severity.URGENT for _, band in found)
    high = found[("blood_pressure_high", Severity.PRIORITY)]
    assert (high.offered, high.holds.value, high.holds.layer, high.looser, high.refused) == (
        146,
        150.0,
        LayerKind.PATIENT,
        False,
        None,
    )
    low = found[("blood_pressure_low", Severity.PRIORITY)]
    assert (low.offered, low.holds.value, low.looser) == (96, 90.0, False)
    # A mean, a pregnancy's limit and a glucose after meals have their own sense: nothing is offered there.
    assert not {rule for rule, _ in found} & {
        "blood_pressure_mean_7d",
        "blood_pressure_pregnancy",
        "blood_pressure_fall",
    }


def test_no_offer_lies_beyond_the_red() -> None:
    limits = Limits.of([], RULES)
    refused = {one.rule_id: one.refused or "" for one in offers(of(78, 181), RULES, limits, patient=1)}
    for rule_id in ("blood_pressure_high", "blood_pressure_low"):
        assert "urgent limit" in refused[rule_id]


def by_band(usual: Baseline, rule_id: str, own: tuple[PatientLimit, ...] = ()) -> dict[Severity, Offer]:
    found = offers(usual, RULES, Limits.of(own, RULES), patient=1)
    return {one.band: one for one in found if one.rule_id == rule_id}


def test_no_low_limit_is_offered_among_pressures_that_are_nobodys_low() -> None:
    """148 is usual, 137 to 159 ordinary: 137 is not low, and no rule takes anything above 100 for it."""
    refused = by_band(of(137, 159), "blood_pressure_low")[Severity.PRIORITY].refused
    assert refused == "nearer than 100 it would call values that no rule takes for unusual"
    assert by_band(of(99, 121), "blood_pressure_low")[Severity.PRIORITY].refused is None
    # High: 135 is what the mean of a week is held against.
    assert by_band(of(110, 135), "blood_pressure_high")[Severity.PRIORITY].refused is None
    assert "nearer than 135" in (by_band(of(110, 134), "blood_pressure_high")[Severity.PRIORITY].refused or "")
    for quantity, unit, low, high in (("pulse_rate", "/min", 60, 84), ("body_temperature", "Cel", 36.1, 37.1)):
        made = offers(of(low, high, quantity, unit), RULES, Limits.of((), RULES), patient=1)
        assert made
        assert all(one.refused for one in made), "neither is fast or fever"


def test_bands_of_one_rule_are_offered_apart_and_in_their_order() -> None:
    """Ordinary saturations down to 91 % lie below the routine limit (95) and the one for today (93), above the red (89)."""
    usual = of(91, 97, "oxygen_saturation", "%")
    made = by_band(usual, "oxygen_saturation_low")
    # Both move by as much as the milder has to, as far as the red lets them.
    assert (made[Severity.PRIORITY].offered, made[Severity.PRIORITY].refused) == (90, None)
    assert (made[Severity.ROUTINE].offered, made[Severity.ROUTINE].refused) == (
        91,
        "the priority limit of 93 would call before it: decide about that one first",
    )
    taken = PatientLimit(1, "oxygen_saturation_low", "priority", "oxygen_saturation", "%", 90, "Dr. Shah", NOW)
    made = by_band(usual, "oxygen_saturation_low", (taken,))
    assert (made[Severity.ROUTINE].offered, made[Severity.ROUTINE].refused) == (91, None)
    assert made[Severity.PRIORITY].refused == "it is the limit that holds"
    # One point further down the two have no room before the red.
    for one in by_band(of(90, 97, "oxygen_saturation", "%"), "oxygen_saturation_low").values():
        assert one.refused == "between ordinary values and the urgent limit of 89 there is no room for it"
    # What ordinary values do not reach stays: of 94 to 98 only the milder is moved.
    made = by_band(of(94, 98, "oxygen_saturation", "%"), "oxygen_saturation_low")
    assert (made[Severity.ROUTINE].offered, made[Severity.ROUTINE].refused) == (94, None)
    assert made[Severity.PRIORITY].refused == "it is the limit that holds"


def test_what_was_loosened_once_is_offered_back_and_what_is_stricter_is_left() -> None:
    looser, stricter = (
        PatientLimit(1, "oxygen_saturation_low", "priority", "oxygen_saturation", "%", value, "Dr. Shah", NOW)
        for value in (90, 94)
    )
    back = by_band(of(95, 99, "oxygen_saturation", "%"), "oxygen_saturation_low", (looser,))[Severity.PRIORITY]
    assert (back.offered, back.looser, back.refused) == (93, False, None)
    left = by_band(of(95, 99, "oxygen_saturation", "%"), "oxygen_saturation_low", (stricter,))[Severity.PRIORITY]
    assert left.refused == "ordinary values stay clear of the limit that holds"


@st.composite
def a_usual(draw: st.DrawFn) -> Baseline:
    quantity, unit, decimals, low, high = draw(
        st.sampled_from(
            [
                ("systolic", "mm[Hg]", 0, 60, 220),
                ("systolic", "kPa", 1, 8, 29),
                ("diastolic", "mm[Hg]", 0, 40, 140),
                ("pulse_rate", "/min", 0, 30, 150),
                ("oxygen_saturation", "%", 0, 80, 100),
                ("body_temperature", "Cel", 1, 34, 40),
                ("glucose", "mg/dL", 0, 40, 700),
                ("glucose", "mmol/L", 1, 2, 35),
            ]
        )
    )
    median = draw(st.floats(low, high))
    width = draw(st.floats(0.01, 0.3)) * median
    return of(round(median - width, decimals), round(median + width, decimals), quantity, unit)


@given(usual=a_usual(), data=st.data())
def test_every_offer_is_outside_what_is_ordinary_inside_the_red_and_in_order(
    usual: Baseline, data: st.DataObject
) -> None:
    """Whatever is usual, and in whatever order a clinician takes what is offered."""
    own: dict[tuple[str, Severity], PatientLimit] = {}
    for _ in range(4):
        limits = Limits.of(own.values(), RULES)
        made = [one for one in offers(usual, RULES, limits, patient=1) if one.refused is None]
        if not made:
            break
        taken = data.draw(st.sampled_from(made))
        rule = next(rule for rule in RULES if rule.id == taken.rule_id)
        sign = -1 if rule.downward else 1
        assert sign * taken.offered >= sign * (usual.low if rule.downward else usual.high)
        own[(rule.id, taken.band)] = PatientLimit(
            1, rule.id, taken.band.word, usual.quantity, usual.unit, taken.offered, "Dr. Shah", NOW
        )
        held = Limits.of(own.values(), RULES)
        values = [
            held.limit(rule, band.severity, usual.quantity, usual.unit, patient=1)
            for band in rule.bands
            if usual.quantity in band.limits
        ]
        order = [-sign * value for value in values if value is not None]
        assert order == sorted(set(order)), "the more severe, the farther out"


def test_where_values_do_not_vary_no_width_is_known() -> None:
    (found,) = usual(
        weights(*[(float(day), 130.0) for day in range(1, 20)], unit="mm[Hg]", quantity="systolic"), "systolic"
    )
    assert isinstance(found, Baseline)
    offered = offers(found, RULES, Limits.of([], RULES), patient=1)
    assert offered
    assert all(one.refused is not None and "no width" in one.refused for one in offered)
