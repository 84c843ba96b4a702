"""One frame, described: what `rpm-gateway decode UUID HEX` prints, and what our published vectors expect.

    describe("2A35", "167c0056006100e807060f11111b33000000")
    {"kind": "blood_pressure", "quantities": {"systolic": {"value": 124.0, "unit": "mm[Hg]"}, …},
     "device_time": "2024-06-15T17:17:27", "user_slot": null, "sequence_number": null, "status": [], "context": {}}

README.md documents every key.
"""

import re
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

from devices import gatt
from devices.blood_pressure import BloodPressureMeasurement
from devices.date_time import DateTime
from devices.encoding import MalformedFrame
from devices.glucose import GlucoseContext, GlucoseMeasurement
from devices.measurement import Measurement
from devices.racp import Filter, Opcode, Operator, RecordAccess, Result
from devices.weight_scale import WeightMeasurement
from schemas.quantity import Quantity

#: An object as `json` writes it.
Json = dict[str, Any]

_SEPARATORS: Final = re.compile(r"[\s:-]")
_PAIR: Final = re.compile(r"[0-9A-Fa-f]{2}")


class UnknownCharacteristic(ValueError):
    """No frame of this characteristic can be described."""


def describe(uuid: str, data: bytes | str) -> Json:
    """What a frame says, as a JSON object. `data` is the frame, or its hex digits.

    ValueError whose message is one line: UnknownCharacteristic or a text that is no UUID, MalformedFrame (with the
    byte) for a frame or hex digits that are not what they should be.
    """
    short = gatt.short_uuid(uuid)
    describer = _DESCRIBERS.get(short)
    if describer is None:
        raise UnknownCharacteristic(
            f"{short}: not a characteristic this program decodes ({', '.join(CHARACTERISTICS)})"
        )
    return describer(from_hex(data) if isinstance(data, str) else data)


def from_hex(text: str) -> bytes:
    """The bytes of hex digits, with or without `0x`, spaces, colons or hyphens; MalformedFrame where a pair is none."""
    digits = _SEPARATORS.sub("", text).removeprefix("0x").removeprefix("0X")
    pairs = [digits[start : start + 2] for start in range(0, len(digits), 2)]
    for offset, pair in enumerate(pairs):
        if not _PAIR.fullmatch(pair):
            raise MalformedFrame(f"hex: at byte {offset}, {pair!r} is not two hex digits", offset=offset)
    return bytes.fromhex(digits)


def _blood_pressure(data: bytes) -> Json:
    frame = BloodPressureMeasurement.from_bytes(data)
    return _measured(frame.measurement(), frame.time_stamp)


def _weight(data: bytes) -> Json:
    frame = WeightMeasurement.from_bytes(data)
    return _measured(frame.measurement(), frame.time_stamp)


def _glucose(data: bytes) -> Json:
    frame = GlucoseMeasurement.from_bytes(data)
    return _measured(frame.measurement(), frame.base_time.plus(frame.time_offset_min or 0))


def _context(data: bytes) -> Json:
    frame = GlucoseContext.from_bytes(data)
    return _object("glucose_context") | {"sequence_number": frame.sequence_number, "context": frame.words()}


def _record_access(data: bytes) -> Json:
    access = RecordAccess.from_bytes(data)
    found = _object("record_access") | _named("opcode", Opcode, access.opcode)
    found |= _named("operator", Operator, access.operator)
    if access.request_opcode is not None and access.result is not None:
        return found | _named("request_opcode", Opcode, access.request_opcode) | _named("result", Result, access.result)
    if access.count is not None:
        return found | {"count": access.count}
    if not access.limits:
        return found | {"operands": list(access.operand)}
    by_time = access.filter == Filter.USER_FACING_TIME
    limits = [
        _date_time(DateTime.from_bytes(limit)) if by_time else int.from_bytes(limit, "little")
        for limit in access.limits
    ]
    return found | _named("filter", Filter, access.operand[0]) | {"operands": limits}


_DESCRIBERS: Final[dict[str, Callable[[bytes], Json]]] = {
    gatt.BLOOD_PRESSURE_MEASUREMENT: _blood_pressure,
    gatt.WEIGHT_MEASUREMENT: _weight,
    gatt.GLUCOSE_MEASUREMENT: _glucose,
    gatt.GLUCOSE_CONTEXT: _context,
    gatt.RECORD_ACCESS_CONTROL_POINT: _record_access,
}

#: The characteristics that can be described.
CHARACTERISTICS: Final = tuple(_DESCRIBERS)


def _object(kind: str) -> Json:
    """Every key, so that a reader of one kind reads all."""
    return {
        "kind": kind,
        "quantities": {},
        "device_time": None,
        "user_slot": None,
        "sequence_number": None,
        "status": [],
        "context": {},
    }


def _measured(measurement: Measurement, clock: DateTime | None) -> Json:
    return _object(measurement.kind.value) | {
        "quantities": {name: _quantity(quantity) for name, quantity in measurement.quantities.items()},
        "device_time": None if clock is None else _date_time(clock),
        "user_slot": measurement.user_slot,
        "sequence_number": measurement.sequence_number,
        "status": list(measurement.status),
        "context": measurement.context,
    }


def _quantity(quantity: Quantity) -> Json:
    if quantity.absent is not None:
        return {"value": None, "unit": quantity.unit, "absent": quantity.absent.value}
    return {"value": quantity.value, "unit": quantity.unit}


def _date_time(clock: DateTime) -> str | dict[str, int | None] | None:
    """ISO text; the parts by name where one is unknown, that one null; null where the clock was never set."""
    parts = clock.parts()
    if clock.text() is None:
        return None
    return parts if None in parts.values() else clock.text()


def _named(key: str, names: type[IntEnum], number: int) -> Json:
    """A number beside its word, so that neither a program nor a person needs the standard's tables."""
    known = number in {entry.value for entry in names}
    return {key: number, f"{key}_name": names(number).name.lower() if known else f"reserved_{number}"}
