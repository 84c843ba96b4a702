"""A replay says what the product would have said: nothing of what had not come yet, once for each episode, again when answered."""

import importlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from alerts.facts import NO_FACTS, Facts
from alerts.lifecycle import ChangeReason
from alerts.limits import Limits
from alerts.observations import Observations, parse_observations
from alerts.replay import ANSWERED, Call, RuleFailed, replay
from alerts.rulefile import parse_rules, read_rules
from alerts.series import microseconds
from alerts.severity import Severity
from devices.virtual.cohort import files
from rpm.care.trial import Trial

BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
HIGH = """
[[rule]]
id = "high"
version = "1"
title = "High"
source = "test"
sentence = "{values}; limit {limit}"
clear_by = { "mm[Hg]" = 5, kPa = 0.7 }
[[rule.band]]
severity = "urgent"
limits.systolic.above = { "mm[Hg]" = 180, kPa = 24.0 }
[[rule.band]]
severity = "priority"
limits.systolic.above = { "mm[Hg]" = 160, kPa = 21.3 }
"""
RULES = parse_rules(HIGH, name="x")


def observed(*readings: tuple[float, float] | tuple[float, float, float]) -> Observations:
    """(hour measured, systolic, hour it came) of one patient."""
    rows = ["patient,measured_at,received_at,quantity,value,unit"]
    for hour, value, *came in readings:
        at, received = (BEGIN + timedelta(hours=when) for when in (hour, came[0] if came else hour))
        rows.append(f"a,{at.isoformat()},{received.isoformat()},systolic,{value},mm[Hg]")
    return parse_observations(rows, name="x")


def calls(found: Observations, facts: Facts = NO_FACTS) -> list[Call]:
    return list(replay(found, RULES, limits=Limits.of((), RULES), facts=facts))


def test_an_open_alert_is_joined_and_calls_again_only_when_it_worsens() -> None:
    told = calls(observed((1, 165), (3, 166), (5, 190), (7, 195)))
    assert [(call.at - BEGIN, call.severity, call.reason) for call in told] == [
        (timedelta(hours=2), Severity.PRIORITY, ChangeReason.OPENED),
        (timedelta(hours=6), Severity.URGENT, ChangeReason.WORSENED),
        # The red was answered within the hour, so the next one is new.
        (timedelta(hours=8), Severity.URGENT, ChangeReason.OPENED),
    ]


def test_what_is_found_again_after_the_answer_calls_again() -> None:
    answered_h = ANSWERED[Severity.PRIORITY] / timedelta(hours=1)
    assert len(calls(observed((1, 165), (1 + answered_h - 2, 165)))) == 1
    assert len(calls(observed((1, 165), (1 + answered_h + 2, 165)))) == 2


def test_what_comes_late_is_a_review_item_when_it_comes() -> None:
    (told,) = calls(observed((1, 190, 27)))
    assert told.late
    assert told.severity is Severity.ROUTINE
    assert told.at == BEGIN + timedelta(hours=28)


def test_what_has_not_come_is_not_seen_when_something_else_comes() -> None:
    (told,) = calls(observed((1, 190, 50), (20, 120)))
    assert told.at == BEGIN + timedelta(hours=50)


def test_nothing_is_told_of_what_had_not_come_yet(tmp_path: Path) -> None:
    """A cohort cut short calls as the whole one did until then."""
    files.write(tmp_path, patients=10, days=40, seed=3, often=6)
    rules = read_rules(Path("rpm/care/rules.toml"))
    trial = Trial.read(tmp_path)
    whole = list(replay(trial.observed, rules, limits=Limits.of((), rules), facts=trial.facts))
    came = trial.observed.received_us[trial.observed.series.reading_no]
    cut = datetime(2026, 2, 28, tzinfo=UTC)
    part = trial.observed.take(np.flatnonzero(came <= microseconds(cut)))
    assert 0 < len(part.series) < len(trial.observed.series)
    before = [call for call in whole if call.at <= cut]
    assert 10 < len(before) < len(whole)
    assert list(replay(part, rules, limits=Limits.of((), rules), facts=trial.facts)) == before


def test_what_plausibility_would_hold_is_not_judged(tmp_path: Path) -> None:
    weights = [(day, 80.0) for day in range(8)] + [(8, 52.0), (9, 80.1)]
    rows = [f"a,{(BEGIN + timedelta(days=day)).isoformat()},body_weight,{kg},kg" for day, kg in weights]
    rows += [f"a,{(BEGIN + timedelta(days=3)).isoformat()},systolic,140,mm[Hg]"]
    rows += [f"a,{(BEGIN + timedelta(days=3)).isoformat()},diastolic,150,mm[Hg]"]
    (tmp_path / "observations.csv").write_text(
        "\n".join(["patient,measured_at,quantity,value,unit", *rows, ""]), "utf-8"
    )
    (tmp_path / "patients.csv").write_text("patient\na\n", "utf-8")
    (tmp_path / "truth.jsonl").write_text("", "utf-8")
    trial = Trial.read(tmp_path)
    assert trial.held == 2, "another person on the scale, and a pressure upside down"
    assert 52.0 not in trial.observed.series.value
    assert len(trial.observed.series) == 9 - 1


def test_a_rule_that_fails_is_named_and_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(importlib.import_module("alerts.evaluate"), "judge", fails)
    with pytest.raises(RuleFailed, match=r"^high could not be applied: ZeroDivisionError$"):
        calls(observed((1, 165)))
