"""Battery Level, 0x2A19: u8, 0-100 percent; every other number is reserved (GATT Specification Supplement)."""

from dataclasses import dataclass
from typing import Final, Self

from devices import description
from devices.encoding import Cursor
from schemas.quantity import Absent, Quantity

_PERCENT_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class BatteryLevel:
    """How full, as sent."""

    percent: int

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where there is not exactly one byte."""
        cursor = Cursor(data, "battery level")
        level = cls(cursor.uint8("level"))
        cursor.end()
        return level

    def __bytes__(self) -> bytes:
        return bytes([self.percent])

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        level = (
            Quantity(value=float(self.percent), unit="%")
            if self.percent <= _PERCENT_MAX
            else Quantity(value=None, unit="%", absent=Absent.RESERVED)
        )
        return description.blank("battery_level") | {"quantities": description.quantities({"battery_level": level})}
