"""What judging a patient takes besides readings: age, pregnancy, dry weight, time zone, schedule, whose limits hold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from alerts.series import Bools, Floats, Ints, microseconds, run_starts

#: Adult limits hold from this birthday.
ADULT_YEARS: Final = 18
#: How long after a birth the limits of pregnancy go on.
POSTPARTUM: Final = timedelta(weeks=6)
#: An instant nobody reaches, and one before all.
NEVER: Final = int(np.iinfo(np.int64).max)
ALWAYS: Final = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class PatientFacts:
    """What is known of one patient. What is not known is None: then nothing that needs it is judged.

    `pregnant_from` to `delivered_on` and six weeks more, or without end while it is not known when.
    `every_h` is the patient's schedule, hours from one reading to the next.
    """

    patient: int
    time_zone: str = "UTC"
    birth_date: date | None = None
    pregnant_from: date | None = None
    delivered_on: date | None = None
    dry_weight_kg: float | None = None
    monitored_since: datetime | None = None
    every_h: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """The same as columns of one length, `patient` ascending. Of whom nothing is known: an adult in UTC."""

    patient: Ints
    zone: NDArray[np.int16]
    zones: tuple[str, ...]
    adult_from_us: Ints
    pregnant_from_us: Ints
    pregnant_until_us: Ints
    dry_weight_kg: Floats
    monitored_since_us: Ints
    every_h: Floats

    @classmethod
    def of(cls, people: Iterable[PatientFacts]) -> Self:
        """Columns from people, in any order; ValueError where one is given twice."""
        known = sorted(people, key=lambda one: one.patient)
        numbers = [one.patient for one in known]
        if len(set(numbers)) != len(numbers):
            raise ValueError("a patient is given twice")
        zones = tuple(sorted({one.time_zone for one in known}))
        place = {zone: index for index, zone in enumerate(zones)}
        return cls(
            patient=np.array(numbers, np.int64),
            zone=np.array([place[one.time_zone] for one in known], np.int16),
            zones=zones,
            adult_from_us=np.array([_adult_from(one) for one in known], np.int64),
            pregnant_from_us=np.array([_midnight(one.pregnant_from, one, NEVER) for one in known], np.int64),
            pregnant_until_us=np.array([_pregnant_until(one) for one in known], np.int64),
            dry_weight_kg=np.array([_or_nan(one.dry_weight_kg) for one in known], np.float64),
            monitored_since_us=np.array(
                [microseconds(one.monitored_since) if one.monitored_since else NEVER for one in known], np.int64
            ),
            every_h=np.array([_or_nan(one.every_h) for one in known], np.float64),
        )

    def __len__(self) -> int:
        return len(self.patient)

    def place(self, patient: Ints) -> Ints:
        """Where each patient stands in the columns; -1: not known. `patient` is in runs: each run is looked up once."""
        begins = run_starts(patient)
        if not len(self) or not len(begins):
            return np.full(len(patient), -1, np.int64)
        each = patient[begins]
        found = np.minimum(np.searchsorted(self.patient, each), len(self) - 1)
        return np.repeat(np.where(self.patient[found] == each, found, -1), np.diff(np.append(begins, len(patient))))

    def minor(self, patient: Ints, at_us: Ints) -> Bools:
        """Who was under 18 then."""
        place = self.place(patient)
        return (place >= 0) & (at_us < self._taken(self.adult_from_us, place, ALWAYS))

    def pregnant(self, patient: Ints, at_us: Ints) -> Bools:
        """Who was pregnant then, or had given birth within six weeks."""
        place = self.place(patient)
        begun = at_us >= self._taken(self.pregnant_from_us, place, NEVER)
        return begun & (at_us < self._taken(self.pregnant_until_us, place, NEVER))

    def dry_weights_kg(self, patient: Ints) -> Floats:
        """The dry weight of each; NaN: none written down."""
        place = self.place(patient)
        return np.where(place >= 0, self.dry_weight_kg[place], np.nan) if len(self) else np.full(len(place), np.nan)

    @staticmethod
    def _taken(column: Ints, place: Ints, otherwise: int) -> Ints:
        return np.where(place >= 0, column[place], otherwise) if len(column) else np.full(len(place), otherwise)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _midnight(day: date | None, one: PatientFacts, otherwise: int) -> int:
    """When a day begins where the patient lives."""
    return microseconds(datetime.combine(day, time(), ZoneInfo(one.time_zone))) if day else otherwise


def _adult_from(one: PatientFacts) -> int:
    """The beginning of the eighteenth birthday; of somebody born on 29 February, of 1 March."""
    if one.birth_date is None:
        return ALWAYS
    born = one.birth_date
    leap = (born.month, born.day) == (2, 29)
    year = born.year + ADULT_YEARS
    birthday = date(year, 3, 1) if leap else born.replace(year=year)
    return _midnight(birthday, one, ALWAYS)


def _pregnant_until(one: PatientFacts) -> int:
    return _midnight(one.delivered_on + POSTPARTUM + timedelta(days=1), one, NEVER) if one.delivered_on else NEVER


NO_FACTS: Final = Facts.of(())
