"""GATT as this package needs it: the names of characteristics, and a connected peripheral.

`Link` is implemented by the gateway's radio over bleak and by the tests in memory; the procedures know nothing else of
Bluetooth.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Final, Literal, Protocol

BLOOD_PRESSURE_SERVICE: Final = "1810"
WEIGHT_SCALE_SERVICE: Final = "181D"
GLUCOSE_SERVICE: Final = "1808"
OXIMETER_SERVICE: Final = "1822"
THERMOMETER_SERVICE: Final = "1809"
HEART_RATE_SERVICE: Final = "180D"
BATTERY_SERVICE: Final = "180F"
BODY_COMPOSITION_SERVICE: Final = "181B"
USER_DATA_SERVICE: Final = "181C"
DEVICE_INFORMATION_SERVICE: Final = "180A"
CURRENT_TIME_SERVICE: Final = "1805"

BLOOD_PRESSURE_MEASUREMENT: Final = "2A35"
BLOOD_PRESSURE_FEATURE: Final = "2A49"
WEIGHT_MEASUREMENT: Final = "2A9D"
WEIGHT_SCALE_FEATURE: Final = "2A9E"
GLUCOSE_MEASUREMENT: Final = "2A18"
GLUCOSE_CONTEXT: Final = "2A34"
GLUCOSE_FEATURE: Final = "2A51"
RECORD_ACCESS_CONTROL_POINT: Final = "2A52"
OXIMETER_SPOT: Final = "2A5E"
OXIMETER_CONTINUOUS: Final = "2A5F"
OXIMETER_FEATURE: Final = "2A60"
TEMPERATURE_MEASUREMENT: Final = "2A1C"
TEMPERATURE_TYPE: Final = "2A1D"
BODY_COMPOSITION: Final = "2A9C"
BODY_COMPOSITION_FEATURE: Final = "2A9B"
HEART_RATE: Final = "2A37"
CUFF_PRESSURE: Final = "2A36"
ENHANCED_BLOOD_PRESSURE: Final = "2B34"
ENHANCED_CUFF_PRESSURE: Final = "2B35"
BLOOD_PRESSURE_RECORD: Final = "2B36"
BATTERY_LEVEL: Final = "2A19"
USER_CONTROL_POINT: Final = "2A9F"

DATE_TIME: Final = "2A08"
CURRENT_TIME: Final = "2A2B"

SYSTEM_ID: Final = "2A23"
MODEL_NUMBER: Final = "2A24"
SERIAL_NUMBER: Final = "2A25"
FIRMWARE_REVISION: Final = "2A26"
MANUFACTURER_NAME: Final = "2A29"

#: ATT error codes a procedure answers to (Core Specification, common profile and service error codes).
CCCD_IMPROPERLY_CONFIGURED: Final = 0xFD
PROCEDURE_ALREADY_IN_PROGRESS: Final = 0xFE

#: What a procedure does with a characteristic.
Property = Literal["read", "write", "notify", "indicate"]

_BASE_TAIL: Final = "-0000-1000-8000-00805F9B34FB"
_SHORT: Final = re.compile(r"(?:0X)?([0-9A-F]{4})")
_LONG: Final = re.compile(r"[0-9A-F]{8}(?:-[0-9A-F]{4}){3}-[0-9A-F]{12}")


class LinkLost(ConnectionError):
    """The peripheral hung up, or went out of range, while it was being spoken to."""


class AttError(Exception):
    """The peripheral answered a request with an ATT error `code`; the link is still up."""

    def __init__(self, characteristic: str, code: int) -> None:
        super().__init__(f"{characteristic}: refused with ATT error 0x{code:02X}")
        self.characteristic = characteristic
        self.code = code


class Link(Protocol):
    """One connected peripheral whose services are discovered. Made and closed by whoever connected.

    `read`, `write` and `subscribe` raise LinkLost where the peripheral is gone and AttError where it refuses. A value
    callback is called once per notification or indication, in order.
    """

    @property
    def characteristics(self) -> frozenset[str]:
        """Every characteristic offered, as `short_uuid` writes it."""
        ...

    @property
    def gone(self) -> asyncio.Event:
        """Set once the peripheral hung up."""
        ...

    async def read(self, uuid: str) -> bytes:
        """The value of a characteristic."""
        ...

    async def write(self, uuid: str, data: bytes) -> None:
        """Write with response."""
        ...

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        """Have values notified or indicated, whichever the characteristic offers."""
        ...


def short_uuid(text: str) -> str:
    """`2A35` for `2a35`, `0x2A35` or the full base form; upper case in full for any other; ValueError for no UUID."""
    upper = text.strip().upper()
    short = _SHORT.fullmatch(upper)
    if short:
        return short[1]
    if not _LONG.fullmatch(upper):
        raise ValueError(f"not a UUID: {text!r} (want 2A35, 0x2A35 or 00002a35{_BASE_TAIL.lower()})")
    return upper[4:8] if upper.startswith("0000") and upper.endswith(_BASE_TAIL) else upper


def long_uuid(uuid: str) -> str:
    """The 128-bit form, lower case, that radio libraries want."""
    short = short_uuid(uuid)
    return f"0000{short}{_BASE_TAIL}".lower() if _SHORT.fullmatch(short) else short.lower()
