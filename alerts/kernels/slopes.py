"""Trends: the slope of each window with its 95 % interval, by least squares or by Theil and Sen.

Least squares: Student's t with n - 2 degrees of freedom. Theil-Sen: the median of all pairwise slopes; the interval from
Kendall's statistic by its normal approximation, ranks (N - C)/2 and (N + C)/2 + 1 with C = 1.96 √(n (n-1) (2n+5) / 18)
(Sen 1968; Gilbert 1987, 16.4), interpolated between ranks. Times are days.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from alerts.kernels.rolling import DECIMALS
from alerts.series import Floats, Ints

#: Two-sided 95 % quantiles of Student's t by degrees of freedom (NIST/SEMATECH e-Handbook, 1.3.6.7.2), 1 to 30.
_T95: Final = np.array(
    [
        12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
        2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ]
)  # fmt: skip
_Z95: Final = 1.959964
#: Pairs worked on at once: 8 bytes each, some megabytes.
PAIRS_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Slopes:
    """Per window, change per day, and the ends of its 95 % interval; NaN where a window has fewer than three rows."""

    per_day: Floats
    low: Floats
    high: Floats


def student_t95(freedom: Floats) -> Floats:
    """The quantile for so many degrees of freedom (at least 1); beyond 30 by the first two terms of its expansion."""
    near = _T95[np.clip(freedom.astype(np.int64), 1, len(_T95)) - 1]
    far = _Z95 + (_Z95**3 + _Z95) / (4 * np.maximum(freedom, 1.0))
    return np.where(freedom > len(_T95), far, near)


def least_squares(days: Floats, value: Floats, first: Ints, count: Ints) -> Slopes:
    """The line of each window (rows `first` to `first + count`). `days` are times since one instant near, in days."""
    number = count.astype(np.float64)
    # Measured from somewhere near, so that squares of large numbers do not eat the digits that matter. One row more, for the
    # windows that end with the last.
    days = np.append(days, 0.0)
    middle = round(float(value.mean())) if len(value) else 0
    near = np.append(value - middle, 0.0)
    st, sv, stt, stv, svv = (
        _sums(column, first, count) for column in (days, near, days * days, days * near, near * near)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        stt -= st * st / number
        stv -= st * sv / number
        svv -= sv * sv / number
        slope = stv / stt
        rest = np.maximum(svv - slope * stv, 0.0) / (number - 2)
        half = student_t95(number - 2) * np.sqrt(rest / stt)
    known = (count > 2) & (stt > 1e-9)
    return Slopes(
        *(np.where(known, np.round(found, DECIMALS), np.nan) for found in (slope, slope - half, slope + half))
    )


def _sums(column: Floats, first: Ints, count: Ints) -> Floats:
    """The sum of a column over each window, each added up by itself; the column has a row behind the last window."""
    if not len(first):
        return np.zeros(0)
    # From each first to behind its last, and from there to the next first, which nobody asks for.
    return np.add.reduceat(column, np.column_stack((first, first + count)).ravel())[::2]


def theil_sen(days: Floats, value: Floats, first: Ints, count: Ints) -> Slopes:
    """The median slope of each window (rows `first` to `first + count`), and its interval.

    Costs a sort of count²/2 pairs for each window: ask only for windows that matter. Windows of equal size are worked on
    together.
    """
    found = Slopes(*(np.full(len(first), np.nan) for _ in range(3)))
    for size in np.unique(count):
        if size < 3:
            continue
        here = np.flatnonzero(count == size)
        one, other = np.triu_indices(int(size), k=1)
        for start in range(0, len(here), max(1, PAIRS_BLOCK // len(one))):
            some = here[start : start + max(1, PAIRS_BLOCK // len(one))]
            rows: Ints = first[some, None] + np.arange(int(size))
            _pairs(days[rows], value[rows], one, other, some, found)
    return found


def _pairs(days: Floats, value: Floats, one: Ints, other: Ints, at: Ints, found: Slopes) -> None:
    """Fill `found` at `at` from windows of one size: matrices of a window per line."""
    size = days.shape[1]
    apart = days[:, other] - days[:, one]
    with np.errstate(divide="ignore", invalid="ignore"):
        slopes = (value[:, other] - value[:, one]) / apart
    # Two readings at one time have no slope between them: they count for nothing, so the pairs left are fewer.
    slopes[apart <= 0] = np.inf
    pairs = (apart > 0).sum(axis=1).astype(np.float64)
    slopes.sort(axis=1)
    half = _Z95 * np.sqrt(size * (size - 1) * (2 * size + 5) / 18.0)
    ranks = ((pairs + 1) / 2, (pairs - half) / 2, (pairs + half) / 2 + 1)
    for column, rank in zip((found.per_day, found.low, found.high), ranks, strict=True):
        column[at] = np.round(_at_rank(slopes, rank, pairs), DECIMALS)


def _at_rank(ordered: Floats, rank: Floats, last: Floats) -> Floats:
    """The value of each line at a rank (from 1), between two ranks in proportion; NaN outside of 1 … `last`."""
    low = np.clip(np.floor(rank), 1, np.maximum(last, 1)).astype(np.int64)
    high = np.minimum(low + 1, np.maximum(last, 1).astype(np.int64))
    line = np.arange(len(ordered))
    below, above = ordered[line, low - 1], ordered[line, high - 1]
    share = np.clip(rank - low, 0.0, 1.0)
    with np.errstate(invalid="ignore"):
        mixed = below + np.where(share > 0, share * (above - below), 0.0)
    return np.where((rank >= 1) & (rank <= last), mixed, np.nan)
