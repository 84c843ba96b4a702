"""Observations of many patients as numpy columns, one row per quantity, in the one order every check relies on."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
US_PER_HOUR: Final = 3_600_000_000
#: What the column `meal` counts: nothing known, then the words of the Glucose Service's context.
MEALS: Final = ("", "fasting", "preprandial", "postprandial", "casual", "bedtime")


def microseconds(instant: datetime) -> int:
    """An instant as whole microseconds since 1970 UTC: exact, where a float of seconds is not."""
    return (instant - EPOCH) // MICROSECOND


def instant_of(us: int) -> datetime:
    """The instant of so many microseconds since 1970, in UTC."""
    return EPOCH + us * MICROSECOND


@dataclass(frozen=True, slots=True)
class Series:
    """Columns of equal length n, sorted by (patient, measured_at, reading_no, code): a reading's rows are neighbours.

    `code` and `unit` are the numbers of schemas.codes; `measured_at_us` is microseconds since 1970 UTC; `value` is in
    `unit`, as the device sent it; `reading_no` names the reading in the database. `doubted`: the time is by a device's
    clock that nobody could read, of a reading that came at once; a red by it is never taken for an old one. `disturbed`: the
    device itself says that the person moved, the cuff was loose, or the like. `meal`: an index into MEALS.
    """

    patient: Ints
    measured_at_us: Ints
    reading_no: Ints
    code: NDArray[np.int16]
    unit: NDArray[np.int16]
    value: Floats
    doubted: Bools
    disturbed: Bools
    meal: NDArray[np.int8]

    @classmethod
    def of(
        cls,
        *,
        patient: ArrayLike,
        measured_at_us: ArrayLike,
        reading_no: ArrayLike,
        code: ArrayLike,
        unit: ArrayLike,
        value: ArrayLike,
        doubted: ArrayLike | None = None,
        disturbed: ArrayLike | None = None,
        meal: ArrayLike | None = None,
    ) -> Self:
        """Sorted columns from columns in any order; one that is not given is all false, or no meal.

        ValueError where their lengths differ.
        """
        made = cls(
            np.asarray(patient, np.int64),
            np.asarray(measured_at_us, np.int64),
            np.asarray(reading_no, np.int64),
            np.asarray(code, np.int16),
            np.asarray(unit, np.int16),
            np.asarray(value, np.float64),
            np.zeros(np.shape(value), np.bool_) if doubted is None else np.asarray(doubted, np.bool_),
            np.zeros(np.shape(value), np.bool_) if disturbed is None else np.asarray(disturbed, np.bool_),
            np.zeros(np.shape(value), np.int8) if meal is None else np.asarray(meal, np.int8),
        )
        lengths = {column.shape for column in (made.patient, made.measured_at_us, made.reading_no, made.code)}
        lengths |= {column.shape for column in (made.unit, made.value, made.doubted, made.disturbed, made.meal)}
        if lengths != {(len(made),)}:
            raise ValueError("columns of a series have one length")
        return made.take(_order(made.patient, made.measured_at_us, made.reading_no, made.code))

    @classmethod
    def empty(cls) -> Self:
        """No rows."""
        return cls.of(patient=[], measured_at_us=[], reading_no=[], code=[], unit=[], value=[])

    def __len__(self) -> int:
        return len(self.patient)

    def take(self, rows: Ints) -> Self:
        """The rows of these indices, in their order."""
        return type(self)(
            self.patient[rows],
            self.measured_at_us[rows],
            self.reading_no[rows],
            self.code[rows],
            self.unit[rows],
            self.value[rows],
            self.doubted[rows],
            self.disturbed[rows],
            self.meal[rows],
        )

    def rows_of(self, codes: Sequence[int], within: slice = slice(None)) -> Ints:
        """Indices of the rows that hold one of these codes; only those of a run of rows."""
        column = self.code[within]
        mask = column == codes[0]
        for code in codes[1:]:
            mask |= column == code
        return np.flatnonzero(mask) + (within.start or 0)


def _order(patient: Ints, at_us: Ints, number: Ints, code: NDArray[np.int16]) -> Ints:
    """The order by patient, time, reading and code: np.lexsort's, in a fifth of the time where rows come as an index has them.

    Patient and time make one number, which is sorted by runs; what is equal in both then mostly stands as it should.
    """
    if not len(patient):
        return np.zeros(0, np.int64)
    first, begin = int(patient.min()), int(at_us.min())
    span = int(at_us.max()) - begin + 1
    if (int(patient.max()) - first + 1) * span < np.iinfo(np.int64).max:
        key = (patient - first) * span + (at_us - begin)
        order = np.argsort(key, kind="stable")
        key, numbers, codes = key[order], number[order], code[order]
        wrong = (numbers[1:] < numbers[:-1]) | ((numbers[1:] == numbers[:-1]) & (codes[1:] < codes[:-1]))
        if not (wrong & (key[1:] == key[:-1])).any():
            return order
    return np.lexsort((code, number, at_us, patient))


def run_starts(*columns: NDArray[np.int64]) -> Ints:
    """Where each run of rows equal in all columns begins. The columns are sorted and of one length.

    Quickest where the first column differs most.
    """
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    changed = np.zeros(len(columns[0]), np.bool_)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
        if changed.all():
            break
    return np.flatnonzero(changed)
