"""Who is in a cohort: the practice's cast (where they live, how old, which units), each with usual values of their own.

Usual values are those of people at goal, so that what a rule should find is an episode, never the person: home pressures
below 135/85 (about 140/90 in the clinic), glucose of 80-130 mg/dL before and below 180 after meals (ADA goals). Figures
without a named source are assumptions, said to be so here and in the README.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, Literal

import numpy as np

from devices.virtual import practice_cast as cast
from schemas.quantity import KG_PER_LB

#: The share of people who measure nearly every day, and on how many of 100 days both sorts do. BEAT-HF: 55 % adherent at 30
#: days (AFP 2016;94(2)); the shares of days are assumptions.
FAITHFUL_SHARE: Final = 0.55
FAITHFUL_DAYS: Final = 0.92
FORGETFUL_DAYS: Final = 0.55
#: Of the people with diabetes, who injects insulin (assumption).
INSULIN_SHARE: Final = 0.4
#: Beside the cast's two zones: one without summer time, one with other rules, one far west.
ZONES: Final = ("America/Chicago", "America/Phoenix", "Europe/Berlin", "Pacific/Honolulu")
ZONE_ELSEWHERE_SHARE: Final = 0.25
#: Home pressures differ in how much they vary: standard deviations of 8.6 ± 3.1 mmHg (Ohasama: Kato, Am J Hypertens 2010).
SPREAD_LOG_SD: Final = 0.33


class Programme(StrEnum):
    """What a patient is cared for."""

    HEART_FAILURE = "heart_failure"
    HYPERTENSION = "hypertension"
    DIABETES = "diabetes"


_PROGRAMMES: Final = {
    "heart failure": Programme.HEART_FAILURE,
    "hypertension": Programme.HYPERTENSION,
    "diabetes": Programme.DIABETES,
}
#: Usual systolic and diastolic home pressure, mmHg: mean, standard deviation, least, most. Who has heart failure is on drugs
#: that lower it.
_PRESSURES: Final = {
    Programme.HEART_FAILURE: ((115.0, 8.0, 100.0, 130.0), (70.0, 6.0, 58.0, 80.0)),
    Programme.HYPERTENSION: ((124.0, 6.0, 110.0, 131.0), (75.0, 5.0, 62.0, 81.0)),
    Programme.DIABETES: ((122.0, 6.0, 108.0, 131.0), (74.0, 5.0, 62.0, 81.0)),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """One person. Values in mmHg, beats a minute, kg, mg/dL; the units are what their devices show."""

    key: str
    programme: Programme
    time_zone: str
    birth_date: date
    #: None: has no such device.
    systolic: float | None
    diastolic: float | None
    pulse: float
    spread: float
    weight_kg: float | None
    weight_unit: Literal["kg", "[lb_av]"]
    fasting: float | None
    meal_rise: float
    glucose_unit: Literal["mg/dL", "mmol/L"]
    insulin: bool
    days_share: float

    @property
    def has(self) -> frozenset[str]:
        """The quantities this person's devices measure."""
        named = {"systolic": self.systolic, "body_weight": self.weight_kg, "glucose": self.fasting}
        found = {name for name, value in named.items() if value is not None}
        return frozenset(found | ({"diastolic", "pulse_rate"} if "systolic" in found else set[str]()))


def subject(seed: int, number: int) -> Subject:
    """The person with this number (from 0) in the cohort of a seed."""
    draw = np.random.default_rng([seed, number, 0])
    role = cast.role(number)
    programme = _PROGRAMMES[role.conditions[0]]
    systolic, diastolic = (_within(draw, *limits) for limits in _PRESSURES[programme])
    cuff = role.pressure is not None or programme is not Programme.DIABETES
    # Heart failure is watched with a scale; others step on one only where the cast has one.
    start = role.weight.start if role.weight is not None else draw.normal(84, 14)
    in_lb = role.weight is not None and role.weight.unit == "lb"
    weight_kg = float(np.clip((start * KG_PER_LB if in_lb else start) * draw.normal(1, 0.1), 48, 150))
    scale = role.weight is not None or programme is Programme.HEART_FAILURE
    meter = role.glucose is not None
    faithful = draw.random() < FAITHFUL_SHARE
    elsewhere = draw.random() < ZONE_ELSEWHERE_SHARE
    zone = ZONES[int(draw.integers(len(ZONES)))]
    return Subject(
        key=f"c{number + 1:04}",
        programme=programme,
        time_zone=zone if elsewhere else role.time_zone,
        birth_date=date(role.birth_year, int(draw.integers(1, 13)), int(draw.integers(1, 29))),
        systolic=systolic if cuff else None,
        diastolic=diastolic if cuff else None,
        pulse=_within(draw, 69, 7, 54, 86),
        spread=float(np.exp(draw.normal(-(SPREAD_LOG_SD**2) / 2, SPREAD_LOG_SD))),
        weight_kg=weight_kg if scale else None,
        weight_unit="[lb_av]" if in_lb else "kg",
        fasting=_within(draw, 108, 9, 90, 122) if meter else None,
        meal_rise=_within(draw, 36, 9, 20, 50),
        glucose_unit=role.glucose.unit if role.glucose is not None else "mg/dL",
        insulin=bool(draw.random() < INSULIN_SHARE),
        days_share=FAITHFUL_DAYS if faithful else FORGETFUL_DAYS,
    )


def _within(draw: np.random.Generator, mean: float, sd: float, least: float, most: float) -> float:
    return float(np.clip(draw.normal(mean, sd), least, most))
