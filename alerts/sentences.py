"""The one sentence a nurse reads: what was measured, what it was compared with, in the unit the device used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from alerts.rules import Comparison, Rule, Sessions
from schemas.codes import BY_NAME, UNIT_LABEL
from schemas.quantity import converted

#: Digits kept behind the point at most: what a scale of 0.005 kg can say.
DECIMALS_MAX = 3

_COMPARISON_WORDS = {Comparison.ABOVE: "above", Comparison.AT_LEAST: "at or above", Comparison.BELOW: "below"}


@dataclass(frozen=True, slots=True)
class Value:
    """One measured value that a finding rests on. `role` is `value`, or `reference` for what a gain is since."""

    quantity: str
    value: float
    unit: str
    measured_at: datetime
    reading_no: int
    role: str = "value"

    def as_json(self) -> dict[str, Any]:
        """For the alert's evidence."""
        return {
            "quantity": self.quantity,
            "value": self.value,
            "unit": self.unit,
            "measured_at": self.measured_at.isoformat(),
            "reading_no": self.reading_no,
            "role": self.role,
        }


@dataclass(frozen=True, slots=True)
class CrossedLimit:
    """The limit that was crossed, in the unit it was compared in. `own`: the patient's, not the rule's default."""

    quantity: str
    comparison: Comparison
    value: float
    unit: str
    own: bool = False

    def as_json(self) -> dict[str, Any]:
        """For the alert's evidence."""
        return {
            "quantity": self.quantity,
            "comparison": str(self.comparison),
            "value": self.value,
            "unit": self.unit,
            "own": self.own,
        }


def number(value: float, *, decimals: int) -> str:
    """A value with at least so many decimals and no more than it needs: 83.9, 82.15, 192."""
    text = f"{value:.{DECIMALS_MAX}f}"
    shortest = len(text) - DECIMALS_MAX + decimals
    while len(text) > shortest and text.endswith("0"):
        text = text[:-1]
    return text.removesuffix(".")


def amount(value: float, quantity: str, unit: str) -> str:
    """A value with its unit as people write it: `83.9 kg`."""
    return f"{number(value, decimals=BY_NAME[quantity].decimals[unit])} {UNIT_LABEL[unit]}"


def values_text(values: Sequence[Value]) -> str:
    """`192/118 mmHg` for a blood pressure; otherwise each value with its unit."""
    if [value.quantity for value in values[:2]] == ["systolic", "diastolic"] and values[0].unit == values[1].unit:
        systolic, diastolic = (
            number(value.value, decimals=BY_NAME[value.quantity].decimals[value.unit]) for value in values[:2]
        )
        return f"{systolic}/{diastolic} {UNIT_LABEL[values[0].unit]}"
    return ", ".join(amount(value.value, value.quantity, value.unit) for value in values)


def limit_text(limit: CrossedLimit) -> str:
    """`systolic above 180 mmHg`; a patient's own limit says so."""
    own = " (own limit)" if limit.own else ""
    text = f"{_COMPARISON_WORDS[limit.comparison]} {number(limit.value, decimals=0)} {UNIT_LABEL[limit.unit]}{own}"
    return f"{limit.quantity} {text}" if limit.quantity in ("systolic", "diastolic") else text


def threshold_sentence(
    rule: Rule, values: Sequence[Value], limit: CrossedLimit, *, sessions: Sessions | None = None
) -> str:
    """A threshold rule's sentence filled in."""
    counted = f" in {sessions.breaching} of the last {sessions.of_last} sessions" if sessions else ""
    return rule.sentence.format(values=values_text(values), limit=limit_text(limit), sessions=counted)


def gain_sentence(rule: Rule, before: Value, after: Value, gained: float, limit: CrossedLimit) -> str:
    """A gain rule's sentence: `Weight up 1.8 kg (4.0 lb) in 3 days: 82.1 kg → 83.9 kg; limit 1.36 kg`."""
    other = next(unit for unit in BY_NAME[after.quantity].units if unit != after.unit)
    also = f"{converted(gained, after.unit, other):.1f} {UNIT_LABEL[other]}"
    own = " (own limit)" if limit.own else ""
    return rule.sentence.format(
        gain=f"{amount(gained, after.quantity, after.unit)} ({also})",
        span=span_text(after.measured_at - before.measured_at),
        before=amount(before.value, before.quantity, before.unit),
        after=amount(after.value, after.quantity, after.unit),
        limit=f"{number(limit.value, decimals=0)} {UNIT_LABEL[limit.unit]}{own}",
    )


def span_text(span: timedelta) -> str:
    """`23 hours` up to two days, then whole days."""
    hours = round(span / timedelta(hours=1))
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"
