"""A provider that took a message and never says that it arrived has not delivered it: the next way is tried (F59)."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from rpm import delivery
from rpm.jobs.report import Done
from rpm.store import reports
from rpm.store.database import Database

LOOK_EVERY: Final = timedelta(seconds=5)
#: A text message arrives within seconds, or its reader is out of reach (E8).
DELIVERED_WITHIN: Final = timedelta(minutes=1)
#: What is older was looked at while it was young; the index of a long history is left alone.
LOOK_BACK: Final = timedelta(hours=24)
LIMIT: Final = 20
ANSWER: Final = f"taken, and not delivered within {DELIVERED_WITHIN // timedelta(seconds=1)} seconds"


def run_once(database: Database, *, now: datetime, providers: Collection[str], limit: int = LIMIT) -> Done:
    """Give up at most `limit` messages of these providers, all of which report what they delivered."""
    if not providers:
        return Done(0)
    with database.transaction() as connection:
        failed = reports.overdue(
            connection,
            providers,
            before=now - DELIVERED_WITHIN,
            since=now - LOOK_BACK,
            answer=ANSWER,
            limit=limit,
        )
        done = delivery.not_reached(connection, failed, answer=ANSWER, now=now)
    return Done(done, done >= limit)
