"""The clock inside a device: right, wrong, or not there."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from devices.date_time import DateTime

#: How far off a clock is that nobody ever set right, unless the scenario says otherwise.
WRONG_BY_S: Final = -2_220.0

UtcNow = Callable[[], datetime]


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class ClockMode(StrEnum):
    """What a device knows of time."""

    NONE = "none"
    RIGHT = "right"
    WRONG = "wrong"


class DeviceClock:
    """Shows wall time of the home's zone, plus its error. It has no zone of its own, and no summer time."""

    def __init__(
        self, mode: ClockMode, zone: ZoneInfo, *, now: UtcNow = utc_now, wrong_by_s: float = WRONG_BY_S
    ) -> None:
        self.mode = mode
        self._zone = zone
        self._now = now
        self.error_s = wrong_by_s if mode is ClockMode.WRONG else 0.0

    def now(self) -> datetime:
        """The true instant, UTC."""
        return self._now()

    def shows(self) -> DateTime | None:
        """What the device's display says; None where it has no clock."""
        if self.mode is ClockMode.NONE:
            return None
        return DateTime.of(self._wall() + timedelta(seconds=self.error_s))

    def set(self, shown: DateTime) -> None:
        """Somebody set the clock: the error is what is left. ValueError where that is no time."""
        wall = shown.wall()
        if wall is None:
            raise ValueError("not a full date and time")
        self.error_s = (wall - self._wall()).total_seconds()

    def _wall(self) -> datetime:
        return self._now().astimezone(self._zone).replace(tzinfo=None)
