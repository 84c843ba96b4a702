"""A value compared with an earlier one: which earlier one, by how much it changed, and which jumps are no change of a body."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from alerts.kernels.windows import Counts, newest_between, oldest_between
from alerts.series import Bools, Floats, Ints
from schemas.codes import UNIT_NUMBER, UNITS
from schemas.quantity import converted

#: The finest step of the devices we hear, as decimals: a change is rounded to it, so that 3.0 lb is never "more than 3 lb" by
#: the noise of binary subtraction. Scales: 0.005 kg and 0.01 lb; the others send one decimal, or two in kPa and mmol/L.
GRID_DECIMALS: Final[Mapping[str, int]] = MappingProxyType(
    dict.fromkeys(UNITS, 1) | {"kg": 3, "[lb_av]": 2, "kPa": 2, "mmol/L": 2, "Cel": 2, "[degF]": 2}
)
#: As means and trends are rounded (alerts/README.md).
MEAN_DECIMALS: Final = 6
_UNIT_PAIRS: Final = (("kg", "[lb_av]"), ("mm[Hg]", "kPa"), ("mg/dL", "mmol/L"), ("Cel", "[degF]"))

Units = NDArray[np.int16]


def earlier_value(at_us: Ints, position: Counts, *, take: str, from_us: int, to_us: int) -> Ints:
    """Per row, the newest or oldest row of the same patient taken `from_us` to `to_us` before it; -1: none.

    Both ends are inclusive; among rows of equal time the last in order is the newest, the first the oldest.
    """
    find = newest_between if take == "newest" else oldest_between
    return find(at_us, position, from_us=from_us, to_us=to_us)


def change(later: Floats, later_unit: Units, earlier: Floats, earlier_unit: Units) -> Floats:
    """Later minus earlier, rounded to the device's finest step, in the later one's unit.

    Two devices with different units: the earlier value is brought to the later one's unit and step first.
    """
    if not len(later):
        return np.zeros(0)
    first = int(later_unit[0])
    if (later_unit == first).all() and (earlier_unit == first).all():
        return np.round(later - earlier, GRID_DECIMALS[UNITS[first - 1]])
    result = np.full(len(later), np.nan)
    base = in_unit(earlier, earlier_unit, later_unit)
    for number in np.unique(later_unit):
        if 0 < number <= len(UNITS):
            here = later_unit == number
            result[here] = np.round(later[here] - base[here], GRID_DECIMALS[UNITS[number - 1]])
    return result


def mean_of(earlier: Floats, earlier_unit: Units, later: Floats, later_unit: Units) -> Floats:
    """The mean of two readings, in the later one's unit; what binary fractions add is rounded away before it is compared."""
    return np.round((in_unit(earlier, earlier_unit, later_unit) + later) / 2, MEAN_DECIMALS)


def in_unit(value: Floats, unit: Units, to: Units) -> Floats:
    """Each value in the unit `to`, on that unit's step where it had to be converted; NaN where it cannot be."""
    result = np.where(unit == to, value, np.nan)
    for pair in _UNIT_PAIRS:
        for one, other in (pair, pair[::-1]):
            here = np.flatnonzero((unit == UNIT_NUMBER[one]) & (to == UNIT_NUMBER[other]))
            if len(here):
                zero = converted(0.0, one, other)
                moved = value[here] * (converted(1.0, one, other) - zero) + zero
                result[here] = np.round(moved, GRID_DECIMALS[other])
    return result


def jumps(value: Floats, at_us: Ints, position: Counts, *, step: Floats, within_us: int) -> tuple[Floats, Bools]:
    """Per row, the jumps of its patient up to it added up, and whether the row stands alone between two opposite jumps.

    A jump is a change of more than `step` (per row, in its unit) between neighbours at most `within_us` apart: another person
    on the scale, or another scale. Two rows between which the sum differs were not measured of one body on one scale. A row
    alone between a jump there and the jump back is one bad reading.
    """
    size = np.zeros(len(value))
    if len(value) > 1:
        moved = value[1:] - value[:-1]
        near = (position[1:] > 0) & (at_us[1:] - at_us[:-1] <= within_us)
        size[1:] = np.where(near & (np.abs(moved) > step[1:] + 1e-9), moved, 0.0)
    alone = np.zeros(len(value), np.bool_)
    alone[:-1] = (size[:-1] != 0) & (size[1:] != 0) & (np.abs(size[:-1] + size[1:]) <= step[:-1]) & (position[1:] > 0)
    # One bad reading is far from its neighbours; it puts nothing between those before it and those after.
    lasting = np.where(alone, 0.0, size)
    lasting[1:][alone[:-1]] = 0.0
    total: Floats = np.cumsum(lasting)
    own: Floats = np.where(alone, size, 0.0)
    offset = np.repeat(total[position == 0], np.diff(np.append(np.flatnonzero(position == 0), len(value))))
    return np.round(total - offset + own, 6), alone
