"""Rules files: what is shipped is coherent, and a mistake is named in one line, by rule and field."""

import re
from pathlib import Path

import pytest

from alerts.limits import PatientLimit
from alerts.rulefile import RulesError, parse_rules, read_rules
from alerts.rules import Rule
from rpm.settings import CARE
from schemas.codes import BY_NAME

TEXT = (Path(CARE) / "rules.toml").read_text("utf-8")
RULES = {rule.id: rule for rule in parse_rules(TEXT)}


def limits_of(rule: Rule) -> dict[tuple[str, str], dict[str, float]]:
    return {
        (band.severity.word, f"{name} {limit.comparison}"): limit.values
        for band in rule.bands
        for name, limit in band.limits.items()
    }


def test_the_shipped_defaults_are_the_guidelines_pairs() -> None:
    """Adult defaults: AHA/ACC 2025 (180/120), BEAT-HF (80, 90, 40, 130), ADA levels (54 | 3.0, 70 | 3.9), heart-failure
    weight advice (3 lb a day, 5 lb a week), UK home oximetry (88, 92, 94 %), fever from 38.0 °C (100.4 °F); each pair as
    published, not converted.
    """
    assert limits_of(RULES["blood_pressure_high"]) == {
        ("urgent", "systolic above"): {"mm[Hg]": 180, "kPa": 24.0},
        ("urgent", "diastolic above"): {"mm[Hg]": 120, "kPa": 16.0},
        ("priority", "systolic at_least"): {"mm[Hg]": 160, "kPa": 21.3},
        ("priority", "diastolic at_least"): {"mm[Hg]": 100, "kPa": 13.3},
    }
    assert limits_of(RULES["glucose_low"]) == {
        ("urgent", "glucose below"): {"mg/dL": 54, "mmol/L": 3.0},
        ("priority", "glucose below"): {"mg/dL": 70, "mmol/L": 3.9},
    }
    assert limits_of(RULES["glucose_high"])[("priority", "glucose above")] == {"mg/dL": 250, "mmol/L": 13.9}
    assert limits_of(RULES["weight_gain_24h"])[("priority", "body_weight above")] == {"kg": 1.36, "[lb_av]": 3}
    assert limits_of(RULES["weight_gain_7d"])[("priority", "body_weight above")] == {"kg": 2.27, "[lb_av]": 5}
    assert limits_of(RULES["blood_pressure_low"])[("urgent", "systolic below")]["mm[Hg]"] == 80
    assert limits_of(RULES["heart_rate_high"])[("urgent", "pulse_rate above")] == {"/min": 130}
    assert limits_of(RULES["heart_rate_low"])[("urgent", "pulse_rate below")] == {"/min": 40}
    assert limits_of(RULES["oxygen_saturation_low"]) == {
        ("urgent", "oxygen_saturation below"): {"%": 89},
        ("priority", "oxygen_saturation below"): {"%": 93},
        ("routine", "oxygen_saturation below"): {"%": 95},
    }
    assert limits_of(RULES["temperature_high"]) == {
        ("urgent", "body_temperature at_least"): {"Cel": 39.4, "[degF]": 103},
        ("priority", "body_temperature at_least"): {"Cel": 38.0, "[degF]": 100.4},
        ("routine", "body_temperature at_least"): {"Cel": 37.8, "[degF]": 100},
    }
    assert limits_of(RULES["temperature_low"]) == {("urgent", "body_temperature below"): {"Cel": 35.0, "[degF]": 95}}


def test_every_vital_is_judged() -> None:
    judged = {name for rule in RULES.values() for name in rule.quantities}
    assert judged == {code.name for code in BY_NAME.values() if code.vital}


@pytest.mark.parametrize(
    "old, new, said",
    [
        ("[[rule]]", "[[rule", "not TOML: Expected ']]' at the end of an array declaration (at line"),
        (", kPa = 24.0 }", " }", "limits.systolic: write the limit for each of mm[Hg], kPa, and no other unit"),
        ("= 180, kPa = 24.0", "= 150, kPa = 20.0", "urgent limits.systolic: milder than priority in mm[Hg]"),
        (
            "= 180, kPa = 24.0",
            '= "high", kPa = 24.0',
            "band 'urgent', limits, systolic, above, mm[Hg]: Input should be a valid number",
        ),
        ('severity = "urgent"', 'severity = "red"', "'red' is no severity (routine, priority, urgent)"),
        ("limits.systolic.above", "limits.systolic.over", "limits, systolic, over: Extra inputs are not permitted"),
        ("limits.systolic.above", "limits.blood.above", "no quantity called 'blood' is judged"),
        ("{values}{sessions}", "{name}{sessions}", "sentence: {name} is not one of limit, sessions, values"),
        ('id = "blood_pressure_low"', 'id = "blood_pressure_high"', "rule id given twice: blood_pressure_high"),
        ('clear_by = { "mm[Hg]" = 5, kPa = 0.7 }', "clear_by = {}", "clear_by: write it for each of mm[Hg], kPa"),
        ("breaching = 2", "breaching = 5", "breaching cannot exceed of_last"),
        ("limits.diastolic.above", "limits.diastolic.below", "all limits of a rule look the same way, up or down"),
        ("from_h = 18, to_h = 36", "from_h = 36, to_h = 18", "from_h must be less than to_h"),
        ('version = "1"', "version = 1", "version: Input should be a valid string"),
    ],
)
def test_a_mistake_is_one_line_that_names_its_place(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(RulesError) as caught:
        parse_rules(TEXT.replace(old, new, 1))
    assert said in str(caught.value)
    assert re.match(r"rules:\d+: ", str(caught.value))
    assert "\n" not in str(caught.value)


def test_the_rule_at_fault_is_named() -> None:
    with pytest.raises(RulesError, match="rule 'weight_gain_7d', band 'priority', limits, body_weight, above, kg"):
        parse_rules(TEXT.replace("kg = 2.27", 'kg = "much"'))


def test_a_fault_is_told_with_the_line_of_its_field() -> None:
    wrong = TEXT.replace("limits.body_weight.above = { kg = 2.27,", 'limits.body_weight.above = { kg = "much",', 1)
    line = next(number for number, text in enumerate(wrong.splitlines(), 1) if '"much"' in text)
    with pytest.raises(RulesError) as caught:
        parse_rules(wrong)
    assert [fault.line for fault in caught.value.faults] == [line]


@pytest.mark.parametrize(
    "old, new, said",
    [
        # Of 182 mmHg both would hold.
        (
            'limits.systolic.below = { "mm[Hg]" = 90, kPa = 12.0 }',
            'limits.systolic.below = { "mm[Hg]" = 185, kPa = 24.5 }',
            "urgent of blood_pressure_high and priority of blood_pressure_low overlap in mm[Hg]",
        ),
        (
            'limits.glucose.below = { "mg/dL" = 70, "mmol/L" = 3.9 }',
            'limits.glucose.below = { "mg/dL" = 54, "mmol/L" = 3.0 }',
            "urgent and priority limits.glucose: the same limit in mg/dL, so one of them never holds",
        ),
        (
            "variability = {",
            "rising = { over_days = 7 }\nvariability = {",
            "a rule measures one thing: variability or rising",
        ),
        ('version = "2026-11"', 'approved_by = "somebody"', "approved_by and approved_on belong together"),
    ],
)
def test_what_no_reading_could_satisfy_is_named(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(RulesError) as caught:
        parse_rules(TEXT.replace(old, new, 1))
    assert said in str(caught.value)


@pytest.mark.parametrize("content, said", [(None, "No such file"), (b"\xff\xfe", "not UTF-8")])
def test_a_file_that_cannot_be_read(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(RulesError, match=said):
        read_rules(path)


def test_a_patient_s_limit_says_which_quantity() -> None:
    """Systolic and diastolic share a rule, a band and a unit."""
    fields = PatientLimit.__dataclass_fields__
    assert {"rule_id", "band", "quantity", "unit", "value"} <= set(fields)


def test_who_signed_a_file_has_signed_its_rules() -> None:
    assert all(rule.approved_by is None for rule in RULES.values()), "nobody has signed what is shipped"
    signed = TEXT.replace('version = "2026-11"', 'approved_by = "somebody"\napproved_on = 2026-11-30', 1)
    assert {(rule.approved_by, str(rule.approved_on)) for rule in parse_rules(signed)} == {("somebody", "2026-11-30")}


@pytest.mark.parametrize("text", ["a = " + "9" * 5000, "a = " + "[" * 20_000])
def test_what_no_reader_can_read_is_one_line_too(text: str) -> None:
    with pytest.raises(RulesError, match="rules: not TOML: ") as raised:
        parse_rules(text, name="rules")
    assert "\n" not in str(raised.value)
