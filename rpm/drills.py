"""Whether a backup would bring everything back: the last restore drill, and the alarm where there was none for too long.

A backup nobody has restored is a hope. `rpm-cloud backup --verify` restores one beside the database and compares every row;
that it went well is a sign of life like a stage's of the pipeline, and its silence is an alert.
"""

from datetime import datetime, timedelta
from typing import Final

from alerts.escalation import Plan
from rpm import trouble
from rpm.store import heartbeats, plans, staff
from rpm.store.database import Connection

#: Its sign of life; the guard of the broker keeps one, too.
STAGE: Final = "restore_drill"
#: A drill is nightly: one bad night is told by the drill itself, three mean that nobody runs it any more.
DRILL_AGE_MAX: Final = timedelta(days=3)
RULE: Final = "restore_drill"
VERSION: Final = "1"


def went_well(connection: Connection, *, taken_at: datetime, rows: int, now: datetime) -> None:
    """A backup was restored and is what was backed up."""
    heartbeats.beat(connection, STAGE, now=now, taken_at=f"{taken_at:%Y-%m-%dT%H:%M:%SZ}", rows=rows)


def overdue(connection: Connection, *, now: datetime) -> str | None:
    """What to tell where the last good drill is too old. An installation that has never had one is not told: it has none to miss."""
    last = heartbeats.last_beat(connection, STAGE)
    if last is None or now - last <= DRILL_AGE_MAX:
        return None
    return (
        f"No backup was restored and compared since {last:%Y-%m-%d %H:%M} UTC:"
        " see that `rpm-cloud backup` and `rpm-cloud backup --verify` run every night"
    )


def tell(
    connection: Connection, reason: str, *, plan: Plan, now: datetime, quiet_for: timedelta = trouble.QUIET_FOR
) -> int:
    """One technical alert in every practice that has none open about this; how many. `plan`: the installation's.

    `quiet_for`: as in `rpm.trouble`; a drill that failed is another each night.
    """
    current = plans.current(connection, plan)
    return sum(
        trouble.tell(
            connection,
            current,
            practice_id=practice_id,
            rule_id=RULE,
            rule_version=VERSION,
            reason=reason,
            now=now,
            quiet_for=quiet_for,
        )
        for practice_id in staff.practices(connection)
    )
