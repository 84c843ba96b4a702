"""Signs of life of the pipeline's own stages: silence of a stage is told apart from silence of its input."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("heartbeats")


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When a stage was last alive, and what it counted then."""

    stage: str
    beat_at: datetime
    detail: Mapping[str, Any]


def beat(connection: Connection, stage: str, *, now: datetime, **detail: float | str) -> None:
    """The stage is alive. `detail` holds counts and words of ours, never health data."""
    connection.execute(_SQL["beat"], {"stage": stage, "now": now, "detail": Jsonb(detail)})


def heartbeats(connection: Connection) -> list[Heartbeat]:
    """Every stage that was ever alive."""
    rows = connection.execute(_SQL["list"]).fetchall()
    return [Heartbeat(row["stage"], row["beat_at"], row["detail"]) for row in rows]


def last_beat(connection: Connection, stage: str) -> datetime | None:
    """When the stage was last alive; None where never."""
    row = connection.execute(_SQL["since"], {"stage": stage}).fetchone()
    return None if row is None else row["beat_at"]
