"""What follows when a message has arrived, or did not: it is on the alert's timeline, and where not, another way is tried."""

from collections.abc import Iterable
from datetime import datetime

from alerts.channels.carriers import Outcome
from rpm.store import alerts, calls, notifications, reports, worklist
from rpm.store.database import Connection
from rpm.store.notifications import Claimed


def settle(connection: Connection, notification_id: int, *, now: datetime) -> None:
    """Act on what was said of a message by now, whose alert is locked: when a report comes, and when it was written as sent."""
    found = reports.said_of(connection, notification_id)
    if found is None:
        return
    said = f"{found.provider} says that {found.why}"
    if found.outcome is Outcome.NOT_DELIVERED:
        not_reached(connection, reports.refused(connection, notification_id, answer=said), answer=said, now=now)
        return
    arrived = reports.delivered(connection, notification_id, now=now)
    if arrived is not None:
        alerts.add_event(
            connection,
            practice_id=arrived.practice_id,
            alert_id=arrived.alert_id,
            at=now,
            kind="delivered",
            staff_id=arrived.recipient_id,
            reason=f"{arrived.channel}: {said}",
        )


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
