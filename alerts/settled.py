"""What no longer is news to a rule: readings that belong to an alert, and patients a person has just looked at for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from alerts.series import US_PER_HOUR, Bools, Ints, microseconds
from alerts.severity import Severity


@dataclass(frozen=True, slots=True)
class Answered:
    """An alert that a person closed: of whom, how severe it was, when."""

    patient: int
    severity: Severity
    closed_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """One rule's. `numbers`: readings that belong to one of its alerts, ascending; they neither open nor worsen another.

    `patients` (ascending) and `answered_us`, per severity: whom a person closed an alert as severe of, and when last.
    """

    numbers: Ints
    patients: Mapping[int, Ints]
    answered_us: Mapping[int, Ints]

    @classmethod
    def of(cls, numbers: Iterable[int], answered: Iterable[Answered] = ()) -> Self:
        """From readings and closed alerts in any order."""
        latest: dict[int, dict[int, int]] = {}
        for one in answered:
            # Who has looked at an orange has looked at the yellow as well.
            for severity in range(Severity.ROUTINE, one.severity + 1):
                known = latest.setdefault(severity, {})
                known[one.patient] = max(known.get(one.patient, 0), microseconds(one.closed_at))
        ordered = {severity: sorted(known.items()) for severity, known in latest.items()}
        return cls(
            np.array(sorted(set(numbers)), np.int64),
            {severity: np.array([patient for patient, _ in known], np.int64) for severity, known in ordered.items()},
            {severity: np.array([at for _, at in known], np.int64) for severity, known in ordered.items()},
        )

    def known(self, reading_no: Ints) -> Bools:
        """Which readings already belong to an alert."""
        return np.isin(reading_no, self.numbers)

    def just_answered(self, patient: Ints, at_us: Ints, severity: NDArray[np.int8], *, days: int) -> Bools:
        """Whose alert, as severe as this or more, was closed less than `days` before; never so of an urgent one."""
        quiet = np.zeros(len(patient), np.bool_)
        for one in (Severity.ROUTINE, Severity.PRIORITY):
            patients = self.patients.get(one)
            if patients is None:
                continue
            place = np.minimum(np.searchsorted(patients, patient), len(patients) - 1)
            until = self.answered_us[one][place] + days * 24 * US_PER_HOUR
            quiet |= (severity == one) & (patients[place] == patient) & (at_us < until)
        return quiet


#: Of no rule anything.
NOTHING_SETTLED: Final[Mapping[str, Settled]] = MappingProxyType({})
