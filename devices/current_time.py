"""Current Time, 0x2A2B, and Date Time, 0x2A08, as a device's own clock shows them (Current Time Service 1.1).

Current Time: Date Time, day of week u8 (1 Monday to 7 Sunday, 0 unknown), fractions of a second u8 × 1/256, adjust reason u8.
"""

from dataclasses import dataclass
from typing import Final, Self

from devices import description
from devices.date_time import DATE_TIME_BYTES, DateTime
from devices.encoding import Cursor
from devices.measurement import bit_words

_DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_REASONS: Final = dict(enumerate(("manual", "external_reference", "time_zone", "daylight_saving")))
_FRACTIONS_PER_S: Final = 256


@dataclass(frozen=True, slots=True)
class CurrentTime:
    """One look at a clock, as sent."""

    shown: DateTime
    day_of_week: int = 0
    fraction: int = 0
    adjust_reason: int = 0

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where there are not exactly ten bytes."""
        cursor = Cursor(data, "current time")
        found = cls(
            shown=cursor.date_time("date and time"),
            day_of_week=cursor.uint8("day of week"),
            fraction=cursor.uint8("fractions of a second"),
            adjust_reason=cursor.uint8("adjust reason"),
        )
        cursor.end()
        return found

    def __bytes__(self) -> bytes:
        return bytes(self.shown) + bytes([self.day_of_week, self.fraction, self.adjust_reason])

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        day = None
        if self.day_of_week:
            known = self.day_of_week <= len(_DAYS)
            day = _DAYS[self.day_of_week - 1] if known else f"reserved_{self.day_of_week}"
        return description.blank("current_time") | {
            "device_time": description.date_time(self.shown),
            "day_of_week": day,
            "fraction_s": self.fraction / _FRACTIONS_PER_S,
            "adjusted": list(bit_words(self.adjust_reason, _REASONS, width=8)),
        }


def describe_date_time(data: bytes) -> description.Json:
    """Date Time alone; MalformedFrame where there are not exactly seven bytes."""
    cursor = Cursor(data, "date time")
    shown = DateTime.from_bytes(cursor.take(DATE_TIME_BYTES, "date and time"))
    cursor.end()
    return description.blank("date_time") | {"device_time": description.date_time(shown)}
