"""Patients judged in portions are told what they would be told all at once."""

import numpy as np
import pytest

from alerts import amounts, joins
from alerts.evaluate import evaluate
from alerts.findings import Findings
from alerts.joins import portions
from alerts.limits import Limits
from alerts.rulefile import read_rules
from alerts.tracks import Track
from rpm.settings import CARE
from tests.support.large_series import NOW, large_series

RULES = read_rules(CARE / "rules.toml")
SERIES = large_series(60)


def judged() -> Findings:
    return evaluate(SERIES, RULES, limits=Limits.of([], RULES), now=NOW)


def test_portions_are_runs_of_whole_patients(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joins, "PORTION_ROWS", 4)
    patient = np.array([1, 1, 1, 2, 2, 3, 4, 4, 4, 4, 4, 4, 4, 5])
    assert [(one.start, one.stop) for one in portions(patient)] == [(0, 5), (5, 13), (13, 14)]
    assert [(one.start, one.stop) for one in portions(patient[:0])] == [(0, 0)]
    assert [(one.start, one.stop) for one in portions(patient[:4])] == [(0, 4)]


def test_a_portion_at_a_time_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judged()
    monkeypatch.setattr(joins, "PORTION_ROWS", 1)
    by_portion = judged()
    assert len(list(portions(SERIES.patient))) > 20
    assert list(by_portion) == list(whole)
    assert {one.rule_id for one in whole} >= {"blood_pressure_mean_7d", "weight_gain_usual", "glucose_low"}
    for one, other in zip(by_portion.by_rule, whole.by_rule, strict=True):
        for column in ("stands_patient", "stands", "stands_at_us", "short"):
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column))


def test_a_rule_that_fails_for_some_speaks_for_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """H2: one failure, and what was found of everybody else."""
    monkeypatch.setattr(joins, "PORTION_ROWS", 1)
    whole = judged()
    broken = next(found for found in whole.by_rule if found.rule.id == "blood_pressure_mean_7d")
    whose = int(broken.patient[0])
    mean = amounts._mean

    def sometimes(measure: object, track: Track, facts: object) -> object:
        if whose in track.patient:
            raise ZeroDivisionError
        return mean(measure, track, facts)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(amounts, "_mean", sometimes)
    found = judged()
    assert [(one.rule_id, one.error) for one in found.failures] == [("blood_pressure_mean_7d", "ZeroDivisionError")]
    others = [one for one in whole if (one.rule_id, one.patient) != ("blood_pressure_mean_7d", whose)]
    spoken = list(found)
    assert spoken
    assert all(one in others for one in spoken)
    assert any(one.rule_id == "blood_pressure_mean_7d" for one in spoken)
