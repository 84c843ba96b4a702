"""A provider that took a message and never says that it arrived has not delivered it: the next way is tried (F59)."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Final

from alerts.channels import Name
from rpm import delivery
from rpm.jobs.report import Done
from rpm.store import reports
from rpm.store.database import Database

LOOK_EVERY: Final = timedelta(seconds=5)
#: A text message arrives within seconds, or its reader is out of reach (E8). A call is dialled, rings, and is listened to.
DELIVERED_WITHIN: Final[Mapping[Name, timedelta]] = {Name.SMS: timedelta(minutes=1), Name.VOICE: timedelta(minutes=2)}
#: What is older was looked at while it was young; the index of a long history is left alone.
LOOK_BACK: Final = timedelta(hours=24)
LIMIT: Final = 20


def run_once(database: Database, *, now: datetime, providers: Collection[str], limit: int = LIMIT) -> Done:
    """Give up at most `limit` messages of each channel of these providers, all of which report what they delivered."""
    if not providers:
        return Done(0)
    found = [
        _give_up(database, channel, within, providers=providers, limit=limit, now=now)
        for channel, within in DELIVERED_WITHIN.items()
    ]
    return Done(sum(found), any(done >= limit for done in found))


def _give_up(
    database: Database, channel: Name, within: timedelta, *, providers: Collection[str], limit: int, now: datetime
) -> int:
    answer = f"taken, and not delivered within {within // timedelta(seconds=1)} seconds"
    with database.transaction() as connection:
        failed = reports.overdue(
            connection,
            channel,
            providers=providers,
            before=now - within,
            since=now - LOOK_BACK,
            answer=answer,
            limit=limit,
        )
        return delivery.not_reached(connection, failed, answer=answer, now=now)
