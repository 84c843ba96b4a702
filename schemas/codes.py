"""The one table of what is measured: name → LOINC, MDC, UCUM units, label.

Sources, row by row: LOINC and MDC codes as published in HL7's US Core vital-sign profiles and the HL7 Personal Health
Device guide 2.0.0 (blood pressure panel 85354-9 with components; heart rate 8867-4; body weight 29463-7; oxygen
saturation 59408-5, with 2708-6 beside it; body temperature 8310-5) and IEEE 11073-10101 (MDC codes); capillary glucose by
glucometer 41653-7 (mass) and 14743-9 (moles). LOINC glucose rows must be re-checked against a licensed LOINC release
before a production export relies on them. UCUM unit codes are case-sensitive.

No other module spells one of these codes (a tidy test looks).
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """What sort of reading a device took: one squeeze, one weighing, one drop of blood, one spot check, one temperature."""

    BLOOD_PRESSURE = "blood_pressure"
    BODY_WEIGHT = "body_weight"
    GLUCOSE = "glucose"
    OXYGEN_SATURATION = "oxygen_saturation"
    BODY_TEMPERATURE = "body_temperature"


@dataclass(frozen=True, slots=True)
class Code:
    """One measurable thing. `number` is its key in the database and in numpy columns: append, never renumber.

    `kind` is the reading it belongs to; `also_of` are others it comes with, meaning the same to whoever judges it.
    """

    number: int
    name: str
    kind: Kind
    label: str
    units: tuple[str, ...]
    loinc: dict[str, str]
    mdc: int | None
    decimals: dict[str, int]
    vital: bool = True
    also_of: tuple[Kind, ...] = ()

    def comes_with(self, kind: Kind) -> bool:
        """Whether a reading of this kind may hold it."""
        return kind is self.kind or kind in self.also_of


def _code(
    number: int,
    name: str,
    kind: Kind,
    label: str,
    loinc: dict[str, str],
    mdc: int | None,
    decimals: dict[str, int],
    *,
    vital: bool = True,
    also_of: tuple[Kind, ...] = (),
) -> Code:
    return Code(number, name, kind, label, tuple(decimals), loinc, mdc, decimals, vital, also_of)


_PRESSURE = {"mm[Hg]": 0, "kPa": 1}

CODES: Final[tuple[Code, ...]] = (
    _code(
        1,
        "systolic",
        Kind.BLOOD_PRESSURE,
        "Systolic",
        dict.fromkeys(_PRESSURE, "8480-6"),
        150021,
        _PRESSURE,
    ),
    _code(
        2,
        "diastolic",
        Kind.BLOOD_PRESSURE,
        "Diastolic",
        dict.fromkeys(_PRESSURE, "8462-4"),
        150022,
        _PRESSURE,
    ),
    _code(
        3,
        "mean_arterial",
        Kind.BLOOD_PRESSURE,
        "Mean arterial",
        dict.fromkeys(_PRESSURE, "8478-0"),
        150023,
        _PRESSURE,
        vital=False,
    ),
    _code(
        4,
        "pulse_rate",
        Kind.BLOOD_PRESSURE,
        "Pulse",
        {"/min": "8867-4"},
        149546,
        {"/min": 0},
        also_of=(Kind.OXYGEN_SATURATION,),
    ),
    _code(
        5,
        "body_weight",
        Kind.BODY_WEIGHT,
        "Weight",
        {"kg": "29463-7", "[lb_av]": "29463-7"},
        188736,
        {"kg": 1, "[lb_av]": 1},
    ),
    _code(6, "bmi", Kind.BODY_WEIGHT, "Body mass index", {"kg/m2": "39156-5"}, 188752, {"kg/m2": 1}, vital=False),
    _code(
        7,
        "body_height",
        Kind.BODY_WEIGHT,
        "Height",
        {"m": "8302-2", "[in_i]": "8302-2"},
        188740,
        {"m": 2, "[in_i]": 1},
        vital=False,
    ),
    _code(
        8,
        "glucose",
        Kind.GLUCOSE,
        "Glucose",
        {"mg/dL": "41653-7", "mmol/L": "14743-9"},
        160184,
        {"mg/dL": 0, "mmol/L": 1},
    ),
    _code(9, "oxygen_saturation", Kind.OXYGEN_SATURATION, "SpO₂", {"%": "59408-5"}, 150456, {"%": 0}),
    _code(
        10,
        "body_temperature",
        Kind.BODY_TEMPERATURE,
        "Temperature",
        {"Cel": "8310-5", "[degF]": "8310-5"},
        150364,
        {"Cel": 1, "[degF]": 1},
    ),
)

BY_NAME: Final[dict[str, Code]] = {code.name: code for code in CODES}
BY_NUMBER: Final[dict[int, Code]] = {code.number: code for code in CODES}

#: The values without which a reading of this kind is not one.
REQUIRED: Final[dict[Kind, tuple[str, ...]]] = {
    Kind.BLOOD_PRESSURE: ("systolic", "diastolic"),
    Kind.BODY_WEIGHT: ("body_weight",),
    Kind.GLUCOSE: ("glucose",),
    Kind.OXYGEN_SATURATION: ("oxygen_saturation",),
    Kind.BODY_TEMPERATURE: ("body_temperature",),
}

#: The blood-pressure panel that holds the components (LOINC).
BLOOD_PRESSURE_PANEL_LOINC: Final = "85354-9"
#: The second coding US Core asks for beside 59408-5: saturation of arterial blood, however measured (LOINC).
ARTERIAL_SATURATION_LOINC: Final = "2708-6"
#: A pulse an oximeter counted: another MDC code than a cuff's, the same LOINC.
OXIMETER_PULSE_MDC: Final = 149530

#: Unit numbers for narrow database columns and numpy: append, never renumber.
UNITS: Final[tuple[str, ...]] = (
    "mm[Hg]", "kPa", "/min", "kg", "[lb_av]", "kg/m2", "m", "[in_i]", "mg/dL", "mmol/L", "%", "Cel", "[degF]",
)  # fmt: skip
UNIT_NUMBER: Final[dict[str, int]] = {unit: number for number, unit in enumerate(UNITS, start=1)}
UNIT_BY_NUMBER: Final[dict[int, str]] = {number: unit for unit, number in UNIT_NUMBER.items()}

#: How a unit is written for people: UCUM is for machines.
UNIT_LABEL: Final[dict[str, str]] = {
    "mm[Hg]": "mmHg",
    "kPa": "kPa",
    "/min": "/min",
    "kg": "kg",
    "[lb_av]": "lb",
    "kg/m2": "kg/m²",
    "m": "m",
    "[in_i]": "in",
    "mg/dL": "mg/dL",
    "mmol/L": "mmol/L",
    "%": "%",
    "Cel": "°C",
    "[degF]": "°F",
}
