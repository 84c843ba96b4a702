"""Repeat before you shout: the cases of the clinical table by name, and the vectorised pairing against a plain loop.

Then the order in which readings come: whoever judges each time something has come and whenever a wait is over, ends with the
same alerts as who sees everything at once, as long as all of it came before its deadline.
"""

import random
from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evaluate import evaluate
from alerts.facts import NO_FACTS, Facts, PatientFacts
from alerts.findings import Findings, rule_of
from alerts.lifecycle import Alert, ChangeReason, fold, settled
from alerts.limits import Limits
from alerts.repeats import DISPUTED, LESSENED, MEAN, UNCONFIRMED, Outcome
from alerts.rulefile import RulesError, parse_rules, read_rules
from alerts.severity import Severity
from rpm.settings import CARE
from tests.unit.alerts import scalar_repeats
from tests.unit.alerts.scalar import Found, Row, reading_at
from tests.unit.alerts.test_evaluate import NOW, series_of

SHIPPED = read_rules(CARE / "rules.toml")
ASKING = tuple(rule for rule in SHIPPED if rule.repeat is not None)
HIGH = next(rule for rule in ASKING if rule.id == "blood_pressure_high")
HOW = {"single": 0, "mean": MEAN, "unconfirmed": UNCONFIRMED, "disputed": DISPUTED, "lessened": LESSENED}


def pressure(
    minutes_ago: float, number: int, systolic: float, diastolic: float = 80.0, *, disturbed: bool = False
) -> list[Row]:
    at = NOW - timedelta(minutes=minutes_ago)
    return reading_at(
        1, at, number, disturbed=disturbed, systolic=(systolic, "mm[Hg]"), diastolic=(diastolic, "mm[Hg]")
    )


def judge(
    rows: list[Row],
    *,
    now: datetime = NOW,
    facts: Facts = NO_FACTS,
    unasked: Collection[int] = (),
    known: Sequence[Alert] = (),
) -> Findings:
    found = evaluate(
        series_of(rows),
        ASKING,
        limits=Limits.of([], ASKING),
        now=now,
        facts=facts,
        unasked=unasked,
        settled=settled(known, ASKING),
    )
    assert found.failures == ()
    return found


def test_a_first_red_waits_for_a_second_reading_and_not_a_minute_longer() -> None:
    [waiting] = judge(pressure(14.9, 1, 192, 118)).waiting()
    assert (waiting.reading_no, waiting.severity) == (1, Severity.URGENT)
    assert waiting.until == NOW + timedelta(minutes=0.1)
    assert list(judge(pressure(14.9, 1, 192, 118))) == []
    found = judge(pressure(15, 1, 192, 118))
    assert list(found.waiting()) == []
    [red] = found
    assert (red.told, red.how) == (Severity.URGENT, UNCONFIRMED)
    assert red.sentence == (
        "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg; unconfirmed: no second reading within 15 minutes"
    )
    assert found.outcome(1, HIGH.id) is Outcome.UNANSWERED


def test_the_mean_of_the_two_is_judged_and_both_are_named() -> None:
    found = judge(pressure(5, 1, 192, 118) + pressure(3, 2, 186, 112))
    [red] = found
    assert (red.reading_no, red.severity, red.how) == (2, Severity.URGENT, MEAN)
    assert red.sentence == (
        "Blood pressure 189/115 mmHg (mean of 2 readings: 192/118 mmHg, then 186/112 mmHg); limit systolic above 180 mmHg"
    )
    assert [(one.reading_no, one.role) for one in red.values] == [(1, "first")] * 2 + [(2, "value")] * 2
    assert [(one.value, one.role) for one in red.mean] == [(189.0, "mean"), (115.0, "mean")]
    assert found.outcome(1, HIGH.id) is Outcome.CONFIRMED


@pytest.mark.parametrize(
    "first, second, asked",
    [((162, 95), (197, 100), [2]), ((88, 60), (73, 50), [1, 2]), ((185, 100), (150, 125), [1, 2])],
    ids=["a milder one before", "low", "each in another quantity"],
)
def test_no_red_is_averaged_away_by_what_came_before_it(
    first: tuple[float, float], second: tuple[float, float], asked: list[int]
) -> None:
    rows = pressure(5, 1, *first) + pressure(3, 2, *second)
    found = judge(rows)
    assert list(found) == []
    assert [one.reading_no for one in found.waiting()] == asked
    [red] = [one for one in judge(rows, now=NOW + timedelta(minutes=12)) if one.reading_no == 2]
    assert (red.told, red.how) == (Severity.URGENT, UNCONFIRMED)
    # A third one is its second.
    third = list(judge(rows + pressure(0, 3, *second)))
    assert [(one.reading_no, one.told, one.how) for one in third if one.reading_no == 3] == [(3, Severity.URGENT, MEAN)]


@pytest.mark.parametrize("minutes, how", [(15, MEAN), (15.1, UNCONFIRMED)])
def test_a_second_reading_counts_for_a_quarter_of_an_hour(minutes: float, how: int) -> None:
    found = list(judge(pressure(60, 1, 184) + pressure(60 - minutes, 2, 186)))
    assert found[0].how == how


def test_what_is_no_red_and_was_not_repeated_is_told_one_severity_lower() -> None:
    yesterday = pressure(24 * 60, 1, 170) + pressure(24 * 60 - 2, 2, 170)
    [orange] = judge(yesterday + pressure(20, 3, 172))
    assert (orange.severity, orange.told, orange.how) == (Severity.PRIORITY, Severity.ROUTINE, UNCONFIRMED)
    found = [one for one in judge(yesterday + pressure(20, 3, 172) + pressure(18, 4, 170)) if one.reading_no == 4]
    assert [(one.told, one.how) for one in found] == [(Severity.PRIORITY, MEAN)]


@pytest.mark.parametrize(
    "first, second, band",
    [((162, 104), None, "urgent"), ((162, 104), (160, 104), "urgent"), ((162, 104), (150, 90), "priority"),
     ((142, 80), None, "routine"), ((152, 80), None, "priority"), ((152, 80), (130, 70), "routine")],
)  # fmt: skip
def test_pregnancy(first: tuple[float, float], second: tuple[float, float] | None, band: str) -> None:
    facts = Facts.of([PatientFacts(1, pregnant_from=date(2026, 6, 1))])
    rows = pressure(20, 1, *first) + (pressure(16, 2, *second) if second else [])
    [found] = judge(rows, facts=facts)
    assert (found.rule_id, found.severity.word) == ("blood_pressure_pregnancy", band)
    expected = {"urgent": Severity.URGENT, "priority": Severity.ROUTINE, "routine": Severity.ROUTINE}
    assert found.told is (found.severity if second else expected[band])


@pytest.mark.parametrize("systolic, diastolic", [(261, 120), (200, 181), (59, 30)])
def test_a_red_beyond_what_is_plausible_never_waits(systolic: float, diastolic: float) -> None:
    [red] = judge(pressure(0, 1, systolic, diastolic))
    assert (red.told, red.how, red.reading_no) == (Severity.URGENT, 0, 1)
    assert 1 in {one.reading_no for one in judge(pressure(0.5, 1, systolic, diastolic) + pressure(0, 2, 120, 70))}


@pytest.mark.parametrize("hours", [0.3, 3, 5, 48])
def test_what_comes_late_neither_waits_nor_asks(hours: float) -> None:
    found = judge(pressure(60 * hours, 1, 192))
    assert list(found.waiting()) == []
    assert [(one.how, one.late) for one in found] == [(UNCONFIRMED, hours > 4)]


def test_of_three_in_a_row_the_last_two_are_judged_and_nobody_is_asked_twice() -> None:
    found = judge(pressure(4, 1, 190) + pressure(3, 2, 186) + pressure(2, 3, 184))
    assert [(one.reading_no, one.mean[0].value) for one in found] == [(2, 188.0), (3, 185.0)]
    assert list(found.waiting()) == []


def test_a_reading_its_own_device_doubts_is_nobody_s_second() -> None:
    found = judge(pressure(5, 1, 190) + pressure(4, 2, 118, disturbed=True))
    assert [one.reading_no for one in found.waiting()] == [1]
    [red] = judge(pressure(5, 1, 190) + pressure(4, 2, 118, disturbed=True) + pressure(3, 3, 188))
    assert [one.reading_no for one in red.values] == [1, 1, 3, 3]


def test_two_cuffs_of_two_units() -> None:
    kpa = reading_at(1, NOW, 2, systolic=(25.0, "kPa"), diastolic=(13.0, "kPa"))
    [red] = judge(pressure(5, 1, 190) + kpa)
    assert (red.mean[0].unit, red.mean[0].value) == ("kPa", 25.165)


@pytest.mark.parametrize(
    "lines, fault",
    [
        ("repeat.within_min = 1", "within_min"),
        ("repeat.within_min = 45", "apart_min is within_min or more"),
        ('repeat = { within_min = 15, at_once.systolic.above = { "mm[Hg]" = 170, kPa = 22 } }', "milder than urgent"),
        ('repeat = { within_min = 15, at_once.systolic.below = { "mm[Hg]" = 60, kPa = 8 } }', "look the same way"),
        ("repeat = { within_min = 15, at_once.glucose.above = { kPa = 8 } }", "no limit of it"),
        ("mean_over = { over_days = 7, min_readings = 2, min_days = 1 }\nrepeat.within_min = 15", "asked for again"),
    ],
)
def test_a_rules_file_is_told_what_is_wrong_with_a_repeat(lines: str, fault: str) -> None:
    text = f"""
[[rule]]
id = "pressure"
version = "1"
title = "High"
source = "a table"
sentence = "{"{amount}" if "mean" in lines else "{values}"}"
{lines}
clear_by = {{ "mm[Hg]" = 5, kPa = 0.7 }}
[[rule.band]]
severity = "urgent"
limits.systolic.above = {{ "mm[Hg]" = 180, kPa = 24.0 }}
{
        ""
        if "mean" in lines
        else '''[[rule.band]]
severity = "priority"
sessions = { breaching = 2, of_last = 3, apart_min = 30, within_h = 168 }
limits.systolic.at_least = { "mm[Hg]" = 160, kPa = 21.3 }'''
    }
"""
    with pytest.raises(RulesError, match=fault):
        parse_rules(text)


_SYSTOLIC = st.sampled_from([55, 70, 79, 85, 120, 158, 160, 164, 178, 180, 182, 186, 200, 262]).map(float)
_DIASTOLIC = st.sampled_from([60, 90, 99, 101, 119, 121, 125, 182]).map(float)


@st.composite
def pressures(draw: st.DrawFn, *, patients: int = 2, doubts: bool = True) -> list[Row]:
    """Readings that crowd within a quarter of an hour of each other, and of now."""
    rows: list[Row] = []
    start = draw(st.sampled_from([0, 10, 300]))
    for number in range(1, draw(st.integers(1, 9)) + 1):
        minutes = start + draw(st.sampled_from([0, 1, 5, 14, 15, 16, 29, 30, 31, 45, 46, 24 * 60, 24 * 60 + 10]))
        values = (draw(_SYSTOLIC), draw(_DIASTOLIC))
        disturbed = doubts and draw(st.integers(0, 5)) == 0
        rows += [
            Row(number % patients + 1, row.at, number, row.quantity, row.unit, row.value, row.disturbed)
            for row in pressure(minutes, number, *values, disturbed=disturbed)
        ]
    return rows


@settings(max_examples=500, deadline=None)
@given(rows=pressures())
def test_numpy_pairs_as_the_plain_loop_does(rows: list[Row]) -> None:
    found = judge(rows)
    rules = [rule for rule in ASKING if rule.pregnancy != "only"]
    plain = [scalar_repeats.judged(rows, rule, now=NOW) for rule in rules]
    told = [
        (Found(one.rule_id, one.patient, one.measured_at, one.reading_no, int(one.severity), one.late), one.how)
        for one in found
    ]
    assert sorted(told) == sorted((one.found, HOW[one.how]) for told, _ in plain for one in told)
    waits = [(one.rule_id, one.patient, one.measured_at, one.reading_no, int(one.severity)) for one in found.waiting()]
    assert sorted(waits) == sorted(
        (one.rule_id, one.patient, one.at, one.reading_no, one.severity) for _, waits in plain for one in waits
    )


def lived(rows: list[Row], arrivals: list[tuple[timedelta, list[int]]]) -> list[Alert]:
    """The alerts of whoever judges at each of these times (from NOW) what has come by then, and at the end of every wait."""
    alerts: dict[tuple[int, str], Alert] = {}
    here: set[int] = set()
    ends: set[datetime] = set()
    times: dict[datetime, list[int]] = {}
    for after, numbers in arrivals:
        times.setdefault(NOW + after, []).extend(numbers)
    while times or ends:
        now = min([*times, *ends])
        ends.discard(now)
        here |= set(times.pop(now, []))
        seen = [row for row in rows if row.reading_no in here]
        known = list(alerts.values())
        found = evaluate(series_of(seen), ASKING, limits=Limits.of([], ASKING), now=now, settled=settled(known, ASKING))
        for change in fold(known, found, now=now, rules=ASKING):
            if change.reason is not ChangeReason.UNCHANGED:
                alerts[(change.alert.patient, change.alert.rule_id)] = change.alert
        ends |= {one.until for one in found.waiting()}
    return [alerts[key] for key in sorted(alerts)]


def shown(alerts: list[Alert]) -> list[tuple[object, ...]]:
    return [(one.rule_id, one.severity, one.headline.sentence, one.confirmed) for one in alerts]


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(st.tuples(_SYSTOLIC, _DIASTOLIC), min_size=2, max_size=2),
    gap=st.sampled_from([1, 5, 14, 15, 16, 20]),
    at=st.lists(st.integers(0, 14), min_size=2, max_size=2),
)
def test_any_order_of_two_that_come_in_time_ends_in_the_same_alerts(
    values: list[tuple[float, float]], gap: int, at: list[int]
) -> None:
    rows = pressure(0, 1, *values[0]) + pressure(-gap, 2, *values[1])
    first, second = timedelta(minutes=at[0]), timedelta(minutes=max(gap, at[1]))
    both = lived(rows, [(timedelta(), [1]), (timedelta(minutes=gap), [2])])
    assert shown(lived(rows, [(first, [1]), (second, [2])])) == shown(both)
    if gap < 15:
        # The second one came before the first.
        assert shown(lived(rows, [(timedelta(minutes=gap), [2]), (timedelta(minutes=14.5), [1])])) == shown(both)
        assert shown(lived(rows, [(timedelta(minutes=14.5), [1, 2])])) == shown(both)


@settings(max_examples=200, deadline=None)
@given(rows=pressures(patients=1), order=st.randoms(use_true_random=False))
def test_whatever_the_order_no_alert_of_the_whole_is_missing_or_milder(rows: list[Row], order: random.Random) -> None:
    """Readings that come in any order, hours later: there may be more and worse alerts than of the whole, never the reverse."""
    numbers = sorted({row.reading_no for row in rows})
    order.shuffle(numbers)
    whole = {one.rule_id: one for one in lived(rows, [(timedelta(), numbers)])}
    parts = {
        one.rule_id: one
        for one in lived(rows, [(timedelta(minutes=20 * place), [number]) for place, number in enumerate(numbers)])
    }
    for rule_id, alert in whole.items():
        # What the whole only asks, who had seen the first of two alone has called.
        found = parts.get(rule_id) or parts[rule_of(rule_id)]
        assert found.severity >= alert.severity
