"""The clock of a device: seven bytes that know no zone, and may not know the year.

Date Time (0x2A08, and a field of most measurements): year u16, month, day, hour, minute, second, little-endian. Year,
month or day 0 means "not known"; years 1582-9999 are valid (GATT Specification Supplement, `date_time`). Devices in the
field send worse (a month 13 stands for a control solution on some meters), and a pressure of 192 is not dropped because
its month is odd: such a part is kept as sent, and counts as unknown wherever a time is needed.
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

DATE_TIME_BYTES: Final = 7
_TEXT_YEAR_MAX: Final = 9999
_TEXT_PART_MAX: Final = 99

#: What each part may be, first to last; 0 of the first three means "not known".
_RANGES: Final = {
    "year": (1582, 9999),
    "month": (1, 12),
    "day": (1, 31),
    "hour": (0, 23),
    "minute": (0, 59),
    "second": (0, 59),
}


@dataclass(frozen=True, slots=True)
class DateTime:
    """The parts as sent, whatever they are."""

    year: int
    month: int
    day: int
    hour: int = 0
    minute: int = 0
    second: int = 0

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """ValueError where there are not exactly seven bytes."""
        if len(data) != DATE_TIME_BYTES:
            raise ValueError(f"a Date Time has {DATE_TIME_BYTES} bytes, not {len(data)}")
        return cls(int.from_bytes(data[:2], "little"), *data[2:])

    def __bytes__(self) -> bytes:
        parts = (self.month, self.day, self.hour, self.minute, self.second)
        return self.year.to_bytes(2, "little") + bytes(parts)

    @classmethod
    def of(cls, wall: datetime) -> Self:
        """What a clock showing this wall time says; the zone and the fraction of a second are lost, as on a device."""
        return cls(wall.year, wall.month, wall.day, wall.hour, wall.minute, wall.second)

    def parts(self) -> dict[str, int | None]:
        """Each part by name, None where it is unknown or cannot be (the 30th of February has no day)."""
        sent: dict[str, int] = {name: getattr(self, name) for name in _RANGES}
        parts = {name: sent[name] if low <= sent[name] <= high else None for name, (low, high) in _RANGES.items()}
        year, month, day = parts["year"], parts["month"], parts["day"]
        if year is not None and month is not None and day is not None and day > monthrange(year, month)[1]:
            parts["day"] = None
        return parts

    def wall(self) -> datetime | None:
        """The wall time (naive), or None where a part is unknown or there is no such day."""
        if None in self.parts().values():
            return None
        return datetime(self.year, self.month, self.day, self.hour, self.minute, self.second)  # noqa: DTZ001 - a device knows no zone

    def text(self) -> str | None:
        """`YYYY-MM-DDThh:mm:ss` as sent, None where all seven bytes are 0 (the clock was never set).

        Unknown parts are 0. A part that does not fit its digits is written so that no reader takes it for a time: the
        year 0000, another part 99.
        """
        if not any(bytes(self)):
            return None
        year = self.year if self.year <= _TEXT_YEAR_MAX else 0
        month, day, hour, minute, second = (min(part, _TEXT_PART_MAX) for part in bytes(self)[2:])
        return f"{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"

    def plus(self, minutes: int) -> "DateTime":
        """The time moved by an offset; unchanged where it is no full time, or would leave the calendar."""
        wall = self.wall()
        if wall is None:
            return self
        try:
            return DateTime.of(wall + timedelta(minutes=minutes))
        except OverflowError:
            return self


def wall_time(device_time: str | None) -> datetime | None:
    """The wall time (naive) a measurement's `device_time` text names, None where it names none."""
    if device_time is None:
        return None
    try:
        return datetime.fromisoformat(device_time)
    except ValueError:
        return None
