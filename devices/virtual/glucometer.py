"""The virtual glucose meter, in mg/dL or mmol/L."""

from typing import Final

from typing_extensions import override

from devices import gatt
from devices.glucose import GlucoseContext, GlucoseMeasurement
from devices.racp import SEQUENCE_NUMBER_MAX
from devices.virtual.ledger import Said
from devices.virtual.peripheral import decimal_of
from devices.virtual.record_keeper import Frames, RecordKeeper

#: Glucose Feature: every detection bit, but one bond only.
_FEATURE: Final = (0x03FF).to_bytes(2, "little")
_MEALS: Final = {"preprandial": 1, "postprandial": 2, "fasting": 3, "casual": 4, "bedtime": 5}
_CAPILLARY_WHOLE_BLOOD: Final = 1
_FINGER: Final = 1
_MG_DL, _MMOL_L = "mg/dL", "mmol/L"


class Glucometer(RecordKeeper):
    """A glucose meter (0x1808) in mg/dL or mmol/L. `time_offset_min`: what its user moved the base time by."""

    service = gatt.GLUCOSE_SERVICE
    time_offset_min: int | None = None

    record_uuids = (gatt.GLUCOSE_MEASUREMENT, gatt.GLUCOSE_CONTEXT)
    feature = (gatt.GLUCOSE_FEATURE, _FEATURE)

    def prick(
        self,
        *,
        mg_dl: float | None = None,
        mmol_l: float | None = None,
        meal: str | None = None,
        status: int | None = None,
    ) -> int:
        """Take one drop of blood: `mg_dl` or `mmol_l`, as the meter is set; its sequence number.

        `meal` is a word of `Reading.context`, sent in a context record. `status` is the raw annunciation word.
        """
        if (mg_dl is None) == (mmol_l is None):
            raise ValueError("a meter shows mg/dL or mmol/L, one of them")
        shown = self.clock.shows()
        if shown is None:
            raise ValueError("a glucose meter stamps every record: its clock cannot be 'none'")
        molar = mmol_l is not None
        number = decimal_of(mmol_l if mmol_l is not None else mg_dl or 0.0)
        sequence = self._records[-1].sequence_number or 0 if self._records else 0
        sequence = sequence % SEQUENCE_NUMBER_MAX + 1
        offset = self.time_offset_min
        frame = GlucoseMeasurement(
            sequence_number=sequence,
            base_time=shown.plus(-offset) if offset else shown,
            time_offset_min=offset,
            concentration=number.scaleb(-3 if molar else -5),
            molar=molar,
            sample_type=_CAPILLARY_WHOLE_BLOOD,
            location=_FINGER,
            status=status,
            context_follows=meal is not None,
        )
        context = None if meal is None else bytes(GlucoseContext(sequence_number=sequence, meal=_MEALS[meal]))
        said = Said(
            0,
            gatt.GLUCOSE_MEASUREMENT,
            bytes(frame),
            self.clock.now(),
            values={"glucose": {"value": float(number), "unit": _MMOL_L if molar else _MG_DL}},
            device_time=shown.text(),
            sequence_number=sequence,
            context_frame=context,
        )
        return self._store(said)

    @override
    def say(self, frame: bytes, context: bytes | None = None) -> int:
        sequence = sequence_of(frame)
        said = Said(
            0,
            gatt.GLUCOSE_MEASUREMENT,
            frame,
            self.clock.now(),
            sequence_number=sequence,
            context_frame=context,
        )
        return self._store(said)

    @override
    def frames(self, said: Said) -> Frames:
        context = [] if said.context_frame is None else [(gatt.GLUCOSE_CONTEXT, said.context_frame)]
        return [(gatt.GLUCOSE_MEASUREMENT, said.frame), *context]


def sequence_of(frame: bytes) -> int:
    """The sequence number in the bytes of a record or a context: both have it after one byte of flags."""
    return int.from_bytes(frame[1:3], "little")
