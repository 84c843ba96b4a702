"""One episode per patient and rule, whatever the order of arrival; only a person closes.

Method: readings arrive one by one, each arrival is judged over all that has arrived so far, and the result is folded in, as
the evaluate job does. Random permutations of one day must end in the same alerts (T7).
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.evaluate import evaluate
from alerts.lifecycle import JUDGED_MAX, Alert, AlertKind, Change, ChangeReason, fold, settled
from alerts.limits import NO_LIMITS
from alerts.rulefile import read_rules
from alerts.rules import Rule
from alerts.series import microseconds
from alerts.settled import Answered, Settled
from alerts.severity import Severity
from rpm.settings import CARE
from tests.unit.alerts.scalar import Row
from tests.unit.alerts.test_evaluate import RULES, pressure, reading, series_of, weight

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Ward:
    """What has arrived, and the alerts it made."""

    def __init__(self, rules: tuple[Rule, ...] = RULES) -> None:
        self.rules = rules
        self.rows: list[Row] = []
        self.open: dict[tuple[int, str], Alert] = {}
        self.closed: list[Alert] = []

    def hears(self, rows: list[Row], *, now: datetime = NOW) -> list[Change]:
        self.rows += rows
        known = settled([*self.open.values(), *self.closed], self.rules)
        findings = evaluate(series_of(self.rows), self.rules, limits=NO_LIMITS, now=now, settled=known)
        changes = fold(self.open.values(), findings, now=now, rules=self.rules)
        for change in changes:
            self.open[(change.alert.patient, change.alert.rule_id)] = change.alert
        return changes

    def close(self, rule_id: str, patient: int = 1, *, now: datetime = NOW) -> None:
        self.closed.append(replace(self.open.pop((patient, rule_id)), closed_at=now))

    def summary(self) -> list[tuple[object, ...]]:
        return sorted(
            (
                alert.patient,
                alert.rule_id,
                str(alert.kind),
                int(alert.severity),
                alert.confirmed,
                alert.headline.sentence,
                tuple(one.reading_no for one in alert.judged),
                alert.back_in_range_at is not None,
            )
            for alert in self.open.values()
        )


def reasons(changes: list[Change]) -> list[str]:
    return [str(change.reason) for change in changes]


def test_an_episode_opens_worsens_returns_and_stays_open() -> None:
    ward = Ward()
    assert ward.hears(pressure(3, 1, 165)) == []
    [opened] = ward.hears(pressure(2, 2, 165))
    assert (opened.reason, opened.alert.severity, opened.rearm) == (ChangeReason.OPENED, Severity.PRIORITY, True)
    [worsened] = ward.hears(pressure(1, 3, 190))
    assert (worsened.reason, worsened.alert.severity, worsened.rearm) == (ChangeReason.WORSENED, Severity.URGENT, True)
    [same] = ward.hears(pressure(0.9, 4, 165))
    assert (same.reason, same.alert.severity, same.rearm) == (ChangeReason.UPDATED, Severity.URGENT, False)
    [back] = ward.hears(pressure(0, 5, 128))
    assert (back.reason, back.alert.back_in_range_at, back.rearm) == (ChangeReason.BACK_IN_RANGE, NOW, False)
    assert reasons(ward.hears(weight(1, 0, 6, 80.0))) == ["unchanged"]


def test_worsening_breaks_through_an_acknowledgement() -> None:
    ward = Ward()
    ward.hears(reading(1, 1, 1, glucose=(65.0, "mg/dL")))
    key = (1, "glucose_low")
    ward.open[key] = Alert(
        patient=1,
        rule_id="glucose_low",
        headline=ward.open[key].headline,
        judged=ward.open[key].judged,
        acknowledged=True,
    )
    [same] = ward.hears(reading(1, 0.5, 2, glucose=(64.0, "mg/dL")))
    assert (same.reason, same.alert.acknowledged) == (ChangeReason.UPDATED, True)
    [worse] = ward.hears(reading(1, 0.2, 3, glucose=(50.0, "mg/dL")))
    assert (worse.reason, worse.alert.acknowledged, worse.rearm) == (ChangeReason.WORSENED, False, True)


def test_one_red_is_unconfirmed_until_a_second() -> None:
    ward = Ward()
    [opened] = ward.hears(pressure(1, 1, 190))
    assert not opened.alert.confirmed
    ward.hears(pressure(0.9, 2, 165))
    assert not ward.open[(1, "blood_pressure_high")].confirmed
    ward.hears(pressure(0.8, 3, 188))
    assert ward.open[(1, "blood_pressure_high")].confirmed


def test_late_red_is_a_review_item_that_never_pages() -> None:
    """T5; and it does not silence the timely red that follows."""
    ward = Ward()
    [late] = ward.hears(pressure(30, 1, 195))
    assert (late.alert.kind, late.alert.severity) == (AlertKind.REVIEW, Severity.ROUTINE)
    [timely] = ward.hears(pressure(0, 2, 185))
    assert (timely.reason, timely.alert.kind, timely.alert.severity) == (
        ChangeReason.WORSENED,
        AlertKind.CLINICAL,
        Severity.URGENT,
    )
    [more] = ward.hears(pressure(20, 3, 210))
    assert (more.reason, more.rearm) == (ChangeReason.UPDATED, False)
    assert "185/80" in more.alert.headline.sentence


def test_late_red_does_not_worsen_a_timely_orange() -> None:
    ward = Ward()
    ward.hears(reading(1, 0, 1, glucose=(65.0, "mg/dL")))
    [late] = ward.hears(reading(1, 10, 2, glucose=(40.0, "mg/dL")))
    assert (late.reason, late.alert.severity, late.rearm) == (ChangeReason.UPDATED, Severity.PRIORITY, False)
    assert "65 mg/dL" in late.alert.headline.sentence


def test_a_question_calls_once_it_is_none_any_more() -> None:
    """F45: four kilograms are asked about; what the person weighs on the scale an hour later is a gain, and no question."""
    ward = Ward()
    ward.hears(weight(1, 21, 1, 80.0))
    [asked] = ward.hears(weight(1, 1, 2, 84.0))
    assert (asked.alert.asks, asked.alert.severity) == (True, Severity.PRIORITY)
    changes = ward.hears(weight(1, 0, 3, 81.4))
    [real] = [change for change in changes if change.alert.rule_id == "weight_gain_24h"]
    assert (real.reason, real.alert.asks, real.rearm) == (ChangeReason.WORSENED, False, True)


def test_a_closed_episode_s_readings_open_no_other() -> None:
    ward = Ward()
    ward.hears(pressure(2, 1, 190))
    ward.close("blood_pressure_high")
    assert ward.hears(pressure(1, 2, 130)) == []
    [again] = ward.hears(pressure(0, 3, 191))
    assert again.reason is ChangeReason.OPENED
    assert [one.reading_no for one in again.alert.judged] == [3]


def test_what_a_person_has_closed_is_quiet_for_as_long_as_its_rule_says() -> None:
    """A mean is nearly the same the next morning; the nurse who has closed it knows."""
    ward = Ward(tuple(rule for rule in read_rules(CARE / "rules.toml") if rule.id == "blood_pressure_mean_7d"))
    ward.hears([row for number in range(12) for row in pressure(66 - 6 * number, number, 140, 70)])
    ward.close("blood_pressure_mean_7d")
    assert ward.hears(pressure(-12, 20, 141, 70), now=NOW + timedelta(hours=12)) == []
    later = NOW + timedelta(days=28)
    month = [row for number in range(12) for row in pressure(66 - 6 * number - 28 * 24, 30 + number, 140, 70)]
    assert ward.hears(month[:-3], now=later) == [], "measured before the 28 days are over"
    [again] = ward.hears(month[-3:] + pressure(-28 * 24 - 0.1, 50, 140, 70), now=later + timedelta(hours=1))
    assert (again.alert.rule_id, again.reason) == ("blood_pressure_mean_7d", ChangeReason.OPENED)


def test_what_is_more_severe_and_every_red_speaks_all_the_same() -> None:
    closed = [Answered(1, Severity.ROUTINE, NOW)]
    at_us = np.array([microseconds(NOW) + 1] * 3)
    one, told = np.ones(3, np.int64), np.array([1, 2, 3], np.int8)
    assert Settled.of([], closed).just_answered(one, at_us, told, days=7).tolist() == [True, False, False]
    closed.append(Answered(1, Severity.URGENT, NOW))
    assert Settled.of([], closed).just_answered(one, at_us, told, days=7).tolist() == [True, True, False]
    assert not Settled.of([], closed).just_answered(2 * one, at_us, told, days=7).any(), "of somebody else"


@pytest.mark.parametrize(
    "rule_id, orange, red",
    [
        ("blood_pressure_high", {"systolic": 165, "diastolic": 80}, {"systolic": 190, "diastolic": 80}),
        ("blood_pressure_low", {"systolic": 85, "diastolic": 50}, {"systolic": 75, "diastolic": 50}),
        ("heart_rate_high", {"pulse_rate": 120}, {"pulse_rate": 140}),
    ],
)
def test_an_orange_that_was_answered_calls_again_after_a_day_and_a_red_at_once(
    rule_id: str, orange: dict[str, float], red: dict[str, float]
) -> None:
    """§2.2 of the clinical rules: again only on worsening or after 24 h. Of a red it lets nothing wait."""

    def at(hours: float, number: int, values: dict[str, float]) -> list[Row]:
        units = {"pulse_rate": "/min"}
        return reading(
            1, -hours, number, **{name: (value, units.get(name, "mm[Hg]")) for name, value in values.items()}
        )

    def told(ward: Ward, hours: float, number: int, values: dict[str, float]) -> list[tuple[str, Severity, bool]]:
        changes = ward.hears(at(hours, number, values), now=NOW + timedelta(hours=hours))
        return [(str(change.reason), change.alert.severity, change.rearm) for change in changes]

    ward = Ward(tuple(rule for rule in RULES if rule.id == rule_id))
    ward.hears(at(-2, 1, orange))
    ward.hears(at(-1, 2, orange))
    assert ward.open[(1, rule_id)].severity is Severity.PRIORITY
    ward.close(rule_id)
    assert told(ward, 8, 3, orange) == []
    assert told(ward, 9, 4, red) == [("opened", Severity.URGENT, True)]
    ward.close(rule_id, now=NOW + timedelta(hours=10))
    assert told(ward, 11, 5, red) == [("opened", Severity.URGENT, True)], "no red waits, whatever was closed before it"
    ward.close(rule_id, now=NOW + timedelta(hours=12))
    assert told(ward, 35.9, 6, orange) == [], "no worse than what was answered"
    assert told(ward, 36, 7, orange) == [("opened", Severity.PRIORITY, True)], "a day is over"


def test_what_changes_within_hours_keeps_calling() -> None:
    """A low is eaten away and comes back, a pregnancy turns within hours: the rules without a quiet day are these."""
    calling = {rule.id for rule in read_rules(CARE / "rules.toml") if rule.bands[0].severity > Severity.ROUTINE}
    quiet = {rule.id for rule in RULES if rule.again_after_days}
    assert calling - quiet == {
        "blood_pressure_pregnancy",
        "heart_rate_low",
        "glucose_low",
        "glucose_high",
        "weight_gain_24h",
        "weight_gain_7d",
        "oxygen_saturation_low",
        "temperature_high",
        "temperature_low",
    }


def test_time_passing_turns_no_alert_into_a_review_item() -> None:
    """A red that was timely when judged is not judged again as late."""
    ward = Ward()
    ward.hears(pressure(0, 1, 190))
    [later] = ward.hears(weight(1, -6, 2, 80.0), now=NOW + timedelta(hours=6))
    assert (later.reason, later.alert.kind) == (ChangeReason.UNCHANGED, AlertKind.CLINICAL)


def test_a_broken_sensor_makes_one_alert_and_bounded_evidence() -> None:
    """S3: a thousand crossings and more, one episode."""
    ward = Ward()
    rows = [row for number in range(JUDGED_MAX + 50) for row in pressure(3 - number / 1000, number, 190)]
    changes = ward.hears(rows)
    assert reasons(changes) == ["opened"]
    assert len(changes[0].alert.judged) == JUDGED_MAX


def _day(draw: st.DrawFn) -> list[list[Row]]:
    """One to ten readings of the last four hours, of two patients, that only single-reading rules look at."""
    arrivals: list[list[Row]] = []
    for number in range(draw(st.integers(1, 10))):
        patient, hours = draw(st.integers(1, 2)), draw(st.integers(0, 239)) / 60
        mg_dl = float(draw(st.sampled_from([50, 53, 60, 69, 72, 76, 110, 240, 245, 255, 400, 650])))
        systolic = float(draw(st.sampled_from([75, 85, 92, 96, 120, 150])))
        arrivals.append(
            reading(patient, hours, number, glucose=(mg_dl, "mg/dL"))
            if draw(st.booleans())
            else pressure(hours, number, systolic, 60.0, patient)
        )
    return arrivals


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_any_order_of_arrival_ends_in_the_same_alerts(data: st.DataObject) -> None:
    arrivals = data.draw(st.composite(_day)())
    shuffled = data.draw(st.permutations(arrivals))
    batched, one_by_one, other_way = Ward(), Ward(), Ward()
    batched.hears([row for rows in arrivals for row in rows])
    for rows in arrivals:
        one_by_one.hears(rows)
    for rows in shuffled:
        other_way.hears(rows)
    assert one_by_one.summary() == other_way.summary() == batched.summary()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_rules_that_compare_with_the_past_never_miss_by_order(data: st.DataObject) -> None:
    """A gain or a count of sessions judged on half the data may alert where the whole would not, never the reverse."""
    arrivals: list[list[Row]] = []
    for number in range(data.draw(st.integers(1, 10))):
        hours = data.draw(st.integers(0, 96))
        arrivals.append(
            weight(1, hours, number, data.draw(st.integers(160, 170)) / 2)
            if data.draw(st.booleans())
            else pressure(hours, number, float(data.draw(st.sampled_from([130, 160, 170, 190]))))
        )
    whole, other_way = Ward(), Ward()
    whole.hears([row for rows in arrivals for row in rows])
    for rows in data.draw(st.permutations(arrivals)):
        other_way.hears(rows)
    tellers = {rule.id: (rule.id, *rule.told_by) for rule in RULES}
    for (patient, rule_id), alert in whole.open.items():
        # Where half the data made another rule tell of it, that one has told of it.
        told = [other_way.open[key] for key in ((patient, one) for one in tellers[rule_id]) if key in other_way.open]
        assert max(one.severity for one in told) >= alert.severity


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_folding_the_same_again_changes_nothing(data: st.DataObject) -> None:
    ward = Ward()
    for rows in data.draw(st.composite(_day)()):
        ward.hears(rows)
    findings = evaluate(series_of(ward.rows), RULES, limits=NO_LIMITS, now=NOW)
    assert {change.reason for change in fold(ward.open.values(), findings, now=NOW)} <= {ChangeReason.UNCHANGED}
