"""What happens to people: true episodes, how often, how long and how much. Whoever is at goal and has none is well.

Times are hours by the clock on the person's wall since the midnight before the first day. An episode rises from its onset to
its peak and is over at its end; between, its effect is a share from 0 to 1 of its amount (`share`).
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from devices.virtual.cohort.people import Programme, Subject

Floats = NDArray[np.float64]
Direction = Literal["up", "down"]

YEAR_DAYS: Final = 365.25
#: Rules need to have seen a patient before they can tell what is usual.
FIRST_DAY: Final = 15
#: Who joins a hypertension programme is often not at goal yet: HyperLink and TASMINH4 enrolled nobody else. The share is an
#: assumption.
BEGINS_HIGH_SHARE: Final = 0.3
#: Time between two episodes of one person, so that each can be told from the other.
APART_H: Final = 7 * 24.0


class Kind(StrEnum):
    """What can happen."""

    DECOMPENSATION = "decompensation"
    FLUID_LOSS = "fluid_loss"
    SEVERE_PRESSURE = "severe_pressure"
    UNCONTROLLED_PRESSURE = "uncontrolled_pressure"
    LOW_PRESSURE = "low_pressure"
    LOW_GLUCOSE = "low_glucose"
    HIGH_GLUCOSE = "high_glucose"


@dataclass(frozen=True, slots=True)
class Course:
    """How episodes of a kind go. `rise_h` and `fall_h` are least and most; `up` and `down` are the powers of the curve.

    `down` above 1 is a plateau that ends late.
    """

    shows_in: dict[str, Direction]
    unit: str
    rise_h: tuple[float, float]
    fall_h: tuple[float, float]
    up: float
    down: float


COURSES: Final = {
    # Weight begins to rise about 30 days before admission and diverges in the last week (Chaudhry, Circulation 2007): over 10
    # to 30 days, mostly at the end. Diuresis takes days.
    Kind.DECOMPENSATION: Course(
        {"body_weight": "up", "pulse_rate": "up"}, "kg", (10 * 24, 30 * 24), (3 * 24, 6 * 24), 2.0, 1.0
    ),
    # Too much of a diuretic: over days, and made good in days.
    Kind.FLUID_LOSS: Course({"body_weight": "down"}, "kg", (2 * 24, 5 * 24), (4 * 24, 8 * 24), 1.0, 2.0),
    Kind.SEVERE_PRESSURE: Course({"systolic": "up", "diastolic": "up"}, "mm[Hg]", (2, 8), (12, 60), 0.7, 3.0),
    Kind.UNCONTROLLED_PRESSURE: Course(
        {"systolic": "up", "diastolic": "up"}, "mm[Hg]", (5 * 24, 14 * 24), (28 * 24, 50 * 24), 0.7, 4.0
    ),
    Kind.LOW_PRESSURE: Course({"systolic": "down"}, "mm[Hg]", (12, 48), (3 * 24, 9 * 24), 0.7, 4.0),
    Kind.LOW_GLUCOSE: Course({"glucose": "down"}, "mg/dL", (0.4, 1.2), (0.4, 1.0), 1.0, 1.5),
    Kind.HIGH_GLUCOSE: Course({"glucose": "up"}, "mg/dL", (6, 24), (36, 120), 0.7, 4.0),
}


@dataclass(frozen=True, slots=True)
class Episode:
    """One. `amount` is how far the signal is moved at the peak; of a severe pressure and a low glucose, where it goes to."""

    kind: Kind
    onset_h: float
    peak_h: float
    end_h: float
    amount: float

    def share(self, at_h: Floats) -> Floats:
        """How much of it there is at some times, 0 to 1."""
        course = COURSES[self.kind]
        risen = np.clip((at_h - self.onset_h) / max(self.peak_h - self.onset_h, 1e-9), 0, 1) ** course.up
        fallen = np.clip((at_h - self.peak_h) / (self.end_h - self.peak_h), 0, 1) ** course.down
        return risen * (1 - fallen)


def rates_per_year(subject: Subject) -> dict[Kind, float]:
    """How often each kind happens to this person, a year."""
    heart, tense = (subject.programme is one for one in (Programme.HEART_FAILURE, Programme.HYPERTENSION))
    rates: dict[Kind, float] = {}
    if heart:
        # HeartPhone: 28 episodes of 87 high-risk patients in 23.9 weeks (Ledwidge, Eur J Heart Fail 2013).
        rates[Kind.DECOMPENSATION] = 0.70
        # An assumption.
        rates[Kind.FLUID_LOSS] = 0.30
    if subject.systolic is not None:
        # Assumptions.
        rates[Kind.SEVERE_PRESSURE] = 0.20 if tense else 0.05
        rates[Kind.UNCONTROLLED_PRESSURE] = 0.40 if tense else 0.10
        rates[Kind.LOW_PRESSURE] = 0.20 if heart else 0.10
    if subject.fasting is not None:
        # 16.1 a year where insulin treats type 2 (IO HAT, Singapore Med J); without insulin an assumption.
        rates[Kind.LOW_GLUCOSE] = 16.1 if subject.insulin else 1.0
        rates[Kind.HIGH_GLUCOSE] = 1.5
    return rates


def episodes(subject: Subject, *, seed: int, number: int, days: int, often: float) -> list[Episode]:
    """A person's episodes in the order of their onsets; each is over before the last day is. `often` multiplies the rates."""
    draw = np.random.default_rng([seed, number, 1])
    found: list[Episode] = []
    begins_high = subject.programme is Programme.HYPERTENSION and draw.random() < BEGINS_HIGH_SHARE
    if begins_high and often > 0:
        fall_h = float(draw.uniform(28, 70)) * 24
        if fall_h < days * 24:
            amount = _amount(draw, Kind.UNCONTROLLED_PRESSURE, subject)
            found.append(Episode(Kind.UNCONTROLLED_PRESSURE, 0.0, 0.5, fall_h, amount))
    for kind, a_year in rates_per_year(subject).items():
        for _ in range(int(draw.poisson(a_year * often * days / YEAR_DAYS))):
            course = COURSES[kind]
            onset = float(draw.uniform(FIRST_DAY * 24, max(days, FIRST_DAY) * 24))
            peak = onset + float(draw.uniform(*course.rise_h))
            end = peak + float(draw.uniform(*course.fall_h))
            one = Episode(kind, onset, peak, end, _amount(draw, kind, subject))
            if end < days * 24 and not any(_too_near(one, other) for other in found):
                found.append(one)
    return sorted(found, key=lambda one: (one.onset_h, one.kind))


def _amount(draw: np.random.Generator, kind: Kind, subject: Subject) -> float:
    if kind is Kind.DECOMPENSATION:
        # Half of them gain less than 5 lb, some hardly 2 lb: Chaudhry's classes, and Desai's "often 2-3 lb".
        return float(np.clip(draw.lognormal(math.log(2.2), 0.55), 0.9, 8.0))
    if kind is Kind.FLUID_LOSS:
        return float(draw.uniform(1.2, 3.5))
    if kind is Kind.SEVERE_PRESSURE:
        return float(draw.uniform(186, 212))
    if kind is Kind.UNCONTROLLED_PRESSURE:
        # To 142-165 systolic, whoever it is.
        return float(draw.uniform(142, 165)) - (subject.systolic or 0)
    if kind is Kind.LOW_PRESSURE:
        # To 80-94 systolic.
        return (subject.systolic or 0) - float(draw.uniform(80, 94))
    if kind is Kind.LOW_GLUCOSE:
        # Level 2 (below 54 mg/dL) in three of ten; the share is an assumption.
        return float(draw.uniform(40, 53) if draw.random() < 0.3 else draw.uniform(55, 67))
    return float(draw.uniform(90, 220))


def _too_near(one: Episode, other: Episode) -> bool:
    """Whether two episodes could be taken for each other: what shows in the same quantity, within a week; lows, in a day."""
    if not COURSES[one.kind].shows_in.keys() & COURSES[other.kind].shows_in.keys():
        return False
    apart_h = 24.0 if one.kind is other.kind is Kind.LOW_GLUCOSE else APART_H
    return one.onset_h < other.end_h + apart_h and other.onset_h < one.end_h + apart_h
