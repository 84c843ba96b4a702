"""What `evaluate` found: the columns of every rule (`alerts.found`), and a Finding with its sentence for each row a person will see."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import ge, gt, lt
from typing import Final

import numpy as np

from alerts.facts import NO_FACTS, Facts
from alerts.found import ASKS_AGAIN, ASKS_BOTH, ASKS_NOTHING, ASKS_WHO, Explained, RuleFindings
from alerts.limits import Limits
from alerts.pairs import mean_values
from alerts.repeats import (
    ALONE,
    DISPUTED,
    LESSENED,
    MEAN,
    SINGLE,
    UNASKED,
    UNCONFIRMED,
    Outcome,
    Waiting,
    told_as,
)
from alerts.rules import Comparison, Rule
from alerts.sentences import (
    ASK_AGAIN,
    ASK_BOTH,
    ASK_WHO,
    CrossedLimit,
    Reckoning,
    Value,
    change_sentence,
    repeated_text,
    silence_sentence,
    threshold_sentence,
    trend_sentence,
)
from alerts.series import Ints, Series, instant_of
from alerts.severity import Severity
from schemas.codes import BY_NUMBER, REQUIRED, UNIT_BY_NUMBER

_CROSSES: Final = {Comparison.ABOVE: gt, Comparison.AT_LEAST: ge, Comparison.BELOW: lt}
#: Ends the rule id of a question's own episode (no rule's id has a dot).
QUESTION: Final = ".disputed"
#: Readings named as what a mean or a trend rests on; of a fuller window, the newest.
USED_MAX: Final = 100

_ASKS: Final = {ASKS_NOTHING: None, ASKS_AGAIN: ASK_AGAIN, ASKS_WHO: ASK_WHO, ASKS_BOTH: ASK_BOTH}


def rule_of(episode: str) -> str:
    """The id of the rule that an alert's episode is of."""
    return episode.removesuffix(QUESTION)


def crosses(value: float, comparison: Comparison, limit: float) -> bool:
    """Whether one value breaches one limit of the same unit. NaN never does."""
    return bool(_CROSSES[comparison](value, limit))


class FindingKind(StrEnum):
    """What a finding wants of a person."""

    ALERT = "alert"
    #: A question first: it stands on the worklist as what it is told as, and pages nobody.
    ASK = "ask"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule true of one patient at one time. `late`: measured too long ago to page anybody; `ask`: what to ask first."""

    patient: int
    rule_id: str
    rule_version: str
    severity: Severity
    late: bool
    measured_at: datetime
    reading_no: int
    values: tuple[Value, ...]
    limit: CrossedLimit
    sentence: str
    ask: str | None = None
    #: SINGLE, MEAN … (alerts.repeats), and the mean that was judged, where it was.
    how: int = SINGLE
    mean: tuple[Value, ...] = ()

    @property
    def episode(self) -> str:
        """The rule id of the alert it belongs to. A question whose reading it was is one of its own: no other may cover it."""
        return f"{self.rule_id}{QUESTION}" if self.how == DISPUTED else self.rule_id

    @property
    def unconfirmed(self) -> bool:
        """It waited for a second reading in vain, or nobody could be asked for one."""
        return self.how in ALONE

    @property
    def told(self) -> Severity:
        """What it asks of a person: `severity` is its band's."""
        return told_as(self.severity, self.how)

    @property
    def kind(self) -> FindingKind:
        """A red is raised whatever its device says of it; who stood on a scale is always asked first."""
        doubted_red = self.ask == ASK_AGAIN and self.severity is Severity.URGENT
        return FindingKind.ASK if self.ask and not doubted_red else FindingKind.ALERT


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a patient stands with a rule: `out` of range or back in it, and since which reading (within the window)."""

    out: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class RuleFailure:
    """A rule that could not be applied. `error` is the exception's type: its text might hold a value."""

    rule_id: str
    rule_version: str
    error: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one evaluation found, with what it takes to explain it.

    `unruled`: patients under 18 without orders of their own, ascending: no rule applies, and somebody should know.
    """

    series: Series
    limits: Limits
    by_rule: tuple[RuleFindings, ...]
    failures: tuple[RuleFailure, ...] = ()
    facts: Facts = NO_FACTS
    unruled: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    def __len__(self) -> int:
        return sum(len(found.patient) for found in self.by_rule)

    def __iter__(self) -> Iterator[Finding]:
        """Each finding explained, rule by rule, in the order of (patient, measured_at, reading_no)."""
        for found in self.by_rule:
            for index in range(len(found.patient)):
                yield self.explain(found, index)

    def waiting(self) -> Iterator[Waiting]:
        """The first readings that wait for a second, rule by rule."""
        for found in self.by_rule:
            if found.repeated is not None:
                yield from found.repeated.waiting(found.rule, self.series)

    def outcome(self, reading_no: int, rule_id: str) -> Outcome | None:
        """What became of a reading for which a rule waited; None: it still does."""
        for found in self.by_rule:
            if found.rule.id == rule_id and found.repeated is not None:
                return found.repeated.outcome(self.series, reading_no)
        return Outcome.GONE

    def standing(self, patient: int, rule_id: str) -> Standing | None:
        """Where a patient stands with a rule; None where no reading tells."""
        for found in self.by_rule:
            if found.rule.id == rule_id:
                place = int(np.searchsorted(found.stands_patient, patient))
                if place < len(found.stands_patient) and found.stands_patient[place] == patient:
                    return Standing(bool(found.stands[place]), instant_of(int(found.stands_at_us[place])))
        return None

    def not_enough(self, patient: int, rule_id: str) -> bool:
        """Whether a rule says of a patient's newest reading that there is not enough data."""
        return any(found.rule.id == rule_id and bool((found.short == patient).any()) for found in self.by_rule)

    def explain(self, found: RuleFindings, index: int) -> Finding:
        """One finding in words, with the readings and the limit it rests on."""
        rule, patient = found.rule, int(found.patient[index])
        severity = Severity(int(found.severity[index]))
        how = SINGLE if found.repeated is None else int(found.repeated.how[index])
        mean: tuple[Value, ...] = ()
        if rule.missed is not None:
            values, limit, sentence = self._silence(found, index, severity)
        elif found.explained is None:
            values, mean, limit, sentence = self._threshold(found, index, severity, how)
        else:
            values, limit, sentence = self._measured(found, found.explained, index, severity)
        ask = _ASKS[int(found.ask[index])]
        return Finding(
            patient=patient,
            rule_id=rule.id,
            rule_version=rule.version,
            severity=severity,
            late=bool(found.late[index]),
            measured_at=instant_of(int(found.measured_at_us[index])),
            reading_no=int(found.reading_no[index]),
            values=values,
            limit=limit,
            sentence=f"{sentence}; {ask}" if ask else sentence,
            ask=ask,
            how=how,
            mean=mean,
        )

    def _threshold(
        self, found: RuleFindings, index: int, severity: Severity, how: int
    ) -> tuple[tuple[Value, ...], tuple[Value, ...], CrossedLimit, str]:
        rule, band = found.rule, found.rule.band(severity)
        assert band is not None
        values = tuple(_reading_values(self.series, rule, int(found.row[index])))
        first: tuple[Value, ...] = ()
        if how == MEAN and found.repeated is not None:
            first = tuple(_reading_values(self.series, rule, int(found.repeated.other_row[index]), role="first"))
        judged = mean_values(first, values) if first else values
        for value in judged:
            if value.quantity in band.limits:
                limit = self._limit(rule, severity, value.quantity, value.unit, int(found.patient[index]))
                if crosses(value.value, limit.comparison, limit.value):
                    words = threshold_sentence(rule, judged, limit, condition=band.condition, pair=(first, values))
                    if how == UNCONFIRMED and rule.repeat is not None:
                        words += f"; unconfirmed: no second reading within {rule.repeat.within}"
                    if how == UNASKED:
                        words += "; unconfirmed: nobody there can be asked for a second reading"
                    if how in (DISPUTED, LESSENED) and found.repeated is not None:
                        row_of_other = int(found.repeated.other_row[index])
                        other = tuple(_reading_values(self.series, rule, row_of_other, role="second"))
                        mean = mean_values(values, other)
                        words += repeated_text(values, other, mean if how == LESSENED else ())
                        return (*values, *other), mean, limit, words
                    return (*first, *values), judged if first else (), limit, words
        raise AssertionError(f"{rule.id}: a finding without a crossed limit")

    def _measured(
        self, found: RuleFindings, how: Explained, index: int, severity: Severity
    ) -> tuple[tuple[Value, ...], CrossedLimit, str]:
        rule, track = found.rule, how.tracks[int(how.track[index])]
        place, first = int(how.place[index]), int(how.first[index])
        unit = UNIT_BY_NUMBER[int(track.unit[place])]
        assert rule.measure is not None
        limit_unit = rule.measure.unit or unit
        limit = self._limit(rule, severity, track.quantity, limit_unit, int(found.patient[index]))
        amount = float(found.amount[index])
        if rule.reference is not None:
            values = (
                _value(self.series, int(track.rows[first]), "reference"),
                _value(self.series, int(track.rows[place])),
            )
            return values, limit, change_sentence(rule, values[0], values[1], amount, limit)
        begin = max(first, place - USED_MAX + 1)
        rows = track.rows[begin : place + 1]
        values = tuple(_value(self.series, int(row), "window") for row in rows[:-1])
        values += (_value(self.series, int(rows[-1])),)
        base, low, high = (_or_none(column[index]) for column in (how.base, how.low, how.high))
        reckoning = Reckoning(amount, limit_unit, values, int(how.count[index]), base, low, high)
        return values, limit, trend_sentence(rule, reckoning, limit)

    def _silence(
        self, found: RuleFindings, index: int, severity: Severity
    ) -> tuple[tuple[Value, ...], CrossedLimit, str]:
        rule, row = found.rule, int(found.row[index])
        assert rule.missed is not None
        unit = rule.missed.unit or ""
        last = _value(self.series, row) if row >= 0 else None
        limit = self._limit(rule, severity, rule.quantities[0], unit, int(found.patient[index]))
        sentence = silence_sentence(rule, float(found.amount[index]), last, unit, limit)
        return (last,) if last else (), limit, sentence

    def _limit(self, rule: Rule, severity: Severity, quantity: str, unit: str, patient: int) -> CrossedLimit:
        found = self.limits.effective(rule, severity, quantity, unit, patient=patient)
        band = rule.band(severity)
        assert found is not None
        assert band is not None
        return CrossedLimit.of(found, quantity, band.limits[quantity].comparison, unit)


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _value(series: Series, row: int, role: str = "value") -> Value:
    return Value(
        quantity=BY_NUMBER[int(series.code[row])].name,
        value=float(series.value[row]),
        unit=UNIT_BY_NUMBER[int(series.unit[row])],
        measured_at=instant_of(int(series.measured_at_us[row])),
        reading_no=int(series.reading_no[row]),
        role=role,
    )


def _reading_values(series: Series, rule: Rule, row: int, role: str = "value") -> Iterator[Value]:
    """The values of the reading that `row` belongs to: what the rule looks at, and a blood pressure whole."""
    shown = set(rule.quantities)
    for required in REQUIRED.values():
        shown |= set(required) if shown & set(required) else set()
    key = (series.patient[row], series.measured_at_us[row], series.reading_no[row])
    first = row
    while (
        first > 0 and (series.patient[first - 1], series.measured_at_us[first - 1], series.reading_no[first - 1]) == key
    ):
        first -= 1
    while (
        first < len(series) and (series.patient[first], series.measured_at_us[first], series.reading_no[first]) == key
    ):
        code = BY_NUMBER.get(int(series.code[first]))
        if code is not None and code.name in shown and int(series.unit[first]) in UNIT_BY_NUMBER:
            yield _value(series, first, role)
        first += 1
