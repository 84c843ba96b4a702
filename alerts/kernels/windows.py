"""How many earlier rows lie within a span before each row: what every rolling measure rests on.

A window's rows are neighbours, so they are found by looking back one row at a time, for a whole block of rows at once, each pass
in cache. Where few windows of a block go on, or all of them (a continuous sensor), the rest is found by binary search.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.series import Ints

#: Rows worked on together: their columns fit the second cache of the processors this runs on.
BLOCK: Final = 32_768
#: Neighbours looked at one by one before a block turns to binary search; fewer, where not one window in FEW goes on.
LAGS_MAX: Final = 64
FEW: Final = 32

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
        found[start:stop] = _block(at_us, position, start, stop, span_us - (not inclusive))
    return found


def before_rows(at_us: Ints, position: Counts, rows: Ints, *, span_us: int) -> Ints:
    """The same for some rows alone, a patient's newest: each by binary search. The window is (at - span, at]."""
    first = _first_since(at_us, rows - position[rows], rows, at_us[rows] - (span_us - 1))
    return rows - first


def _block(at_us: Ints, position: Counts, start: int, stop: int, span_us: int) -> Counts:
    """The counts of the rows from `start` to `stop`; both ends of the span inclusive."""
    earliest = at_us[start:stop] - span_us
    # Counts and places as bytes, for LAGS_MAX is no more: a pass over them costs an eighth of one over times.
    places = np.minimum(position[start:stop], LAGS_MAX + 1).astype(np.uint8)
    within, counted = np.ones(stop - start, np.bool_), np.zeros(stop - start, np.uint8)
    left, lag = stop - start, 0
    while left * FEW >= stop - start and lag < LAGS_MAX:
        lag += 1
        within &= places >= lag
        # The first rows of all have nothing so far before them; their places say so already.
        cut = min(max(lag - start, 0), stop - start)
        within[cut:] &= at_us[start + cut - lag : stop - lag] >= earliest[cut:]
        counted += within.view(np.uint8)
        left = np.count_nonzero(within)
    found = counted.astype(np.int32)
    if left:
        rows = start + np.flatnonzero(within)
        first = _first_since(at_us, rows - position[rows], rows - lag, at_us[rows] - span_us)
        found[within] = rows - first
    return found


def _first_since(at_us: Ints, low: Ints, high: Ints, earliest: Ints) -> Ints:
    """The first row from `low` to `high` that was not measured before `earliest`; that of `high` was not."""
    while (low < high).any():
        middle = (low + high) // 2
        early = at_us[middle] < earliest
        low, high = np.where(early, middle + 1, low), np.where(early, high, middle)
    return low


def newest_between(at_us: Ints, position: Counts, *, from_us: int, to_us: int) -> Ints:
    """Per row, the newest row of the same patient measured `from_us` to `to_us` before it, ends included; -1: none."""
    near = before(at_us, position, span_us=from_us - 1, inclusive=True)
    candidate = np.arange(-1, len(at_us) - 1)
    candidate -= near
    # A place before the first of all is the last of all: nobody's earlier row, and `position` says so.
    found = position > near
    found &= at_us[candidate] >= at_us - to_us
    candidate[~found] = -1
    return candidate


def oldest_between(at_us: Ints, position: Counts, *, from_us: int, to_us: int) -> Ints:
    """Per row, the oldest row of the same patient measured `from_us` to `to_us` before it, ends included; -1: none."""
    candidate = np.arange(len(at_us))
    candidate -= before(at_us, position, span_us=to_us, inclusive=True)
    candidate[at_us[candidate] > at_us - from_us] = -1
    return candidate
