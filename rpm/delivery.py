"""What follows when a message did not reach somebody: it is on the alert's timeline, and another way is tried."""

from collections.abc import Iterable
from datetime import datetime

from rpm.store import alerts, calls, notifications, worklist
from rpm.store.database import Connection
from rpm.store.notifications import Claimed


def not_reached(connection: Connection, failed: Iterable[Claimed], *, answer: str, now: datetime) -> int:
    """Each by the person's next contact; without one, the alert's next step is due at once. How many there were."""
    practices: list[int] = []
    for one in failed:
        alerts.add_event(
            connection,
            practice_id=one.practice_id,
            alert_id=one.alert_id,
            at=now,
            kind="notification_failed",
            staff_id=one.recipient_id,
            reason=f"{one.channel}: {answer}",
            detail={"step": one.step + 1, "attempts": one.attempts},
        )
        if notifications.write_next(connection, one, now=now) is None:
            # Do not wait for an answer that cannot come.
            calls.call_sooner(connection, one.alert_id, now=now)
        practices.append(one.practice_id)
    worklist.announce(connection, *practices)
    return len(practices)
