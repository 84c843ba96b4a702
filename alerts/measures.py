"""What a rule compares with its limits where that is not the value itself: one model for each kind of question.

A measure turns the readings of a patient up to one of them into one number, the *amount*, or into "not enough data", which
is neither in range nor out of it. An amount is in the unit of the device, in per cent (`%`), or in hours (`h`); the limits
of the rule are written in that unit. `fields` are what the rule's sentence may speak of.
"""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Final, Literal, Self

from pydantic import Field, model_validator

from alerts.model import Days, Hours, PerUnit, Strict

PERCENT: Final = "%"
HOURS: Final = "h"

Count = Annotated[int, Field(ge=1, le=1000)]
#: A trend needs a few readings before it is one.
TrendCount = Annotated[int, Field(ge=3, le=1000)]


class Measure(Strict, ABC):
    """Base of all measures."""

    fields: ClassVar[frozenset[str]] = frozenset({"amount", "limit", "count", "days", "before", "after", "span"})
    #: Whether low amounts may be what breaches.
    downward_too: ClassVar[bool] = False

    @property
    def unit(self) -> str | None:
        """The unit of its amounts and limits; None: the device's."""
        return None

    @property
    @abstractmethod
    def lookback_h(self) -> float:
        """How far before a reading it looks."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it is, for whoever reads a rule before signing it."""


class Reference(Measure):
    """The earlier value a change is measured from: the newest or oldest taken `from_h` to `to_h` before.

    `step` says from which jump between two neighbours, no more than `step_within_h` apart, it is another person or another
    scale until somebody has asked: a change made of such jumps asks instead of alerting.
    """

    fields: ClassVar[frozenset[str]] = frozenset({"gain", "loss", "span", "before", "after", "limit"})

    take: Literal["newest", "oldest"]
    from_h: Hours
    to_h: Hours
    percent: bool = False
    step: PerUnit | None = None
    step_within_h: Hours = 48.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.from_h >= self.to_h:
            raise ValueError("from_h must be less than to_h")
        return self

    @property
    def unit(self) -> str | None:
        """Per cent of the earlier value, where asked for."""
        return PERCENT if self.percent else None

    @property
    def lookback_h(self) -> float:
        """As far as the reference may lie, and the neighbour it may be a jump from."""
        return self.to_h + (self.step_within_h if self.step else 0.0)

    @property
    def words(self) -> str:
        """For whoever signs."""
        asked = ", jumps are asked about" if self.step else ""
        return f"since the {self.take} value of {self.from_h:g} to {self.to_h:g} h before{asked}"


class Mean(Measure):
    """The mean of the last `over_days` (the 7-day mean of a home blood pressure).

    Not enough data under `min_readings` readings or `min_days` clinical days of the patient's zone. `part` keeps the
    readings of the morning (until 12:00) or of the evening (from 12:00). `drop_first_day`: the first day with readings is
    left out, as AHA 2008 and CHEP do.
    """

    downward_too: ClassVar[bool] = True

    over_days: Days
    min_readings: Count
    min_days: Count = 1
    part: Literal["any", "morning", "evening"] = "any"
    drop_first_day: bool = False

    @property
    def lookback_h(self) -> float:
        """The window."""
        return 24.0 * self.over_days

    @property
    def words(self) -> str:
        """For whoever signs."""
        part = "" if self.part == "any" else f", {self.part}s"
        least = f"{self.min_readings} readings on {self.min_days} days at least"
        dropped = ", without the first day" if self.drop_first_day else ""
        return f"mean of {self.over_days} days{part}{dropped} ({least})"


class Variability(Measure):
    """The coefficient of variation over `over_days`, in per cent: the standard deviation (n - 1) by the mean.

    `first_of_morning`: of each clinical day only the first reading before 12:00 counts.
    """

    over_days: Days
    min_readings: TrendCount
    first_of_morning: bool = False

    @property
    def unit(self) -> str | None:
        """Per cent."""
        return PERCENT

    @property
    def lookback_h(self) -> float:
        """The window."""
        return 24.0 * self.over_days

    @property
    def words(self) -> str:
        """For whoever signs."""
        which = "first morning readings" if self.first_of_morning else "readings"
        return f"coefficient of variation of the {which} of {self.over_days} days ({self.min_readings} at least)"


class Baseline(Measure):
    """How far a value lies from the patient's own baseline: the median of the `over_days` before its clinical day.

    `mean_days` compares, instead of the value, the mean of so many days up to it, and the baseline ends where they begin.
    Not enough data under `min_readings` readings in the baseline.
    """

    over_days: Days
    min_readings: TrendCount
    mean_days: Annotated[int, Field(ge=0, le=30)] = 0

    @property
    def lookback_h(self) -> float:
        """The baseline, the days after it, and the rest of a day that may be 25 hours long."""
        return 24.0 * (self.over_days + self.mean_days + 1) + 1

    @property
    def words(self) -> str:
        """For whoever signs."""
        what = f"mean of {self.mean_days} days" if self.mean_days else "value"
        return f"{what} against the median of the {self.over_days} days before ({self.min_readings} readings at least)"


class Slope(Measure):
    """The trend of the last `over_days`, as the change it makes in `project_days`; up or down by the rule's name.

    `method`: `theil_sen` is the median of the slopes between all pairs (one bad reading does not move it), its interval by
    Kendall's statistic; `least_squares` with the interval by Student's t. Where the 95 % interval holds 0 there is no trend
    and nothing breaches. A trend is of now: only the newest reading of a patient is judged. Not enough data under
    `min_readings`.
    """

    fields: ClassVar[frozenset[str]] = Measure.fields | {"interval"}

    method: Literal["theil_sen", "least_squares"] = "theil_sen"
    over_days: Days
    min_readings: Annotated[int, Field(ge=5, le=1000)] = 5
    project_days: Days = 7

    @property
    def lookback_h(self) -> float:
        """The window."""
        return 24.0 * self.over_days

    @property
    def words(self) -> str:
        """For whoever signs."""
        how = "Theil-Sen" if self.method == "theil_sen" else "least squares"
        least = f"{self.min_readings} readings at least, 95 % interval without 0"
        return f"in {self.project_days} days by the trend of {self.over_days} ({how}; {least})"


class Drift(Measure):
    """A small lasting shift from where the patient was: by EWMA (Roberts 1959) or CUSUM (Page 1954).

    The start is the median of the `baseline_days` that end `over_days` before now. `ewma`: how far the exponentially
    weighted mean (`weight` for the newest) has moved from there; `cusum`: what has been summed up beyond `slack`. Only the
    newest reading of a patient is judged. Not enough data under `min_readings` in the baseline or none after it.
    """

    method: Literal["ewma", "cusum"]
    over_days: Days
    baseline_days: Days = 14
    min_readings: TrendCount = 7
    weight: Annotated[float, Field(gt=0, le=1)] = 0.2
    slack: PerUnit | None = None

    @model_validator(mode="after")
    def _one_method(self) -> Self:
        if (self.method == "cusum") != (self.slack is not None):
            raise ValueError("slack belongs to cusum, which needs it, and to nothing else")
        return self

    @property
    def lookback_h(self) -> float:
        """Baseline and watch."""
        return 24.0 * (self.over_days + self.baseline_days)

    @property
    def words(self) -> str:
        """For whoever signs."""
        least = f"{self.min_readings} readings at least"
        return f"{self.method.upper()} of {self.over_days} days against the {self.baseline_days} before ({least})"


class DryWeight(Measure):
    """How far a weight lies above the dry weight a clinician wrote down for the patient; nobody's without one."""

    @property
    def lookback_h(self) -> float:
        """None."""
        return 0.0

    @property
    def words(self) -> str:
        """For whoever signs."""
        return "above the patient's dry weight"


class Missed(Measure):
    """How long nothing has come, in hours, counted from the last reading or from the beginning of the monitoring.

    `times_schedule`: counted in multiples of the patient's own schedule instead (2 = twice the hours between readings).
    """

    times_schedule: bool = False

    @property
    def unit(self) -> str | None:
        """Hours, or times the schedule."""
        return "{schedule}" if self.times_schedule else HOURS

    @property
    def lookback_h(self) -> float:
        """Nothing but the last reading."""
        return 0.0

    @property
    def words(self) -> str:
        """For whoever signs."""
        return "without a reading"


#: The names a rule gives its measure by; one at most.
KINDS: Final[dict[str, type[Measure]]] = {
    "gain_since": Reference,
    "loss_since": Reference,
    "mean_over": Mean,
    "variability": Variability,
    "rise_from_baseline": Baseline,
    "fall_from_baseline": Baseline,
    "rising": Slope,
    "falling": Slope,
    "drift_up": Drift,
    "drift_down": Drift,
    "above_dry_weight": DryWeight,
    "missed": Missed,
}
#: What an amount of these is, before the words of its measure.
CHANGED: Final[dict[str, str]] = {
    "gain_since": "gained ",
    "loss_since": "lost ",
    "rise_from_baseline": "up, ",
    "fall_from_baseline": "down, ",
    "rising": "up ",
    "falling": "down ",
    "drift_up": "up, ",
    "drift_down": "down, ",
}
#: Measures of how much lower something became: their amounts are positive all the same.
DOWNWARD: Final = frozenset({"loss_since", "fall_from_baseline", "falling", "drift_down"})
