"""Glucose Measurement, 0x2A18, and its context, 0x2A34 (Glucose Service 1.0.1; layouts in the GATT Specification Supplement).

Measurement: flags u8: 0 time offset, 1 concentration with type and location, 2 mol/L (else kg/L), 3 status, 4 a context
record follows; then sequence number u16, base time, and what the flags announce: offset s16 minutes, concentration
SFLOAT, type (low nibble) and location (high), status u16. The Supplement's *flag* text speaks of mg/dL and mmol/L; its
field text, and every meter captured, of kg/L and mol/L.

Context: flags u8: 0 carbohydrate, 1 meal, 2 tester and health, 3 exercise, 4 medication, 5 litre (else kg), 6 HbA1c,
7 extended flags; then sequence number u16, extended flags *first*, then the rest in flag order.
"""

from dataclasses import dataclass
from enum import IntFlag
from typing import Final, Self

from devices.date_time import DateTime
from devices.encoding import Cursor, MedicalFloat, sfloat_to_bytes
from devices.measurement import Measurement, bit_words, quantity
from schemas.codes import Kind
from schemas.quantity import Absent, Quantity

#: kg/L → mg/dL is ×10^5, mol/L → mmol/L ×10^3: shifts of the decimal exponent, exact.
_MG_DL_SCALE, _MMOL_L_SCALE = 5, 3

_OFFSET, _CONCENTRATION, _MOLAR, _STATUS, _CONTEXT = (1 << bit for bit in range(5))
_CARBOHYDRATE, _MEAL, _TESTER, _EXERCISE, _MEDICATION, _LITRE, _HBA1C, _EXTENDED = (1 << bit for bit in range(8))

CONTROL_SOLUTION: Final = "control_solution"
_CONTROL_TYPE: Final = 0xA
_NOT_AVAILABLE: Final = 0xF
_EXERCISE_OVERRUN: Final = 0xFFFF

_TYPES: Final = {
    1: "capillary_whole_blood",
    2: "capillary_plasma",
    3: "venous_whole_blood",
    4: "venous_plasma",
    5: "arterial_whole_blood",
    6: "arterial_plasma",
    7: "undetermined_whole_blood",
    8: "undetermined_plasma",
    9: "interstitial_fluid",
    _CONTROL_TYPE: CONTROL_SOLUTION,
}
_LOCATIONS: Final = {
    1: "finger",
    2: "alternate_site",
    3: "earlobe",
    4: CONTROL_SOLUTION,
    _NOT_AVAILABLE: "not_available",
}
_CARBOHYDRATES: Final = {1: "breakfast", 2: "lunch", 3: "dinner", 4: "snack", 5: "drink", 6: "supper", 7: "brunch"}
#: A reserved number of the field, by which several meters tell a ketone from a glucose (NightscoutFoundation/xDrip,
#: ContextTest). 1.5 mmol/L of the one is a warning, of the other an emergency.
KETONE_MEAL: Final = 6
#: No month, so no clock's mistake: meters of several makes date a control solution so (NightscoutFoundation/xDrip and
#: tidepool-org/ble-glucose between them). Its value is the solution's, and nobody's.
CONTROL_MONTH: Final = 13
_MEALS: Final = {1: "preprandial", 2: "postprandial", 3: "fasting", 4: "casual", 5: "bedtime"}
_TESTERS: Final = {1: "self", 2: "health_care_professional", 3: "lab", _NOT_AVAILABLE: "not_available"}
_HEALTH: Final = {
    1: "minor_issues",
    2: "major_issues",
    3: "during_menses",
    4: "under_stress",
    5: "no_issues",
    _NOT_AVAILABLE: "not_available",
}
_MEDICATIONS: Final = {
    1: "rapid_acting_insulin",
    2: "short_acting_insulin",
    3: "intermediate_acting_insulin",
    4: "long_acting_insulin",
    5: "premixed_insulin",
}


class GlucoseStatus(IntFlag):
    """Sensor Status Annunciation. RESULT_TOO_HIGH and RESULT_TOO_LOW are a meter's HI and LO."""

    BATTERY_LOW = 1 << 0
    SENSOR_FAULT = 1 << 1
    SAMPLE_INSUFFICIENT = 1 << 2
    STRIP_INSERTION = 1 << 3
    STRIP_TYPE = 1 << 4
    RESULT_TOO_HIGH = 1 << 5
    RESULT_TOO_LOW = 1 << 6
    TEMPERATURE_TOO_HIGH = 1 << 7
    TEMPERATURE_TOO_LOW = 1 << 8
    READ_INTERRUPTED = 1 << 9
    GENERAL_FAULT = 1 << 10
    TIME_FAULT = 1 << 11


_WORDS: Final = {flag.value.bit_length() - 1: str(flag.name).lower() for flag in GlucoseStatus}


@dataclass(frozen=True, slots=True)
class GlucoseMeasurement:
    """One record of a meter. `concentration` is in kg/L, or mol/L where `molar`; None: a record without a value.

    `sample_type` and `location` are the raw nibbles, sent with a concentration only. `status` is the raw word.
    """

    sequence_number: int
    base_time: DateTime
    time_offset_min: int | None = None
    concentration: MedicalFloat | None = None
    molar: bool = False
    sample_type: int = 0
    location: int = 0
    status: int | None = None
    context_follows: bool = False

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "glucose measurement")
        flags = cursor.uint8("flags")
        has_value = flags & _CONCENTRATION
        sequence_number = cursor.uint16("sequence number")
        base_time = cursor.date_time("base time")
        time_offset_min = cursor.int16("time offset") if flags & _OFFSET else None
        concentration = cursor.sfloat("glucose concentration") if has_value else None
        place = cursor.uint8("type and sample location") if has_value else 0
        status = cursor.uint16("sensor status") if flags & _STATUS else None
        cursor.end()
        return cls(
            sequence_number=sequence_number,
            base_time=base_time,
            time_offset_min=time_offset_min,
            concentration=concentration,
            molar=bool(flags & _MOLAR),
            sample_type=place & 0xF,
            location=place >> 4,
            status=status,
            context_follows=bool(flags & _CONTEXT),
        )

    def __bytes__(self) -> bytes:
        flags, optional = (_MOLAR if self.molar else 0) | (_CONTEXT if self.context_follows else 0), b""
        if self.time_offset_min is not None:
            flags, optional = flags | _OFFSET, optional + self.time_offset_min.to_bytes(2, "little", signed=True)
        if self.concentration is not None:
            flags, optional = flags | _CONCENTRATION, optional + sfloat_to_bytes(self.concentration)
            optional += bytes([self.location << 4 | self.sample_type])
        if self.status is not None:
            flags, optional = flags | _STATUS, optional + self.status.to_bytes(2, "little")
        return bytes([flags]) + self.sequence_number.to_bytes(2, "little") + bytes(self.base_time) + optional

    def measurement(self, context: "GlucoseContext | None" = None) -> Measurement:
        """In the words of the product, with the context record of the same sequence number where there is one."""
        quantities: dict[str, Quantity] = {}
        words = context.words() if context else {}
        if self.concentration is not None:
            unit, scale = ("mmol/L", _MMOL_L_SCALE) if self.molar else ("mg/dL", _MG_DL_SCALE)
            quantities["glucose"] = quantity(self.concentration, unit, scale=scale)
            control = self.sample_type == _CONTROL_TYPE
            words["sample_type"] = _word(_TYPES, self.sample_type)
            words["sample_location"] = CONTROL_SOLUTION if control else _word(_LOCATIONS, self.location)
        return Measurement(
            kind=Kind.GLUCOSE,
            quantities=quantities,
            device_time=self.base_time.plus(self.time_offset_min or 0).text(),
            sequence_number=self.sequence_number,
            status=bit_words(self.status or 0, _WORDS),
            context=words,
        )


@dataclass(frozen=True, slots=True)
class GlucoseContext:
    """What surrounded the measurement of the same sequence number; every field optional, ids as raw numbers.

    A pair is (id, amount): carbohydrate in kg; medication in kg, or litres where `litre`; exercise (seconds, percent).
    """

    sequence_number: int
    extended_flags: int | None = None
    carbohydrate: tuple[int, MedicalFloat] | None = None
    meal: int | None = None
    tester_health: tuple[int, int] | None = None
    exercise: tuple[int, int] | None = None
    medication: tuple[int, MedicalFloat] | None = None
    litre: bool = False
    hba1c_percent: MedicalFloat | None = None

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say."""
        cursor = Cursor(data, "glucose context")
        flags = cursor.uint8("flags")
        sequence_number = cursor.uint16("sequence number")
        extended = cursor.uint8("extended flags") if flags & _EXTENDED else None
        carbohydrate = (
            (cursor.uint8("carbohydrate id"), cursor.sfloat("carbohydrate")) if flags & _CARBOHYDRATE else None
        )
        meal = cursor.uint8("meal") if flags & _MEAL else None
        tester_health = cursor.uint8("tester and health") if flags & _TESTER else None
        exercise = (
            (cursor.uint16("exercise duration"), cursor.uint8("exercise intensity")) if flags & _EXERCISE else None
        )
        medication = (cursor.uint8("medication id"), cursor.sfloat("medication")) if flags & _MEDICATION else None
        hba1c = cursor.sfloat("HbA1c") if flags & _HBA1C else None
        cursor.end()
        return cls(
            sequence_number=sequence_number,
            extended_flags=extended,
            carbohydrate=carbohydrate,
            meal=meal,
            tester_health=None if tester_health is None else (tester_health & 0xF, tester_health >> 4),
            exercise=exercise,
            medication=medication,
            litre=bool(flags & _LITRE),
            hba1c_percent=hba1c,
        )

    def __bytes__(self) -> bytes:
        flags, optional = _LITRE if self.litre else 0, b""
        if self.extended_flags is not None:
            flags, optional = flags | _EXTENDED, optional + bytes([self.extended_flags])
        if self.carbohydrate is not None:
            identity, kg = self.carbohydrate
            flags, optional = flags | _CARBOHYDRATE, optional + bytes([identity]) + sfloat_to_bytes(kg)
        if self.meal is not None:
            flags, optional = flags | _MEAL, optional + bytes([self.meal])
        if self.tester_health is not None:
            tester, health = self.tester_health
            flags, optional = flags | _TESTER, optional + bytes([health << 4 | tester])
        if self.exercise is not None:
            seconds, percent = self.exercise
            flags, optional = flags | _EXERCISE, optional + seconds.to_bytes(2, "little") + bytes([percent])
        if self.medication is not None:
            identity, amount = self.medication
            flags, optional = flags | _MEDICATION, optional + bytes([identity]) + sfloat_to_bytes(amount)
        if self.hba1c_percent is not None:
            flags, optional = flags | _HBA1C, optional + sfloat_to_bytes(self.hba1c_percent)
        return bytes([flags]) + self.sequence_number.to_bytes(2, "little") + optional

    def words(self) -> dict[str, str]:
        """The fields present, by the names README.md lists."""
        found: dict[str, str] = {}
        if self.carbohydrate is not None:
            found["carbohydrate_id"] = _word(_CARBOHYDRATES, self.carbohydrate[0])
            found["carbohydrate_kg"] = _amount(self.carbohydrate[1])
        if self.meal is not None:
            found["meal"] = _word(_MEALS, self.meal)
        if self.tester_health is not None:
            found["tester"] = _word(_TESTERS, self.tester_health[0])
            found["health"] = _word(_HEALTH, self.tester_health[1])
        if self.exercise is not None:
            seconds, percent = self.exercise
            found["exercise_s"] = "overrun" if seconds == _EXERCISE_OVERRUN else str(seconds)
            found["exercise_percent"] = str(percent)
        if self.medication is not None:
            found["medication_id"] = _word(_MEDICATIONS, self.medication[0])
            found["medication"] = f"{_amount(self.medication[1])} {'L' if self.litre else 'kg'}"
        if self.hba1c_percent is not None:
            found["hba1c_percent"] = _amount(self.hba1c_percent)
        return found


def _word(words: dict[int, str], number: int) -> str:
    return words.get(number, f"reserved_{number}")


def _amount(value: MedicalFloat) -> str:
    return value.value if isinstance(value, Absent) else f"{value:f}"
