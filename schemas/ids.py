"""Names of things that travel: gateways, devices, readings.

A reading's name is *derived*, never drawn: the same squeeze of the same cuff has the same name however often the
device repeats it, through whichever gateway, and however its time is corrected later.
"""

import hashlib
import re
import uuid
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

#: Namespace of every reading id. Changing it renames all readings, so it never changes.
READING_NAMESPACE = uuid.UUID("5f0c4c51-6d0d-5f1c-9d7a-0a3c1d2b7e10")
_NAMESPACE_BYTES = READING_NAMESPACE.bytes
#: Where a UUID says its version (5) and variant (RFC 9562, section 5.5).
_VERSION_BITS = 0xF000 << 64 | 0xC000 << 48
_VERSION_5 = 0x5000 << 64 | 0x8000 << 48

#: Same pattern as the certificate's common name (F4): no topic wildcard can hide in a gateway id.
GATEWAY_ID_PATTERN = r"^gw-[0-9a-z-]{4,40}$"

GatewayId = Annotated[str, StringConstraints(pattern=GATEWAY_ID_PATTERN)]

_ADDRESS = re.compile(r"^[0-9A-F]{2}(:[0-9A-F]{2}){5}$")


def normal_address(text: str) -> str:
    """A Bluetooth address as `C0:00:00:00:10:01`; ValueError where it is not one."""
    address = text.strip().upper().replace("-", ":")
    if not _ADDRESS.match(address):
        raise ValueError(f"not a Bluetooth address: {text!r} (want six hex pairs such as C0:00:00:00:10:01)")
    return address


Address = Annotated[str, AfterValidator(normal_address)]


def _is_dated(device_time: str | None) -> bool:
    """Whether a device time (`YYYY-MM-DDThh:mm:ss`) names a day: no part of its date is zero, which says unknown."""
    return (
        device_time is not None and device_time[:4] != "0000" and device_time[5:7] != "00" and device_time[8:10] != "00"
    )


def derived_number(
    *,
    address: str,
    user_slot: int | None,
    characteristic: str,
    device_time: str | None,
    sequence_number: int | None,
    raw: str,
    received_at: datetime,
    receipt_mark: str | None = None,
) -> int:
    """The name of a reading as a number of 128 bits (a UUID of version 5), from facts that can never change afterwards.

    `received_at` takes part only where the device gave neither a time nor a sequence number: two equal weighings are
    then two readings. Where the gateway's clock was wrong at receipt, `received_at` is computed later and may be bettered:
    `receipt_mark`, which cannot, takes its place. A device time with an unknown year, month or day (a clock never set: 0000-00-00) tells no two
    days apart, so it is no time here. `raw` is lower-case hex of every frame that makes the reading up, except the glucose context (it
    may come later, and completes the same reading).
    """
    own_mark = device_time if device_time is not None else ""
    if sequence_number is None and not _is_dated(device_time):
        own_mark = f"received {received_at.timestamp():.6f}" if receipt_mark is None else f"received {receipt_mark}"
    slot = "" if user_slot is None else str(user_slot)
    sequence = "" if sequence_number is None else str(sequence_number)
    facts = f"{address}|{slot}|{characteristic}|{own_mark}|{sequence}|{raw}"
    # uuid.uuid5(READING_NAMESPACE, facts).int, without the object: the cloud compares every reading's name with this one.
    digest = hashlib.sha1(_NAMESPACE_BYTES + facts.encode(), usedforsecurity=False).digest()
    return int.from_bytes(digest[:16]) & ~_VERSION_BITS | _VERSION_5


def derive_reading_id(
    *,
    address: str,
    user_slot: int | None,
    characteristic: str,
    device_time: str | None,
    sequence_number: int | None,
    raw: str,
    received_at: datetime,
    receipt_mark: str | None = None,
) -> uuid.UUID:
    """The name of a reading (`derived_number`, as a UUID)."""
    number = derived_number(
        address=address,
        user_slot=user_slot,
        characteristic=characteristic,
        device_time=device_time,
        sequence_number=sequence_number,
        raw=raw,
        received_at=received_at,
        receipt_mark=receipt_mark,
    )
    return uuid.UUID(int=number)
