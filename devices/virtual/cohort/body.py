"""The underlying signals of one person as functions of time: what a perfect instrument would show.

`usual` is the person without what happens to them; `signal` with it. Times are hours by the clock on the wall. Noise that
belongs to a day (a salty meal, a bad night) belongs to the body and is the same for every reading of that day.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from devices.virtual.cohort.episodes import Episode, Kind
from devices.virtual.cohort.people import Subject

Floats = NDArray[np.float64]

#: A day's pressure by the hour, mmHg systolic around the daytime mean: the night falls by a tenth or more (O'Brien 1988), the
#: morning stands about 3 above the evening, as at home.
_CLOCK_H: Final = (0.0, 3.0, 6.0, 8.0, 11.0, 14.0, 18.0, 20.0, 22.0, 24.0)
_CLOCK_MMHG: Final = (-11.0, -15.0, -2.0, 3.0, 2.5, 0.0, -1.0, -1.0, -5.0, -11.0)
DIASTOLIC_SHARE: Final = 0.6
#: Day to day, standard deviation and what of it the next day keeps. With the noise of a session and of a reading (in `measuring`)
#: the morning pressures of a person vary by 8.6/5.8 mmHg (Ohasama). The split between them is an assumption.
DAY_SYSTOLIC: Final = (5.5, 0.35)
DAY_DIASTOLIC: Final = (3.6, 0.35)
DAY_PULSE: Final = (3.0, 0.4)
#: Of the body weight. An assumption: 0.45 kg at 80 kg from one day to the next, half of it kept (water, salt, the bowel).
DAY_WEIGHT_FRACTION: Final = (0.0056, 0.5)
#: Over weeks, kg: what is eaten.
WEIGHT_WANDER: Final = (0.7, 0.985)
EVENING_KG: Final = 0.5
#: Of the fasting level; and how much one meal differs from the next. Assumptions within a meter's usual spread of 20-36 %.
DAY_GLUCOSE: Final = (0.07, 0.5)
MEAL_CV: Final = 0.25
MEALS_H: Final = (7.75, 12.5, 18.75)
MEAL_PEAK_H: Final = 1.25
#: Heart failure that worsens quickens the pulse (Moazeni, Eur Heart J Digit Health 2023: it told more than the weight did). How much,
#: beats a minute for each kg and least and most, is an assumption.
PULSE_PER_KG: Final = 5.0
PULSE_RISE: Final = (6.0, 20.0)


@dataclass(frozen=True, slots=True)
class Body:
    """One person's days. Arrays have an entry per day, `meals` one per day and meal."""

    subject: Subject
    day_systolic: Floats
    day_diastolic: Floats
    day_pulse: Floats
    day_weight_kg: Floats
    day_glucose: Floats
    meals: Floats

    @classmethod
    def of(cls, subject: Subject, *, seed: int, number: int, days: int) -> Self:
        """Drawn from the seed; a day more than asked, for the night after the last."""
        draw = np.random.default_rng([seed, number, 2])
        count = days + 1
        systolic, own = _days(draw, count, *DAY_SYSTOLIC), _days(draw, count, *DAY_DIASTOLIC)
        sd, kept = DAY_WEIGHT_FRACTION
        weight = _days(draw, count, sd * (subject.weight_kg or 0), kept) + _days(draw, count, *WEIGHT_WANDER)
        return cls(
            subject,
            systolic * subject.spread,
            # The two pressures of a day rise and fall together.
            (0.6 * systolic * DAY_DIASTOLIC[0] / DAY_SYSTOLIC[0] + 0.8 * own) * subject.spread,
            _days(draw, count, *DAY_PULSE),
            weight,
            _days(draw, count, *DAY_GLUCOSE),
            np.clip(draw.normal(1, MEAL_CV, (count, len(MEALS_H))), 0.2, 2.0),
        )

    def usual(self, quantity: str, at_h: Floats) -> Floats:
        """Without episodes: mmHg, beats a minute, kg or mg/dL."""
        day, hour = self._day(at_h), at_h % 24
        clock = np.interp(hour, _CLOCK_H, _CLOCK_MMHG)
        one = self.subject
        if quantity == "systolic":
            return (one.systolic or 0) + clock + self.day_systolic[day]
        if quantity == "diastolic":
            return (one.diastolic or 0) + DIASTOLIC_SHARE * clock + self.day_diastolic[day]
        if quantity == "pulse_rate":
            return one.pulse + 0.3 * clock + self.day_pulse[day]
        if quantity == "body_weight":
            return (one.weight_kg or 0) + self.day_weight_kg[day] + EVENING_KG * np.clip((hour - 8) / 12, 0, 1)
        return (one.fasting or 0) * (1 + self.day_glucose[day]) + self._meals(at_h)

    def signal(self, quantity: str, at_h: Floats, happened: list[Episode]) -> Floats:
        """With episodes."""
        value = self.usual(quantity, at_h)
        for one in happened:
            value = _moved(one, quantity, value, one.share(at_h))
        return value

    def _day(self, at_h: Floats) -> NDArray[np.int64]:
        return np.clip(at_h // 24, 0, len(self.day_pulse) - 1).astype(np.int64)

    def _meals(self, at_h: Floats) -> Floats:
        """What this day's and the last evening's meals add, mg/dL: up in 75 minutes, and slowly down."""
        day, risen = self._day(at_h), np.zeros_like(at_h)
        for back in (0, 1):
            for number, meal_h in enumerate(MEALS_H):
                since = at_h % 24 + 24 * back - meal_h
                curve = np.where(since > 0, since / MEAL_PEAK_H * np.exp(1 - since / MEAL_PEAK_H), 0.0)
                risen += self.meals[np.maximum(day - back, 0), number] * curve
        return self.subject.meal_rise * risen


def _moved(one: Episode, quantity: str, value: Floats, share: Floats) -> Floats:
    """A signal as an episode moves it."""
    match one.kind, quantity:
        case Kind.DECOMPENSATION, "body_weight":
            return value + one.amount * share
        case Kind.FLUID_LOSS, "body_weight":
            return value - one.amount * share
        case Kind.DECOMPENSATION, "pulse_rate":
            return value + float(np.clip(PULSE_PER_KG * one.amount, *PULSE_RISE)) * share
        case (Kind.SEVERE_PRESSURE, "systolic") | (Kind.LOW_GLUCOSE, "glucose"):
            return (1 - share) * value + share * one.amount
        case Kind.SEVERE_PRESSURE, "diastolic":
            return (1 - share) * value + share * 0.58 * one.amount
        case Kind.UNCONTROLLED_PRESSURE, "systolic":
            return value + one.amount * share
        case Kind.UNCONTROLLED_PRESSURE, "diastolic":
            return value + 0.5 * one.amount * share
        case Kind.LOW_PRESSURE, "systolic":
            return value - one.amount * share
        case Kind.LOW_PRESSURE, "diastolic":
            return value - 0.5 * one.amount * share
        case Kind.HIGH_GLUCOSE, "glucose":
            return value + one.amount * share
        case _:
            return value


def _days(draw: np.random.Generator, count: int, sd: float, kept: float) -> Floats:
    """Noise of days, each keeping a part of the day before (a first-order autoregression with this standard deviation)."""
    steps = draw.normal(0, sd * np.sqrt(1 - kept**2), count)
    steps[0] = draw.normal(0, sd)
    found = np.empty(count)
    last = 0.0
    for day, step in enumerate(steps):
        last = kept * last + step
        found[day] = last
    return found
