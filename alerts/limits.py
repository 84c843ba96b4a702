"""A patient's own limits: what replaces a rule's default for this patient. Orders win, whichever way they move it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from alerts.rules import Rule
from alerts.series import Floats, Ints
from alerts.severity import Severity
from schemas.codes import BY_NAME, UNIT_NUMBER
from schemas.quantity import converted

#: (code, unit) as one small number: the index of a limit in a table of all codes and units.
UNIT_STRIDE: Final = 16
SLOTS: Final = 512


def slot_of(quantity: str, unit: str) -> int:
    """The place of one quantity in one unit in a table of limits."""
    return BY_NAME[quantity].number * UNIT_STRIDE + UNIT_NUMBER[unit]


@dataclass(frozen=True, slots=True)
class PatientLimit:
    """One row a clinician approved: this band of this rule begins at `value` `unit` for this patient."""

    patient: int
    rule_id: str
    band: str
    quantity: str
    unit: str
    value: float


@dataclass(frozen=True, slots=True)
class LimitColumn:
    """The own limits of one (code, unit) slot: `patients` ascending, `values` beside them."""

    slot: int
    patients: Ints
    values: Floats


_Key = tuple[str, Severity]


@dataclass(frozen=True, slots=True)
class Limits:
    """Own limits, arranged for the vectorised check and for looking one up. `ignored` fit no rule: tell an operator."""

    columns: dict[_Key, tuple[LimitColumn, ...]]
    single: dict[tuple[int, str, Severity, int], float]
    ignored: tuple[PatientLimit, ...] = ()

    @classmethod
    def of(cls, rows: Iterable[PatientLimit], rules: Sequence[Rule]) -> Self:
        """Arrange rows.

        A limit written in one unit is converted for the quantity's other units, unless those are written too: the limit
        is converted, never the value.
        """
        by_id = {rule.id: rule for rule in rules}
        written: dict[tuple[int, str, Severity, str], dict[str, float]] = defaultdict(dict)
        ignored: list[PatientLimit] = []
        for row in rows:
            rule = by_id.get(row.rule_id)
            band = next((band for band in rule.bands if band.severity.word == row.band), None) if rule else None
            if band is None or row.quantity not in band.limits or row.unit not in BY_NAME[row.quantity].units:
                ignored.append(row)
                continue
            written[(row.patient, row.rule_id, band.severity, row.quantity)][row.unit] = row.value
        single: dict[tuple[int, str, Severity, int], float] = {}
        for (patient, rule_id, severity, quantity), values in written.items():
            unit, value = next(iter(values.items()))
            for other in BY_NAME[quantity].units:
                limit = values.get(other, converted(value, unit, other))
                single[(patient, rule_id, severity, slot_of(quantity, other))] = limit
        return cls(_columns(single), single, tuple(ignored))

    def limit(self, rule: Rule, severity: Severity, quantity: str, unit: str, *, patient: int) -> float | None:
        """The limit that holds for a patient: the own one, else the rule's; None where the band does not look."""
        own = self.single.get((patient, rule.id, severity, slot_of(quantity, unit)))
        if own is not None:
            return own
        band = rule.band(severity)
        return band.limits[quantity].values.get(unit) if band and quantity in band.limits else None

    def is_own(self, rule: Rule, severity: Severity, quantity: str, unit: str, *, patient: int) -> bool:
        """Whether the limit that holds is the patient's own."""
        return (patient, rule.id, severity, slot_of(quantity, unit)) in self.single


def _columns(single: dict[tuple[int, str, Severity, int], float]) -> dict[_Key, tuple[LimitColumn, ...]]:
    grouped: dict[_Key, dict[int, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for (patient, rule_id, severity, slot), value in single.items():
        grouped[(rule_id, severity)][slot].append((patient, value))
    columns: dict[_Key, tuple[LimitColumn, ...]] = {}
    for key, slots in grouped.items():
        made: list[LimitColumn] = []
        for slot, pairs in slots.items():
            pairs.sort()
            patients = np.array([patient for patient, _ in pairs], np.int64)
            made.append(LimitColumn(slot, patients, np.array([value for _, value in pairs], np.float64)))
        columns[key] = tuple(made)
    return columns


NO_LIMITS: Final = Limits({}, {})
