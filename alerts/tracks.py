"""One quantity of every patient as a line through time: what trends are measured on.

A track holds what a rule may look at and no more: finite values, in one unit for each patient (that of the newest reading;
what came in another unit is converted onto its step), without what the rule leaves out.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from alerts.facts import Facts
from alerts.kernels.days import day_of, in_morning, local_us, new_days
from alerts.kernels.gains import in_unit
from alerts.kernels.windows import Counts, positions
from alerts.rules import Meal, Rule
from alerts.series import MEALS, Bools, Floats, Ints, Series, run_starts
from schemas.codes import BY_NAME


@dataclass(frozen=True, slots=True)
class Track:
    """Columns of one length: `rows` are indices into the series, `position` the place within the patient, from 0."""

    quantity: str
    rows: Ints
    patient: Ints
    at_us: Ints
    reading_no: Ints
    value: Floats
    unit: NDArray[np.int16]
    position: Counts

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, keep: Bools) -> "Track":
        """The rows that are kept, as a track of their own."""
        if keep.all():
            return self
        patient = self.patient[keep]
        return Track(
            self.quantity,
            self.rows[keep],
            patient,
            self.at_us[keep],
            self.reading_no[keep],
            self.value[keep],
            self.unit[keep],
            positions(patient),
        )

    def local(self, facts: Facts) -> Ints:
        """Microseconds by the clock on each patient's wall."""
        if not len(facts):
            return self.at_us
        place = facts.place(self.patient)
        zone = np.where(place >= 0, facts.zone[place], -1).astype(np.int16)
        return local_us(self.at_us, zone, facts.zones)

    def days(self, facts: Facts) -> tuple[NDArray[np.int32], Bools]:
        """Each row's clinical day, and whether it is the first of its patient in it."""
        day = day_of(self.local(facts))
        return day, new_days(day, self.position)

    def mornings(self, facts: Facts) -> Bools:
        """Which rows were measured before noon."""
        return in_morning(self.local(facts))


class Look(NamedTuple):
    """Which readings a rule looks at: of which meals, only those no device doubts, of whom."""

    meal: frozenset[Meal] | None
    undisturbed: bool
    pregnancy: Literal["any", "only", "never"]

    @classmethod
    def of(cls, rule: Rule) -> Self:
        """A mean or a trend takes no value that its own device doubts."""
        of_many = rule.measure is not None and rule.reference is None
        return cls(rule.meal, rule.flagged == "ignore" or (rule.flagged == "ask" and of_many), rule.pregnancy)


def looked_at(series: Series, look: Look, facts: Facts, rows: Ints) -> Ints:
    """Of these rows, those that are looked at; the same array where all are."""
    if look.pregnancy == "only" and not len(facts):
        return rows[:0]
    keep: Bools | None = None
    if look.meal is not None:
        wanted = np.zeros(len(MEALS), np.bool_)
        wanted[[MEALS.index(meal) for meal in look.meal]] = True
        keep = wanted[series.meal[rows]]
    if look.undisturbed:
        undisturbed = ~series.disturbed[rows]
        keep = undisturbed if keep is None else keep & undisturbed
    if look.pregnancy != "any" and len(facts):
        pregnant = facts.pregnant(series.patient[rows], series.measured_at_us[rows])
        meant = pregnant if look.pregnancy == "only" else ~pregnant
        keep = meant if keep is None else keep & meant
    return rows if keep is None or keep.all() else rows[keep]


def track_of(series: Series, quantity: str, rows: Ints) -> Track:
    """The track of one quantity; `rows` are the series' rows to take it from."""
    code = BY_NAME[quantity]
    value = series.value[rows]
    finite = np.isfinite(value)
    if not finite.all():
        rows, value = rows[finite], value[finite]
    patient, unit = series.patient[rows], series.unit[rows]
    if len(code.units) > 1 and len(rows) and (unit != unit[0]).any():
        value, unit = _one_unit(patient, value, unit)
        if not np.isfinite(value).all():
            # A unit that is none of this quantity's cannot be judged.
            known = np.isfinite(value)
            rows, patient, value, unit = rows[known], patient[known], value[known], unit[known]
    at, numbers = series.measured_at_us[rows], series.reading_no[rows]
    return Track(quantity, rows, patient, at, numbers, value, unit, positions(patient))


def _one_unit(patient: Ints, value: Floats, unit: NDArray[np.int16]) -> tuple[Floats, NDArray[np.int16]]:
    begins = run_starts(patient)
    ends = np.append(begins[1:], len(patient))
    newest = np.repeat(unit[ends - 1], ends - begins)
    return in_unit(value, unit, newest), newest
