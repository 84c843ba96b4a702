"""Body Composition Measurement, 0x2A9C (Body Composition Service 1.0; layout in the GATT Specification Supplement).

flags u16: 0 imperial (else SI), 1 time stamp, 2 user, 3 basal metabolism, 4 muscle percentage, 5 muscle mass, 6 fat-free
mass, 7 soft lean mass, 8 body water mass, 9 impedance, 10 weight, 11 height, 12 one of several packets; then body fat u16
× 0.1 %, where 0xFFFF is "measurement unsuccessful"; then what the flags announce, in their order: metabolism u16 kJ,
percentages × 0.1, masses × 0.005 kg or 0.01 lb, height × 0.001 m or 0.1 in, impedance × 0.1 Ω. (The Supplement gives the
impedance a step of 0.1 Ω and one of 0.01 Ω in one breath; captures agree with the former.) Reserved flag bits are ignored.
"""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Final, Self

from devices import description
from devices.date_time import DateTime
from devices.encoding import Cursor, MedicalFloat
from devices.measurement import Measurement, quantity
from devices.weight_scale import INCH_STEP, KG_STEP, LB_STEP, M_STEP, WeightMeasurement
from schemas.quantity import Absent

_IMPERIAL, _TIME, _USER = (1 << bit for bit in range(3))
_PACKETS: Final = 1 << 12
_UNSUCCESSFUL: Final = 0xFFFF
_TENTH: Final = Decimal("0.1")

#: The optional numbers in the order of the frame: field → flag, step in SI units, step in imperial ones.
_NUMBERS: Final = {
    "basal_metabolism_kj": (1 << 3, Decimal(1), Decimal(1)),
    "muscle_percent": (1 << 4, _TENTH, _TENTH),
    "muscle_mass": (1 << 5, KG_STEP, LB_STEP),
    "fat_free_mass": (1 << 6, KG_STEP, LB_STEP),
    "soft_lean_mass": (1 << 7, KG_STEP, LB_STEP),
    "body_water_mass": (1 << 8, KG_STEP, LB_STEP),
    "impedance_ohm": (1 << 9, _TENTH, _TENTH),
    "weight": (1 << 10, KG_STEP, LB_STEP),
    "height": (1 << 11, M_STEP, INCH_STEP),
}
_MASSES: Final = ("muscle_mass", "fat_free_mass", "soft_lean_mass", "body_water_mass")


@dataclass(frozen=True, slots=True)
class BodyComposition:
    """What a scale makes of one weighing. Masses are in kg, or lb where `imperial`; `height` in m, or in."""

    body_fat_percent: MedicalFloat
    imperial: bool = False
    time_stamp: DateTime | None = None
    user: int | None = None
    basal_metabolism_kj: Decimal | None = None
    muscle_percent: Decimal | None = None
    muscle_mass: Decimal | None = None
    fat_free_mass: Decimal | None = None
    soft_lean_mass: Decimal | None = None
    body_water_mass: Decimal | None = None
    impedance_ohm: Decimal | None = None
    weight: Decimal | None = None
    height: Decimal | None = None
    #: The scale needed more than one packet for this: what one leaves out another has.
    multiple_packets: bool = False

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "body composition measurement")
        flags = cursor.uint16("flags")
        imperial = bool(flags & _IMPERIAL)
        fat = cursor.uint16("body fat percentage")
        found = cls(
            body_fat_percent=Absent.UNSUCCESSFUL if fat == _UNSUCCESSFUL else fat * _TENTH,
            imperial=imperial,
            time_stamp=cursor.date_time("time stamp") if flags & _TIME else None,
            user=cursor.uint8("user") if flags & _USER else None,
            multiple_packets=bool(flags & _PACKETS),
            **{
                name: cursor.uint16(name.replace("_", " ")) * (imperial_step if imperial else step)
                for name, (flag, step, imperial_step) in _NUMBERS.items()
                if flags & flag
            },
        )
        cursor.end()
        return found

    def __bytes__(self) -> bytes:
        """ValueError where a number is between two steps or does not fit."""
        flags = (_IMPERIAL if self.imperial else 0) | (_PACKETS if self.multiple_packets else 0)
        optional = b""
        if self.time_stamp is not None:
            flags, optional = flags | _TIME, optional + bytes(self.time_stamp)
        if self.user is not None:
            flags, optional = flags | _USER, optional + bytes([self.user])
        for name, (flag, step, imperial_step) in _NUMBERS.items():
            number: Decimal | None = getattr(self, name)
            if number is not None:
                flags, optional = flags | flag, optional + _steps(number, imperial_step if self.imperial else step)
        if not isinstance(self.body_fat_percent, Absent):
            fat = _steps(self.body_fat_percent, _TENTH)
        elif self.body_fat_percent is Absent.UNSUCCESSFUL:
            fat = _UNSUCCESSFUL.to_bytes(2, "little")
        else:
            raise ValueError("a body fat percentage without a number is Absent.UNSUCCESSFUL")
        return flags.to_bytes(2, "little") + fat + optional

    @property
    def is_placeholder(self) -> bool:
        """Whether nothing was measured: some scales send zeros first (vectors), or say that they failed."""
        measured = [getattr(self, name) for name in _NUMBERS if name not in ("basal_metabolism_kj", "weight", "height")]
        return self.body_fat_percent is Absent.UNSUCCESSFUL or not any((self.body_fat_percent, *measured))

    def continues_with(self, other: "BodyComposition") -> bool:
        """Whether `other` can be the next packet of this measurement: both say so, and it repeats no number."""
        repeated = any(getattr(self, name) is not None and getattr(other, name) is not None for name in _NUMBERS)
        same_user = self.user is None or other.user is None or self.user == other.user
        return self.multiple_packets and other.multiple_packets and same_user and not repeated

    def with_rest(self, other: "BodyComposition") -> "BodyComposition":
        """The packet completed by what another packet of the same measurement has and it has not."""
        mine = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(self, **{name: getattr(other, name) for name, value in mine.items() if value is None})

    def words(self) -> dict[str, str]:
        """The numbers a weighing is told with, by the names README.md lists; without those that were not measured."""
        if self.is_placeholder:
            return {}
        unit = "lb" if self.imperial else "kg"
        found = {} if isinstance(self.body_fat_percent, Absent) else {"body_fat_percent": f"{self.body_fat_percent:f}"}
        for name in _NUMBERS:
            number: Decimal | None = getattr(self, name)
            if number is not None and name not in ("weight", "height"):
                found[f"{name}_{unit}" if name in _MASSES else name] = f"{number:f}"
        return found

    def weighing(self) -> WeightMeasurement | None:
        """The weighing a scale tells here alone; None where it tells none."""
        if self.weight is None:
            return None
        return WeightMeasurement(self.weight, imperial=self.imperial, time_stamp=self.time_stamp, user=self.user)

    def measurement(self) -> Measurement | None:
        """The weighing, with what the scale made of it; None where the frame has no weight."""
        weighing = self.weighing()
        return None if weighing is None else replace(weighing.measurement(), context=self.words())

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        mass, length = ("[lb_av]", "[in_i]") if self.imperial else ("kg", "m")
        units = dict.fromkeys((*_MASSES, "weight"), mass) | {"height": length, "basal_metabolism_kj": "kJ"}
        units |= {"muscle_percent": "%", "impedance_ohm": "Ohm"}
        quantities = {"body_fat": quantity(self.body_fat_percent, "%")}
        for name in _NUMBERS:
            number: Decimal | None = getattr(self, name)
            if number is not None:
                told = name.removesuffix("_kj").removesuffix("_ohm").removesuffix("_percent")
                quantities[_TOLD.get(name, told)] = quantity(number, units[name])
        return description.blank("body_composition") | {
            "quantities": description.quantities(quantities),
            "device_time": description.date_time(self.time_stamp),
            "user_slot": self.user,
            "multiple_packets": self.multiple_packets,
        }


#: Names of the product for what a weight scale tells too.
_TOLD: Final = {"weight": "body_weight", "height": "body_height"}


def _steps(value: Decimal, step: Decimal) -> bytes:
    count = value / step
    if count != int(count) or not 0 <= count <= _UNSUCCESSFUL:
        raise ValueError(f"does not fit 16 bits in steps of {step}")
    return int(count).to_bytes(2, "little")
