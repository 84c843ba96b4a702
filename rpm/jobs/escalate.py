"""Call the next people about alerts nobody has acknowledged: claim what is due, decide, write messages; one transaction.

What somebody acknowledged and then forgot is nobody's again, and due (E11); so is what was to wait until now.

"Due" is a column (E4): a turn that comes late finds it due and acts at once. The claim moves each alert one step on in the
same statement, so two replicas never take the same step (E1), and the messages are committed with it, so none is skipped
(E2).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alerts.escalation import TIMER_COUNTS_FOR, DueAlert, Plan, due_step
from rpm.store import alerts, calls, notifications, plans, worklist
from rpm.store.database import Database

#: Alerts moved one step in one transaction.
CLAIM_LIMIT: Final = 20


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did. `more`: a full claim, or a step that must be followed at once."""

    alerts: int
    messages: int
    more: bool

    @property
    def done(self) -> int:
        """How much there was to do."""
        return self.alerts


def run_once(database: Database, *, now: datetime, plan: Plan, limit: int = CLAIM_LIMIT) -> Report:
    """Move at most `limit` due alerts one step. `plan`: the installation's; a practice's own comes before it."""
    messages = 0
    at_once = False
    with database.transaction() as connection:
        current = plans.current(connection, plan)
        reopened = calls.reopen_forgotten(
            connection, current, timers_since=now - TIMER_COUNTS_FOR, now=now, limit=limit
        )
        woken = calls.end_snoozes(connection, now=now, limit=limit)
        claimed = calls.claim_due(connection, now=now, limit=limit)
        practices = {due.practice_id for due in claimed}
        staff = notifications.staff_of(connection, practices, now=now) if claimed else []
        stand_ins = plans.stand_ins(connection, practices, since=now) if claimed else {}
        for due in claimed:
            alert = DueAlert(due.alert_id, due.practice_id, due.severity, due.step, due.queue, due.program)
            step = due_step(
                alert,
                current.of(due.practice_id),
                staff,
                now=now,
                overrides=[one.override for one in stand_ins[due.practice_id]],
            )
            for recipient in step.recipients:
                for contact in recipient.first_contacts(step.by):
                    messages += notifications.write(
                        connection,
                        recipient,
                        contact,
                        alert_id=due.alert_id,
                        armed=due.armed,
                        step=due.step,
                        severity=due.severity,
                        reason=step.reason,
                        now=now,
                    )
            calls.set_next_step(connection, due.alert_id, step.next_step_at)
            at_once = at_once or step.next_step_at == now
            alerts.add_event(
                connection,
                practice_id=due.practice_id,
                alert_id=due.alert_id,
                at=now,
                kind="called" if step.recipients else "nobody_to_call",
                reason=step.reason,
                detail={
                    "step": due.step + 1,
                    "recipients": [recipient.staff_id for recipient in step.recipients],
                    "next_step_at": step.next_step_at.isoformat() if step.next_step_at else None,
                },
            )
        worklist.announce(connection, *reopened, *woken, *practices)
    return Report(len(claimed), messages, limit in {len(claimed), len(reopened), len(woken)} or at_once)
