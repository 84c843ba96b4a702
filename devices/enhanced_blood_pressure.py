"""Enhanced Blood Pressure Measurement, 0x2B34, and Enhanced Intermediate Cuff Pressure, 0x2B35 (Blood Pressure Service 1.1).

flags u8: 0 kPa (else mmHg), 1 time stamp, 2 pulse rate, 3 user, 4 status, 5 user-facing time, 6 epoch 2000 (else 1900);
then systolic, diastolic and mean arterial pressure (0x2B35: the cuff's pressure alone), SFLOAT each; then what flags 1-5
announce, in their order. Both times are u32 seconds since the epoch (layouts in the GATT Specification Supplement).

A cuff that sends these sends Blood Pressure Measurement too, and that one becomes the reading. Stored, they are fetched as
records (`blood_pressure_record`), and become a reading in that layout.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

from devices import description
from devices.blood_pressure import BloodPressureMeasurement
from devices.cuff_pressure import described_as_cuff_pressure
from devices.date_time import DateTime
from devices.encoding import Cursor, MedicalFloat, sfloat_to_bytes
from schemas.quantity import Absent

_KPA, _TIME, _PULSE, _USER, _STATUS, _USER_TIME, _EPOCH_2000 = (1 << bit for bit in range(7))
_SECONDS_BYTES: Final = 4


@dataclass(frozen=True, slots=True)
class Tail:
    """What both characteristics carry behind their pressures. Times are raw seconds since the epoch."""

    time_stamp_s: int | None = None
    pulse_rate: MedicalFloat | None = None
    user: int | None = None
    status: int | None = None
    user_facing_time_s: int | None = None
    epoch_2000: bool = False

    @classmethod
    def read(cls, cursor: Cursor, flags: int) -> Self:
        """The fields the flags announce; MalformedFrame where one is missing or bytes are left."""
        tail = cls(
            time_stamp_s=_seconds(cursor, "time stamp") if flags & _TIME else None,
            pulse_rate=cursor.sfloat("pulse rate") if flags & _PULSE else None,
            user=cursor.uint8("user") if flags & _USER else None,
            status=cursor.uint16("measurement status") if flags & _STATUS else None,
            user_facing_time_s=_seconds(cursor, "user facing time") if flags & _USER_TIME else None,
            epoch_2000=bool(flags & _EPOCH_2000),
        )
        cursor.end()
        return tail

    def flags_and_bytes(self) -> tuple[int, bytes]:
        """The flags that announce the fields present, and those fields."""
        flags, fields = _EPOCH_2000 if self.epoch_2000 else 0, b""
        if self.time_stamp_s is not None:
            flags, fields = flags | _TIME, fields + self.time_stamp_s.to_bytes(_SECONDS_BYTES, "little")
        if self.pulse_rate is not None:
            flags, fields = flags | _PULSE, fields + sfloat_to_bytes(self.pulse_rate)
        if self.user is not None:
            flags, fields = flags | _USER, fields + bytes([self.user])
        if self.status is not None:
            flags, fields = flags | _STATUS, fields + self.status.to_bytes(2, "little")
        if self.user_facing_time_s is not None:
            flags, fields = flags | _USER_TIME, fields + self.user_facing_time_s.to_bytes(_SECONDS_BYTES, "little")
        return flags, fields

    @property
    def shown(self) -> DateTime | None:
        """What the cuff's display said: the user-facing time where there is one, else the time stamp."""
        seconds = self.time_stamp_s if self.user_facing_time_s is None else self.user_facing_time_s
        if seconds is None:
            return None
        return DateTime.of(datetime(2000 if self.epoch_2000 else 1900, 1, 1) + timedelta(seconds=seconds))  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class EnhancedBloodPressure:
    """One squeeze, in mmHg, or kPa where `kpa`."""

    systolic: MedicalFloat
    diastolic: MedicalFloat
    mean_arterial: MedicalFloat
    kpa: bool = False
    tail: Tail = Tail()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "enhanced blood pressure measurement")
        flags = cursor.uint8("flags")
        return cls(
            systolic=cursor.sfloat("systolic pressure"),
            diastolic=cursor.sfloat("diastolic pressure"),
            mean_arterial=cursor.sfloat("mean arterial pressure"),
            kpa=bool(flags & _KPA),
            tail=Tail.read(cursor, flags),
        )

    def __bytes__(self) -> bytes:
        flags, fields = self.tail.flags_and_bytes()
        pressures = (self.systolic, self.diastolic, self.mean_arterial)
        return bytes([flags | (_KPA if self.kpa else 0)]) + b"".join(map(sfloat_to_bytes, pressures)) + fields

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        return description.measured(self.plain.measurement(), self.plain.time_stamp)

    @property
    def plain(self) -> BloodPressureMeasurement:
        """The same squeeze in the layout of Blood Pressure Measurement, by the time the display showed."""
        return _plain(self.systolic, self.diastolic, self.mean_arterial, self.tail, kpa=self.kpa)


@dataclass(frozen=True, slots=True)
class EnhancedCuffPressure:
    """One pressure on the way, in mmHg, or kPa where `kpa`. Never a vital."""

    pressure: MedicalFloat
    kpa: bool = False
    tail: Tail = Tail()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "enhanced intermediate cuff pressure")
        flags = cursor.uint8("flags")
        return cls(cursor.sfloat("cuff pressure"), kpa=bool(flags & _KPA), tail=Tail.read(cursor, flags))

    def __bytes__(self) -> bytes:
        flags, fields = self.tail.flags_and_bytes()
        return bytes([flags | (_KPA if self.kpa else 0)]) + sfloat_to_bytes(self.pressure) + fields

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        return described_as_cuff_pressure(_plain(self.pressure, Absent.NAN, Absent.NAN, self.tail, kpa=self.kpa))


def _seconds(cursor: Cursor, field: str) -> int:
    return int.from_bytes(cursor.take(_SECONDS_BYTES, field), "little")


def _plain(
    systolic: MedicalFloat, diastolic: MedicalFloat, mean_arterial: MedicalFloat, tail: Tail, *, kpa: bool
) -> BloodPressureMeasurement:
    """The same in the layout of Blood Pressure Measurement, by the time the display showed."""
    return BloodPressureMeasurement(
        systolic,
        diastolic,
        mean_arterial,
        kpa=kpa,
        time_stamp=tail.shown,
        pulse_rate=tail.pulse_rate,
        user=tail.user,
        status=tail.status,
    )
