"""Whose second each reading is, and the mean of the two. Pure columns; the words are in `alerts.repeats`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from alerts.judge import Rows
from alerts.kernels.gains import mean_of
from alerts.sentences import Value
from alerts.series import Bools, Floats, Ints, Series
from schemas.codes import UNIT_NUMBER


@dataclass(frozen=True, slots=True)
class Pairs:
    """Per reading: the place of the one it repeats, and of the one that repeats it; -1: there is none."""

    first: Ints
    second: Ints


def pair(patient: Ints, at_us: Ints, *, out: Bools, sound: Bools, within_us: int) -> Pairs:
    """Readings sorted by (patient, time): whose second each is. `out`: by itself out of range; `sound`: can be a second."""
    count = len(patient)
    place = np.arange(count)
    none = np.full(count, -1)
    if not count:
        return Pairs(none, none)

    def before(flags: Bools) -> Ints:
        """The place of the nearest flagged reading before each; -1: none."""
        found = np.empty(count, np.int64)
        found[0] = -1
        found[1:] = np.maximum.accumulate(np.where(flags, place, -1))[:-1]
        return found

    def near(other: Ints) -> Bools:
        """Whether it is of the same patient, and no longer before."""
        return (other >= 0) & (patient[other] == patient) & (at_us - at_us[other] <= within_us)

    last_sound, last_out = before(sound), before(out)
    # The sound reading before it, where that was out; else a doubtful one in between, which was.
    steady = near(last_sound) & out[last_sound]
    doubtful = near(last_out) & (last_out > last_sound)
    first = np.where(sound & steady, last_sound, np.where(sound & doubtful, last_out, -1))
    # The next sound reading, seen from the end.
    next_sound = np.empty(count, np.int64)
    next_sound[-1] = count
    next_sound[:-1] = np.minimum.accumulate(np.where(sound, place, count)[::-1])[::-1][1:]
    there = np.minimum(next_sound, count - 1)
    has = (next_sound < count) & (patient[there] == patient) & (at_us[there] - at_us <= within_us)
    return Pairs(first, np.where(out & has, there, -1))


def paired(
    series: Series, rows: Rows, amount: Floats, *, out: Bools, asks: Bools, sound: Bools, within_us: int
) -> Pairs:
    """`pair` of readings in any order. `out`: by itself out of range; `asks`: such that a second one counts for it."""
    patient, at_us = rows.patient[rows.starts], rows.at_us[rows.starts]
    order = _in_order(series, rows, amount, sound, out)
    if order is None:
        return pair(patient, at_us, out=asks, sound=sound, within_us=within_us)
    found = pair(patient[order], at_us[order], out=asks[order], sound=sound[order], within_us=within_us)
    first, second = np.full(len(order), -1), np.full(len(order), -1)
    first[order] = np.where(found.first >= 0, order[found.first], -1)
    second[order] = np.where(found.second >= 0, order[found.second], -1)
    return Pairs(first, second)


def _in_order(series: Series, rows: Rows, amount: Floats, sound: Bools, out: Bools) -> Ints | None:
    """The readings in an order that does not depend on how they came: those of one instant by what they show; None: as they are."""
    patient, at_us = rows.patient[rows.starts], rows.at_us[rows.starts]
    if not ((patient[1:] == patient[:-1]) & (at_us[1:] == at_us[:-1])).any():
        return None
    begins, ends = rows.starts, np.append(rows.starts[1:], len(rows)) - 1
    unit = series.unit[rows.rows[begins]]
    return np.lexsort((amount[ends], amount[begins], unit, sound, out, at_us, patient))


def averaged(series: Series, rows: Rows, amount: Floats, pairs: Pairs) -> Floats:
    """Beside each row, what is judged: its value, the mean of two, or NaN where a second speaks for it."""
    first, second = pairs.first, pairs.second
    repeats = np.flatnonzero(first >= 0)
    ends = np.append(rows.starts[1:], len(rows))
    made = amount.copy()
    number = np.repeat(np.arange(len(rows.starts)), ends - rows.starts)
    code, unit = series.code[rows.rows], series.unit[rows.rows]
    for quantity in np.unique(code):
        here = code == quantity
        # Per reading, the row of this quantity; a reading holds each quantity once.
        row_of = np.full(len(rows.starts), -1)
        row_of[number[here]] = np.flatnonzero(here)
        later, earlier = row_of[repeats], row_of[first[repeats]]
        both = (later >= 0) & (earlier >= 0)
        later, earlier = later[both], earlier[both]
        mean = mean_of(amount[earlier], unit[earlier], amount[later], unit[later])
        # What the first lacks is judged as the second has it.
        made[later] = np.where(np.isfinite(mean), mean, amount[later])
    # Whom a second speaks for, and who is nobody's second, says nothing; of three in a row the middle one is a mean.
    silent = (second >= 0) & (first < 0)
    made[silent[number]] = np.nan
    return made


def mean_values(first: Sequence[Value], second: Sequence[Value]) -> tuple[Value, ...]:
    """The mean of two readings as it was judged, in the unit of the second; what the first lacks is the second's."""
    earlier = {value.quantity: value for value in first}
    return tuple(_mean_value(earlier.get(value.quantity, value), value) for value in second)


def _mean_value(first: Value, second: Value) -> Value:
    units = (np.array([UNIT_NUMBER[value.unit]], np.int16) for value in (first, second))
    values = (np.array([value.value]) for value in (first, second))
    (one, other), (one_unit, other_unit) = values, units
    return replace(second, value=float(mean_of(one, one_unit, other, other_unit)[0]), role="mean")
