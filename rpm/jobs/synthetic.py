"""Make room for the synthetic patient's next red: an alert that was told is closed, and the next one has to call anew (F67)."""

from datetime import datetime
from typing import Final

from rpm.jobs.report import Done
from rpm.store import synthetic
from rpm.store.database import Database

LIMIT: Final = 20


def run_once(database: Database, *, now: datetime, limit: int = LIMIT) -> Done:
    """Close at most `limit` alerts of synthetic patients."""
    with database.transaction() as connection:
        closed = synthetic.close_told(connection, limit=limit, now=now)
    return Done(len(closed), len(closed) == limit)
