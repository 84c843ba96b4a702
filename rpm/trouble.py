"""Something of ours does not work: one technical alert for a practice, by its own plan, seen at once on open pages.

What somebody closed is not told again while it is as it was: for a day, since to mend it may take one, and then anew, since
what nobody mends must not be forgotten. What has become worse has other words, and is told at once: also where its alert is
open, and somebody has taken it or let it wait.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from alerts.escalation import Queue, first_step_at
from rpm.store import alerts, worklist
from rpm.store.database import Connection
from rpm.store.plans import Plans

#: What was closed is quiet for so long while it stays as it was.
QUIET_FOR: Final = timedelta(days=1)
#: For what happens rather than stands: each time is another.
NOT_QUIET: Final = timedelta(0)


def tell(
    connection: Connection,
    plans: Plans,
    *,
    practice_id: int,
    rule_id: str,
    rule_version: str,
    reason: str,
    now: datetime,
    state: Sequence[str] | None = None,
    quiet_for: timedelta = QUIET_FOR,
) -> bool:
    """Open it; False where nobody need be told: the same is open already, or was closed within `quiet_for`.

    `state`: where words change by themselves (the hour, a count), what they stand for, part by part. Another part is told at
    once, one that is gone is not.
    """
    plan = plans.of(practice_id)
    opened = alerts.open_technical(
        connection,
        practice_id=practice_id,
        rule_id=rule_id,
        rule_version=rule_version,
        reason=reason,
        state=state,
        next_step_at=first_step_at(plan, alerts.TECHNICAL, queue=Queue.TECHNICAL, now=now),
        quiet_since=now - quiet_for,
        now=now,
    )
    if opened is not None:
        worklist.announce(connection, practice_id)
    return opened is not None
