"""What the pages tell whoever watches them from outside (`GET /health`): ages, and nothing of anybody's health.

Ages instead of instants: whoever reads them may have another clock. They are counted by the database's.
"""

from pydantic import BaseModel, ConfigDict


class _Fact(BaseModel):
    # A watcher of an older release reads what a newer one tells.
    model_config = ConfigDict(frozen=True, extra="ignore")


class StageHealth(_Fact):
    """One stage: how long ago it last beat (None: never), and how long the oldest that is due at it has waited."""

    age_s: float | None
    waiting_s: float = 0.0


class SyntheticHealth(_Fact):
    """The newest alert of the synthetic patient: as messages name it, and how long ago it was raised."""

    alert: str
    raised_age_s: float


class Health(_Fact):
    """The pipeline as its own database knows it."""

    stages: dict[str, StageHealth]
    synthetic: SyntheticHealth | None = None
