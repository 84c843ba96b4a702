"""Intermediate Cuff Pressure, 0x2A36: the pressure in a cuff while it measures, for a display. Never a vital.

The layout is that of Blood Pressure Measurement, with the cuff's pressure in place of the systolic one; the other two are
NaN by the standard, and 0 from some cuffs (GATT Specification Supplement).
"""

from dataclasses import dataclass
from typing import Final, Self

from devices import description
from devices.blood_pressure import BloodPressureMeasurement
from devices.encoding import MedicalFloat
from devices.measurement import quantity
from schemas.quantity import Absent

#: The key under which a cuff's pressure is told: it is none of the product's quantities.
CUFF_PRESSURE: Final = "cuff_pressure"


@dataclass(frozen=True, slots=True)
class IntermediateCuffPressure:
    """One pressure on the way. `layout` holds it as `systolic`, and whatever else the frame has."""

    layout: BloodPressureMeasurement

    @classmethod
    def of(cls, pressure: MedicalFloat, *, kpa: bool = False) -> Self:
        """A frame as the standard wants it."""
        return cls(BloodPressureMeasurement(pressure, Absent.NAN, Absent.NAN, kpa=kpa))

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        return cls(BloodPressureMeasurement.from_bytes(data, frame="intermediate cuff pressure"))

    def __bytes__(self) -> bytes:
        return bytes(self.layout)

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        return described_as_cuff_pressure(self.layout)


def described_as_cuff_pressure(layout: BloodPressureMeasurement) -> description.Json:
    """A cuff pressure in the place of the systolic one, told under its own name."""
    quantities = {CUFF_PRESSURE: quantity(layout.systolic, "kPa" if layout.kpa else "mm[Hg]")}
    if layout.pulse_rate is not None:
        quantities["pulse_rate"] = quantity(layout.pulse_rate, "/min")
    return description.measured(layout.measurement(), layout.time_stamp) | {
        "kind": "intermediate_cuff_pressure",
        "quantities": description.quantities(quantities),
    }
