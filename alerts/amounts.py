"""From a rule's measure to one number per reading: what is compared with its limits, and which readings it rests on.

NaN is "not enough data": neither in range nor out of it. Each function is told what the patient's track is and answers for all
its rows; `judged` marks the rows that may be judged at all, so that costly measures are taken only there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.facts import Facts
from alerts.kernels import baselines, gains, rolling, scans, slopes, windows
from alerts.kernels.days import US_PER_DAY
from alerts.measures import Baseline, Drift, Mean, Slope, Variability
from alerts.rules import Rule
from alerts.series import US_PER_HOUR, Bools, Floats, Ints
from alerts.tracks import Track
from schemas.codes import UNIT_NUMBER, UNITS


@dataclass(frozen=True, slots=True)
class Amounts:
    """Per row of a track: the amount, and the rows it rests on (`first` to the row itself, `count` of them).

    `base`: what it was compared with where there is such a value (a baseline, a dry weight), else NaN. `low` and `high`: the
    95 % interval of a trend. `only`: rows that may be findings; None: all.
    """

    track: Track
    amount: Floats
    first: Ints
    count: Ints
    base: Floats | None = None
    low: Floats | None = None
    high: Floats | None = None
    only: Bools | None = None


def amounts_of(rule: Rule, track: Track, facts: Facts, *, judged: Bools, now_us: int) -> Amounts:
    """The amounts of a rule's measure on one of its quantities."""
    measure = rule.measure
    sign = -1.0 if rule.lessening else 1.0
    if isinstance(measure, Mean):
        return _mean(measure, track, facts)
    if isinstance(measure, Variability):
        return _variability(measure, track, facts)
    if isinstance(measure, Baseline):
        return _from_baseline(measure, track, facts, judged, sign)
    if isinstance(measure, Slope):
        return _trend(measure, track, judged, sign)
    if isinstance(measure, Drift):
        return _drift(measure, track, sign, now_us)
    return _above_dry_weight(track, facts)


def _mean(measure: Mean, track: Track, facts: Facts) -> Amounts:
    if measure.part != "any":
        morning = track.mornings(facts)
        track = track.take(morning if measure.part == "morning" else ~morning)
    window = rolling.windows(windows.before(track.at_us, track.position, span_us=measure.over_days * US_PER_DAY))
    few = np.zeros(len(track), np.bool_)
    if measure.min_days > 1 or measure.drop_first_day:
        day, new = track.days(facts)
        if measure.drop_first_day:
            window, few = _without_first_day(day, new, window)
        few |= rolling.distinct(new, window) < measure.min_days
    few |= window.count < measure.min_readings
    mean = np.where(few, np.nan, rolling.means(track.value, window))
    return Amounts(track, mean, window.first, window.count.astype(np.int64))


def _without_first_day(day: NDArray[np.int32], new: Bools, window: rolling.Window) -> tuple[rolling.Window, Bools]:
    """Windows that begin with the second of their days, and which of them are empty (those hold the row alone)."""
    rows = np.arange(len(day))
    if not len(day):
        return window, new
    # The row that follows the last one of each day.
    ends = np.append(np.flatnonzero(new)[1:], len(day))
    after = ends[np.cumsum(new) - 1][window.first]
    first = np.minimum(after, rows)
    return rolling.Window(first, (rows - first + 1).astype(np.int32)), after > rows


def _variability(measure: Variability, track: Track, facts: Facts) -> Amounts:
    if measure.first_of_morning:
        track = track.take(track.mornings(facts))
        _, new = track.days(facts)
        track = track.take(new)
    window = rolling.windows(windows.before(track.at_us, track.position, span_us=measure.over_days * US_PER_DAY))
    percent = rolling.spread_percent(track.value, window)
    enough = window.count >= measure.min_readings
    return Amounts(track, np.where(enough, percent, np.nan), window.first, window.count.astype(np.int64))


def _from_baseline(measure: Baseline, track: Track, facts: Facts, judged: Bools, sign: float) -> Amounts:
    """The baseline ends before the clinical day of the reading, or before the days whose mean is compared."""
    rows = np.arange(len(track))
    if measure.mean_days:
        recent = rolling.windows(windows.before(track.at_us, track.position, span_us=measure.mean_days * US_PER_DAY))
        value, end = rolling.means(track.value, recent), recent.first
    else:
        value, end = track.value, rows
    _, new = track.days(facts)
    day_begins = np.flatnonzero(new)[np.cumsum(new) - 1] if len(track) else rows
    end = day_begins[end]
    # How far the baseline reaches back is counted from the last row of it that could be: the first row after it.
    reach = windows.before(track.at_us, track.position, span_us=measure.over_days * US_PER_DAY, inclusive=True)
    count = reach[end].astype(np.int64)
    first = end - count
    wanted = judged & (count >= measure.min_readings)
    base = np.full(len(track), np.nan)
    base[wanted] = baselines.medians(track.value, first[wanted], count[wanted])
    amount = np.round(sign * (value - base), rolling.DECIMALS)
    return Amounts(track, amount, first, rows - first + 1, base=base, only=judged)


def _trend(measure: Slope, track: Track, judged: Bools, sign: float) -> Amounts:
    """Only the newest row of a patient is answered for; the others are NaN and no finding."""
    rows = np.flatnonzero(judged & newest_rows(track))
    earlier = windows.before_rows(track.at_us, track.position, rows, span_us=measure.over_days * US_PER_DAY)
    first, count = np.arange(len(track)), np.ones(len(track), np.int64)
    first[rows] -= earlier
    count[rows] += earlier
    rows = rows[earlier + 1 >= measure.min_readings]
    days = (track.at_us - (track.at_us[0] if len(track) else 0)) / US_PER_DAY
    line = slopes.least_squares if measure.method == "least_squares" else slopes.theil_sen
    found = line(days, track.value, first[rows], count[rows])
    projected = [
        np.round(sign * column * measure.project_days, rolling.DECIMALS)
        for column in (found.per_day, found.low, found.high)
    ]
    amount, ends = projected[0], projected[1:] if sign > 0 else projected[:0:-1]
    # Where the interval holds 0 nothing changes for all one can tell: an amount of 0, not "not enough data".
    sure = (ends[0] > 0) | (ends[1] < 0)
    amount = np.where(np.isfinite(amount), np.where(sure, amount, 0.0), np.nan)
    amount, low, high = (_beside(column, rows, len(track)) for column in (amount, *ends))
    return Amounts(track, amount, first, count, low=low, high=high, only=judged & newest_rows(track))


def _beside(some: Floats, rows: Ints, count: int) -> Floats:
    """A column of a track of which only some rows have a number."""
    column = np.full(count, np.nan)
    column[rows] = some
    return column


def newest_rows(track: Track) -> Bools:
    """Which row is the last of its patient."""
    newest = np.ones(len(track), np.bool_)
    newest[:-1] = track.position[1:] == 0
    return newest


def _drift(measure: Drift, track: Track, sign: float, now_us: int) -> Amounts:
    """Only the newest row of a patient is answered for; the others are NaN and no finding."""
    watch_from = now_us - measure.over_days * US_PER_DAY
    base_from = watch_from - measure.baseline_days * US_PER_DAY
    count = len(track)
    amount, base = np.full(count, np.nan), np.full(count, np.nan)
    first, used = np.arange(count), np.ones(count, np.int64)
    only = np.zeros(count, np.bool_)
    watched = track.at_us > watch_from
    in_base = (track.at_us > base_from) & ~watched
    if not count or not watched.any():
        return Amounts(track, amount, first, used, base=base, only=only)
    begins = np.flatnonzero(track.position == 0)
    lengths = np.diff(np.append(begins, count))
    patient_no = np.repeat(np.arange(len(begins)), lengths)
    base_count = np.bincount(patient_no, weights=in_base, minlength=len(begins)).astype(np.int64)
    base_first = begins + np.bincount(patient_no, weights=track.at_us <= base_from, minlength=len(begins)).astype(
        np.int64
    )
    enough = base_count >= measure.min_readings
    start = np.full(len(begins), np.nan)
    start[enough] = baselines.medians(track.value, base_first[enough], base_count[enough])
    here = np.flatnonzero(watched)
    position = windows.positions(track.patient[here])
    moved = sign * (track.value[here] - start[patient_no[here]])
    known = np.isfinite(moved)
    moved = np.where(known, moved, 0.0)
    if measure.slack is None:
        run = scans.recurrence(1.0 - measure.weight, measure.weight * moved, position)
    else:
        run = scans.excess(moved - _per_unit(measure.slack, track.unit[here]), position)
    amount[here] = np.where(known, np.round(run, rolling.DECIMALS), np.nan)
    base[here] = start[patient_no[here]]
    first[here] = base_first[patient_no[here]]
    used[here] = here - first[here] + 1
    only[begins + lengths - 1] = True
    return Amounts(track, amount, first, used, base=base, only=only & watched)


def _above_dry_weight(track: Track, facts: Facts) -> Amounts:
    rows = np.arange(len(track))
    dry = facts.dry_weights_kg(track.patient)
    base = gains.in_unit(dry, np.full(len(track), UNIT_NUMBER["kg"], np.int16), track.unit)
    amount = gains.change(track.value, track.unit, base, track.unit)
    return Amounts(track, amount, rows, np.ones(len(track), np.int64), base=base)


def _per_unit(values: dict[str, float], unit: NDArray[np.int16]) -> Floats:
    table = np.full(len(UNITS) + 1, np.nan)
    for name, value in values.items():
        table[UNIT_NUMBER[name]] = value
    return table[unit]


def hours_silent(last_us: Ints, now_us: int) -> Floats:
    """How long nothing has come, in hours."""
    return np.round((now_us - last_us) / US_PER_HOUR, rolling.DECIMALS)
