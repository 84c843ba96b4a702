"""Let go of what is older than it has to be kept: messages as they came, what boxes told, and readings only where it was asked.

Once an hour, one worker at a time. What a bill rests on by law is readings, time and claims: none of them goes by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from rpm.jobs.report import Done
from rpm.settings import Settings
from rpm.store import events, retention
from rpm.store.database import Database

log = structlog.get_logger()

LOOK_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Keep:
    """For how long what is kept; `readings` None: for ever."""

    raw: timedelta
    readings: timedelta | None
    events: timedelta

    @classmethod
    def of(cls, settings: Settings) -> "Keep":
        """As the installation says."""
        readings = timedelta(days=settings.keep_readings_days) if settings.keep_readings_days else None
        return cls(timedelta(days=settings.keep_raw_days), readings, timedelta(days=settings.keep_events_days))


def run_once(database: Database, *, keep: Keep, now: datetime) -> Done:
    """Let go of a bounded part of what is too old."""
    chunks = 0
    for relation, kept in (("message", keep.raw), ("reading", keep.readings)):
        if kept is None:
            continue
        with database.transaction() as connection:
            dropped = retention.drop(connection, relation, before=now - kept, now=now)
        if dropped is not None:
            chunks += dropped.chunks
            log.info("let_go", relation=relation, rows=dropped.rows, before=dropped.before.isoformat())
    with database.transaction() as connection:
        gone = events.forget(connection, kept_for=keep.events, now=now)
    if gone:
        log.info("events_forgotten", count=gone)
    return Done(chunks + gone, more=chunks > 0 or gone >= events.FORGET_MAX)
