"""Weight Measurement, 0x2A9D (Weight Scale Service 1.0; layout in the GATT Specification Supplement).

flags u8: 0 imperial (else SI), 1 time stamp, 2 user, 3 body mass index and height; then weight u16 × 0.005 kg or
0.01 lb, where 0xFFFF is "measurement unsuccessful"; then what the flags announce, in their order. Body mass index is
u16 × 0.1 kg/m², height u16 × 0.001 m or 0.1 in. Reserved flag bits are ignored: one scale sets bit 4 for "below zero".
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final, Self

from devices.date_time import DateTime
from devices.encoding import Cursor, MedicalFloat
from devices.measurement import Measurement, quantity
from schemas.codes import Kind
from schemas.quantity import Absent

_IMPERIAL, _TIME, _USER, _BODY = (1 << bit for bit in range(4))
_UNSUCCESSFUL: Final = 0xFFFF

KG_STEP: Final = Decimal("0.005")
LB_STEP: Final = Decimal("0.01")
BMI_STEP: Final = Decimal("0.1")
M_STEP: Final = Decimal("0.001")
INCH_STEP: Final = Decimal("0.1")


@dataclass(frozen=True, slots=True)
class WeightMeasurement:
    """One weighing. `weight` is in kg, or lb where `imperial`, or Absent.UNSUCCESSFUL; `height` in m, or in.

    `body_mass_index` and `height` come together or not at all. `user` 255 is "unknown user".
    """

    weight: MedicalFloat
    imperial: bool = False
    time_stamp: DateTime | None = None
    user: int | None = None
    body_mass_index: Decimal | None = None
    height: Decimal | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "weight measurement")
        flags = cursor.uint8("flags")
        imperial = bool(flags & _IMPERIAL)
        steps = cursor.uint16("weight")
        measured = cls(
            weight=Absent.UNSUCCESSFUL if steps == _UNSUCCESSFUL else steps * (LB_STEP if imperial else KG_STEP),
            imperial=imperial,
            time_stamp=cursor.date_time("time stamp") if flags & _TIME else None,
            user=cursor.uint8("user") if flags & _USER else None,
            body_mass_index=cursor.uint16("body mass index") * BMI_STEP if flags & _BODY else None,
            height=cursor.uint16("height") * (INCH_STEP if imperial else M_STEP) if flags & _BODY else None,
        )
        cursor.end()
        return measured

    def __bytes__(self) -> bytes:
        """A number between two steps goes to the nearer one, as on a scale; ValueError where it does not fit."""
        flags, optional = _IMPERIAL if self.imperial else 0, b""
        if self.time_stamp is not None:
            flags, optional = flags | _TIME, optional + bytes(self.time_stamp)
        if self.user is not None:
            flags, optional = flags | _USER, optional + self.user.to_bytes(1, "little")
        if self.body_mass_index is not None and self.height is not None:
            flags, optional = flags | _BODY, optional + _steps(self.body_mass_index, BMI_STEP)
            optional += _steps(self.height, INCH_STEP if self.imperial else M_STEP)
        elif self.body_mass_index is not None or self.height is not None:
            raise ValueError("body mass index and height come together or not at all")
        if not isinstance(self.weight, Absent):
            weight = _steps(self.weight, LB_STEP if self.imperial else KG_STEP, reserved=_UNSUCCESSFUL)
        elif self.weight is Absent.UNSUCCESSFUL:
            weight = _UNSUCCESSFUL.to_bytes(2, "little")
        else:
            raise ValueError("a weight without a number is Absent.UNSUCCESSFUL")
        return bytes([flags]) + weight + optional

    def measurement(self) -> Measurement:
        """In the words of the product."""
        quantities = {"body_weight": quantity(self.weight, "[lb_av]" if self.imperial else "kg")}
        if self.body_mass_index is not None and self.height is not None:
            quantities["bmi"] = quantity(self.body_mass_index, "kg/m2")
            quantities["body_height"] = quantity(self.height, "[in_i]" if self.imperial else "m")
        return Measurement(
            kind=Kind.BODY_WEIGHT,
            quantities=quantities,
            device_time=None if self.time_stamp is None else self.time_stamp.text(),
            user_slot=self.user,
        )


def _steps(value: Decimal, step: Decimal, *, reserved: int | None = None) -> bytes:
    count = int((value / step).quantize(Decimal(1), rounding=ROUND_HALF_UP))
    if not 0 <= count <= 0xFFFF or count == reserved:
        raise ValueError(f"does not fit 16 bits in steps of {step}")
    return count.to_bytes(2, "little")
