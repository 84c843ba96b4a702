"""A message of readings as our gateways write it, in an eighth of the time pydantic takes (5 µs for 40, of 77 in all).

The rules are those of `schemas.messages.ReadingBatch`, and theirs is the last word: what is refused here is read there, and
only there does a reason arise. So this side may be stricter, never milder: whatever it accepts, the models accept with the
same values (tests/unit/ingest/test_quick.py tries to find one that differs). That is why an unknown field is refused, an
address in small letters, a fraction of a second of seven digits: each would need a second look.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Final, Literal
from uuid import UUID

import msgspec
from msgspec import Meta, Struct

from schemas.codes import Kind
from schemas.ids import GATEWAY_ID_PATTERN, derived_number
from schemas.messages import BATCH_ITEMS_MAX
from schemas.quantity import Absent
from schemas.reading import TimeSource

_Text = Annotated[str, Meta(max_length=64)]
_Hex = Annotated[str, Meta(max_length=2048)]
_Instant = Annotated[datetime, Meta(tz=True)]

#: `\Z`, not `$`: that lets a line feed follow. ASCII digits alone: the models' may be of any script.
_ADDRESS: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}\Z")
_CHARACTERISTIC: Final = re.compile(r"[0-9A-F]{4}\Z")
_DEVICE_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\Z")
_GATEWAY_ID: Final = re.compile(GATEWAY_ID_PATTERN.removesuffix("$") + r"\Z")
_EPOCH: Final = re.compile(r"[0-9a-f]{16}\Z")
#: Of a second, in digits nobody counts in: the models cut it off, and the decoder rounds it.
_LONG_FRACTION: Final = re.compile(rb"\.[0-9]{7}")
#: How many addresses are remembered as well formed: a worker's devices, and then some.
_ADDRESSES_MAX: Final = 65_536


class QuickQuantity(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`schemas.quantity.Quantity`."""

    value: float | None
    unit: str
    absent: Absent | None = None

    def __repr__(self) -> str:
        """Values are protected health information: a log line or a traceback shows the unit alone."""
        return f"QuickQuantity(hidden, {self.unit!r})"


class QuickDevice(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`schemas.reading.DeviceIdentity`."""

    address: str
    system_id: _Hex | None = None
    manufacturer: _Text | None = None
    model: _Text | None = None
    serial: _Text | None = None
    firmware: _Text | None = None


class QuickReading(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`schemas.reading.Reading`."""

    reading_id: UUID
    device: QuickDevice
    kind: Kind
    characteristic: str
    quantities: dict[_Text, QuickQuantity]
    measured_at: _Instant
    time_source: TimeSource
    received_at: _Instant
    raw: _Hex
    user_slot: Annotated[int, Meta(ge=0, le=255)] | None = None
    status: tuple[_Text, ...] = ()
    context: dict[_Text, _Text] = {}
    uncertainty_s: Annotated[float, Meta(ge=0)] | None = None
    device_time: str | None = None
    clock_offset_s: float | None = None
    sequence_number: Annotated[int, Meta(ge=0, le=65535)] | None = None
    receipt_mark: _Text | None = None
    backfill: bool = False
    raw_context: _Hex | None = None

    def bears_its_name(self) -> bool:
        """Whether `reading_id` follows from the reading's own facts."""
        return self.reading_id.int == derived_number(
            address=self.device.address,
            user_slot=self.user_slot,
            characteristic=self.characteristic,
            device_time=self.device_time,
            sequence_number=self.sequence_number,
            raw=self.raw,
            received_at=self.received_at,
            receipt_mark=self.receipt_mark,
        )

    def __repr__(self) -> str:
        """No value, no device: a reading in a log line is its name and kind."""
        return f"QuickReading({self.reading_id}, {self.kind})"


class QuickItem(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`schemas.messages.ReadingItem`."""

    seq: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    reading: QuickReading


class QuickBatch(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """`schemas.messages.ReadingBatch` of readings alone: one with an undecoded frame is rare, and the models read it."""

    gateway_id: str
    epoch: str
    items: Annotated[tuple[QuickItem, ...], Meta(min_length=1, max_length=BATCH_ITEMS_MAX)]
    v: Literal[1] = 1
    undecoded: Annotated[tuple[None, ...], Meta(max_length=0)] = ()


_DECODER: Final = msgspec.json.Decoder(QuickBatch)


def quick_batch(payload: bytes) -> QuickBatch | None:
    """The batch, or None where the models have to read it. Never raises."""
    # An escape may stand for anything: for a NUL, which no text of the database holds, or for a digit.
    if b"\\" in payload or _LONG_FRACTION.search(payload):
        return None
    try:
        batch = _DECODER.decode(payload)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    if not _GATEWAY_ID.match(batch.gateway_id) or not _EPOCH.match(batch.epoch):
        return None
    return batch if _are_sound(item.reading for item in batch.items) else None


def _are_sound(readings: Iterable[QuickReading]) -> bool:
    """Whether all forms are kept that a decoder does not know. Cheaper than patterns of its own: most have been seen."""
    for reading in readings:
        device = reading.device
        if not _is_address(device.address) or not _is_characteristic(reading.characteristic):
            return False
        if reading.device_time is not None and _DEVICE_TIME.match(reading.device_time) is None:
            return False
        if not _is_hex(reading.raw):
            return False
        if reading.raw_context is not None and not _is_hex(reading.raw_context):
            return False
        if device.system_id is not None and not _is_hex(device.system_id):
            return False
        for quantity in reading.quantities.values():
            if (quantity.value is None) == (quantity.absent is None):
                return False
    return True


@lru_cache(_ADDRESSES_MAX)
def _is_address(text: str) -> bool:
    return _ADDRESS.match(text) is not None


@lru_cache(256)
def _is_characteristic(text: str) -> bool:
    return _CHARACTERISTIC.match(text) is not None


def _is_hex(text: str) -> bool:
    """Whether it is hex in small letters and nothing else; written back, because `fromhex` takes spaces and capitals."""
    try:
        return bytes.fromhex(text).hex() == text
    except ValueError:
        return False
