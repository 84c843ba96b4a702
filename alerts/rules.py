"""Rules as a clinician wrote them: TOML in, frozen rules out.

A rule is ONE condition with bands, so that orange turning red worsens one alert instead of opening a second. Every limit
is written natively for each unit a device may use, because guideline pairs are rounded (180 mg/dL | 10.0 mmol/L) and a
converted limit fires where the guideline does not.

    owner = "Medical director"
    version = "2026-11"
    approved_by = "…"            # who has signed the file, and when; as shipped nobody has
    approved_on = 2026-11-30

    [[rule]]
    id = "weight_gain_24h"
    version = "1"
    title = "Weight gain in a day"
    source = "clinical table, heart failure"
    sentence = "Weight up {gain} in {span}: {before} → {after}; limit {limit}"
    gain_since = { take = "newest", from_h = 18, to_h = 36 }
    clear_by = { kg = 0.1, "[lb_av]" = 0.2 }

    [[rule.band]]
    severity = "priority"
    limits.body_weight.above = { kg = 1.36, "[lb_av]" = 3 }

What is compared is the value, or one measure (`alerts.measures`: `gain_since`, `mean_over`, `rising` …); a band may ask for
it several times or for some while (`alerts.conditions`). Which readings and whom a rule looks at: `meal`, `flagged`,
`pregnancy`, `ages`.
"""

import string
from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from alerts.conditions import Condition, Lasting, OnDays, Readings, Sessions
from alerts.measures import (
    CHANGED,
    DOWNWARD,
    KINDS,
    Baseline,
    Drift,
    DryWeight,
    Mean,
    Measure,
    Missed,
    Reference,
    Slope,
    Variability,
)
from alerts.model import Days, FieldFault, Hours, PerUnit, Strict
from alerts.severity import Severity
from schemas.codes import BY_NAME

#: A value older than this when it is judged is late: it becomes a review item and never pages (T5).
LATE_AFTER_H: Final = 4.0

#: What the sentence of a rule without a measure may speak of.
VALUE_FIELDS: Final = frozenset({"values", "limit", "sessions"})

#: What a person can be asked to measure again at once.
_REPEATABLE: Final = frozenset({"systolic", "diastolic"})
#: Who vouches for a rule or a limit: a name as people write it.
Who = Annotated[str, StringConstraints(min_length=2, max_length=80)]
Version = Annotated[str, StringConstraints(min_length=1, max_length=20)]


class Comparison(StrEnum):
    """When a value breaches its limit."""

    ABOVE = "above"
    AT_LEAST = "at_least"
    BELOW = "below"


class Meal(StrEnum):
    """When a glucose was taken, in the words of the Glucose Service's context."""

    FASTING = "fasting"
    BEFORE = "preprandial"
    AFTER = "postprandial"
    CASUAL = "casual"
    BEDTIME = "bedtime"


class Limit(Strict):
    """One comparison, with the limit written for each unit a device may send."""

    above: PerUnit | None = None
    at_least: PerUnit | None = None
    below: PerUnit | None = None

    @model_validator(mode="after")
    def _one_comparison(self) -> Self:
        if sum(given is not None for given in (self.above, self.at_least, self.below)) != 1:
            raise ValueError("give exactly one of above, at_least, below")
        return self

    @property
    def comparison(self) -> Comparison:
        """The one comparison given."""
        return next(found for found in Comparison if getattr(self, found) is not None)

    @property
    def values(self) -> PerUnit:
        """UCUM unit → limit in that unit."""
        values: PerUnit = getattr(self, self.comparison)
        return values


class Repeat(Strict):
    """A first reading out of range asks for a second one before it calls; the mean of the two is judged (`alerts.repeats`).

    `within_min`: as long as the first waits, and as far as the two may lie apart. `at_once`: beyond it nothing waits.
    """

    within_min: Annotated[float, Field(ge=2, le=60)]
    at_once: dict[str, Limit] = Field(default_factory=dict[str, Limit])

    @property
    def within_us(self) -> int:
        """The same in microseconds."""
        return round(self.within_min * 60_000_000)

    @property
    def within(self) -> str:
        """`15 minutes`."""
        return f"{self.within_min:g} minutes"

    @property
    def text(self) -> str:
        """For whoever reads the rule."""
        return f"asks for a second reading and judges the mean of two; none within {self.within}: unconfirmed"


class Band(Strict):
    """What one severity asks of which quantities: it holds when any of its limits is breached, as often as it asks."""

    severity: Annotated[Severity, BeforeValidator(lambda word: Severity.of(str(word)))]
    limits: Annotated[dict[str, Limit], Field(min_length=1)]
    sessions: Sessions | None = None
    readings: Readings | None = None
    days: OnDays | None = None
    lasting: Lasting | None = None

    @model_validator(mode="after")
    def _one_condition(self) -> Self:
        given = [name for name in ("sessions", "readings", "days", "lasting") if getattr(self, name) is not None]
        if len(given) > 1:
            raise FieldFault(f"give one of {', '.join(given)}", given[1])
        return self

    @property
    def condition(self) -> Condition | None:
        """How often or how long its limits must be breached; None: once is enough."""
        return self.sessions or self.readings or self.days or self.lasting


class Rule(Strict):
    """One condition. `clear_by` is its hysteresis: back in range means inside every limit by at least this much.

    `owner`, `approved_by`, `approved_on` are the file's unless a rule has its own. `flagged`: what to make of a reading of
    which the device itself says that something was amiss (the patient moved, the cuff was loose). `ages`: limits are for
    adults, and of somebody under 18 only their own orders count, unless a rule is for everyone. `again_after_days`: once a
    person has closed its alert, what is no more severe says nothing for so long (a mean is of the same readings for days);
    an urgent limit always speaks. `told_by`: rules as severe or more; of a reading that one of them speaks of, this one is quiet
    (a gain in a day is a gain in a week, too, and one call). `repeat`: asks for a second reading before it calls.
    """

    id: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,40}$")]
    version: Version
    title: Annotated[str, StringConstraints(min_length=1, max_length=60)]
    source: Annotated[str, StringConstraints(min_length=1)]
    owner: Who | None = None
    approved_by: Who | None = None
    approved_on: date | None = None
    sentence: str
    bands: Annotated[tuple[Band, ...], Field(alias="band", min_length=1, max_length=3)]
    clear_by: PerUnit
    late_after_h: Hours = LATE_AFTER_H
    again_after_days: Days | None = None
    told_by: tuple[str, ...] = ()
    repeat: Repeat | None = None

    meal: Annotated[frozenset[Meal], Field(min_length=1)] | None = None
    flagged: Literal["judge", "ignore", "ask"] = "judge"
    pregnancy: Literal["any", "only", "never"] = "any"
    ages: Literal["adults", "everyone"] = "adults"

    gain_since: Reference | None = None
    loss_since: Reference | None = None
    mean_over: Mean | None = None
    variability: Variability | None = None
    rise_from_baseline: Baseline | None = None
    fall_from_baseline: Baseline | None = None
    rising: Slope | None = None
    falling: Slope | None = None
    drift_up: Drift | None = None
    drift_down: Drift | None = None
    above_dry_weight: DryWeight | None = None
    missed: Missed | None = None

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        given = [name for name in KINDS if getattr(self, name) is not None]
        if len(given) > 1:
            raise FieldFault(f"a rule measures one thing: {' or '.join(given)}, not both", given[1])
        if (self.approved_by is None) != (self.approved_on is None):
            raise FieldFault("approved_by and approved_on belong together", "approved_by")
        severities = [band.severity for band in self.bands]
        if severities != sorted(set(severities), reverse=True):
            raise FieldFault("bands go from the most to the least severe, each severity once", "band")
        for place, band in enumerate(self.bands):
            for name, limit in band.limits.items():
                self._check_limit(("band", place, "limits", name), f"{band.severity.word} limits.{name}", name, limit)
            if self.measure is not None and band.condition is not None and self.reference is None:
                raise FieldFault("a trend already looks back: no sessions, readings, days or lasting", "band", place)
        for place, (severe, mild) in enumerate(zip(self.bands, self.bands[1:], strict=False)):
            self._check_order(place, severe, mild)
        self._check_sentence()
        if self.repeat is not None:
            self._check_repeat(self.repeat)
        return self

    def _check_repeat(self, repeat: Repeat) -> None:
        if self.measure is not None or not set(self.quantities) <= _REPEATABLE:
            raise FieldFault("repeat: only blood pressures themselves are asked for again", "repeat")
        for place, band in enumerate(self.bands):
            if isinstance(band.condition, Readings | Lasting):
                raise FieldFault("repeat: the two count as one, so no readings and no lasting", "band", place)
            if band.sessions is not None and band.sessions.apart_min < repeat.within_min:
                raise FieldFault("repeat: the two are of one session: apart_min is within_min or more", "band", place)
        for name, limit in repeat.at_once.items():
            if name not in self.quantities:
                raise FieldFault(f"at_once.{name}: the rule has no limit of it", "repeat", "at_once", name)
            self._check_limit(("repeat", "at_once", name), f"at_once.{name}", name, limit)
            severe = self.bands[0].limits.get(name)
            sign = -1 if self.downward else 1
            if severe and any(sign * value < sign * severe.values[unit] for unit, value in limit.values.items()):
                words = f"at_once.{name}: milder than {self.bands[0].severity.word}: then nothing of it would ever wait"
                raise FieldFault(words, "repeat", "at_once", name)

    def _check_sentence(self) -> None:
        fields = self.measure.fields if self.measure else VALUE_FIELDS
        try:
            named = [field for _, field, _, _ in string.Formatter().parse(self.sentence) if field is not None]
        except ValueError as error:
            raise FieldFault(f"sentence: {error}", "sentence") from error
        for field in named:
            if field not in fields:
                raise FieldFault(f"sentence: {{{field}}} is not one of {', '.join(sorted(fields))}", "sentence")

    def _check_limit(self, at: tuple[str | int, ...], where: str, name: str, limit: Limit) -> None:
        code = BY_NAME.get(name)
        if code is None or not code.vital:
            raise FieldFault(f"{where}: no quantity called {name!r} is judged", *at)
        units = self.units_of(name)
        if set(limit.values) != set(units):
            raise FieldFault(f"{where}: write the limit for each of {', '.join(units)}, and no other unit", *at)
        if not set(units) <= set(self.clear_by):
            raise FieldFault(f"clear_by: write it for each of {', '.join(units)}", "clear_by")
        if (limit.comparison is Comparison.BELOW) != self.downward:
            raise FieldFault(f"{where}: all limits of a rule look the same way, up or down", *at)
        if self.measure is not None and self.downward and not self.measure.downward_too:
            raise FieldFault(f"{where}: {self.measure_name} is counted upwards: above or at_least", *at)
        if self.above_dry_weight and name != "body_weight":
            raise FieldFault(f"{where}: a dry weight is of body_weight", *at)

    def _check_order(self, place: int, severe: Band, mild: Band) -> None:
        sign = -1 if self.downward else 1
        for name in severe.limits.keys() & mild.limits.keys():
            at = ("band", place, "limits", name)
            for unit, value in severe.limits[name].values.items():
                other = mild.limits[name].values[unit]
                if sign * value < sign * other:
                    raise FieldFault(
                        f"{severe.severity.word} limits.{name}: milder than {mild.severity.word} in {unit}", *at
                    )
                same = value == other and severe.limits[name].comparison is mild.limits[name].comparison
                if same and severe.condition is None:
                    words = f"{severe.severity.word} and {mild.severity.word}"
                    raise FieldFault(
                        f"{words} limits.{name}: the same limit in {unit}, so one of them never holds", *at
                    )

    @property
    def quiet_text(self) -> str:
        """How long a closed alert of it keeps it quiet, for whoever reads the rule; empty: not at all."""
        days = self.again_after_days
        return f"once closed, not again for {days} day{'s' * (days != 1)} unless more severe" if days else ""

    @property
    def measure_name(self) -> str | None:
        """The name of what it compares; None: the value itself."""
        return next((name for name in KINDS if getattr(self, name) is not None), None)

    @property
    def measure(self) -> Measure | None:
        """What it compares with its limits; None: the value itself."""
        name = self.measure_name
        return getattr(self, name) if name else None

    @property
    def measured(self) -> str:
        """What it compares, for whoever reads it; empty: the value itself."""
        return f"{CHANGED.get(self.measure_name or '', '')}{self.measure.words}" if self.measure else ""

    @property
    def reference(self) -> Reference | None:
        """The earlier value a change is since, where it is one."""
        return self.gain_since or self.loss_since

    @property
    def of_every_value(self) -> bool:
        """Whether it looks at every value by itself: no measure, no meal, not only in pregnancy. Its limits are lines."""
        return self.measure is None and self.meal is None and self.pregnancy != "only"

    @property
    def lessening(self) -> bool:
        """Whether it measures how much lower something became (its amounts are positive all the same)."""
        return self.measure_name in DOWNWARD

    def units_of(self, quantity: str) -> tuple[str, ...]:
        """The units its limits of a quantity are written in: the measure's own, or each one a device may send."""
        own = self.measure.unit if self.measure else None
        return (own,) if own else BY_NAME[quantity].units

    @property
    def downward(self) -> bool:
        """True where low values breach."""
        return next(iter(self.bands[0].limits.values())).comparison is Comparison.BELOW

    @property
    def quantities(self) -> tuple[str, ...]:
        """The names of the quantities this rule looks at, in the order of the code table."""
        named = {name for band in self.bands for name in band.limits}
        return tuple(name for name in BY_NAME if name in named)

    def band(self, severity: Severity) -> Band | None:
        """The band of that severity, if the rule has one."""
        return next((band for band in self.bands if band.severity == severity), None)

    @property
    def lookback_h(self) -> float:
        """How far before a value this rule looks."""
        spans = [band.condition.within_h for band in self.bands if band.condition]
        return max([0.0, *spans]) + (self.measure.lookback_h if self.measure else 0.0)
