"""APScheduler as a metronome for housekeeping, in memory: nothing whose lateness would matter is scheduled here.

Evaluate, escalate and send are plain loops (`rpm.jobs.loops`): a job store loses deadlines over a restart, and a full pool
drops them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from rpm.jobs import adjust
from rpm.store import sessions
from rpm.store.database import Clock, Database

log = structlog.get_logger()

SESSIONS_EVERY_S: Final = 300
ADJUST_EVERY_S: Final = 3600


@dataclass(frozen=True, slots=True)
class Chore:
    """A thing done every so often. It must bear being late, and being done twice."""

    name: str
    every_s: float
    run: Callable[[Database, datetime], None]


def _expire_sessions(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        sessions.expire(connection, now=now)


def _adjust(database: Database, now: datetime) -> None:
    if added := adjust.run_once(database, now=now):
        log.info("closed_months_adjusted", count=added)


CHORES: Final = (
    Chore("adjust_closed_months", ADJUST_EVERY_S, _adjust),
    Chore("expire_sessions", SESSIONS_EVERY_S, _expire_sessions),
)


def start(database: Database, clock: Clock) -> Callable[[], None]:
    """Begin the chores in threads of their own; returns what stops them."""
    made: Any = BackgroundScheduler(timezone="UTC")
    for chore in CHORES:
        made.add_job(
            _run,
            "interval",
            args=(chore, database, clock),
            seconds=chore.every_s,
            id=chore.name,
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )
    made.start()

    def stop() -> None:
        made.shutdown(wait=False)

    return stop


def _run(chore: Chore, database: Database, clock: Clock) -> None:
    try:
        chore.run(database, clock())
    except Exception as error:  # noqa: BLE001 - the outer edge of a chore, by name: the next turn tries again
        log.error("chore_failed", chore=chore.name, error=type(error).__name__)
