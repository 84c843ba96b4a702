"""Make room for the synthetic patient's next red: an alert that was told is closed, and the next one has to call anew (F67)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rpm.store import synthetic
from rpm.store.database import Database

LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Report:
    """How many alerts were closed in a turn."""

    done: int
    more: bool = False


def run_once(database: Database, *, now: datetime, limit: int = LIMIT) -> Report:
    """Close at most `limit` alerts of synthetic patients."""
    with database.transaction() as connection:
        closed = synthetic.close_told(connection, limit=limit, now=now)
    return Report(len(closed), len(closed) == limit)
