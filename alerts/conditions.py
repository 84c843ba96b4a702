"""How often or how long a limit must be breached before a band holds: what keeps one odd reading from alerting."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from alerts.model import Days, Hours, Strict

Often = Annotated[int, Field(ge=2, le=10)]


class Sessions(Strict):
    """The band holds only when enough of the last sessions breach it: `breaching` of `of_last`, the newest among them.

    Readings less than `apart_min` after the one before belong to one session; a session breaches when any of its
    readings does. Sessions older than `within_h` do not count.
    """

    breaching: Often
    of_last: Often
    apart_min: Annotated[float, Field(gt=0, le=24 * 60)]
    within_h: Hours

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.breaching > self.of_last:
            raise ValueError("breaching cannot exceed of_last")
        return self

    @property
    def text(self) -> str:
        """For a sentence."""
        return f" in {self.breaching} of the last {self.of_last} sessions"


class Readings(Strict):
    """The same, every reading by itself: `breaching` of the last `of_last`, none older than `within_h`."""

    breaching: Often
    of_last: Annotated[int, Field(ge=2, le=50)]
    within_h: Hours

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.breaching > self.of_last:
            raise ValueError("breaching cannot exceed of_last")
        return self

    @property
    def text(self) -> str:
        """For a sentence."""
        return f" in {self.breaching} of the last {self.of_last} readings"


class OnDays(Strict):
    """Breached on `breaching` different clinical days (the patient's zone) of the last `of_last`, today among them."""

    breaching: Often
    of_last: Annotated[Days, Field(le=60)]

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.breaching > self.of_last:
            raise ValueError("breaching cannot exceed of_last")
        return self

    @property
    def within_h(self) -> float:
        """How far back it looks: whole days, one of which may be an hour longer."""
        return 24.0 * self.of_last + 1

    @property
    def text(self) -> str:
        """For a sentence."""
        return f" on {self.breaching} of the last {self.of_last} days"


class Lasting(Strict):
    """Breached by every reading for at least `min_minutes`: the run of breaching readings began so long ago.

    A pause of more than `gap_max_minutes` between two readings ends the run: nobody knows what was in between.
    """

    min_minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)]
    gap_max_minutes: Annotated[float, Field(gt=0, le=7 * 24 * 60)]

    @property
    def within_h(self) -> float:
        """How far back it looks: as long as the run must have been, and the pause before."""
        return (self.min_minutes + self.gap_max_minutes) / 60

    @property
    def text(self) -> str:
        """For a sentence."""
        minutes = self.min_minutes
        return f" for {minutes / 60:g} hours" if minutes >= 120 else f" for {minutes:g} minutes"


Condition = Sessions | Readings | OnDays | Lasting
