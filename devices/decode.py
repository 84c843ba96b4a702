"""One frame, described: what `rpm-gateway decode UUID HEX` prints, and what our published vectors expect.

    describe("2A35", "167c0056006100e807060f11111b33000000")
    {"kind": "blood_pressure", "quantities": {"systolic": {"value": 124.0, "unit": "mm[Hg]"}, …},
     "device_time": "2024-06-15T17:17:27", "user_slot": null, "sequence_number": null, "status": [], "context": {}}

README.md documents every key.
"""

import re
from collections.abc import Callable
from typing import Final

from devices import features, gatt, not_decoded
from devices.battery import BatteryLevel
from devices.blood_pressure import BloodPressureMeasurement
from devices.blood_pressure_record import BloodPressureRecord
from devices.body_composition import BodyComposition
from devices.cuff_pressure import IntermediateCuffPressure
from devices.current_time import CurrentTime, describe_date_time
from devices.date_time import DateTime
from devices.description import Describable, Json, blank, date_time, measured, named
from devices.encoding import MalformedFrame
from devices.enhanced_blood_pressure import EnhancedBloodPressure, EnhancedCuffPressure
from devices.glucose import GlucoseContext, GlucoseMeasurement
from devices.heart_rate import HeartRate
from devices.oximeter import ContinuousMeasurement, SpotMeasurement
from devices.racp import Filter, Opcode, Operator, RecordAccess, Result
from devices.thermometer import TemperatureMeasurement
from devices.user_control import UserControl
from devices.weight_scale import WeightMeasurement

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
    if describer is None and short in not_decoded.NAMES:
        raise UnknownCharacteristic(
            f"{short}: {not_decoded.NAMES[short]}, which this program knows and does not decode"
        )
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


def _read(frame: type[Describable]) -> Callable[[bytes], Json]:
    return lambda data: frame.from_bytes(data).described()


def _blood_pressure(data: bytes) -> Json:
    frame = BloodPressureMeasurement.from_bytes(data)
    return measured(frame.measurement(), frame.time_stamp)


def _weight(data: bytes) -> Json:
    frame = WeightMeasurement.from_bytes(data)
    return measured(frame.measurement(), frame.time_stamp)


def _glucose(data: bytes) -> Json:
    frame = GlucoseMeasurement.from_bytes(data)
    return measured(frame.measurement(), frame.base_time.plus(frame.time_offset_min or 0))


def _context(data: bytes) -> Json:
    frame = GlucoseContext.from_bytes(data)
    return blank("glucose_context") | {"sequence_number": frame.sequence_number, "context": frame.words()}


def _record_access(data: bytes) -> Json:
    access = RecordAccess.from_bytes(data)
    found = blank("record_access") | named("opcode", Opcode, access.opcode)
    found |= named("operator", Operator, access.operator)
    if access.request_opcode is not None and access.result is not None:
        return found | named("request_opcode", Opcode, access.request_opcode) | named("result", Result, access.result)
    if access.count is not None:
        return found | {"count": access.count}
    if not access.limits:
        return found | {"operands": list(access.operand)}
    by_time = access.filter == Filter.USER_FACING_TIME
    limits = [
        date_time(DateTime.from_bytes(limit)) if by_time else int.from_bytes(limit, "little") for limit in access.limits
    ]
    return found | named("filter", Filter, access.operand[0]) | {"operands": limits}


_DESCRIBERS: Final[dict[str, Callable[[bytes], Json]]] = {
    gatt.BLOOD_PRESSURE_MEASUREMENT: _blood_pressure,
    gatt.WEIGHT_MEASUREMENT: _weight,
    gatt.GLUCOSE_MEASUREMENT: _glucose,
    gatt.GLUCOSE_CONTEXT: _context,
    gatt.RECORD_ACCESS_CONTROL_POINT: _record_access,
    gatt.OXIMETER_SPOT: _read(SpotMeasurement),
    gatt.OXIMETER_CONTINUOUS: _read(ContinuousMeasurement),
    gatt.TEMPERATURE_MEASUREMENT: _read(TemperatureMeasurement),
    gatt.BODY_COMPOSITION: _read(BodyComposition),
    gatt.HEART_RATE: _read(HeartRate),
    gatt.CUFF_PRESSURE: _read(IntermediateCuffPressure),
    gatt.ENHANCED_BLOOD_PRESSURE: _read(EnhancedBloodPressure),
    gatt.ENHANCED_CUFF_PRESSURE: _read(EnhancedCuffPressure),
    gatt.BLOOD_PRESSURE_RECORD: _read(BloodPressureRecord),
    gatt.BATTERY_LEVEL: _read(BatteryLevel),
    gatt.CURRENT_TIME: _read(CurrentTime),
    gatt.DATE_TIME: describe_date_time,
    gatt.USER_CONTROL_POINT: _read(UserControl),
    gatt.BLOOD_PRESSURE_FEATURE: features.blood_pressure_feature,
    gatt.WEIGHT_SCALE_FEATURE: features.weight_scale_feature,
    gatt.BODY_COMPOSITION_FEATURE: features.body_composition_feature,
    gatt.GLUCOSE_FEATURE: features.glucose_feature,
    gatt.OXIMETER_FEATURE: features.oximeter_feature,
}

#: The characteristics that can be described.
CHARACTERISTICS: Final = tuple(_DESCRIBERS)
