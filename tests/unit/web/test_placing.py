"""Rows of the store become the columns that are counted: who waits how long, what else is open, and which way is worse."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from alerts.rulefile import read_rules
from rpm.store.risk import Seen, Trend
from rpm.store.worklist import OpenAlert
from rpm.web.placing import Placed, place, worse_ways
from tests.unit.web.test_arrangement import KIM, NOW, alert

RULES = read_rules(Path("rpm/care/rules.toml"))
WAYS = worse_ways(RULES)


def crossed(number: int, rule_id: str, quantity: str, severity: int = 2) -> OpenAlert:
    evidence = {"limit": {"quantity": quantity, "comparison": "above"}, "judged": [[1, severity, False]]}
    return replace(alert(number, severity), rule_id=rule_id, evidence=evidence, opened_at=NOW)


def risen(patient: int, code: int, *, by: float) -> dict[tuple[int, int], Trend]:
    newest = date(2026, 6, 10)
    return {(patient, code): Trend(patient, code, 1, newest, 5, 140 + by * 8, 20, 140.0, 8.0)}


def numbers(placed: Placed) -> list[int]:
    return [one.alert_id for one in placed.alerts]


def part(placed: Placed, number: int, name: str) -> tuple[int, str]:
    found = next(one for one in placed.alerts if one.alert_id == number)
    return next((one.points, one.words) for one in placed.why(found) if one.name == name)


def test_each_quantity_goes_the_way_its_rule_calls_worse() -> None:
    """Of a loss the limit is above, and less is worse; a variation has no way."""
    assert WAYS["blood_pressure_high"] == WAYS["weight_gain_24h"] == 1
    assert WAYS["blood_pressure_low"] == WAYS["weight_loss_2d"] == WAYS["blood_pressure_fall"] == -1
    assert "blood_pressure_variability" not in WAYS
    for rule_id, rise, counted in (("weight_loss_2d", -2, 10), ("weight_loss_2d", 2, 0), ("weight_gain_24h", 2, 10)):
        one = crossed(1, rule_id, "body_weight")
        placed = place([one], {}, risen(1, 5, by=rise), ways=WAYS, now=NOW)
        assert part(placed, 1, "trend")[0] == counted, (rule_id, rise)


def test_two_alike_stand_by_what_else_is_wrong_with_the_patient() -> None:
    alike = [crossed(number, "glucose_high", "glucose") for number in (1, 2, 3)]
    assert numbers(place(alike, {}, {}, ways=WAYS, now=NOW)) == [1, 2, 3], "by their number"
    silent = {3: Seen(3, NOW - timedelta(days=4, hours=2), 9, 13)}
    placed = place(alike, silent, risen(2, 7, by=1.0), ways=WAYS, now=NOW)
    assert numbers(placed) == [3, 1, 2]
    assert part(placed, 3, "silent") == (3, "last reading 4 days ago")
    assert part(placed, 3, "missed days") == (4, "measured on 4 days fewer in two weeks than in the two before")


def test_what_somebody_has_waits_no_more_and_nothing_makes_a_routine_one_overtake() -> None:
    old = replace(crossed(1, "glucose_high", "glucose", severity=1), opened_at=NOW - timedelta(days=30))
    had = replace(crossed(2, "glucose_high", "glucose", severity=2), owner_id=KIM, opened_at=NOW - timedelta(days=30))
    placed = place([had, old], {1: Seen(1, datetime(2025, 1, 1, tzinfo=UTC), 0, 14)}, {}, ways=WAYS, now=NOW)
    assert numbers(placed) == [2, 1]
    assert part(placed, 2, "waiting") == (0, "somebody has it")
    assert part(placed, 1, "waiting")[0] == 30


def test_of_nobody_known_only_the_alert_itself_counts() -> None:
    found = replace(alert(1, 3), subject=None, evidence={})
    placed = place([found], {}, {}, ways=WAYS, now=NOW)
    assert [one.points for one in placed.why(found)][5:] == [0, 0, 0, 0]
    assert place([], {}, {}, ways=WAYS, now=NOW).alerts == ()


def test_a_trend_needs_days_and_a_spread() -> None:
    whole = next(iter(risen(1, 1, by=2).values()))
    assert whole.rise == 2
    for less in ({"days": 1}, {"days_before": 6}, {"spread": 0.0}, {"spread": None}, {"mean_before": None}):
        assert replace(whole, **less).rise is None
