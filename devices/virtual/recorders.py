"""The virtual oximeter that keeps its spot checks, and the virtual cuff that keeps blood pressure records."""

from datetime import datetime
from typing import Final

from bumble.gatt import Characteristic
from typing_extensions import override

from devices import gatt
from devices.blood_pressure_record import BloodPressureRecord, crc
from devices.date_time import DateTime
from devices.enhanced_blood_pressure import EnhancedBloodPressure, Tail
from devices.oximeter import OximeterStatus, SpotMeasurement
from devices.virtual.ledger import Said
from devices.virtual.peripheral import Properties, decimal_of
from devices.virtual.peripherals import value
from devices.virtual.record_keeper import Frames, RecordKeeper

#: PLX Features: measurement status, device and sensor status, storage, time stamp; and which of their bits it knows.
_PLX_FEATURE: Final = bytes.fromhex("0f00") + bytes.fromhex("0081") + bytes.fromhex("200000")
#: Blood Pressure Feature: all status kinds, several bonds, E2E-CRC, user-facing time.
_PRESSURE_FEATURE: Final = (0x017F).to_bytes(2, "little")
_EPOCH: Final = datetime(2000, 1, 1)  # noqa: DTZ001 - a device knows no zone
_COUNTERS: Final = 64
_CRC_BYTES: Final = 2


class RecordingOximeter(RecordKeeper):
    """A pulse oximeter (0x1822) that tells its stored spot checks when it is asked. Its own count of them is not on the air."""

    service = gatt.OXIMETER_SERVICE
    record_uuids = (gatt.OXIMETER_SPOT,)
    record_properties = Properties.INDICATE
    feature = (gatt.OXIMETER_FEATURE, _PLX_FEATURE)

    @override
    def _beside(self) -> "tuple[Characteristic[bytes], ...]":
        self._continuous = self._characteristic(gatt.OXIMETER_CONTINUOUS, Properties.NOTIFY)
        return (self._continuous,)

    def clip(
        self, percent: float, pulse: float, *, status: int = OximeterStatus.FULLY_QUALIFIED_DATA, sensor_status: int = 0
    ) -> int:
        """Clip it to a finger once; its number in this device."""
        shown = self.clock.shows()
        frame = SpotMeasurement(
            oxygen_saturation=decimal_of(percent),
            pulse_rate=decimal_of(pulse),
            time_stamp=shown,
            status=status,
            sensor_status=sensor_status,
        )
        said = Said(
            0,
            gatt.OXIMETER_SPOT,
            bytes(frame),
            self.clock.now(),
            values={"oxygen_saturation": value(percent, "%"), "pulse_rate": value(pulse, "/min")},
            device_time=shown.text() if shown else None,
            sequence_number=self.taken,
        )
        return self._store(said)

    @override
    def say(self, frame: bytes) -> int:
        return self._store(Said(0, gatt.OXIMETER_SPOT, frame, self.clock.now(), sequence_number=self.taken))

    @override
    def frames(self, said: Said) -> Frames:
        return [(gatt.OXIMETER_SPOT, said.frame)]


class RecordingCuff(RecordKeeper):
    """A cuff (0x1810, version 1.1) that keeps enhanced measurements, and tells them as records in segments."""

    service = gatt.BLOOD_PRESSURE_SERVICE
    record_uuids = (gatt.BLOOD_PRESSURE_RECORD,)
    feature = (gatt.BLOOD_PRESSURE_FEATURE, _PRESSURE_FEATURE)

    def measure(
        self, systolic: float, diastolic: float, *, pulse: float | None = None, user_slot: int | None = None
    ) -> int:
        """Squeeze once, values in mmHg; its number in this device."""
        pressures = (decimal_of(systolic), decimal_of(diastolic), round(decimal_of((systolic + 2 * diastolic) / 3), 0))
        shown = self.clock.shows()
        seconds = _seconds(shown)
        tail = Tail(
            time_stamp_s=seconds,
            pulse_rate=None if pulse is None else decimal_of(pulse),
            user=user_slot,
            status=0,
            epoch_2000=True,
        )
        names = ("systolic", "diastolic", "mean_arterial")
        values = {name: value(number, "mm[Hg]") for name, number in zip(names, pressures, strict=True)}
        if pulse is not None:
            values["pulse_rate"] = value(pulse, "/min")
        recorded = EnhancedBloodPressure(*pressures, tail=tail)
        said = Said(
            0,
            gatt.ENHANCED_BLOOD_PRESSURE,
            bytes(recorded),
            self.clock.now(),
            values=values,
            device_time=shown.text() if shown else None,
            user_slot=user_slot,
            sequence_number=self._next(),
        )
        return self._store(said)

    @override
    def say(self, frame: bytes) -> int:
        now = self.clock.now()
        return self._store(Said(0, gatt.ENHANCED_BLOOD_PRESSURE, frame, now, sequence_number=self._next()))

    def _next(self) -> int:
        return (self._records[-1].sequence_number or 0) + 1 if self._records else 0

    @override
    def frames(self, said: Said) -> Frames:
        size, checked = self.store.segment_bytes, self.store.checked
        held = said.frame + bytes(_CRC_BYTES if checked else 0)
        while checked and len(held) % size == 1:
            size += 1  # it does not tear its CRC in two
        pieces = [held[start : start + size] for start in range(0, len(held), size)]
        segments = [
            bytes(
                BloodPressureRecord(
                    said.sequence_number or 0,
                    said.characteristic,
                    piece,
                    first=place == 0,
                    last=place == len(pieces) - 1,
                    counter=place % _COUNTERS,
                )
            )
            for place, piece in enumerate(pieces)
        ]
        if checked:
            of = b"".join(segments)[:-_CRC_BYTES]
            segments[-1] = segments[-1][:-_CRC_BYTES] + crc(of).to_bytes(_CRC_BYTES, "little")
        return [(gatt.BLOOD_PRESSURE_RECORD, segment) for segment in segments]


def _seconds(shown: DateTime | None) -> int | None:
    wall = None if shown is None else shown.wall()
    return None if wall is None else int((wall - _EPOCH).total_seconds())
