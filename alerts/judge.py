"""One rule over many readings: how far each amount is from its limits, and where its patient stands. Pure columns.

`Rows` are what a rule looks at. An amount beside each row is compared with the limit of that row's patient, quantity and unit;
a reading is as severe as the worst band that holds for any of its rows.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Self

import numpy as np
from numpy.typing import NDArray

from alerts.conditions import Condition, Lasting, OnDays, Readings, Sessions
from alerts.facts import Facts
from alerts.kernels.counts import enough_days, enough_groups, lasted, session_starts
from alerts.kernels.days import day_of, local_us, new_days
from alerts.kernels.windows import positions
from alerts.limits import SLOTS, UNIT_STRIDE, Limits, among, slot_of
from alerts.rules import Band, Comparison, Rule
from alerts.series import US_PER_HOUR, Bools, Floats, Ints, Series, run_starts
from alerts.tracks import Track
from schemas.codes import BY_NAME

Small = NDArray[np.int8]
US_PER_MINUTE = US_PER_HOUR // 60


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows a rule looks at: their indices in the series, who and when, where each reading begins, and their slot.

    `slot`: the one of all rows, or each row's. `width`: how many rows each reading has; None: not all as many.
    """

    rows: Ints
    patient: Ints
    at_us: Ints
    starts: Ints
    slot: int | Ints
    width: int | None = 1

    @classmethod
    def of(cls, series: Series, rows: Ints) -> Self:
        """Rows of a series, each judged by itself."""
        patient, at_us = series.patient[rows], series.measured_at_us[rows]
        starts = run_starts(series.reading_no[rows], at_us, patient)
        return cls(
            rows, patient, at_us, starts, _slots(series.code[rows], series.unit[rows]), _width(starts, len(rows))
        )

    @classmethod
    def of_track(cls, track: Track, limit_unit: int | None) -> Self:
        """The rows of a track. `limit_unit`: of every limit, where it is no device's."""
        starts = run_starts(track.reading_no, track.at_us, track.patient)
        code = np.full(1, BY_NAME[track.quantity].number, np.int16)
        unit = track.unit if limit_unit is None else np.full(1, limit_unit, np.int16)
        return cls(track.rows, track.patient, track.at_us, starts, _slots(code, unit), _width(starts, len(track)))

    def __len__(self) -> int:
        return len(self.rows)

    def of_readings(self, column: Ints) -> Ints:
        """Each reading's number of a column in which its rows agree."""
        return column if len(column) == len(self.starts) else column[self.starts]

    def any(self, flags: Bools) -> Bools:
        """Row flags as reading flags: any of a reading's rows."""
        if self.width is None:
            return np.logical_or.reduceat(flags, self.starts)
        return reduce(np.logical_or, (flags[place :: self.width] for place in range(self.width)))

    def all(self, flags: Bools) -> Bools:
        """The same: all of a reading's rows."""
        return ~self.any(~flags)


def _slots(code: NDArray[np.int16], unit: NDArray[np.int16]) -> int | Ints:
    """One slot, where all rows are of one code and unit; else each row's. Either column may be the one number of all."""
    if not len(code) or not len(unit):
        return 0
    if (code == code[0]).all() and (unit == unit[0]).all():
        code, unit = code[:1], unit[:1]
    # A unit number outside the table becomes 0, a unit for which nothing is written: no limit, so no finding.
    slot = code.astype(np.int64) * UNIT_STRIDE + np.where((unit > 0) & (unit < UNIT_STRIDE), unit, 0)
    return int(slot[0]) if len(slot) == 1 else slot


def _width(starts: Ints, count: int) -> int | None:
    """How many rows each reading has, where all have as many: then they need no search."""
    width = count // len(starts) if len(starts) else 1
    even = width * len(starts) == count and (width == 1 or bool((np.diff(starts) == width).all()))
    return width if even else None


@dataclass(frozen=True, slots=True)
class Judged:
    """Per reading: the severity of its worst band (0: none), whether any limit is breached, whether all are clear.

    `row`: the place among the rows of the first that breaches, or of the reading's first.
    """

    severity: Small
    out: Bools
    clear: Bools
    row: Ints


def judge(rule: Rule, limits: Limits, rows: Rows, amount: Floats, facts: Facts) -> Judged:
    """Hold amounts (one per row; NaN breaches nothing and clears nothing) against every band of a rule."""
    if not len(rows.starts):
        return Judged(np.zeros(0, np.int8), np.zeros(0, np.bool_), np.zeros(0, np.bool_), np.zeros(0, np.int64))
    margins = {slot_of(name, unit): rule.clear_by[unit] for name in rule.quantities for unit in rule.units_of(name)}
    margin = _taken(_table(margins)[None, :], rows, None)
    toward = amount - margin if rule.downward else amount + margin
    nobodys = _without_limits(rule, rows, facts)
    groups = limits.places(rows.patient) if len(limits.groups) > 1 else None
    severity = np.zeros(len(rows.starts), np.int8)
    out, near, looked_at, holding = (np.zeros(len(rows), np.bool_) for _ in range(4))
    for band in reversed(rule.bands):
        limit = _limits_of(rule, band, limits, rows, groups, nobodys)
        breached = breaches(amount, limit, downward=rule.downward)
        looked_at |= ~np.isnan(limit)
        near |= breaches(toward, limit, downward=rule.downward)
        out |= breached
        holds = rows.any(breached)
        if band.condition is not None:
            holds = holds & often_enough(band.condition, holds, rows, facts)
        severity[holds] = band.severity
        # What the worst band that holds is about: the row a finding speaks of.
        speaks = breached & _per_row(rows, holds)
        holding = np.where(_per_row(rows, holds), speaks, holding)
    clear = np.isfinite(amount) & looked_at & ~near & ~out
    return Judged(severity, rows.any(out), rows.all(clear), _first_of_each(rows, holding))


def breaches(amount: Floats, limit: Floats | float, *, downward: bool) -> Bools:
    """Whether each amount is beyond its limit. NaN never is."""
    return amount < limit if downward else amount > limit


def often_enough(condition: Condition, holds: Bools, rows: Rows, facts: Facts) -> Bools:
    """Per reading, whether the band's condition is met."""
    patient, at_us = rows.of_readings(rows.patient), rows.of_readings(rows.at_us)
    within_us = int(condition.within_h * US_PER_HOUR)
    if isinstance(condition, Sessions):
        opens = session_starts(patient, at_us, apart_us=int(condition.apart_min * US_PER_MINUTE))
        return enough_groups(
            opens, holds, patient, at_us, needed=condition.breaching, of_last=condition.of_last, within_us=within_us
        )
    if isinstance(condition, Readings):
        opens = np.ones(len(patient), np.bool_)
        return enough_groups(
            opens, holds, patient, at_us, needed=condition.breaching, of_last=condition.of_last, within_us=within_us
        )
    if isinstance(condition, OnDays):
        place = facts.place(patient)
        zone = np.where(place >= 0, facts.zone[place], -1) if len(facts) else place
        day = day_of(local_us(at_us, zone.astype(np.int16), facts.zones))
        new = new_days(day, positions(patient))
        return enough_days(new, day, holds, patient, needed=condition.breaching, of_last=condition.of_last)
    assert isinstance(condition, Lasting)
    for_us, gap_us = (int(minutes * US_PER_MINUTE) for minutes in (condition.min_minutes, condition.gap_max_minutes))
    return lasted(holds, patient, at_us, for_us=for_us, gap_us=gap_us)


def standing(patient: Ints, at_us: Ints, *, out: Bools, clear: Bools) -> tuple[Ints, Bools, Ints]:
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


def _without_limits(rule: Rule, rows: Rows, facts: Facts) -> Bools | None:
    """Whose rows no limit but their own holds for: those under 18. None: nobody's."""
    if rule.ages == "everyone" or not len(facts):
        return None
    minor = facts.minor(rows.patient, rows.at_us)
    return minor if minor.any() else None


def _limits_of(
    rule: Rule, band: Band, limits: Limits, rows: Rows, groups: Ints | None, nobodys: Bools | None
) -> Floats | float:
    """Per row, the number that must be exceeded (or undercut): "at least x" is "above the double just below x"."""
    at_least = [BY_NAME[name].number for name, given in band.limits.items() if given.comparison is Comparison.AT_LEAST]
    table = limits.table(rule, band)
    inclusive = np.isin(np.arange(SLOTS) // UNIT_STRIDE, at_least)
    table[:, inclusive] = np.nextafter(table[:, inclusive], -np.inf)
    columns = limits.columns.get((rule.id, band.severity), ())
    limit = _taken(table, rows, groups)
    if nobodys is None and not columns:
        return limit
    own_limits = np.array(np.broadcast_to(limit, len(rows)))
    if nobodys is not None:
        own_limits[nobodys] = np.nan
    for column in columns:
        own = (rows.slot == column.slot) & among(column.patients, rows.patient)
        found = column.values[np.searchsorted(column.patients, rows.patient[own])]
        own_limits[own] = np.nextafter(found, -np.inf) if inclusive[column.slot] else found
    return own_limits


def _table(values: dict[int, float]) -> Floats:
    """A look-up table by slot; NaN, which no comparison satisfies, where nothing is set."""
    table = np.full(SLOTS, np.nan)
    for slot, value in values.items():
        table[slot] = value
    return table


def _taken(table: Floats, rows: Rows, groups: Ints | None) -> Floats | float:
    """Each row's number; one for all where all rows are of one slot and group."""
    if groups is not None:
        return table[groups, rows.slot]
    return float(table[0, rows.slot]) if isinstance(rows.slot, int) else table[0][rows.slot]


def _per_row(rows: Rows, flags: Bools) -> Bools:
    """Reading flags as row flags."""
    if len(flags) == len(rows):
        return flags
    return np.repeat(flags, np.diff(np.append(rows.starts, len(rows))))


def _first_of_each(rows: Rows, flags: Bools) -> Ints:
    """Per reading, its first flagged row, or its first."""
    if len(rows.starts) == len(rows):
        return rows.starts
    place = np.where(flags, np.arange(len(flags)), len(flags))
    first = np.minimum.reduceat(place, rows.starts)
    return np.where(first < len(flags), first, rows.starts)
