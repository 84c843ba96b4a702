"""Whose limit holds: product default < care programme < practice < patient; and who approved it, and when.

A layer is a file a clinician has signed (programme, practice) or rows of one patient. It replaces single limits of rules that
exist; whatever it does not speak of stays as it was below. What each value's layer is stays with the value.

Urgent limits never loosen by themselves: a layer's urgent limit that lets pass what the layers below would call red is used
only where an approval of that very limit is recorded on it. In a file that is `loosens_red` of the entry, with name, day and
reason; on a patient's row it is the row's own `approved_by` and `approved_at`. Without it the stricter limit stays, and the
entry is told as refused.

    layer = "programme"
    name = "heart_failure"
    version = "2"
    approved_by = "…"
    approved_on = 2026-11-30

    [[limit]]
    rule = "oxygen_saturation_low"
    band = "urgent"
    limits.oxygen_saturation.below = { "%" = 87 }
    loosens_red = { approved_by = "…", approved_on = 2026-11-30, reason = "COPD with carbon dioxide retention" }
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from alerts.model import Strict
from alerts.rulefile import Fault, RulesError, parse, read_text
from alerts.rules import Comparison, Limit, Rule, Version, Who
from alerts.severity import Severity
from schemas.codes import BY_NAME
from schemas.quantity import converted


class LayerKind(StrEnum):
    """In the order in which they replace each other."""

    PRODUCT = "product"
    PROGRAMME = "programme"
    PRACTICE = "practice"
    PATIENT = "patient"


class RedApproval(Strict):
    """Who has answered for a looser urgent limit, when, and why."""

    approved_by: Who
    approved_on: date
    reason: Annotated[str, Field(min_length=5, max_length=200)]


class LayerLimit(Strict):
    """Limits that replace those of one band of one rule."""

    rule: str
    band: Annotated[Severity, BeforeValidator(lambda word: Severity.of(str(word)))]
    limits: Annotated[dict[str, Limit], Field(min_length=1)]
    reason: str | None = None
    loosens_red: RedApproval | None = None


class Layer(Strict):
    """The limits of a care programme or of a practice. Unsigned there is none."""

    layer: Literal[LayerKind.PROGRAMME, LayerKind.PRACTICE]
    name: Annotated[str, Field(min_length=1, max_length=60)]
    version: Version
    owner: Who | None = None
    approved_by: Who
    approved_on: date
    limits: Annotated[tuple[LayerLimit, ...], Field(alias="limit", min_length=1)]


@dataclass(frozen=True, slots=True)
class PatientLimit:
    """One row a clinician approved: this band of this rule begins at `value` `unit` for this patient.

    Without `approved_by` nobody has: it may be stricter than what holds for everybody, never looser in red.
    """

    patient: int
    rule_id: str
    band: str
    quantity: str
    unit: str
    value: float
    approved_by: str | None = None
    approved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Effective:
    """A limit that holds, and by whose authority. `approved_by` None: a product default nobody has signed."""

    value: float
    layer: LayerKind
    name: str
    version: str
    approved_by: str | None
    approved_on: date | None

    @property
    def words(self) -> str:
        """For a sentence: whose limit, where it is not everybody's."""
        return {LayerKind.PRODUCT: "", LayerKind.PATIENT: " (own limit)"}.get(self.layer, f" ({self.layer} limit)")


#: (rule id, severity, quantity, unit)
Key = tuple[str, Severity, str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A limit that is not used, and why."""

    layer: LayerKind
    name: str
    key: Key
    why: str


@dataclass(frozen=True, slots=True)
class Resolved:
    """Every limit that holds for one patient or for all of one group, and what was refused on the way."""

    values: Mapping[Key, Effective]
    refused: tuple[Refused, ...] = ()


def defaults(rules: Sequence[Rule]) -> Resolved:
    """The limits as the rules have them."""
    values: dict[Key, Effective] = {}
    for rule in rules:
        for band in rule.bands:
            for quantity, limit in band.limits.items():
                for unit, value in limit.values.items():
                    values[(rule.id, band.severity, quantity, unit)] = Effective(
                        value, LayerKind.PRODUCT, rule.owner or "", rule.version, rule.approved_by, rule.approved_on
                    )
    return Resolved(values)


def resolve(rules: Sequence[Rule], layers: Iterable[Layer]) -> Resolved:
    """What holds for everybody of one programme and practice. The order of `layers` does not matter; their kind does."""
    order = list(LayerKind)
    values = dict(defaults(rules).values)
    by_id = {rule.id: rule for rule in rules}
    refused: list[Refused] = []
    for layer in sorted(layers, key=lambda layer: order.index(layer.layer)):
        for entry in layer.limits:
            for quantity, limit in entry.limits.items():
                for unit, value in limit.values.items():
                    key = (entry.rule, entry.band, quantity, unit)
                    why = _no_such(by_id, key, limit.comparison)
                    if why is None and entry.loosens_red is None and looser_red(by_id[entry.rule], key, value, values):
                        why = "a looser urgent limit needs loosens_red: who approved it, when and why"
                    if why is not None:
                        refused.append(Refused(layer.layer, layer.name, key, why))
                        continue
                    by, on = layer.approved_by, layer.approved_on
                    if entry.loosens_red is not None:
                        by, on = entry.loosens_red.approved_by, entry.loosens_red.approved_on
                    values[key] = Effective(value, layer.layer, layer.name, layer.version, by, on)
    return Resolved(values, tuple(refused))


def with_own(rules: Sequence[Rule], below: Resolved, rows: Iterable[PatientLimit]) -> Resolved:
    """What a patient's own rows put in the place of what holds below, and which of them are refused.

    A limit written in one unit is converted for the quantity's other units, unless those are written too: the limit is
    converted, never the value. Only the replaced values are given. Each row must fit a rule (`stray`).
    """
    by_id = {rule.id: rule for rule in rules}
    written: dict[tuple[str, Severity, str], dict[str, PatientLimit]] = {}
    refused: list[Refused] = []
    for row in rows:
        written.setdefault((row.rule_id, Severity.of(row.band), row.quantity), {})[row.unit] = row
    values: dict[Key, Effective] = {}
    for (rule_id, severity, quantity), given in written.items():
        rule = by_id[rule_id]
        unit, first = next(iter(given.items()))
        for other in rule.units_of(quantity):
            row = given.get(other, first)
            value = row.value if row.unit == other else converted(first.value, unit, other)
            key = (rule_id, severity, quantity, other)
            if row.approved_by is None and looser_red(rule, key, value, below.values):
                why = "a looser urgent limit needs the name of who approved it"
                refused.append(Refused(LayerKind.PATIENT, str(row.patient), key, why))
                continue
            on = row.approved_at.date() if row.approved_at else None
            values[key] = Effective(value, LayerKind.PATIENT, str(row.patient), "", row.approved_by, on)
    return Resolved(values, tuple(refused))


def stray(rules: Sequence[Rule], row: PatientLimit) -> str | None:
    """Why a patient's row fits no rule; None where it does."""
    severity = next((one for one in Severity if one.word == row.band), None)
    if severity is None:
        return f"{row.band!r} is no band"
    return _no_such({rule.id: rule for rule in rules}, (row.rule_id, severity, row.quantity, row.unit), None)


def looser_red(rule: Rule, key: Key, value: float, below: Mapping[Key, Effective]) -> bool:
    """Whether this urgent limit would let pass what the layers below call red."""
    if key[1] is not Severity.URGENT or key not in below:
        return False
    return value < below[key].value if rule.downward else value > below[key].value


def _no_such(by_id: Mapping[str, Rule], key: Key, comparison: Comparison | None) -> str | None:
    """Why a limit fits no rule; None where it does."""
    rule_id, severity, quantity, unit = key
    rule = by_id.get(rule_id)
    if rule is None:
        return f"there is no rule {rule_id!r}"
    band = rule.band(severity)
    if band is None or quantity not in band.limits:
        return f"{rule_id} has no {severity.word} limit of {quantity!r}"
    if unit not in rule.units_of(quantity):
        return f"{rule_id} has no limit in {unit!r}"
    if comparison is not None and comparison is not band.limits[quantity].comparison:
        return f"{rule_id} {severity.word} {quantity} is {band.limits[quantity].comparison}, not {comparison}"
    return None


def read_layer(path: Path, rules: Sequence[Rule]) -> Layer:
    """A programme's or a practice's file. RulesError where it cannot be read, fits no rule, or loosens a red unapproved."""
    layer = parse(Layer, read_text(path), name=str(path))
    refused = resolve(rules, [layer]).refused
    for entry in layer.limits:
        units = {quantity: set(limit.values) for quantity, limit in entry.limits.items()}
        rule = next((rule for rule in rules if rule.id == entry.rule), None)
        for quantity, given in units.items():
            if rule and quantity in BY_NAME and given != set(rule.units_of(quantity)):
                text = f"{entry.rule} {entry.band.word} limits.{quantity}: write it for each of "
                raise RulesError(str(path), [Fault(0, text + ", ".join(rule.units_of(quantity)))])
    if refused:
        faults = [Fault(0, f"{' '.join((one.key[0], one.key[1].word, *one.key[2:]))}: {one.why}") for one in refused]
        raise RulesError(str(path), faults)
    return layer
