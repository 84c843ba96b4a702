"""Every measure and condition says what a plain loop says, on random data of every awkward kind.

Random data: NaN values, one reading, equal times, any order, mixed units, the nights the clocks change, patients under 18, in
pregnancy, nobody knows of; disturbed readings, meals, somebody else on the scale. The rules are `trends.toml`: small windows,
so that a few readings decide, and limits that random values cross.
"""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evaluate import evaluate
from alerts.facts import Facts, PatientFacts
from alerts.findings import FindingKind
from alerts.kernels import windows
from alerts.kernels.slopes import student_t95
from alerts.limits import Limits
from alerts.rulefile import read_rules
from alerts.rules import Rule
from rpm.settings import CARE
from schemas.codes import BY_NAME
from tests.unit.alerts import scalar_trends
from tests.unit.alerts.scalar import Row
from tests.unit.alerts.scalar_measures import student_t95 as student_t95_integrated
from tests.unit.alerts.scalar_trends import Said
from tests.unit.alerts.test_evaluate import series_of

RULES = read_rules(Path(__file__).with_name("trends.toml"))
#: What waits for a second reading is told of in test_repeats.
SHIPPED = tuple(rule.model_copy(update={"repeat": None}) for rule in read_rules(CARE / "rules.toml"))
#: Noon of the day after the clocks of New York went back; Berlin's had a week before.
NOW = datetime(2026, 11, 2, 17, tzinfo=UTC)

PEOPLE = {
    1: PatientFacts(1, "America/New_York", birth_date=date(1950, 5, 5), dry_weight_kg=80.0, every_h=12.0),
    2: PatientFacts(2, "Europe/Berlin", birth_date=date(2008, 10, 30), monitored_since=NOW - timedelta(days=20)),
    3: PatientFacts(
        3,
        "Australia/Lord_Howe",
        birth_date=date(1996, 2, 29),
        pregnant_from=date(2026, 2, 1),
        delivered_on=date(2026, 9, 18),
        monitored_since=NOW - timedelta(hours=80),
        dry_weight_kg=82.5,
    ),
}


def said_by_numpy(rows: list[Row], rules: tuple[Rule, ...] = RULES) -> list[Said]:
    facts = Facts.of(PEOPLE.values())
    result = evaluate(series_of(rows), rules, limits=Limits.of([], rules), now=NOW, facts=facts)
    assert result.failures == ()
    return sorted(
        Said(
            one.rule_id,
            one.patient,
            one.measured_at,
            one.reading_no,
            int(one.severity),
            one.late,
            one.kind is FindingKind.ASK,
        )
        for one in result
    )


_GLUCOSE = {"mg/dL": [90, 100, 101, 130], "mmol/L": [5.0, 5.6, 5.7, 8.0]}
_VALUES: dict[tuple[str, str], st.SearchStrategy[float]] = {
    ("systolic", "mm[Hg]"): st.integers(70, 170).map(float),
    ("systolic", "kPa"): st.integers(93, 220).map(lambda tenths: tenths / 10),
    ("diastolic", "mm[Hg]"): st.integers(60, 100).map(float),
    ("diastolic", "kPa"): st.integers(80, 130).map(lambda tenths: tenths / 10),
    ("body_weight", "kg"): st.integers(16000, 17200).map(lambda steps: steps * 5 / 1000),
    ("body_weight", "[lb_av]"): st.integers(17600, 19000).map(lambda steps: steps / 100),
    ("glucose", "mg/dL"): st.sampled_from(_GLUCOSE["mg/dL"]).map(float),
    ("glucose", "mmol/L"): st.sampled_from(_GLUCOSE["mmol/L"]),
    ("oxygen_saturation", "%"): st.integers(86, 99).map(float),
}
_KINDS = {
    "pressure": ["systolic", "diastolic"],
    "weight": ["body_weight"],
    "glucose": ["glucose"],
    "oximeter": ["oxygen_saturation"],
}
#: Minutes before NOW: the ends of windows, midnight and noon of each zone, the doubled hour of a night, and anything.
_MINUTES = st.one_of(
    st.sampled_from([0, 0, 1, 60, 240, 241, 1440, 2160, 4320, 5040, 7200, 10080, 12960, 17280]),
    st.sampled_from([720, 780, 2101, 2102, 2040, 2100, 1980, 660, 300, 240]).flatmap(
        lambda at: st.integers(0, 11).map(lambda day: at + day * 1440)
    ),
    st.integers(0, 13 * 1440),
)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    rows: list[Row] = []
    kinds = draw(st.lists(st.sampled_from(sorted(_KINDS)), min_size=1, max_size=2))
    mixed = draw(st.integers(0, 4)) == 0
    awkward = draw(st.booleans())
    for number in range(draw(st.integers(1, 32))):
        patient = draw(st.integers(1, draw(st.sampled_from([1, 4]))))
        at = NOW - timedelta(minutes=draw(_MINUTES))
        unit_choice = draw(st.integers(0, 1)) if mixed else 0
        meal = draw(st.sampled_from(["", "fasting", "preprandial", "postprandial"]))
        disturbed = awkward and draw(st.integers(0, 5)) == 0
        for name in _KINDS[draw(st.sampled_from(kinds))]:
            unit = BY_NAME[name].units[unit_choice % len(BY_NAME[name].units)]
            value = draw(_VALUES[(name, unit)])
            if awkward and draw(st.integers(0, 15)) == 0:
                value = float("nan")
            rows.append(Row(patient, at, number, name, unit, value, disturbed=disturbed, meal=meal))
    return draw(st.permutations(rows))


@settings(max_examples=150, deadline=None)
@given(rows=tables())
def test_numpy_says_of_every_trend_what_the_plain_loop_says(rows: list[Row]) -> None:
    assert said_by_numpy(rows) == scalar_trends.findings(rows, RULES, PEOPLE, now=NOW)


@settings(max_examples=75, deadline=None)
@given(rows=tables())
def test_and_of_every_shipped_rule(rows: list[Row]) -> None:
    assert said_by_numpy(rows, SHIPPED) == scalar_trends.findings(rows, SHIPPED, PEOPLE, now=NOW)


def test_students_t_is_as_integrated() -> None:
    table = student_t95(np.arange(1.0, 31.0))
    assert table.tolist() == [student_t95_integrated(freedom) for freedom in range(1, 31)]
    assert student_t95(np.array([40.0, 120.0])) == pytest.approx([2.021, 1.980], abs=2e-3)


def test_a_window_fuller_than_a_block_looks_back_is_found_by_search() -> None:
    """A continuous sensor: a reading every five minutes, and a neighbour with few."""
    rng = np.random.default_rng(5)
    at = np.concatenate([np.sort(rng.integers(0, 10_000, 400)), np.sort(rng.integers(0, 10_000, 5))])
    position = windows.positions(np.repeat([1, 2], [400, 5]))
    found = windows.before(at, position, span_us=4_000)
    first = [0] * 400 + [400] * 5
    expected = [sum(at[row] - at[one] < 4_000 for one in range(first[row], row)) for row in range(405)]
    assert max(expected) > windows.LAGS_MAX
    assert found.tolist() == expected
