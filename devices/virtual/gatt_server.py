"""Small things every virtual device's GATT server is made of."""

from decimal import Decimal
from typing import Final

from bumble.core import UUID
from bumble.gatt import Characteristic, Service

from devices import gatt
from devices.date_time import DateTime

Properties = Characteristic.Properties

#: Day of week 0 "not known", no fractions of a second, no adjust reason (Current Time Service 1.1.0).
_CURRENT_TIME_TAIL: Final = b"\x00\x00\x00"


def time_value(uuid: str, shown: DateTime | None) -> bytes:
    """The value of Date Time or Current Time where the clock shows this."""
    return bytes(shown or DateTime(0, 0, 0)) + (_CURRENT_TIME_TAIL if uuid == gatt.CURRENT_TIME else b"")


def service(uuid: str, characteristics: "list[Characteristic[bytes]]") -> Service:
    """A primary service by its UUID in hex."""
    return Service(uuid_of(uuid), characteristics)


def decimal_of(number: float) -> Decimal:
    """The decimal a display shows for this number: 192 for 192.0, as devices send it."""
    return Decimal(int(number)) if number == int(number) else Decimal(str(number))


def uuid_of(text: str) -> UUID:
    """A UUID in hex, of 16 or 128 bits."""
    return UUID(text)
