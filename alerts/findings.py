"""What `evaluate` found: columns for the machine, and a Finding with its sentence for each row a person will see."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from operator import ge, gt, lt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.gain import gain
from alerts.limits import Limits
from alerts.rules import Band, Comparison, Rule
from alerts.sentences import CrossedLimit, Value, gain_sentence, threshold_sentence
from alerts.series import Bools, Ints, Series, instant_of
from alerts.severity import Severity
from schemas.codes import BY_NUMBER, REQUIRED, UNIT_BY_NUMBER, UNIT_NUMBER

_CROSSES: Final = {Comparison.ABOVE: gt, Comparison.AT_LEAST: ge, Comparison.BELOW: lt}


def crosses(value: float, comparison: Comparison, limit: float) -> bool:
    """Whether one value breaches one limit of the same unit. NaN never does."""
    return bool(_CROSSES[comparison](value, limit))


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule true of one patient at one time. `late`: measured too long ago to page anybody."""

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
class RuleFindings:
    """The findings of one rule as columns (one row per breaching reading) and where its patients stand (one per patient).

    `row` is the reading's first row in the series that the rule looks at, `since` the row a gain is measured from (-1:
    none).
    """

    rule: Rule
    patient: Ints
    measured_at_us: Ints
    reading_no: Ints
    severity: NDArray[np.int8]
    late: Bools
    row: Ints
    since: Ints
    stands_patient: Ints
    stands: Bools
    stands_at_us: Ints


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one evaluation found, with what it takes to explain it."""

    series: Series
    limits: Limits
    by_rule: tuple[RuleFindings, ...]
    failures: tuple[RuleFailure, ...] = ()

    def __len__(self) -> int:
        return sum(len(found.patient) for found in self.by_rule)

    def __iter__(self) -> Iterator[Finding]:
        """Each finding explained, rule by rule, in the order of (patient, measured_at, reading_no)."""
        for found in self.by_rule:
            for index in range(len(found.patient)):
                yield _explained(self.series, self.limits, found, index)

    def standing(self, patient: int, rule_id: str) -> Standing | None:
        """Where a patient stands with a rule; None where no reading tells."""
        for found in self.by_rule:
            if found.rule.id == rule_id:
                place = int(np.searchsorted(found.stands_patient, patient))
                if place < len(found.stands_patient) and found.stands_patient[place] == patient:
                    return Standing(bool(found.stands[place]), instant_of(int(found.stands_at_us[place])))
        return None


def _explained(series: Series, limits: Limits, found: RuleFindings, index: int) -> Finding:
    rule = found.rule
    severity = Severity(int(found.severity[index]))
    band = rule.band(severity)
    assert band is not None
    row = int(found.row[index])
    if rule.gain_since:
        values = (_value(series, int(found.since[index]), role="reference"), _value(series, row))
        gained = gain_of(values[0], values[1])
        limit = _limit(limits, rule, band, values[1], int(found.patient[index]))
        sentence = gain_sentence(rule, values[0], values[1], gained, limit)
    else:
        values = tuple(_reading_values(series, rule, row))
        limit = _first_crossed(limits, rule, band, values, int(found.patient[index]))
        sentence = threshold_sentence(rule, values, limit, sessions=band.sessions)
    return Finding(
        patient=int(found.patient[index]),
        rule_id=rule.id,
        rule_version=rule.version,
        severity=severity,
        late=bool(found.late[index]),
        measured_at=instant_of(int(found.measured_at_us[index])),
        reading_no=int(found.reading_no[index]),
        values=values,
        limit=limit,
        sentence=sentence,
    )


def gain_of(before: Value, after: Value) -> float:
    """The gain between two weights, by the same arithmetic as the check itself; in the unit of `after`."""
    units = (np.array([UNIT_NUMBER[after.unit]], np.int16), np.array([UNIT_NUMBER[before.unit]], np.int16))
    return float(gain(np.array([after.value]), units[0], np.array([before.value]), units[1])[0])


def _value(series: Series, row: int, *, role: str = "value") -> Value:
    return Value(
        quantity=BY_NUMBER[int(series.code[row])].name,
        value=float(series.value[row]),
        unit=UNIT_BY_NUMBER[int(series.unit[row])],
        measured_at=instant_of(int(series.measured_at_us[row])),
        reading_no=int(series.reading_no[row]),
        role=role,
    )


def _reading_values(series: Series, rule: Rule, row: int) -> Iterator[Value]:
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
            yield _value(series, first)
        first += 1


def _first_crossed(limits: Limits, rule: Rule, band: Band, values: tuple[Value, ...], patient: int) -> CrossedLimit:
    """The first limit of the band that one of the values breaches. There is one, or the row would not be a finding."""
    for value in values:
        if value.quantity in band.limits:
            limit = _limit(limits, rule, band, value, patient)
            if crosses(value.value, limit.comparison, limit.value):
                return limit
    raise AssertionError(f"{rule.id}: a finding without a crossed limit")


def _limit(limits: Limits, rule: Rule, band: Band, value: Value, patient: int) -> CrossedLimit:
    given = limits.limit(rule, band.severity, value.quantity, value.unit, patient=patient)
    assert given is not None
    return CrossedLimit(
        quantity=value.quantity,
        comparison=band.limits[value.quantity].comparison,
        value=given,
        unit=value.unit,
        own=limits.is_own(rule, band.severity, value.quantity, value.unit, patient=patient),
    )
