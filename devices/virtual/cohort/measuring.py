"""When people measure, what they forget, what the device shows, and what goes wrong on purpose.

Times are hours by the clock on the wall since the midnight before the first day; values in the unit of the device's display.
Figures without a named source are assumptions.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from devices.virtual.cohort.body import Body
from devices.virtual.cohort.episodes import Episode, Kind
from devices.virtual.cohort.people import Programme, Subject
from schemas.quantity import KG_PER_LB, MG_DL_PER_MMOL_L

#: Habits: when a person weighs and squeezes, by how many hours each one's own habit and each day's mood move it.
MORNING_H: Final = 7.3
EVENING_H: Final = 19.2
AFTER_DINNER_H: Final = 20.7
HABIT_SD_H: Final = 0.6
MOOD_SD_H: Final = 0.25
EVENING_SHARE: Final = 0.75
#: Two readings, one minute apart, is how home pressures are to be taken (AHA).
SECOND_AFTER_H: Final = 1.2 / 60
#: Days without a reading come in runs of two, on average.
BACK_AGAIN: Final = 0.5
#: Beside the noise of days (in `body`), mmHg and beats a minute: of a session, and of a reading.
SESSION_SYSTOLIC, SESSION_DIASTOLIC = 3.5, 2.4
READING_SYSTOLIC, READING_DIASTOLIC, READING_PULSE = 5.0, 3.4, 3.0
#: The first of two readings is higher, and in the first days higher still: why AHA 2008 and CHEP drop day one.
FIRST_READING_MMHG: Final = 4.0
FIRST_DAYS_MMHG: Final = 6.0
FIRST_DAYS: Final = 3
#: Clothes and feet, kg; a meter, of its value (ISO 15197 allows 15 % for 95 of 100 readings: 5 % is a good one).
SCALE_SD_KG: Final = 0.15
METER_CV: Final = 0.05
#: Who feels a low tests, and again a quarter of an hour after the juice.
FELT_SHARE: Final = 0.7
RETEST_AFTER_H: Final = 0.3

WRONG_PERSON: Final = "wrong_person"
OTHER_SCALE: Final = "other_scale"
CLOTHED: Final = "clothed"
TALKING: Final = "talking"
DISTURBED: Final = "disturbed"
#: Chances per day with a weighing, and per session of a cuff.
WRONG_PERSON_A_DAY: Final = 1.0 / 365
OTHER_SCALE_A_DAY: Final = 0.15 / 365
CLOTHED_A_DAY: Final = 0.02
DISTURBED_A_SESSION: Final = 0.015
TALKING_A_SESSION: Final = 0.005
OTHER_SCALE_SD_KG: Final = 0.9
#: One day in so many the gateway is unplugged, and what was measured arrives the next morning.
LATE_ONE_DAY_IN: Final = 40
LATE_H: Final = 26.0
DELIVERY_H: Final = 10 / 3600


@dataclass(frozen=True, slots=True)
class Shown:
    """One reading: quantity → (value, unit) as shown. `note`: what is deliberately wrong with it."""

    at_h: float
    values: dict[str, tuple[float, str]]
    delay_h: float = DELIVERY_H
    meal: str = ""
    status: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measuring:
    """One person's days with a device in hand."""

    body: Body
    happened: list[Episode]
    draw: np.random.Generator
    habit_h: float

    @property
    def subject(self) -> Subject:
        """Whose."""
        return self.body.subject

    def readings(self, days: int) -> list[Shown]:
        """Every reading of so many days, in the order they were taken."""
        found: list[Shown] = []
        on, bias_kg = True, 0.0
        for day in range(days):
            share = self.subject.days_share
            on = self.draw.random() < (1 - BACK_AGAIN * (1 - share) / share if on else BACK_AGAIN)
            late = self.draw.random() * LATE_ONE_DAY_IN < 1
            if self.subject.weight_kg is not None and self.draw.random() < OTHER_SCALE_A_DAY:
                bias_kg += float(self.draw.normal(0, OTHER_SCALE_SD_KG))
            today = list(self._day(day, bias_kg)) if on else []
            today += self._felt(day)
            found += [replace(one, delay_h=LATE_H) for one in today] if late else today
        return sorted((one for one in found if one.at_h < days * 24), key=lambda one: one.at_h)

    def _day(self, day: int, bias_kg: float) -> Iterator[Shown]:
        morning = self._at(day, MORNING_H)
        if self.subject.weight_kg is not None:
            yield self._weighing(morning, bias_kg)
        if self.subject.systolic is not None:
            twice = self.subject.programme is Programme.HYPERTENSION
            yield from self._session(morning + 0.1, day, twice=twice)
            if twice and self.draw.random() < EVENING_SHARE:
                yield from self._session(self._at(day, EVENING_H), day, twice=True)
        if self.subject.fasting is not None:
            yield self._drop(morning + 0.05, "fasting")
            yield self._drop(self._at(day, AFTER_DINNER_H), "postprandial")

    def _felt(self, day: int) -> list[Shown]:
        """Tests for a low that is felt, at whatever hour."""
        found: list[Shown] = []
        for one in self.happened:
            if one.kind is Kind.LOW_GLUCOSE and one.peak_h // 24 == day and self.draw.random() < FELT_SHARE:
                found += [self._drop(one.peak_h, "casual"), self._drop(one.peak_h + RETEST_AFTER_H, "casual")]
        return found

    def _at(self, day: int, hour: float) -> float:
        return day * 24 + hour + self.habit_h + float(self.draw.normal(0, MOOD_SD_H))

    def _true(self, quantity: str, at_h: float) -> float:
        return float(self.body.signal(quantity, np.array([at_h]), self.happened)[0])

    def _weighing(self, at_h: float, bias_kg: float) -> Shown:
        weight_kg = self._true("body_weight", at_h) + bias_kg + float(self.draw.normal(0, SCALE_SD_KG))
        note = OTHER_SCALE if bias_kg else ""
        if self.draw.random() < WRONG_PERSON_A_DAY:
            lighter = self.draw.random() < 0.5
            weight_kg *= float(self.draw.uniform(0.6, 0.93) if lighter else self.draw.uniform(1.07, 1.4))
            note = WRONG_PERSON
        elif self.draw.random() < CLOTHED_A_DAY:
            weight_kg += float(self.draw.uniform(0.8, 2.0))
            note = CLOTHED
        in_lb = self.subject.weight_unit == "[lb_av]"
        shown = round(weight_kg / KG_PER_LB, 1) if in_lb else round(weight_kg * 20) / 20
        return Shown(at_h, {"body_weight": (shown, self.subject.weight_unit)}, note=note)

    def _session(self, at_h: float, day: int, *, twice: bool) -> Iterator[Shown]:
        spread = self.subject.spread
        systolic, diastolic = self.draw.normal(0, SESSION_SYSTOLIC), self.draw.normal(0, SESSION_DIASTOLIC)
        nervous = FIRST_DAYS_MMHG * max(0.0, 1 - day / FIRST_DAYS)
        disturbed, talking = (self.draw.random() < share for share in (DISTURBED_A_SESSION, TALKING_A_SESSION))
        for number in range(2 if twice else 1):
            when = at_h + number * SECOND_AFTER_H
            # The usual value is that of a second reading, as a clinician would take it.
            coat = nervous + (FIRST_READING_MMHG if number == 0 else 0.0)
            wrong = float(self.draw.normal(6, 18)) if disturbed and number == 0 else 0.0
            wrong += float(self.draw.uniform(10, 22)) if talking else 0.0
            up = self._true("systolic", when) + coat + wrong
            up += spread * (systolic + self.draw.normal(0, READING_SYSTOLIC))
            low = self._true("diastolic", when) + 0.4 * coat + 0.5 * wrong
            low += spread * (diastolic + self.draw.normal(0, READING_DIASTOLIC))
            pulse = self._true("pulse_rate", when) + self.draw.normal(0, READING_PULSE)
            values = {
                "systolic": (float(round(up)), "mm[Hg]"),
                "diastolic": (float(round(min(low, up - 16))), "mm[Hg]"),
                "pulse_rate": (float(round(pulse)), "/min"),
            }
            flagged = disturbed and number == 0
            status = ("cuff_loose" if self.draw.random() < 0.5 else "body_moved") if flagged else ""
            yield Shown(when, values, status=status, note=DISTURBED if flagged else TALKING if talking else "")

    def _drop(self, at_h: float, meal: str) -> Shown:
        mg_dl = max(self._true("glucose", at_h) * float(self.draw.normal(1, METER_CV)), 25.0)
        if self.subject.glucose_unit == "mmol/L":
            return Shown(at_h, {"glucose": (round(mg_dl / MG_DL_PER_MMOL_L, 1), "mmol/L")}, meal=meal)
        return Shown(at_h, {"glucose": (float(round(mg_dl)), "mg/dL")}, meal=meal)


def measuring(body: Body, happened: list[Episode], *, seed: int, number: int) -> Measuring:
    """One person's, drawn from the seed."""
    draw = np.random.default_rng([seed, number, 3])
    return Measuring(body, happened, draw, float(draw.normal(0, HABIT_SD_H)))
