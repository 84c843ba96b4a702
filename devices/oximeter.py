"""PLX Spot-check Measurement, 0x2A5E, and PLX Continuous Measurement, 0x2A5F (Pulse Oximeter Service 1.0.1, section 3).

Spot: flags u8: 0 time stamp, 1 measurement status, 2 device and sensor status, 3 pulse amplitude index, 4 the device's
clock is not set; then saturation and pulse rate (SFLOAT each), then what bits 0-3 announce, in their order: Date Time,
u16, 24 bits, SFLOAT in percent.
Continuous: flags u8: 0 fast pair, 1 slow pair, 2 measurement status, 3 device and sensor status, 4 pulse amplitude index;
then the normal pair of saturation and pulse rate, then the same fields in flag order. Reserved flag bits are ignored.

Only a spot check is a reading of a patient; continuous values are for a display at the bedside.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Self

from devices import description
from devices.date_time import DateTime
from devices.encoding import Cursor, MedicalFloat, sfloat_to_bytes
from devices.measurement import Measurement, bit_words, quantity
from schemas.codes import Kind
from schemas.quantity import Absent, Quantity

_TIME, _STATUS, _SENSOR, _AMPLITUDE, _CLOCK_NOT_SET = (1 << bit for bit in range(5))
_FAST, _SLOW, _CONTINUOUS_STATUS, _CONTINUOUS_SENSOR, _CONTINUOUS_AMPLITUDE = (1 << bit for bit in range(5))
_SENSOR_BYTES: Final = 3

#: A word of `Measurement.status` beside those of the two status fields.
CLOCK_NOT_SET: Final = "clock_not_set"


class OximeterStatus(IntFlag):
    """Measurement Status. Bits 0-4 are reserved."""

    MEASUREMENT_ONGOING = 1 << 5
    EARLY_ESTIMATED_DATA = 1 << 6
    VALIDATED_DATA = 1 << 7
    FULLY_QUALIFIED_DATA = 1 << 8
    DATA_FROM_MEASUREMENT_STORAGE = 1 << 9
    DATA_FOR_DEMONSTRATION = 1 << 10
    DATA_FOR_TESTING = 1 << 11
    CALIBRATION_ONGOING = 1 << 12
    MEASUREMENT_UNAVAILABLE = 1 << 13
    QUESTIONABLE_MEASUREMENT_DETECTED = 1 << 14
    INVALID_MEASUREMENT_DETECTED = 1 << 15


class SensorStatus(IntFlag):
    """Device and Sensor Status, 24 bits of which 16 have a meaning."""

    EXTENDED_DISPLAY_UPDATE_ONGOING = 1 << 0
    EQUIPMENT_MALFUNCTION_DETECTED = 1 << 1
    SIGNAL_PROCESSING_IRREGULARITY_DETECTED = 1 << 2
    INADEQUATE_SIGNAL_DETECTED = 1 << 3
    POOR_SIGNAL_DETECTED = 1 << 4
    LOW_PERFUSION_DETECTED = 1 << 5
    ERRATIC_SIGNAL_DETECTED = 1 << 6
    NONPULSATILE_SIGNAL_DETECTED = 1 << 7
    QUESTIONABLE_PULSE_DETECTED = 1 << 8
    SIGNAL_ANALYSIS_ONGOING = 1 << 9
    SENSOR_INTERFERENCE_DETECTED = 1 << 10
    SENSOR_UNCONNECTED_TO_USER = 1 << 11
    UNKNOWN_SENSOR_CONNECTED = 1 << 12
    SENSOR_DISPLACED = 1 << 13
    SENSOR_MALFUNCTIONING = 1 << 14
    SENSOR_DISCONNECTED = 1 << 15


STATUS_WORDS: Final = {flag.value.bit_length() - 1: str(flag.name).lower() for flag in OximeterStatus}
#: Reserved bits of the second field have names of their own: both fields are told in one list.
SENSOR_WORDS: Final = {bit: f"sensor_reserved_bit_{bit}" for bit in range(8 * _SENSOR_BYTES)} | {
    flag.value.bit_length() - 1: str(flag.name).lower() for flag in SensorStatus
}

#: Saturation in percent, and pulse rate in beats a minute.
Pair = tuple[MedicalFloat, MedicalFloat]


@dataclass(frozen=True, slots=True)
class SpotMeasurement:
    """One spot check: `oxygen_saturation` in percent. Status words are raw."""

    oxygen_saturation: MedicalFloat
    pulse_rate: MedicalFloat
    time_stamp: DateTime | None = None
    status: int | None = None
    sensor_status: int | None = None
    amplitude_index_percent: MedicalFloat | None = None
    clock_not_set: bool = False

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "oximeter spot measurement")
        flags = cursor.uint8("flags")
        found = cls(
            oxygen_saturation=cursor.sfloat("oxygen saturation"),
            pulse_rate=cursor.sfloat("pulse rate"),
            time_stamp=cursor.date_time("time stamp") if flags & _TIME else None,
            status=cursor.uint16("measurement status") if flags & _STATUS else None,
            sensor_status=_sensor_status(cursor) if flags & _SENSOR else None,
            amplitude_index_percent=cursor.sfloat("pulse amplitude index") if flags & _AMPLITUDE else None,
            clock_not_set=bool(flags & _CLOCK_NOT_SET),
        )
        cursor.end()
        return found

    def __bytes__(self) -> bytes:
        flags, optional = _CLOCK_NOT_SET if self.clock_not_set else 0, b""
        if self.time_stamp is not None:
            flags, optional = flags | _TIME, optional + bytes(self.time_stamp)
        if self.status is not None:
            flags, optional = flags | _STATUS, optional + self.status.to_bytes(2, "little")
        if self.sensor_status is not None:
            flags, optional = flags | _SENSOR, optional + self.sensor_status.to_bytes(_SENSOR_BYTES, "little")
        if self.amplitude_index_percent is not None:
            flags, optional = flags | _AMPLITUDE, optional + sfloat_to_bytes(self.amplitude_index_percent)
        return bytes([flags]) + _pair_bytes((self.oxygen_saturation, self.pulse_rate)) + optional

    def measurement(self) -> Measurement:
        """In the words of the product. A clock that is not set, as the device itself says, tells no time."""
        stamp = None if self.clock_not_set else self.time_stamp
        words = _status_words(self.status, self.sensor_status)
        return Measurement(
            kind=Kind.OXYGEN_SATURATION,
            quantities=_pair_quantities((self.oxygen_saturation, self.pulse_rate)),
            device_time=None if stamp is None else stamp.text(),
            status=(*words, CLOCK_NOT_SET) if self.clock_not_set else words,
            context=_amplitude(self.amplitude_index_percent),
        )

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        return description.measured(self.measurement(), None if self.clock_not_set else self.time_stamp)


@dataclass(frozen=True, slots=True)
class ContinuousMeasurement:
    """One of a stream of values: the normal pair, and the fast and slow ones where the oximeter averages so too."""

    normal: Pair
    fast: Pair | None = None
    slow: Pair | None = None
    status: int | None = None
    sensor_status: int | None = None
    amplitude_index_percent: MedicalFloat | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "oximeter continuous measurement")
        flags = cursor.uint8("flags")
        found = cls(
            normal=_pair(cursor, "normal"),
            fast=_pair(cursor, "fast") if flags & _FAST else None,
            slow=_pair(cursor, "slow") if flags & _SLOW else None,
            status=cursor.uint16("measurement status") if flags & _CONTINUOUS_STATUS else None,
            sensor_status=_sensor_status(cursor) if flags & _CONTINUOUS_SENSOR else None,
            amplitude_index_percent=cursor.sfloat("pulse amplitude index") if flags & _CONTINUOUS_AMPLITUDE else None,
        )
        cursor.end()
        return found

    def __bytes__(self) -> bytes:
        flags, optional = 0, b""
        if self.fast is not None:
            flags, optional = flags | _FAST, optional + _pair_bytes(self.fast)
        if self.slow is not None:
            flags, optional = flags | _SLOW, optional + _pair_bytes(self.slow)
        if self.status is not None:
            flags, optional = flags | _CONTINUOUS_STATUS, optional + self.status.to_bytes(2, "little")
        if self.sensor_status is not None:
            flags |= _CONTINUOUS_SENSOR
            optional += self.sensor_status.to_bytes(_SENSOR_BYTES, "little")
        if self.amplitude_index_percent is not None:
            flags, optional = flags | _CONTINUOUS_AMPLITUDE, optional + sfloat_to_bytes(self.amplitude_index_percent)
        return bytes([flags]) + _pair_bytes(self.normal) + optional

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        quantities = _pair_quantities(self.normal)
        for speed, pair in (("fast", self.fast), ("slow", self.slow)):
            if pair is not None:
                quantities |= {f"{name}_{speed}": found for name, found in _pair_quantities(pair).items()}
        return description.blank("oxygen_saturation_continuous") | {
            "quantities": description.quantities(quantities),
            "status": list(_status_words(self.status, self.sensor_status)),
            "context": _amplitude(self.amplitude_index_percent),
        }


def _pair(cursor: Cursor, speed: str) -> Pair:
    return cursor.sfloat(f"{speed} oxygen saturation"), cursor.sfloat(f"{speed} pulse rate")


def _pair_bytes(pair: Pair) -> bytes:
    return b"".join(map(sfloat_to_bytes, pair))


def _pair_quantities(pair: Pair) -> dict[str, Quantity]:
    return {"oxygen_saturation": quantity(pair[0], "%"), "pulse_rate": quantity(pair[1], "/min")}


def _sensor_status(cursor: Cursor) -> int:
    return int.from_bytes(cursor.take(_SENSOR_BYTES, "device and sensor status"), "little")


def _status_words(status: int | None, sensor_status: int | None) -> tuple[str, ...]:
    return bit_words(status or 0, STATUS_WORDS) + bit_words(sensor_status or 0, SENSOR_WORDS, width=8 * _SENSOR_BYTES)


def _amplitude(index_percent: MedicalFloat | None) -> dict[str, str]:
    if index_percent is None:
        return {}
    return {
        "pulse_amplitude_percent": index_percent.value if isinstance(index_percent, Absent) else f"{index_percent:f}"
    }
