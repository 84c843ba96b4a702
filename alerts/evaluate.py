"""All rules over all claimed patients at once, in numpy: no Python loop over patients or readings.

Each rule is reduced to one question per row, "how far is this amount from its limit": the amount is the value itself, or
the gain since an earlier weight. Everything that is only needed to explain a finding is looked up afterwards, for the few
rows that have one (`alerts.findings`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.findings import Findings, RuleFailure, RuleFindings
from alerts.gain import earlier_value, gain
from alerts.limits import SLOTS, UNIT_STRIDE, Limits, slot_of
from alerts.rules import Band, Comparison, Rule, Sessions
from alerts.series import US_PER_HOUR, Bools, Floats, Ints, Series, microseconds, run_starts
from schemas.codes import BY_NAME

#: Values measured longer ago than this never open an alert: backfill of that age is history for the chart.
RAISE_WINDOW_H: Final = 7 * 24.0

Small = NDArray[np.int8]

#: The readings that already belong to an alert, per rule: they neither open nor worsen another.
Settled = Mapping[str, Ints]
NOTHING_SETTLED: Final[Settled] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of some quantities: their indices in the series, their columns, where each reading begins, their slots."""

    rows: Ints
    picked: Series
    starts: Ints
    slot: Ints

    @classmethod
    def of(cls, series: Series, rows: Ints) -> "_Rows":
        picked = series.take(rows)
        # A unit number outside the table becomes 0, a unit for which nothing is written: no limit, so no finding.
        unit = np.where((picked.unit > 0) & (picked.unit < UNIT_STRIDE), picked.unit, 0)
        starts = run_starts(picked.patient, picked.measured_at_us, picked.reading_no)
        return cls(rows, picked, starts, picked.code.astype(np.int64) * UNIT_STRIDE + unit)

    def any(self, flags: Bools) -> Bools:
        """Row flags as reading flags: any of a reading's rows."""
        return flags if len(flags) == len(self.starts) else np.logical_or.reduceat(flags, self.starts)

    def all(self, flags: Bools) -> Bools:
        """The same: all of a reading's rows."""
        return flags if len(flags) == len(self.starts) else np.logical_and.reduceat(flags, self.starts)


@dataclass(frozen=True, slots=True)
class _Amounts:
    """What a rule compares, row by row: the value or a gain, and the series' row a gain is since (-1: none)."""

    of: _Rows
    amount: Floats
    since: Ints


def evaluate(
    series: Series, rules: Sequence[Rule], *, limits: Limits, now: datetime, settled: Settled = NOTHING_SETTLED
) -> Findings:
    """Every breach within the last RAISE_WINDOW_H that no alert knows yet, and where each patient stands per rule.

    The series must reach `RAISE_WINDOW_H` plus the rules' longest look-back into the past. A rule that raises becomes a
    RuleFailure; the others still speak (H2).
    """
    found: list[RuleFindings] = []
    failures: list[RuleFailure] = []
    picked: dict[tuple[str, ...], _Rows] = {}
    now_us = microseconds(now)
    for rule in rules:
        try:
            rows = picked.get(rule.quantities)
            if rows is None:
                codes = [BY_NAME[name].number for name in rule.quantities]
                rows = picked[rule.quantities] = _Rows.of(series, series.rows_of(codes))
            amounts = _gains(series, rule, rows) if rule.gain_since else _values(rows)
            found.append(_apply(rule, limits, amounts, now_us=now_us, settled=settled.get(rule.id)))
        except Exception as error:  # noqa: BLE001 - the edge of one rule, by name: its fault must not silence the others
            failures.append(RuleFailure(rule.id, rule.version, type(error).__name__))
    return Findings(series, limits, tuple(found), tuple(failures))


def _apply(rule: Rule, limits: Limits, amounts: _Amounts, *, now_us: int, settled: Ints | None) -> RuleFindings:
    rows, picked, starts = amounts.of.rows, amounts.of.picked, amounts.of.starts
    severity, out, clear = _judge(rule, limits, amounts)
    patient, at_us, reading_no = picked.patient[starts], picked.measured_at_us[starts], picked.reading_no[starts]

    fresh = np.flatnonzero((severity > 0) & (at_us >= now_us - int(RAISE_WINDOW_H * US_PER_HOUR)))
    if settled is not None and len(settled):
        fresh = fresh[~np.isin(reading_no[fresh], settled)]

    stands_patient, stands, stands_at_us = _standing(patient, at_us, out=out, clear=clear)
    return RuleFindings(
        rule=rule,
        patient=patient[fresh],
        measured_at_us=at_us[fresh],
        reading_no=reading_no[fresh],
        severity=severity[fresh],
        late=(at_us[fresh] < now_us - int(rule.late_after_h * US_PER_HOUR)) & ~picked.doubted[starts[fresh]],
        row=rows[starts[fresh]],
        since=amounts.since[starts[fresh]],
        stands_patient=stands_patient,
        stands=stands,
        stands_at_us=stands_at_us,
    )


def _values(rows: _Rows) -> _Amounts:
    return _Amounts(rows, rows.picked.value, np.full(len(rows.rows), -1, np.int64))


def _gains(series: Series, rule: Rule, rows: _Rows) -> _Amounts:
    """The gain since the earlier weight the rule names, in the unit of the later one; NaN where there is none."""
    assert rule.gain_since is not None
    real = np.isfinite(rows.picked.value)
    if not real.all():
        rows = _Rows.of(series, rows.rows[real])
    picked = rows.picked
    since = earlier_value(
        picked.patient,
        picked.measured_at_us,
        take=rule.gain_since.take,
        from_us=int(rule.gain_since.from_h * US_PER_HOUR),
        to_us=int(rule.gain_since.to_h * US_PER_HOUR),
    )
    if not len(since):
        return _Amounts(rows, picked.value, since)
    earlier = np.maximum(since, 0)
    gained = gain(picked.value, picked.unit, picked.value[earlier], picked.unit[earlier])
    return _Amounts(rows, np.where(since >= 0, gained, np.nan), np.where(since >= 0, rows.rows[earlier], -1))


def _judge(rule: Rule, limits: Limits, amounts: _Amounts) -> tuple[Small, Bools, Bools]:
    """Per reading: the severity of its worst band (0: none), whether any limit is breached, whether all are clear."""
    rows, slot = amounts.of, amounts.of.slot
    starts, patient = rows.starts, rows.picked.patient
    if not len(starts):
        return np.zeros(0, np.int8), np.zeros(0, np.bool_), np.zeros(0, np.bool_)
    margins = {slot_of(name, unit): rule.clear_by[unit] for name in rule.quantities for unit in BY_NAME[name].units}
    margin = _table(margins)[slot]
    toward = amounts.amount - margin if rule.downward else amounts.amount + margin
    severity = np.zeros(len(starts), np.int8)
    out, near, looked_at = (np.zeros(len(slot), np.bool_) for _ in range(3))
    for band in reversed(rule.bands):
        limit = _limits_of(rule, band, limits, patient, slot)
        breached = _breaches(amounts.amount, limit, downward=rule.downward)
        looked_at |= ~np.isnan(limit)
        near |= _breaches(toward, limit, downward=rule.downward)
        out |= breached
        holds = rows.any(breached)
        if band.sessions:
            holds = holds & _enough_sessions(band.sessions, holds, patient[starts], rows.picked.measured_at_us[starts])
        severity[holds] = band.severity
    clear = np.isfinite(amounts.amount) & looked_at & ~near & ~out
    return severity, rows.any(out), rows.all(clear)


def _table(values: Mapping[int, float]) -> Floats:
    """A look-up table by slot; NaN, which no comparison satisfies, where nothing is set."""
    table = np.full(SLOTS, np.nan)
    for slot, value in values.items():
        table[slot] = value
    return table


def _limits_of(rule: Rule, band: Band, limits: Limits, patient: Ints, slot: Ints) -> Floats:
    """Per row, the number that must be exceeded (or undercut): "at least x" is "above the double just below x"."""
    table = _table(
        {slot_of(name, unit): value for name, limit in band.limits.items() for unit, value in limit.values.items()}
    )
    limit = table[slot]
    for column in limits.columns.get((rule.id, band.severity), ()):
        place = np.minimum(np.searchsorted(column.patients, patient), len(column.patients) - 1)
        own = (slot == column.slot) & (column.patients[place] == patient)
        limit[own] = column.values[place[own]]
    at_least = [BY_NAME[name].number for name, given in band.limits.items() if given.comparison is Comparison.AT_LEAST]
    if at_least:
        limit = np.where(np.isin(slot // UNIT_STRIDE, at_least), np.nextafter(limit, -np.inf), limit)
    return limit


def _breaches(amount: Floats, limit: Floats, *, downward: bool) -> Bools:
    return amount < limit if downward else amount > limit


def _enough_sessions(sessions: Sessions, breached: Bools, patient: Ints, at_us: Ints) -> Bools:
    """Per reading: whether its session breaches and enough of the last ones of the same patient do."""
    opens = np.ones(len(patient), np.bool_)
    opens[1:] = (patient[1:] != patient[:-1]) | (at_us[1:] - at_us[:-1] >= int(sessions.apart_min * 60_000_000))
    starts = np.flatnonzero(opens)
    breaches = np.logical_or.reduceat(breached, starts)
    owner, began = patient[starts], at_us[starts]
    within_us = int(sessions.within_h * US_PER_HOUR)
    count = breaches.astype(np.int64)
    for back in range(1, min(sessions.of_last, len(starts))):
        near = (owner[back:] == owner[:-back]) & (began[back:] - began[:-back] <= within_us)
        count[back:] += breaches[:-back] & near
    return (breaches & (count >= sessions.breaching))[np.cumsum(opens) - 1]


def _standing(patient: Ints, at_us: Ints, *, out: Bools, clear: Bools) -> tuple[Ints, Bools, Ints]:
    """Per patient: whether the last telling reading is out of range, and since when that has been so.

    A reading between the limit and `clear_by` tells nothing: what was so before remains so.
    """
    telling = np.flatnonzero(out | clear)
    runs = telling[run_starts(patient[telling], out[telling].astype(np.int64))]
    owners = run_starts(patient[runs])
    if not len(owners):
        return np.zeros(0, np.int64), np.zeros(0, np.bool_), np.zeros(0, np.int64)
    last = runs[np.append(owners[1:], len(runs)) - 1]
    return patient[last], out[last], at_us[last]
