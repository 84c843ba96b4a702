"""Enough of the last ones: sessions, readings, days; and a breach that has lasted. One row per reading."""

import numpy as np
from numpy.typing import NDArray

from alerts.series import Bools, Ints


def session_starts(patient: Ints, at_us: Ints, *, apart_us: int) -> Bools:
    """Where a session begins: the first reading, and each that comes `apart_us` or more after the one before."""
    opens = np.ones(len(patient), np.bool_)
    opens[1:] = (patient[1:] != patient[:-1]) | (at_us[1:] - at_us[:-1] >= apart_us)
    return opens


def enough_groups(
    opens: Bools, breached: Bools, patient: Ints, at_us: Ints, *, needed: int, of_last: int, within_us: int
) -> Bools:
    """Per reading: whether its group breaches, and `needed` of the last `of_last` groups of its patient do.

    `opens` marks the first reading of each group. Groups that began more than `within_us` before do not count.
    """
    starts = np.flatnonzero(opens)
    if not len(starts):
        return np.zeros(0, np.bool_)
    breaches = np.logical_or.reduceat(breached, starts)
    owner, began = patient[starts], at_us[starts]
    count = breaches.astype(np.int64)
    for back in range(1, min(of_last, len(starts))):
        near = (owner[back:] == owner[:-back]) & (began[back:] - began[:-back] <= within_us)
        count[back:] += breaches[:-back] & near
    return (breaches & (count >= needed))[np.cumsum(opens) - 1]


def enough_days(
    new_day: Bools, day: NDArray[np.int32], breached: Bools, patient: Ints, *, needed: int, of_last: int
) -> Bools:
    """Per reading: whether its day breaches, and `needed` of the `of_last` days that end with it do.

    Days without a reading are days too: they breach nothing.
    """
    starts = np.flatnonzero(new_day)
    if not len(starts):
        return np.zeros(0, np.bool_)
    breaches = np.logical_or.reduceat(breached, starts)
    owner, number = patient[starts], day[starts]
    count = breaches.astype(np.int64)
    for back in range(1, min(of_last, len(starts))):
        near = (owner[back:] == owner[:-back]) & (number[back:] - number[:-back] < of_last)
        count[back:] += breaches[:-back] & near
    return (breaches & (count >= needed))[np.cumsum(new_day) - 1]


def lasted(breached: Bools, patient: Ints, at_us: Ints, *, for_us: int, gap_us: int) -> Bools:
    """Per reading: whether it ends a run of breaching readings, none more than `gap_us` after the one before, `for_us` long."""
    count = len(patient)
    broken = np.ones(count, np.bool_)
    broken[1:] = ~breached[:-1] | (patient[1:] != patient[:-1]) | (at_us[1:] - at_us[:-1] > gap_us)
    begins = np.maximum.accumulate(np.where(broken, np.arange(count), 0)) if count else np.zeros(0, np.int64)
    return breached & (at_us - at_us[begins] >= for_us)
