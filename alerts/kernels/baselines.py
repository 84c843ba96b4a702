"""A patient's own baseline before each reading: the median of the days before, which one bad reading does not move."""

from typing import Final

import numpy as np

from alerts.series import Floats, Ints

#: Values sorted at once: 8 bytes each, some megabytes.
VALUES_BLOCK: Final = 1 << 20


def medians(value: Floats, first: Ints, count: Ints) -> Floats:
    """The median of each window (rows `first` to `first + count`); NaN of an empty one. Windows of one size go together."""
    found = np.full(len(first), np.nan)
    for size in np.unique(count):
        if size < 1:
            continue
        here = np.flatnonzero(count == size)
        step = max(1, VALUES_BLOCK // int(size))
        for start in range(0, len(here), step):
            some = here[start : start + step]
            rows: Ints = first[some, None] + np.arange(int(size))
            # Whole: numpy sorts short lines by vector instructions, five times faster than it parts them at two places.
            lines = np.sort(value[rows], axis=1)
            found[some] = (lines[:, (int(size) - 1) // 2] + lines[:, int(size) // 2]) / 2
    return found
