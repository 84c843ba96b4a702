"""The score of rules: counted by hand on a few calls, and of a whole small cohort as it stands in the tree.

`score.md` changes with every rule and with the engine; the change is to be read before it is kept:

    python -m devices.virtual cohort --patients 30 --days 56 --seed 5 --often 10 --out build/cohort
    rpm-cloud rules score --cohort build/cohort --rules rpm/care/rules.toml > tests/unit/alerts/score.md
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alerts.lifecycle import ChangeReason
from alerts.observations import ObservationsError, parse_observations
from alerts.replay import Call
from alerts.rulefile import parse_rules
from alerts.scoring import Truth, read_truth, score, table
from alerts.severity import Severity
from devices.virtual.cohort import files
from rpm.__main__ import build

KEPT = Path(__file__).with_name("score.md")
SHIPPED = Path("rpm/care/rules.toml")
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)
RULES = """
[[rule]]
id = "gain"
version = "1"
title = "Gain"
source = "test"
sentence = "{gain}; limit {limit}"
gain_since = { take = "newest", from_h = 18, to_h = 36 }
clear_by = { kg = 0.1, "[lb_av]" = 0.2 }
band = [{ severity = "priority", limits.body_weight.above = { kg = 1.0, "[lb_av]" = 2 } }]

[[rule]]
id = "loss"
version = "1"
title = "Loss"
source = "test"
sentence = "{loss}; limit {limit}"
loss_since = { take = "newest", from_h = 18, to_h = 36 }
clear_by = { kg = 0.1, "[lb_av]" = 0.2 }
band = [{ severity = "routine", limits.body_weight.above = { kg = 1.0, "[lb_av]" = 2 } }]
"""


def call(rule: str, day: float, *, patient: int = 1, asks: bool = False) -> Call:
    return Call(patient, rule, Severity.PRIORITY, BEGIN + day * DAY, ChangeReason.OPENED, asks, late=False)


def gain(patient: str, onset: float, peak: float, end: float, *, readings: int = 5) -> Truth:
    at = [BEGIN + day * DAY for day in (onset, peak, end)]
    return Truth(
        patient=patient,
        kind="decompensation",
        onset=at[0],
        peak=at[1],
        end=at[2],
        shows_in={"body_weight": "up"},
        amount=3.0,
        unit="kg",
        readings=readings,
    )


def test_calls_are_held_against_the_truth() -> None:
    rows = [
        f"{patient},{(BEGIN + day * DAY).isoformat()},body_weight,80,kg"
        for patient in ("a", "b")
        for day in (0.0, 30.4375)
    ]
    observed = parse_observations(["patient,measured_at,quantity,value,unit", *rows], name="x")
    truths = [gain("a", 5, 10, 12), gain("b", 5, 10, 12, readings=0), gain("a", 20, 25, 28)]
    calls = [
        call("gain", 4.9),  # before the onset: false
        call("gain", 8, asks=True),  # two days before the peak
        call("gain", 9),  # the same episode again
        call("gain", 14.9),  # three days after the end are still about it
        call("gain", 15.1),  # false
        call("gain", 26),  # a day after the peak of another
        call("loss", 8),  # it went up, not down: false
        call("gain", 8, patient=2),
    ]
    found = score(observed, parse_rules(RULES, name="x"), calls, truths)
    rule, loss = found.by_rule
    assert (rule.name, rule.episodes, rule.measured, rule.found) == ("gain", 3, 2, 3)
    assert (rule.calls, rule.false_calls, rule.questions) == (7, 2, 1)
    assert rule.patient_months == 2.0
    assert sorted(rule.before_h) == [-24.0, 48.0, 48.0]
    assert sorted(rule.after_h) == [72.0, 72.0, 144.0]
    assert (loss.episodes, loss.found, loss.calls, loss.false_calls) == (0, 0, 1, 1)
    assert (found.together.calls, found.together.false_calls, found.together.found) == (8, 3, 3)
    (kind,) = found.by_kind
    assert (kind.name, kind.episodes, kind.found, kind.calls) == ("decompensation", 3, 3, 5)
    assert "| gain | 3 | 2 | 3 | 100 % | 3.0 d | 2.0 d | 7 | 1 | 71 % | 1.00 |" in table(found)


def test_a_small_cohort_scores_as_it_stands_in_the_tree(tmp_path: Path) -> None:
    files.write(tmp_path, patients=30, days=56, seed=5, often=10)
    told = CliRunner().invoke(build(), ["rules", "score", "--cohort", str(tmp_path), "--rules", str(SHIPPED)])
    assert told.exit_code == 0, told.output
    assert told.stdout == KEPT.read_text("utf-8")


def test_a_line_of_truth_that_is_none_is_named(tmp_path: Path) -> None:
    good = gain("a", 5, 10, 12).model_dump_json().encode()
    for line, told in (
        (b"{", "row 2: this is no JSON"),
        (b"\xff", "row 2: this is no JSON"),
        (b"{}", "row 2, column patient:"),
    ):
        path = tmp_path / "truth.jsonl"
        path.write_bytes(good + b"\n" + line + b"\n")
        with pytest.raises(ObservationsError) as caught:
            read_truth(path)
        assert str(caught.value).startswith(f"{path}: {told}")
