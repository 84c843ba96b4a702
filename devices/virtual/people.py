"""What people do with their devices: one act becomes a few timed commands, varied by a seeded generator.

An act is played around what is usual for this person, so that a trend stays a trend: a blood pressure, a weight in kg or
lb, a glucose in mg/dL or mmol/L.
"""

import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from devices.virtual.commands import Command, Meal, Measure, Prick, Slot, Weigh
from schemas.quantity import KG_PER_LB

#: Above 180 systolic: severe hypertension.
CRISIS_MMHG: Final = (192, 118)
CRISIS_PULSE_RISE: Final = 18
#: Above "more than 3 lb in a day", the heart failure limit.
WEIGHT_GAIN_LB: Final = 4.0
#: Level 2 hypoglycaemia begins below 54 mg/dL.
LOW_MG_DL: Final = 48
LOW_MMOL_L: Final = 2.7
#: "One minute apart", sped up as everything in a demonstration is.
DOUBLE_AFTER_S: Final = 8.0


class Act(StrEnum):
    """What a person does."""

    #: One measurement near the usual.
    ORDINARY = "ordinary"
    #: A blood pressure of 192/118.
    CRISIS = "crisis"
    #: Steps on 4 lb heavier than usual.
    WEIGHT_GAIN = "weight_gain"
    #: A glucose of 48 mg/dL (2.7 mmol/L).
    LOW_GLUCOSE = "low_glucose"
    #: Measures, rests, and measures again.
    DOUBLE = "double"


class _Usual(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UsualPressure(_Usual):
    """What a cuff shows of this person, mmHg and beats a minute."""

    systolic: Annotated[int, Field(ge=60, le=260)]
    diastolic: Annotated[int, Field(ge=40, le=180)]
    pulse: Annotated[int, Field(ge=40, le=180)]
    user_slot: Slot | None = None


class UsualWeight(_Usual):
    """What a scale shows of this person."""

    weight: Annotated[float, Field(gt=0)]
    unit: Literal["kg", "lb"] = "kg"
    user_slot: Slot | None = None


class UsualGlucose(_Usual):
    """What a meter shows of this person before a meal."""

    glucose: Annotated[float, Field(gt=0)]
    unit: Literal["mg/dL", "mmol/L"] = "mg/dL"
    meal: Meal | None = "preprandial"


Usual = UsualPressure | UsualWeight | UsualGlucose


@dataclass(frozen=True, slots=True)
class Timed:
    """A command so many seconds after the act began."""

    after_s: float
    command: Command


def commands(act: Act, usual: Usual, draw: random.Random) -> list[Timed]:
    """What an act comes to, as commands to the device. ValueError where this device cannot show such a thing."""
    match act, usual:
        case Act.ORDINARY, UsualPressure():
            return [Timed(0.0, _pressure(usual, draw))]
        case Act.DOUBLE, UsualPressure():
            return [Timed(0.0, _pressure(usual, draw)), Timed(DOUBLE_AFTER_S, _pressure(usual, draw))]
        case Act.CRISIS, UsualPressure():
            systolic, diastolic = CRISIS_MMHG
            crisis = usual.model_copy(update={"pulse": usual.pulse + CRISIS_PULSE_RISE})
            squeeze = _pressure(crisis, draw)
            first = squeeze.model_copy(update={"systolic": systolic, "diastolic": diastolic})
            # As asked at the box: one reading out of range calls nobody before it was repeated.
            return [Timed(0.0, first), Timed(DOUBLE_AFTER_S, first.model_copy(update={"systolic": systolic - 4}))]
        case Act.ORDINARY, UsualWeight():
            return [Timed(0.0, _weight(usual, draw))]
        case Act.WEIGHT_GAIN, UsualWeight():
            return [Timed(0.0, _weight(usual, draw, gain_lb=WEIGHT_GAIN_LB))]
        case Act.ORDINARY, UsualGlucose():
            return [Timed(0.0, _glucose(usual, usual.glucose * draw.uniform(0.92, 1.08)))]
        case Act.LOW_GLUCOSE, UsualGlucose():
            return [Timed(0.0, _glucose(usual, LOW_MG_DL if usual.unit == "mg/dL" else LOW_MMOL_L))]
        case _:
            raise ValueError(f"'{act}' is no act for a device whose usual is {sorted(usual.model_dump())}")


def _pressure(usual: UsualPressure, draw: random.Random) -> Measure:
    systolic = usual.systolic + draw.randint(-4, 4)
    diastolic = usual.diastolic + draw.randint(-3, 3)
    pulse = usual.pulse + draw.randint(-4, 4)
    return Measure(do="measure", systolic=systolic, diastolic=diastolic, pulse=pulse, user_slot=usual.user_slot)


def _weight(usual: UsualWeight, draw: random.Random, *, gain_lb: float = 0.0) -> Weigh:
    in_lb = usual.unit == "lb"
    spread = 0.2 if in_lb else 0.1
    weight = usual.weight + (gain_lb if in_lb else gain_lb * KG_PER_LB) + draw.uniform(-spread, spread)
    shown = round(weight, 1) if in_lb else round(weight * 20) / 20
    return Weigh(do="weigh", kg=None if in_lb else shown, lb=shown if in_lb else None, user_slot=usual.user_slot)


def _glucose(usual: UsualGlucose, glucose: float) -> Prick:
    if usual.unit == "mmol/L":
        return Prick(do="prick", mmol_l=round(glucose, 1), meal=usual.meal)
    return Prick(do="prick", mg_dl=round(glucose), meal=usual.meal)
