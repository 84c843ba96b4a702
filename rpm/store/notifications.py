"""Messages to people as rows: at least once, because a lease that runs out is taken again; counted, because each has a key."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from alerts.escalation import StaffMember
from alerts.severity import Severity
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("notifications")


class State(StrEnum):
    """Where a message stands. `sending` with a lease that ran out is as good as pending."""

    PENDING = "pending"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message this process may send until its lease ends. `attempts` counts this one: it is the fence."""

    notification_id: int
    practice_id: int
    alert_id: int
    public_id: UUID
    step: int
    recipient_id: int
    channel: str
    address: str
    severity: Severity
    attempts: int
    clinic: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Just before sending: whether the message is still ours, and whether the alert still waits for somebody."""

    ours: bool
    waiting: bool


def key_of(*, alert_id: int, armed: int, step: int, recipient_id: int, channel: str) -> str:
    """What makes a message one: this call, of this alert, by this channel, to this person."""
    return f"{alert_id}/{armed}/{step}/{recipient_id}/{channel}"


def staff_of(connection: Connection, practices: Iterable[int]) -> list[StaffMember]:
    """Everybody of some practices, reachable or not."""
    rows = connection.execute(_SQL["reachable"], {"practices": sorted(set(practices))}).fetchall()
    return [
        StaffMember(row["id"], row["practice_id"], row["username"], row["role"], row["email"], row["active"])
        for row in rows
    ]


def write(
    connection: Connection,
    recipient: StaffMember,
    *,
    alert_id: int,
    armed: int,
    step: int,
    channel: str,
    severity: Severity,
    reason: str,
    now: datetime,
) -> bool:
    """A message to send from now on; False where the same call to this person is written already."""
    written = connection.execute(
        _SQL["insert"],
        {
            "practice_id": recipient.practice_id,
            "alert_id": alert_id,
            "step": step,
            "recipient_id": recipient.staff_id,
            "channel": channel,
            "address": recipient.address,
            "severity": int(severity),
            "key": key_of(alert_id=alert_id, armed=armed, step=step, recipient_id=recipient.staff_id, channel=channel),
            "reason": reason,
            "now": now,
        },
    )
    return written.rowcount == 1


def claim(connection: Connection, *, now: datetime, lease_until: datetime, limit: int) -> list[Claimed]:
    """Messages that wait or whose sender fell silent, the most severe first, leased to the caller."""
    rows = connection.execute(_SQL["claim"], {"now": now, "lease_until": lease_until, "limit": limit}).fetchall()
    found = [
        Claimed(
            notification_id=row["id"],
            practice_id=row["practice_id"],
            alert_id=row["alert_id"],
            public_id=row["public_id"],
            step=row["step"],
            recipient_id=row["recipient_id"],
            channel=row["channel"],
            address=row["address"],
            severity=Severity(row["severity"]),
            attempts=row["attempts"],
            clinic=row["clinic"],
        )
        for row in rows
    ]
    return sorted(found, key=lambda claimed: (-claimed.severity, claimed.notification_id))


def still_wanted(connection: Connection, claimed: Claimed) -> Wanted:
    """Ask once more, right before the call."""
    parameters = {"notification_id": claimed.notification_id, "attempts": claimed.attempts}
    row = connection.execute(_SQL["still_wanted"], parameters).fetchone()
    return Wanted(row["ours"], row["waiting"]) if row else Wanted(False, False)


def lock_alert(connection: Connection, alert_id: int) -> None:
    """Take the alert's row before the message's, in the order an acknowledgement takes them."""
    connection.execute(_SQL["lock_alert"], {"alert_id": alert_id})


def finish(
    connection: Connection,
    claimed: Claimed,
    state: State,
    answer: str,
    *,
    due_at: datetime,
    sent_at: datetime | None = None,
) -> bool:
    """Write what became of this attempt; False where the lease went to another meanwhile."""
    row = connection.execute(
        _SQL["finish"],
        {
            "notification_id": claimed.notification_id,
            "attempts": claimed.attempts,
            "state": str(state),
            "answer": answer,
            "due_at": due_at,
            "sent_at": sent_at,
        },
    ).fetchone()
    return row is not None


def cancel(connection: Connection, *, alert_id: int, answer: str) -> int:
    """Nobody need be told any more; how many messages were still waiting."""
    return connection.execute(_SQL["cancel"], {"alert_id": alert_id, "answer": answer}).rowcount
