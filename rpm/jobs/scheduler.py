"""APScheduler as a metronome for housekeeping, in memory: nothing whose lateness would matter is scheduled here.

Evaluate, escalate and send are plain loops (`rpm.jobs.loops`): a job store loses deadlines over a restart, and a full pool
drops them. Each chore that was done beats by its name, and is missed like a loop where it is not (`rpm.outage`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import structlog
from apscheduler.schedulers.background import BackgroundScheduler

from rpm.jobs import adjust
from rpm.jobs.watchdog import Round
from rpm.outage import Stage
from rpm.store import heartbeats, sessions
from rpm.store.database import Clock, Database

log = structlog.get_logger()

SESSIONS_EVERY_S: Final = 300
ADJUST_EVERY_S: Final = 3600
#: A chore that hangs misses its next turn: it is late after so many times what lies between two.
LATE_AFTER: Final = 1.25


@dataclass(frozen=True, slots=True)
class Chore:
    """A thing done every so often. It must bear being late, and being done twice."""

    name: Stage
    every_s: float
    run: Callable[[Database, datetime], None]


def _expire_sessions(database: Database, now: datetime) -> None:
    with database.transaction() as connection:
        sessions.expire(connection, now=now)


def _adjust(database: Database, now: datetime) -> None:
    if added := adjust.run_once(database, now=now):
        log.info("closed_months_adjusted", count=added)


CHORES: Final = (
    Chore(Stage.ADJUST, ADJUST_EVERY_S, _adjust),
    Chore(Stage.SESSIONS, SESSIONS_EVERY_S, _expire_sessions),
)


def rounds() -> dict[Stage, Round]:
    """What counts the turns of each chore, for a watchdog: one that hangs is said. It can wait, and ends nothing."""
    return {chore.name: Round(chore.name, chore.every_s * LATE_AFTER, can_wait=True) for chore in CHORES}


def start(database: Database, clock: Clock, rounds: Mapping[Stage, Round]) -> Callable[[], None]:
    """Begin the chores in threads of their own, each with what counts its turns; returns what stops them."""
    made: Any = BackgroundScheduler(timezone="UTC")
    for chore in CHORES:
        made.add_job(
            do,
            "interval",
            args=(chore, database, clock, rounds[chore.name]),
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


def do(chore: Chore, database: Database, clock: Clock, own: Round | None = None) -> None:
    """One turn of a chore, and its sign of life where it went well. `own`: where somebody counts its turns."""
    if own is not None:
        own.turns += 1
    try:
        now = clock()
        chore.run(database, now)
        with database.transaction() as connection:
            heartbeats.beat(connection, chore.name, now=now)
    except Exception as error:  # noqa: BLE001 - the outer edge of a chore, by name: the next turn tries again
        log.error("chore_failed", chore=chore.name, error=type(error).__name__)
