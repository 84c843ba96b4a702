"""Whose limit holds, by whose authority; a red never loosens by itself; nobody under 18 is judged by adults' limits."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from alerts.evaluate import evaluate
from alerts.facts import Facts, PatientFacts
from alerts.layers import Layer, LayerKind, PatientLimit, read_layer, resolve
from alerts.limits import Limits
from alerts.rulefile import RulesError, read_rules
from alerts.severity import Severity
from rpm.settings import CARE
from tests.unit.alerts.test_evaluate import NOW, calling_at_once, pressure, reading, series_of

RULES = calling_at_once(read_rules(CARE / "rules.toml"))
BY_ID = {rule.id: rule for rule in RULES}
KEY = ("oxygen_saturation_low", Severity.URGENT, "oxygen_saturation", "%")
WHO = {"approved_by": "the medical director", "approved_on": date(2026, 11, 1)}


def layer(kind: str, below: float, *, loosens: bool = False) -> Layer:
    entry: dict[str, object] = {
        "rule": KEY[0],
        "band": "urgent",
        "limits": {"oxygen_saturation": {"below": {"%": below}}},
    }
    if loosens:
        entry["loosens_red"] = {**WHO, "reason": "COPD with carbon dioxide retention"}
    return Layer.model_validate({"layer": kind, "name": "copd", "version": "2", **WHO, "limit": [entry]})


def test_the_practice_comes_after_the_programme_in_whatever_order_they_are_given() -> None:
    programme, practice = layer("programme", 90), layer("practice", 91)
    for order in ([programme, practice], [practice, programme]):
        held = resolve(RULES, order).values[KEY]
        assert (held.value, held.layer, held.approved_by, held.approved_on) == (
            91, LayerKind.PRACTICE, WHO["approved_by"], WHO["approved_on"],
        )  # fmt: skip
    untouched = resolve(RULES, [programme]).values[("heart_rate_low", Severity.URGENT, "pulse_rate", "/min")]
    assert (untouched.value, untouched.layer, untouched.approved_by) == (40, LayerKind.PRODUCT, None)


def test_a_red_loosens_only_where_somebody_answers_for_it_on_the_limit_itself() -> None:
    """The layer is signed; that is not enough for a red."""
    found = resolve(RULES, [layer("programme", 87)])
    assert found.values[KEY].value == 89
    assert [one.key for one in found.refused] == [KEY]
    assert resolve(RULES, [layer("programme", 87, loosens=True)]).values[KEY].value == 87
    # Looser than the programme's is looser, although stricter than the product's.
    assert resolve(RULES, [layer("programme", 91), layer("practice", 90)]).values[KEY].value == 91


def test_a_patients_red_loosens_with_the_name_of_who_approved_it() -> None:
    order = PatientLimit(1, "blood_pressure_high", "urgent", "systolic", "mm[Hg]", 200)
    series = series_of(pressure(0, 1, 190))
    unapproved = Limits.of([order], RULES)
    assert [one.severity for one in evaluate(series, RULES, limits=unapproved, now=NOW)] == [Severity.URGENT]
    assert [one.key[0] for one in unapproved.refused] == ["blood_pressure_high"] * 2  # mmHg, and kPa converted
    approved = Limits.of([replace(order, approved_by="the medical director")], RULES)
    assert list(evaluate(series, RULES, limits=approved, now=NOW)) == []


def test_each_group_has_its_layers_and_a_finding_says_whose_limit_it_was() -> None:
    rows = [row for patient in (1, 2) for row in reading(patient, 0, patient, oxygen_saturation=(90.0, "%"))]
    limits = Limits.of([], RULES, groups=[[], [layer("programme", 91)]], group_of={2: 1})
    facts = Facts.of([PatientFacts(1), PatientFacts(2)])
    found = {one.patient: one for one in evaluate(series_of(rows), RULES, limits=limits, now=NOW, facts=facts)}
    assert (found[1].severity, found[2].severity) == (Severity.PRIORITY, Severity.URGENT)
    assert found[2].sentence == "Oxygen saturation 90 %; limit below 91 % (programme limit)"
    assert (found[2].limit.layer, found[2].limit.approved_by) == (LayerKind.PROGRAMME, WHO["approved_by"])


def test_under_18_only_own_orders_hold_and_somebody_is_told_where_there_are_none() -> None:
    facts = Facts.of([PatientFacts(patient, birth_date=date(2012, 1, 1)) for patient in (1, 2)])
    rows = [row for patient in (1, 2) for row in pressure(0, patient, 190, patient=patient)]
    own = Limits.of(
        [PatientLimit(2, "blood_pressure_high", "urgent", "systolic", "mm[Hg]", 130, "the paediatrician")], RULES
    )
    found = evaluate(series_of(rows), RULES, limits=own, now=NOW, facts=facts)
    assert [(one.patient, one.rule_id, one.limit.own) for one in found] == [(2, "blood_pressure_high", True)]
    assert found.unruled.tolist() == [1]


@pytest.mark.parametrize("hours, severity", [(-1, None), (0, 3)])
def test_the_eighteenth_birthday_begins_where_the_patient_lives(hours: float, severity: int | None) -> None:
    """Midnight in Auckland is eleven in the morning of the day before in UTC."""
    begins = datetime(2026, 11, 21, 11, tzinfo=UTC)
    facts = Facts.of([PatientFacts(1, "Pacific/Auckland", birth_date=date(2008, 11, 22))])
    rows = pressure((NOW - begins) / timedelta(hours=1) - hours, 1, 190)
    found = evaluate(series_of(rows), RULES, limits=Limits.of([], RULES), now=NOW, facts=facts)
    assert [int(one.severity) for one in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    "old, new, said",
    [
        ('rule = "oxygen', 'rule = "xygen', "there is no rule 'xygen_saturation_low'"),
        ("below", "above", "is below, not above"),
        ("= 90", "= 80", "a looser urgent limit needs loosens_red"),
        ('approved_by = "the medical director"', "", "approved_by: Field required"),
    ],
)
def test_a_layer_that_cannot_be_used_says_why_in_one_line(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = """layer = "practice"
name = "elm street"
version = "1"
approved_by = "the medical director"
approved_on = 2026-11-01
[[limit]]
rule = "oxygen_saturation_low"
band = "urgent"
limits.oxygen_saturation.below = { "%" = 90 }
"""
    path = tmp_path / "layer.toml"
    path.write_text(text, "utf-8")
    assert read_layer(path, RULES).limits[0].rule == "oxygen_saturation_low"
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    with pytest.raises(RulesError) as caught:
        read_layer(path, RULES)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
