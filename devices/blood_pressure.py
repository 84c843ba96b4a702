"""Blood Pressure Measurement, 0x2A35 (Blood Pressure Service 1.1.1; layout in the GATT Specification Supplement).

flags u8: 0 kPa (else mmHg), 1 time stamp, 2 pulse rate, 3 user, 4 status; then systolic, diastolic, mean arterial
(SFLOAT each), then what the flags announce, in their order. Reserved flag bits are ignored.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Self

from devices.date_time import DateTime
from devices.encoding import Cursor, MedicalFloat, sfloat_to_bytes
from devices.measurement import Measurement, bit_words, quantity
from schemas.codes import Kind

_KPA, _TIME, _PULSE, _USER, _STATUS = (1 << bit for bit in range(5))


class BloodPressureStatus(IntFlag):
    """Measurement Status. Bits 3 and 4 are one two-bit field: set together they are reserved, and say neither."""

    BODY_MOVED = 1 << 0
    CUFF_LOOSE = 1 << 1
    IRREGULAR_PULSE = 1 << 2
    PULSE_ABOVE_RANGE = 1 << 3
    PULSE_BELOW_RANGE = 1 << 4
    POSITION_IMPROPER = 1 << 5


_WORDS: Final = {flag.value.bit_length() - 1: str(flag.name).lower() for flag in BloodPressureStatus}
_PULSE_RANGE: Final = BloodPressureStatus.PULSE_ABOVE_RANGE | BloodPressureStatus.PULSE_BELOW_RANGE


@dataclass(frozen=True, slots=True)
class BloodPressureMeasurement:
    """One squeeze. Pressures are in mmHg, or kPa where `kpa`; `user` 255 is "unknown user"; `status` is the raw word."""

    systolic: MedicalFloat
    diastolic: MedicalFloat
    mean_arterial: MedicalFloat
    kpa: bool = False
    time_stamp: DateTime | None = None
    pulse_rate: MedicalFloat | None = None
    user: int | None = None
    status: int | None = None

    @classmethod
    def from_bytes(cls, data: bytes, *, frame: str = "blood pressure measurement") -> Self:
        """MalformedFrame where the frame, called `frame`, is shorter or longer than its flags say."""
        cursor = Cursor(data, frame)
        flags = cursor.uint8("flags")
        measured = cls(
            systolic=cursor.sfloat("systolic pressure"),
            diastolic=cursor.sfloat("diastolic pressure"),
            mean_arterial=cursor.sfloat("mean arterial pressure"),
            kpa=bool(flags & _KPA),
            time_stamp=cursor.date_time("time stamp") if flags & _TIME else None,
            pulse_rate=cursor.sfloat("pulse rate") if flags & _PULSE else None,
            user=cursor.uint8("user") if flags & _USER else None,
            status=cursor.uint16("measurement status") if flags & _STATUS else None,
        )
        cursor.end()
        return measured

    def __bytes__(self) -> bytes:
        flags, optional = _KPA if self.kpa else 0, b""
        if self.time_stamp is not None:
            flags, optional = flags | _TIME, optional + bytes(self.time_stamp)
        if self.pulse_rate is not None:
            flags, optional = flags | _PULSE, optional + sfloat_to_bytes(self.pulse_rate)
        if self.user is not None:
            flags, optional = flags | _USER, optional + self.user.to_bytes(1, "little")
        if self.status is not None:
            flags, optional = flags | _STATUS, optional + self.status.to_bytes(2, "little")
        pressures = (self.systolic, self.diastolic, self.mean_arterial)
        return bytes([flags]) + b"".join(map(sfloat_to_bytes, pressures)) + optional

    def measurement(self) -> Measurement:
        """In the words of the product."""
        unit = "kPa" if self.kpa else "mm[Hg]"
        quantities = {
            "systolic": quantity(self.systolic, unit),
            "diastolic": quantity(self.diastolic, unit),
            "mean_arterial": quantity(self.mean_arterial, unit),
        }
        if self.pulse_rate is not None:
            quantities["pulse_rate"] = quantity(self.pulse_rate, "/min")
        return Measurement(
            kind=Kind.BLOOD_PRESSURE,
            quantities=quantities,
            device_time=None if self.time_stamp is None else self.time_stamp.text(),
            user_slot=self.user,
            status=_status_words(self.status or 0),
        )


def _status_words(status: int) -> tuple[str, ...]:
    reserved_range = status & _PULSE_RANGE == _PULSE_RANGE
    words = {bit: word for bit, word in _WORDS.items() if not (reserved_range and 1 << bit & _PULSE_RANGE)}
    return bit_words(status, words)
