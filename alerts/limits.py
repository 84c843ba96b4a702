"""The limits that hold for many patients at once, as tables and columns, and any one of them with its authority.

Whose limit holds is decided in `alerts.layers`; here it is arranged: a table per band and group of patients (those of one
programme and practice), and a column of own limits per band and unit.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np

from alerts.layers import Effective, Key, Layer, PatientLimit, Refused, Resolved, resolve, stray, with_own
from alerts.measures import HOURS
from alerts.rules import Band, Rule
from alerts.series import Bools, Floats, Ints
from alerts.severity import Severity
from schemas.codes import BY_NAME, CODES, UNIT_NUMBER

__all__ = ["NO_LIMITS", "SLOTS", "UNIT_STRIDE", "LimitColumn", "Limits", "PatientLimit", "slot_of"]

#: (code, unit) as one small number: the index of a limit in a table of all codes and units.
UNIT_STRIDE: Final = 32
SLOTS: Final = 1024
#: Units of measures that no device sends stand behind the devices' own.
LIMIT_UNITS: Final[Mapping[str, int]] = {**UNIT_NUMBER, HOURS: UNIT_STRIDE - 1, "{schedule}": UNIT_STRIDE - 2}
assert max(UNIT_NUMBER.values()) < UNIT_STRIDE - 2
assert (max(code.number for code in CODES) + 1) * UNIT_STRIDE <= SLOTS


def slot_of(quantity: str, unit: str) -> int:
    """The place of one quantity in one unit in a table of limits."""
    return BY_NAME[quantity].number * UNIT_STRIDE + LIMIT_UNITS[unit]


@dataclass(frozen=True, slots=True)
class LimitColumn:
    """The own limits of one (code, unit) slot: `patients` ascending, `values` beside them."""

    slot: int
    patients: Ints
    values: Floats


_Band = tuple[str, Severity]


@dataclass(frozen=True, slots=True)
class Limits:
    """Every limit that holds. `ignored` fit no rule, `refused` would loosen a red unapproved: tell an operator of both."""

    groups: tuple[Resolved, ...]
    columns: dict[_Band, tuple[LimitColumn, ...]]
    own: dict[int, dict[Key, Effective]]
    group_of: Mapping[int, int]
    ignored: tuple[PatientLimit, ...] = ()
    refused: tuple[Refused, ...] = ()
    #: `group_of` as two columns, patients ascending.
    grouped: tuple[Ints, Ints] = (np.zeros(0, np.int64), np.zeros(0, np.int64))

    @classmethod
    def of(
        cls,
        rows: Iterable[PatientLimit],
        rules: Sequence[Rule],
        *,
        groups: Sequence[Sequence[Layer]] = ((),),
        group_of: Mapping[int, int] | None = None,
    ) -> Self:
        """Arrange the patients' rows over the layers of their group (`group_of`: patient → index; not there: 0)."""
        resolved = tuple(resolve(rules, layers) for layers in groups)
        place = group_of or {}
        by_patient: dict[int, list[PatientLimit]] = defaultdict(list)
        ignored: list[PatientLimit] = []
        for row in rows:
            if stray(rules, row):
                ignored.append(row)
            else:
                by_patient[row.patient].append(row)
        own: dict[int, dict[Key, Effective]] = {}
        refused = [one for group in resolved for one in group.refused]
        for patient, mine in by_patient.items():
            found = with_own(rules, resolved[place.get(patient, 0)], mine)
            own[patient] = dict(found.values)
            refused += found.refused
        known = np.array(sorted(place), np.int64)
        grouped = known, np.array([place[patient] for patient in known.tolist()], np.int64)
        return cls(resolved, _columns(own), own, place, tuple(ignored), tuple(refused), grouped)

    def effective(self, rule: Rule, severity: Severity, quantity: str, unit: str, *, patient: int) -> Effective | None:
        """The limit that holds for a patient, with its layer; None where the band does not look."""
        key = (rule.id, severity, quantity, unit)
        mine = self.own.get(patient, {}).get(key)
        return self.layered(rule, severity, quantity, unit, patient=patient) if mine is None else mine

    def layered(self, rule: Rule, severity: Severity, quantity: str, unit: str, *, patient: int) -> Effective | None:
        """The limit that would hold for a patient without limits of his own."""
        key = (rule.id, severity, quantity, unit)
        group = self.groups[self.group_of.get(patient, 0)] if self.groups else resolve([rule], ())
        return group.values.get(key)

    def limit(self, rule: Rule, severity: Severity, quantity: str, unit: str, *, patient: int) -> float | None:
        """Its value alone."""
        found = self.effective(rule, severity, quantity, unit, patient=patient)
        return found.value if found else None

    def places(self, patient: Ints) -> Ints:
        """The index of each one's group."""
        known, of = self.grouped
        if not len(known):
            return np.zeros(len(patient), np.int64)
        place = np.minimum(np.searchsorted(known, patient), len(known) - 1)
        return np.where(known[place] == patient, of[place], 0)

    def table(self, rule: Rule, band: Band) -> Floats:
        """Per group and slot the limit of a band, of shape (groups, SLOTS); NaN, which nothing breaches, where none is."""
        groups = self.groups or (resolve([rule], ()),)
        table = np.full((len(groups), SLOTS), np.nan)
        for row, group in enumerate(groups):
            for quantity in band.limits:
                for unit in rule.units_of(quantity):
                    table[row, slot_of(quantity, unit)] = group.values[(rule.id, band.severity, quantity, unit)].value
        return table


def among(patients: Ints, patient: Ints) -> Bools:
    """Whether each of `patient` is one of `patients` (ascending)."""
    if not len(patients):
        return np.zeros(len(patient), np.bool_)
    return patients[np.minimum(np.searchsorted(patients, patient), len(patients) - 1)] == patient


def _columns(own: Mapping[int, Mapping[Key, Effective]]) -> dict[_Band, tuple[LimitColumn, ...]]:
    grouped: dict[_Band, dict[int, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for patient, keys in own.items():
        for (rule_id, severity, quantity, unit), found in keys.items():
            grouped[(rule_id, severity)][slot_of(quantity, unit)].append((patient, found.value))
    columns: dict[_Band, tuple[LimitColumn, ...]] = {}
    for key, slots in grouped.items():
        made: list[LimitColumn] = []
        for slot, pairs in slots.items():
            pairs.sort()
            patients = np.array([patient for patient, _ in pairs], np.int64)
            made.append(LimitColumn(slot, patients, np.array([value for _, value in pairs], np.float64)))
        columns[key] = tuple(made)
    return columns


NO_LIMITS: Final = Limits((), {}, {}, {})
