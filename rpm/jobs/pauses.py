"""End the pauses whose day has come: what was set aside is looked at again by itself, and the worklist says so."""

from datetime import datetime, timedelta
from typing import Final

from rpm.jobs.report import Done
from rpm.store import pauses, worklist
from rpm.store.database import Database

LOOK_EVERY: Final = timedelta(minutes=1)
LIMIT: Final = 50


def run_once(database: Database, *, now: datetime, limit: int = LIMIT) -> Done:
    """End at most `limit` of them."""
    with database.transaction() as connection:
        told = pauses.end_due(connection, now=now, limit=limit)
        worklist.announce(connection, *told)
    return Done(len(told), len(told) == limit)
