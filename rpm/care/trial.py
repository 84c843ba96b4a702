"""A cohort's folder, taken in as the product takes readings in: what plausibility would hold or reject is not judged."""

from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import numpy as np

from alerts.facts import Facts
from alerts.observations import Observations, read_observations, read_patients
from alerts.scoring import Truth, read_truth
from alerts.series import Bools, Series, instant_of, run_starts
from rpm.ingest.checks import DISTURBING_STATUS
from rpm.ingest.plausibility import (
    WEIGHT_MEDIAN_OVER,
    Verdict,
    Weighing,
    judge,
    judge_pulse_pressure,
    judge_weight_change,
)
from schemas.codes import BY_NAME, BY_NUMBER, UNIT_BY_NUMBER
from schemas.quantity import converted

_WEIGHT: Final = BY_NAME["body_weight"].number


@dataclass(frozen=True, slots=True)
class Trial:
    """What a cohort measured, and what was true. `held`: readings that would have waited for a person to look at them."""

    observed: Observations
    facts: Facts
    truths: list[Truth]
    held: int

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read observations.csv, patients.csv and truth.jsonl. ObservationsError and OSError as of those."""
        observed = read_observations(folder / "observations.csv", disturbing=DISTURBING_STATUS)
        facts = read_patients(folder / "patients.csv", observed.patients)
        keep = admitted(observed.series)
        held = len(np.unique(observed.series.reading_no[~keep]))
        return cls(observed.take(np.flatnonzero(keep)), facts, read_truth(folder / "truth.jsonl"), held)


def admitted(series: Series) -> Bools:
    """The rows of readings that would be judged at once."""
    keep = np.ones(len(series), np.bool_)
    begins = run_starts(series.patient, series.measured_at_us, series.reading_no)
    earlier: deque[Weighing] = deque()
    patient = -1
    for first, end in zip(begins, [*begins[1:], len(series)], strict=True):
        if int(series.patient[first]) != patient:
            patient = int(series.patient[first])
            earlier.clear()
        keep[first:end] = _verdict(series, range(first, end), earlier) < Verdict.HOLD
    return keep


def _verdict(series: Series, rows: range, earlier: deque[Weighing]) -> Verdict:
    """Of one reading; a weight that is believed is remembered in `earlier`."""
    found = {
        BY_NUMBER[int(series.code[row])].name: (float(series.value[row]), UNIT_BY_NUMBER[int(series.unit[row])])
        for row in rows
    }
    verdict = max((judge(name, *quantity) for name, quantity in found.items()), default=Verdict.FINE)
    if "systolic" in found and "diastolic" in found:
        (systolic, unit), (diastolic, _) = found["systolic"], found["diastolic"]
        verdict = max(verdict, judge_pulse_pressure(systolic, diastolic, unit))
    if "body_weight" in found:
        at, kilograms = instant_of(int(series.measured_at_us[rows[0]])), converted(*found["body_weight"], "kg")
        while earlier and earlier[0].measured_at < at - WEIGHT_MEDIAN_OVER:
            earlier.popleft()
        verdict = max(verdict, judge_weight_change(kilograms, measured_at=at, earlier=earlier))
        if verdict < Verdict.HOLD:
            earlier.append(Weighing(at, kilograms))
    return verdict
