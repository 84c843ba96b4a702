"""What holds for one patient, rule by rule: each limit, whose it is, who approved it and when; or why a rule says nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from alerts.facts import Facts
from alerts.layers import Effective, LayerKind
from alerts.limits import Limits
from alerts.rules import Comparison, Limit, Rule
from alerts.sentences import label, number
from alerts.series import microseconds
from alerts.severity import Severity


@dataclass(frozen=True, slots=True)
class HeldLimit:
    """One limit that holds, in each unit in which it is by the same authority."""

    quantity: str
    comparison: Comparison
    values: tuple[tuple[str, float], ...]
    effective: Effective

    @property
    def text(self) -> str:
        """`systolic above 180 mmHg or 24 kPa`."""
        written = " or ".join(f"{number(value, decimals=0)} {label(unit)}" for unit, value in self.values)
        return f"{self.quantity.replace('_', ' ')} {self.comparison.replace('_', ' ')} {written}"

    @property
    def whose(self) -> str:
        """The layer it comes from."""
        held = self.effective
        if held.layer is LayerKind.PATIENT:
            return "this patient’s own"
        named = f"{held.layer} {held.name}" if held.layer is not LayerKind.PRODUCT else "product default"
        return f"{named}, version {held.version}"

    @property
    def approval(self) -> str:
        """Who approved it, and when."""
        held = self.effective
        if held.approved_by is None:
            return "nobody has signed it"
        return f"{held.approved_by}, {held.approved_on.isoformat()}" if held.approved_on else held.approved_by


@dataclass(frozen=True, slots=True)
class HeldBand:
    """The limits of one severity, and how often or how long they must be breached."""

    severity: Severity
    condition: str
    limits: tuple[HeldLimit, ...]


@dataclass(frozen=True, slots=True)
class HeldRule:
    """A rule as it holds for one patient now. `silent`: why it says nothing of this patient; None: it does."""

    rule: Rule
    bands: tuple[HeldBand, ...]
    silent: str | None


def explain(rules: Sequence[Rule], limits: Limits, facts: Facts, *, patient: int, now: datetime) -> list[HeldRule]:
    """Every rule, in its file's order. What nothing holds of has no bands, and says why."""
    who, at_us = np.array([patient]), np.array([microseconds(now)])
    minor, pregnant = bool(facts.minor(who, at_us)[0]), bool(facts.pregnant(who, at_us)[0])
    no_dry_weight = bool(np.isnan(facts.dry_weights_kg(who)[0]))
    held: list[HeldRule] = []
    for rule in rules:
        bands = tuple(_bands(rule, limits, patient, own_only=minor and rule.ages == "adults"))
        silent: str | None = None
        if not bands:
            silent = "under 18: only limits ordered for this patient hold, and there are none of this rule"
        elif rule.pregnancy == "only" and not pregnant:
            silent = "only in pregnancy and six weeks after"
        elif rule.pregnancy == "never" and pregnant:
            silent = "not in pregnancy and six weeks after"
        elif rule.above_dry_weight is not None and no_dry_weight:
            silent = "no dry weight is on record"
        held.append(HeldRule(rule, bands, silent))
    return held


def none_apply(held: Sequence[HeldRule]) -> bool:
    """Whether nothing at all is judged of the patient."""
    return not any(one.bands for one in held)


def _bands(rule: Rule, limits: Limits, patient: int, *, own_only: bool) -> Iterator[HeldBand]:
    for band in rule.bands:
        found: list[HeldLimit] = []
        for quantity, limit in band.limits.items():
            effective = {
                unit: held
                for unit in rule.units_of(quantity)
                if (held := limits.effective(rule, band.severity, quantity, unit, patient=patient)) is not None
                and (not own_only or held.layer is LayerKind.PATIENT)
            }
            found += _by_authority(quantity, limit, effective)
        if found:
            yield HeldBand(band.severity, band.condition.text.strip() if band.condition else "", tuple(found))


def _by_authority(quantity: str, limit: Limit, effective: Mapping[str, Effective]) -> Iterator[HeldLimit]:
    """One entry where all units are by one authority; else one for each."""
    grouped: dict[Effective, list[tuple[str, float]]] = {}
    for unit, held in effective.items():
        grouped.setdefault(replace(held, value=0.0), []).append((unit, held.value))
    for authority, values in grouped.items():
        yield HeldLimit(quantity, limit.comparison, tuple(values), authority)
