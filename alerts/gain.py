"""A weight compared with an earlier one: which earlier one, and by how much it grew."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.series import Floats, Ints, run_starts
from schemas.codes import UNIT_NUMBER
from schemas.quantity import converted

#: The resolution of the scales we hear (0.005 kg, 0.01 lb), as decimals: a gain is rounded to it, so that 3.0 lb is
#: never "more than 3 lb" by the noise of binary subtraction.
GAIN_DECIMALS: Final[Mapping[str, int]] = MappingProxyType({"kg": 3, "[lb_av]": 2})


def earlier_value(patient: Ints, at_us: Ints, *, take: str, from_us: int, to_us: int) -> Ints:
    """Per row, the index of the newest or oldest row of the same patient taken `from_us` to `to_us` before it; -1: none.

    Both ends are inclusive; among rows of equal time the last in order is the newest, the first the oldest. The columns
    are sorted by (patient, at_us). ValueError where patients times time span would overflow 63 bits (never within the
    loaded weeks: five million patients over three weeks fit).
    """
    count = len(patient)
    if not count:
        return np.zeros(0, np.int64)
    starts = run_starts(patient)
    rank = np.zeros(count, np.int64)
    rank[starts] = 1
    rank = np.cumsum(rank) - 1
    first = int(at_us.min())
    stride = int(at_us.max()) - first + to_us + 1
    if stride * len(starts) >= 2**63:
        raise ValueError("the series spans too long a time for so many patients")
    # One key for both columns. A patient's keys begin to_us above the last key of the patient before, so that no look
    # back reaches a neighbour.
    key = rank * stride + (at_us - first + to_us)
    if take == "newest":
        found = np.searchsorted(key, key - from_us, side="right") - 1
        missing = (found < 0) | (key[found] < key - to_us)
    else:
        found = np.searchsorted(key, key - to_us, side="left")
        missing = key[np.minimum(found, count - 1)] > key - from_us
    return np.where(missing, -1, found)


def gain(later: Floats, later_unit: NDArray[np.int16], earlier: Floats, earlier_unit: NDArray[np.int16]) -> Floats:
    """Later minus earlier weight, rounded to the scale's resolution, in the later one's unit.

    Two scales with different units: the earlier weight is brought to the later one's unit and grid first.
    """
    result = np.full(len(later), np.nan)
    for unit, decimals in GAIN_DECIMALS.items():
        here = later_unit == UNIT_NUMBER[unit]
        base = np.where(earlier_unit == UNIT_NUMBER[unit], earlier, np.nan)
        for other in GAIN_DECIMALS:
            if other != unit:
                moved = np.round(earlier * converted(1.0, other, unit), decimals)
                base = np.where(earlier_unit == UNIT_NUMBER[other], moved, base)
        result = np.where(here, np.round(later - base, decimals), result)
    return result
