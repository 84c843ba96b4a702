"""Something of ours does not work: one technical alert for a practice, by its own plan, seen at once on open pages."""

from datetime import datetime

from alerts.escalation import Queue, first_step_at
from rpm.store import alerts, worklist
from rpm.store.database import Connection
from rpm.store.plans import Plans


def tell(
    connection: Connection,
    plans: Plans,
    *,
    practice_id: int,
    rule_id: str,
    rule_version: str,
    reason: str,
    now: datetime,
) -> bool:
    """Open it; False where the same is open already, and nobody need be told again."""
    plan = plans.of(practice_id)
    opened = alerts.open_technical(
        connection,
        practice_id=practice_id,
        rule_id=rule_id,
        rule_version=rule_version,
        reason=reason,
        next_step_at=first_step_at(plan, alerts.TECHNICAL, queue=Queue.TECHNICAL, now=now),
        now=now,
    )
    if opened is not None:
        worklist.announce(connection, practice_id)
    return opened is not None
