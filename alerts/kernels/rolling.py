"""Means and spreads over the days before each reading.

Sums are running sums, begun anew in every block of rows, so that they stay exact: mmHg and mg/dL are whole numbers, and others
lose less than a millionth of their step. What is compared is rounded to that (DECIMALS), which takes away the noise of binary
sums and nothing a device can say.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.kernels.windows import BLOCK, Counts
from alerts.series import Bools, Floats

#: Decimals kept of a mean, a spread or a slope.
DECIMALS: Final = 6


@dataclass(frozen=True, slots=True)
class Window:
    """Per row, the rows its measure rests on: from `first` to the row itself, `count` of them."""

    first: NDArray[np.int64]
    count: Counts


def windows(earlier: Counts) -> Window:
    """Windows from how many earlier rows each has."""
    return Window(np.arange(len(earlier)) - earlier, earlier + 1)


def sums(column: Floats, window: Window) -> Floats:
    """Per row, the sum of a column over its window. Rows of a window may lie up to a block before it."""
    result = np.empty(len(column))
    for start in range(0, len(column), BLOCK):
        stop = min(start + BLOCK, len(column))
        first = window.first[start:stop]
        base = int(first.min())
        running = np.zeros(stop - base + 1)
        np.cumsum(column[base:stop], out=running[1:])
        np.subtract(running[start - base + 1 :], running[first - base], out=result[start:stop])
    return result


def means(value: Floats, window: Window) -> Floats:
    """Per row, the mean of its window."""
    mean = sums(value, window)
    mean /= window.count
    return np.round(mean, DECIMALS, out=mean)


def distinct(new: Bools, window: Window) -> Counts:
    """Per row, in how many days its window's rows lie; `new` marks each patient's first row of a day."""
    running = np.cumsum(new, dtype=np.int32)
    return running - running[window.first] + 1


def spread_percent(value: Floats, window: Window) -> Floats:
    """Per row, the coefficient of variation of its window in per cent; NaN for fewer than two rows or a mean of 0."""
    mean = sums(value, window) / window.count
    # Measured from somewhere near, so that squares of large numbers do not eat the digits that matter.
    near: Floats = value - round(float(mean.mean())) if len(mean) else value
    total, squares = sums(near, window), sums(near * near, window)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (squares - total * total / window.count) / (window.count - 1)
        percent = 100.0 * np.sqrt(np.maximum(variance, 0.0)) / mean
    return np.where((window.count > 1) & (mean > 0), np.round(percent, DECIMALS), np.nan)
