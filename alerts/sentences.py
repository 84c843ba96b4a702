"""The one sentence a nurse reads: what was measured, what it was compared with, in the unit the device used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from alerts.conditions import Condition
from alerts.layers import Effective, LayerKind
from alerts.measures import HOURS, PERCENT
from alerts.rules import Comparison, Rule
from schemas.codes import BY_NAME, UNIT_LABEL
from schemas.quantity import converted

#: Digits kept behind the point at most: what a scale of 0.005 kg can say.
DECIMALS_MAX = 3

_COMPARISON_WORDS = {Comparison.ABOVE: "above", Comparison.AT_LEAST: "at or above", Comparison.BELOW: "below"}
_LABELS: Final = {**UNIT_LABEL, PERCENT: "%", HOURS: "hours", "{schedule}": "times the schedule"}

#: What to ask where a finding is a question first.
ASK_AGAIN: Final = "the device says that the measurement was disturbed: ask for another one"
ASK_BOTH: Final = "did the same person take both readings? Two may share the cuff"
ASK_WHO: Final = "was it this person, on the usual scale? Ask to weigh again before acting on it"


@dataclass(frozen=True, slots=True)
class Value:
    """One measured value that a finding rests on.

    `role` is `value`, `reference` for what a change is since, `window` for the earlier readings of a mean or trend, `first` for
    the reading that another one repeats, `second` for the one that made nothing of it, or `mean` for what was reckoned from the two.
    """

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
    """The limit that was crossed, in the unit it was compared in; by whose authority it holds."""

    quantity: str
    comparison: Comparison
    value: float
    unit: str
    layer: LayerKind = LayerKind.PRODUCT
    layer_name: str = ""
    approved_by: str | None = None
    approved_on: date | None = None

    @classmethod
    def of(cls, found: Effective, quantity: str, comparison: Comparison, unit: str) -> "CrossedLimit":
        """A limit that holds, as one that was crossed."""
        return cls(
            quantity, comparison, found.value, unit, found.layer, found.name, found.approved_by, found.approved_on
        )

    @property
    def own(self) -> bool:
        """Whether it is the patient's own, not the rule's default."""
        return self.layer is LayerKind.PATIENT

    @property
    def whose(self) -> str:
        """Whose limit, where it is not everybody's: ` (own limit)`."""
        if self.layer is LayerKind.PRODUCT:
            return ""
        return " (own limit)" if self.own else f" ({self.layer} limit)"

    def as_json(self) -> dict[str, Any]:
        """For the alert's evidence."""
        return {
            "quantity": self.quantity,
            "comparison": str(self.comparison),
            "value": self.value,
            "unit": self.unit,
            "own": self.own,
            "layer": str(self.layer),
            "layer_name": self.layer_name,
            "approved_by": self.approved_by,
            "approved_on": self.approved_on.isoformat() if self.approved_on else None,
        }


def label(unit: str) -> str:
    """How a unit of limits is written for people."""
    return _LABELS[unit]


def number(value: float, *, decimals: int) -> str:
    """A value with at least so many decimals and no more than it needs: 83.9, 82.15, 192."""
    text = f"{value:.{DECIMALS_MAX}f}"
    shortest = len(text) - DECIMALS_MAX + decimals
    while len(text) > shortest and text.endswith("0"):
        text = text[:-1]
    return text.removesuffix(".")


def amount(value: float, quantity: str, unit: str) -> str:
    """A value with its unit as people write it: `83.9 kg`."""
    return f"{number(value, decimals=BY_NAME[quantity].decimals.get(unit, 0))} {_LABELS[unit]}"


def reckoned(value: float, quantity: str, unit: str) -> str:
    """A mean, a trend or a spread: one decimal more than the device shows."""
    return f"{value:.{min(BY_NAME[quantity].decimals.get(unit, 0) + 1, DECIMALS_MAX)}f} {_LABELS[unit]}"


def values_text(values: Sequence[Value]) -> str:
    """`192/118 mmHg` for a blood pressure; otherwise each value with its unit."""
    if [value.quantity for value in values[:2]] == ["systolic", "diastolic"] and values[0].unit == values[1].unit:
        systolic, diastolic = (
            number(value.value, decimals=BY_NAME[value.quantity].decimals[value.unit]) for value in values[:2]
        )
        return f"{systolic}/{diastolic} {UNIT_LABEL[values[0].unit]}"
    return ", ".join(amount(value.value, value.quantity, value.unit) for value in values)


def limit_text(limit: CrossedLimit) -> str:
    """`systolic above 180 mmHg`; a limit that is not everybody's says whose."""
    text = f"{_COMPARISON_WORDS[limit.comparison]} {number(limit.value, decimals=0)} {_LABELS[limit.unit]}{limit.whose}"
    return f"{limit.quantity} {text}" if limit.quantity in ("systolic", "diastolic") else text


def threshold_sentence(
    rule: Rule,
    values: Sequence[Value],
    limit: CrossedLimit,
    *,
    condition: Condition | None = None,
    pair: tuple[Sequence[Value], Sequence[Value]] = ((), ()),
) -> str:
    """The sentence of a rule over values, filled in. `pair`: the two readings that `values` are the mean of, where they are."""
    counted = condition.text if condition else ""
    text = values_text(values)
    if pair[0]:
        text += f" (mean of 2 readings: {values_text(pair[0])}, then {values_text(pair[1])})"
    return rule.sentence.format(values=text, limit=limit_text(limit), sessions=counted)


def repeated_text(first: Sequence[Value], second: Sequence[Value], mean: Sequence[Value] = ()) -> str:
    """What came of a second reading: `; not confirmed: 128/80 mmHg 3 minutes later`. `mean`: where it says something, too."""
    minutes = round((second[0].measured_at - first[0].measured_at) / timedelta(minutes=1))
    when = f"{minutes} {'minute' if minutes == 1 else 'minutes'} later" if minutes else "right after it"
    said = f"{values_text(second)} {when}"
    return f"; {said}, mean {values_text(mean)}" if mean else f"; not confirmed: {said}"


def change_sentence(rule: Rule, before: Value, after: Value, changed: float, limit: CrossedLimit) -> str:
    """A change's sentence: `Weight up 1.8 kg (4.0 lb) in 3 days: 82.1 kg → 83.9 kg; limit 1.36 kg`."""
    written = f"{number(changed, decimals=1)} %" if limit.unit == PERCENT else _in_both_units(changed, after)
    return rule.sentence.format(
        gain=written,
        loss=written,
        span=span_text(after.measured_at - before.measured_at),
        before=amount(before.value, before.quantity, before.unit),
        after=amount(after.value, after.quantity, after.unit),
        limit=f"{number(limit.value, decimals=0)} {_LABELS[limit.unit]}{limit.whose}",
    )


def _in_both_units(changed: float, after: Value) -> str:
    text = amount(changed, after.quantity, after.unit)
    others = [unit for unit in BY_NAME[after.quantity].units if unit != after.unit]
    if after.quantity != "body_weight":
        return text
    return f"{text} ({converted(changed, after.unit, others[0]):.1f} {UNIT_LABEL[others[0]]})"


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What a trend's sentence is filled in from. `values` are the readings it rests on, the newest last."""

    amount: float
    unit: str
    values: tuple[Value, ...]
    count: int
    base: float | None = None
    low: float | None = None
    high: float | None = None


def trend_sentence(rule: Rule, found: Reckoning, limit: CrossedLimit) -> str:
    """A mean's, a trend's or a drift's sentence: `7-day mean systolic 138.4 mmHg over 14 readings; limit …`."""
    newest, oldest = found.values[-1], found.values[0]
    quantity = newest.quantity
    named = f"{quantity} " if quantity in ("systolic", "diastolic") else ""
    interval = ""
    if found.low is not None and found.high is not None:
        low, high = (reckoned(end, quantity, found.unit) for end in (found.low, found.high))
        interval = f" (95 % interval {low} to {high})"
    return rule.sentence.format(
        amount=named + reckoned(found.amount, quantity, found.unit),
        limit=limit_text(limit),
        count=f"{found.count} readings",
        days=span_text(newest.measured_at - oldest.measured_at),
        span=span_text(newest.measured_at - oldest.measured_at),
        before=reckoned(found.base, quantity, newest.unit) if found.base is not None else "",
        after=amount(newest.value, quantity, newest.unit),
        interval=interval,
    )


def silence_sentence(rule: Rule, hours: float, last: Value | None, unit: str, limit: CrossedLimit) -> str:
    """A missed schedule's sentence: how long, and what came last."""
    text = span_text(timedelta(hours=hours)) if unit == HOURS else f"{number(hours, decimals=1)} {_LABELS[unit]}"
    bound = (
        span_text(timedelta(hours=limit.value))
        if unit == HOURS
        else f"{number(limit.value, decimals=0)} {_LABELS[unit]}"
    )
    return rule.sentence.format(
        amount=text,
        limit=f"{_COMPARISON_WORDS[limit.comparison]} {bound}{limit.whose}",
        count="no readings",
        days=text,
        span=text,
        before=amount(last.value, last.quantity, last.unit) if last else "nothing yet",
        after="",
    )


def span_text(span: timedelta) -> str:
    """`23 hours` up to two days, then whole days."""
    hours = round(span / timedelta(hours=1))
    return f"{hours} hours" if hours < 48 else f"{round(hours / 24)} days"
