"""Clinical days: the day and the hour an instant has where the patient lives, through every change of the clocks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts.series import EPOCH, Bools, Ints, instant_of, microseconds

US_PER_DAY: Final = 24 * 3_600_000_000
#: The morning ends at noon.
NOON_US: Final = US_PER_DAY // 2
#: A clock is moved at most once within this span: how closely a year is looked through.
_PROBE: Final = timedelta(days=5)

Day = NDArray[np.int32]


def local_us(at_us: Ints, zone: NDArray[np.int16], zones: Sequence[str]) -> Ints:
    """Microseconds since 1970 by the clock on the wall: `zone` is an index into `zones`, -1 is UTC."""
    if not len(at_us):
        return at_us
    first, last = int(at_us.min()), int(at_us.max())
    used = np.unique(zone)
    if len(used) == 1:
        return at_us if used[0] < 0 else at_us + _offsets(zones[int(used[0])], at_us, first, last)
    local = at_us.copy()
    for index in used:
        if index >= 0:
            here = np.flatnonzero(zone == index)
            local[here] += _offsets(zones[int(index)], at_us[here], first, last)
    return local


def _offsets(name: str, at_us: Ints, first: int, last: int) -> Ints | int:
    """What to add to UTC: one number where the clocks do not change in between."""
    begins, offsets = _changes(name, instant_of(first).year, instant_of(last).year)
    low = int(np.searchsorted(begins, first, side="right")) - 1
    high = int(np.searchsorted(begins, last, side="right")) - 1
    if low == high:
        return int(offsets[low])
    return offsets[np.searchsorted(begins, at_us, side="right") - 1]


@lru_cache(maxsize=1024)
def _changes(name: str, first_year: int, last_year: int) -> tuple[Ints, Ints]:
    """The instants from which an offset holds, and the offsets, from the year before the first to the year after the last."""
    zone = ZoneInfo(name)

    def offset(at: datetime) -> int:
        return (at.astimezone(zone).utcoffset() or timedelta()) // timedelta(microseconds=1)

    at = max(EPOCH, datetime(max(first_year - 1, 1970), 1, 1, tzinfo=UTC))
    end = datetime(last_year + 2, 1, 1, tzinfo=UTC)
    begins, offsets = [int(np.iinfo(np.int64).min)], [offset(at)]
    while at < end:
        following = at + _PROBE
        if offset(following) != offsets[-1]:
            low, high = microseconds(at) // 1_000_000, microseconds(following) // 1_000_000
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(instant_of(middle * 1_000_000)) == offsets[-1] else (low, middle)
            begins.append(high * 1_000_000)
            offsets.append(offset(instant_of(high * 1_000_000)))
        at = following
    return np.array(begins, np.int64), np.array(offsets, np.int64)


def day_of(local: Ints) -> Day:
    """The number of the day, from 1970-01-01."""
    return np.floor_divide(local, US_PER_DAY).astype(np.int32)


def in_morning(local: Ints) -> Bools:
    """Whether it is before noon."""
    return local % US_PER_DAY < NOON_US


def new_days(day: Day, position: NDArray[np.int32]) -> Bools:
    """Where a patient's day begins: the first row of each."""
    new = np.ones(len(day), np.bool_)
    new[1:] = (day[1:] != day[:-1]) | (position[1:] == 0)
    return new
