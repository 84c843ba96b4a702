"""What a person can have, and what an instrument can mean: sanity checks, not clinical limits.

Figures: the project's clinical rules, "Plausibility limits", adults. Broad on purpose: a value that is merely alarming must
pass, for the alert rules to see it. The weight rows hold the published 50-750 lb rule for health records in both units.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from statistics import median
from typing import Final

from schemas.quantity import KG_PER_LB, converted


class Verdict(IntEnum):
    """From usable to unusable."""

    FINE = 0
    #: Used, and marked.
    FLAG = 1
    #: Kept, not used until a person has looked.
    HOLD = 2
    #: Kept, never used.
    REJECT = 3


@dataclass(frozen=True, slots=True)
class Row:
    """Limits of one quantity in one unit. Values on a limit belong to the milder side."""

    name: str
    unit: str
    reject_below: float
    hold_below: float
    flag_below: float
    flag_above: float
    hold_above: float
    reject_above: float


ROWS: Final = (
    Row("systolic", "mm[Hg]", 30, 60, 80, 220, 260, 300),
    Row("diastolic", "mm[Hg]", 15, 30, 40, 130, 180, 220),
    Row("pulse_rate", "/min", 20, 30, 40, 150, 220, 300),
    Row("body_weight", "kg", 2, 22.7, 22.7, 340.2, 340.2, 500),
    Row("body_weight", "[lb_av]", 2 / KG_PER_LB, 50, 50, 750, 750, 500 / KG_PER_LB),
    Row("glucose", "mg/dL", 0, 20, 20, 600, 600, 1000),
    # Below 70 % no oximeter's accuracy is certified.
    Row("oxygen_saturation", "%", 1, 70, 85, 100, 100, 100),
    # Above 45 °C: most often a thermometer that shows °F and says °C.
    Row("body_temperature", "Cel", 25, 32, 35, 40.9, 43, 45),
    Row("body_temperature", "[degF]", 77, 89.6, 95, 105.7, 109.4, 113),
)
_BY_QUANTITY: Final = {(row.name, row.unit): row for row in ROWS}
#: Units in which the source gives no figures, and the one it gives them in.
_ONLY_UNIT: Final = {"kPa": "mm[Hg]", "mmol/L": "mg/dL"}

PULSE_PRESSURE_MMHG_MIN: Final = 15
PULSE_PRESSURE_MMHG_MAX: Final = 150
BMI_ABOVE: Final = 10
BMI_BELOW: Final = 100

WEIGHT_CHANGE_HOLD_KG: Final = 5.0
WEIGHT_CHANGE_FLAG_KG: Final = 2.5
WEIGHT_CHANGE_HOLD_FRACTION: Final = 0.10
#: "Within 24 hours": who weighs himself every morning is sometimes half a day late.
WEIGHT_DAY_MAX: Final = timedelta(hours=36)
WEIGHT_MEDIAN_OVER: Final = timedelta(days=7)
#: With fewer, one wrong weighing would shut out the right ones for a week.
WEIGHT_MEDIAN_COUNT_MIN: Final = 3


@dataclass(frozen=True, slots=True)
class Weighing:
    """One accepted weight of a patient."""

    measured_at: datetime
    weight_kg: float


def judge(name: str, value: float, unit: str) -> Verdict:
    """How believable one value is. A quantity without a row is fine."""
    row = _BY_QUANTITY.get((name, unit))
    if row is None and unit in _ONLY_UNIT:
        only = _ONLY_UNIT[unit]
        row, value = _BY_QUANTITY.get((name, only)), converted(value, unit, only)
    if row is None:
        return Verdict.FINE
    if value < row.reject_below or value > row.reject_above:
        return Verdict.REJECT
    if value < row.hold_below or value > row.hold_above:
        return Verdict.HOLD
    if value < row.flag_below or value > row.flag_above:
        return Verdict.FLAG
    return Verdict.FINE


def judge_pulse_pressure(systolic: float, diastolic: float, unit: str) -> Verdict:
    """Systolic minus diastolic: REJECT where there is none, HOLD outside 15-150 mmHg."""
    if systolic <= diastolic:
        return Verdict.REJECT
    pulse_pressure_mmhg = converted(systolic - diastolic, unit, "mm[Hg]")
    return Verdict.FINE if PULSE_PRESSURE_MMHG_MIN <= pulse_pressure_mmhg <= PULSE_PRESSURE_MMHG_MAX else Verdict.HOLD


def judge_weight_change(weight_kg: float, *, measured_at: datetime, earlier: Iterable[Weighing]) -> Verdict:
    """A weight beside the patient's own: HOLD where it is more likely someone else's, FLAG for a large change.

    `earlier` may hold weighings of any time; only those of the seven days before count.
    """
    before = sorted(
        (weighing for weighing in earlier if measured_at - WEIGHT_MEDIAN_OVER <= weighing.measured_at < measured_at),
        key=lambda weighing: weighing.measured_at,
    )
    if not before:
        return Verdict.FINE
    if len(before) >= WEIGHT_MEDIAN_COUNT_MIN:
        usual_kg = median(weighing.weight_kg for weighing in before)
        if abs(weight_kg - usual_kg) > WEIGHT_CHANGE_HOLD_FRACTION * usual_kg:
            return Verdict.HOLD
    last = before[-1]
    if measured_at - last.measured_at > WEIGHT_DAY_MAX:
        return Verdict.FINE
    change_kg = abs(weight_kg - last.weight_kg)
    if change_kg > WEIGHT_CHANGE_HOLD_KG:
        return Verdict.HOLD
    return Verdict.FLAG if change_kg > WEIGHT_CHANGE_FLAG_KG else Verdict.FINE
