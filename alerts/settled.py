"""What no longer is news to a rule: readings that belong to an alert, and patients a person has just looked at for it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Final, Self, cast

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

    `severities`, beside them: as what they were told.

    `patients` (ascending) and `answered_us`, per severity: whom a person closed an alert as severe of, and when last.
    """

    numbers: Ints
    severities: NDArray[np.int8]
    patients: Mapping[int, Ints]
    answered_us: Mapping[int, Ints]

    @classmethod
    def of(cls, numbers: Iterable[int] | Mapping[int, int], answered: Iterable[Answered] = ()) -> Self:
        """From readings (each with what it was told as; without: as the worst) and closed alerts in any order."""
        if isinstance(numbers, Mapping):
            told = cast("Mapping[int, int]", numbers)
        else:
            told = dict.fromkeys(numbers, int(Severity.URGENT))
        latest: dict[int, dict[int, int]] = {}
        for one in answered:
            # Who has looked at an orange has looked at the yellow as well.
            for severity in range(Severity.ROUTINE, one.severity + 1):
                known = latest.setdefault(severity, {})
                known[one.patient] = max(known.get(one.patient, 0), microseconds(one.closed_at))
        ordered = {severity: sorted(known.items()) for severity, known in latest.items()}
        return cls(
            np.array(sorted(told), np.int64),
            np.array([told[number] for number in sorted(told)], np.int8),
            {severity: np.array([patient for patient, _ in known], np.int64) for severity, known in ordered.items()},
            {severity: np.array([at for _, at in known], np.int64) for severity, known in ordered.items()},
        )

    def known(self, reading_no: Ints) -> Bools:
        """Which readings already belong to an alert."""
        return np.isin(reading_no, self.numbers)

    def as_severe(self, reading_no: Ints, severity: NDArray[np.int8]) -> Bools:
        """Which belong to an alert as what they are now, or as more: a reading that came in between may have made it worse."""
        if not len(self.numbers):
            return np.zeros(len(reading_no), np.bool_)
        place = np.minimum(np.searchsorted(self.numbers, reading_no), len(self.numbers) - 1)
        return (self.numbers[place] == reading_no) & (self.severities[place] >= severity)

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
