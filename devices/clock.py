"""A peripheral's clock: how far off it is, and the bytes that set it (Date Time 0x2A08, Current Time 0x2A2B)."""

from datetime import datetime
from typing import Final

from devices import gatt
from devices.date_time import DATE_TIME_BYTES, DateTime

#: A right clock is left alone: writing it gains nothing, and the offset corrects the rest.
CLOCK_OFFSET_S_MAX: Final = 600.0

_CURRENT_TIME_FRACTION: Final = 8
#: Current Time, adjust reason bit 1: "external reference time update".
_EXTERNAL_REFERENCE: Final = 0x02


def offset_s(shown: bytes, *, local: datetime) -> float | None:
    """How far a clock that showed these bytes is behind `local`, wall time; None where it shows no time."""
    if len(shown) < DATE_TIME_BYTES:
        return None
    wall = DateTime.from_bytes(shown[:DATE_TIME_BYTES]).wall()
    if wall is None:
        return None
    fraction = shown[_CURRENT_TIME_FRACTION] / 256 if len(shown) > _CURRENT_TIME_FRACTION else 0.0
    return (local.replace(tzinfo=None) - wall).total_seconds() - fraction


def is_wrong(offset: float | None) -> bool:
    """Whether a clock is worth setting: it was never set, or is off by more than ten minutes."""
    return offset is None or abs(offset) > CLOCK_OFFSET_S_MAX


def to_write(uuid: str, *, local: datetime) -> bytes:
    """What sets the clock behind this characteristic to `local`."""
    data = bytes(DateTime.of(local))
    if uuid == gatt.CURRENT_TIME:
        data += bytes([local.isoweekday(), local.microsecond * 256 // 1_000_000, _EXTERNAL_REFERENCE])
    return data
