"""Tell, days before, that a call would reach nobody: a gap in a rota, an account switched off, a stand-in who is away (F60).

It is looked at where a plan is saved, too; but people leave and switch accounts off without touching a plan.
"""

from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from alerts.coverage import AHEAD, Gap, gaps, uncovered_minutes
from alerts.escalation import Plan, Queue
from rpm import trouble
from rpm.jobs.report import Done
from rpm.store import notifications, plans, staff
from rpm.store.database import Connection, Database

LOOK_EVERY: Final = timedelta(hours=1)
RULE: Final = "no_cover"
VERSION: Final = "1"


def run_once(database: Database, *, now: datetime, plan: Plan) -> Done:
    """One technical alert for each practice with patients in which somebody may call for help and nobody be reached."""
    opened = 0
    with database.transaction() as connection:
        current = plans.current(connection, plan)
        for practice_id in plans.practices_with_patients(connection):
            own = current.of(practice_id)
            people = notifications.staff_of(connection, [practice_id], now=now)
            stand_ins = plans.stand_ins(connection, [practice_id], since=now)[practice_id]
            # What does not work waits for whoever comes: a practice without support staff has its fallback for that.
            clinical = tuple(policy for policy in own.policies if policy.queue is Queue.CLINICAL)
            watched = own.model_copy(update={"policies": clinical})
            found = gaps(watched, people, [one.override for one in stand_ins], now=now)
            if not found:
                continue
            opened += trouble.tell(
                connection,
                current,
                practice_id=practice_id,
                rule_id=RULE,
                rule_version=VERSION,
                reason=_sentence(connection, practice_id, found),
                state=_state(found, now=now),
                now=now,
            )
    return Done(opened)


def _state(found: list[Gap], *, now: datetime) -> list[str]:
    """What is not covered and why, and what is not at this hour; without the other hours, which come nearer at each look."""
    causes = {f"{gap.policy}: {gap.reason}" for gap in found}
    return sorted(causes | {f"now {gap.policy}: {gap.reason}" for gap in found if gap.begins <= now})


def _sentence(connection: Connection, practice_id: int, found: list[Gap]) -> str:
    zone = ZoneInfo(staff.practice(connection, practice_id).time_zone)
    first = min(found, key=lambda gap: gap.begins)
    return (
        f"In the next {AHEAD.days} days there are {uncovered_minutes(found)} minutes in which a first call reaches nobody, the first from"
        f" {first.begins.astimezone(zone):%a %Y-%m-%d %H:%M %Z} ({first.policy}: {first.reason}). Who is called, and who"
        " could stand in, is on the page On call"
    )
