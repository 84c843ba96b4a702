"""How many earlier rows lie within a span before each row: what every rolling measure rests on.

A window's rows are neighbours, so they are found by looking back one row at a time, for a whole block of rows at once: as many
passes as the fullest window has rows, each in cache. A block with fuller windows than LAGS_MAX (a continuous sensor) goes on
by binary search.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.series import Bools, Ints

#: Rows worked on together: their columns fit the second cache of the processors this runs on.
BLOCK: Final = 32_768
#: Neighbours looked at one by one before a block turns to binary search.
LAGS_MAX: Final = 64

Counts = NDArray[np.int32]


def positions(patient: Ints) -> Counts:
    """Each row's place within its patient, from 0. `patient` is sorted."""
    count = len(patient)
    if not count:
        return np.zeros(0, np.int32)
    begins = np.flatnonzero(np.concatenate(([True], patient[1:] != patient[:-1])))
    lengths = np.diff(np.append(begins, count))
    return (np.arange(count) - np.repeat(begins, lengths)).astype(np.int32)


def before(at_us: Ints, position: Counts, *, span_us: int, inclusive: bool = False) -> Counts:
    """Per row, how many rows of the same patient before it were measured within `span_us` before it.

    The window is (at - span, at]; `inclusive`: [at - span, at]. Rows of equal time count as earlier in their order.
    """
    found = np.zeros(len(at_us), np.int32)
    for start in range(0, len(at_us), BLOCK):
        stop = min(start + BLOCK, len(at_us))
        _block(at_us, position, start, stop, span_us - (not inclusive), found[start:stop])
    return found


def _block(at_us: Ints, position: Counts, start: int, stop: int, span_us: int, found: Counts) -> None:
    """Count for the rows from `start` to `stop`; both ends of the span inclusive."""
    earliest = at_us[start:stop] - span_us
    mine = position[start:stop]
    within = np.ones(stop - start, np.bool_)
    for lag in range(1, LAGS_MAX + 1):
        within &= mine >= lag
        _narrow(within, at_us, earliest, start, stop, lag)
        if not within.any():
            return
        found += within
    # Fuller windows: where each begins, by search among the rows from the first that may be in one.
    left = np.flatnonzero(within)
    rows = start + left
    first = rows - mine[left]
    low, high = first.copy(), rows - LAGS_MAX
    while (low < high).any():
        middle = (low + high) // 2
        early = at_us[middle] < earliest[left]
        low = np.where(early, middle + 1, low)
        high = np.where(early, high, middle)
    found[left] = (rows - low).astype(np.int32)


def _narrow(within: Bools, at_us: Ints, earliest: Ints, start: int, stop: int, lag: int) -> None:
    """Keep those whose row `lag` before was not measured before `earliest`."""
    if lag <= start:
        within &= at_us[start - lag : stop - lag] >= earliest
        return
    cut = min(lag - start, stop - start)
    within[:cut] = False
    if cut < stop - start:
        within[cut:] &= at_us[0 : stop - lag] >= earliest[cut:]


def newest_between(at_us: Ints, position: Counts, *, from_us: int, to_us: int) -> Ints:
    """Per row, the newest row of the same patient measured `from_us` to `to_us` before it, ends included; -1: none."""
    near = before(at_us, position, span_us=from_us - 1, inclusive=True)
    candidate = np.arange(len(at_us)) - near - 1
    missing = position <= near
    candidate[missing] = 0
    missing |= at_us[candidate] < at_us - to_us
    return np.where(missing, -1, candidate)


def oldest_between(at_us: Ints, position: Counts, *, from_us: int, to_us: int) -> Ints:
    """Per row, the oldest row of the same patient measured `from_us` to `to_us` before it, ends included; -1: none."""
    candidate = np.arange(len(at_us)) - before(at_us, position, span_us=to_us, inclusive=True)
    return np.where(at_us[candidate] > at_us - from_us, -1, candidate)
