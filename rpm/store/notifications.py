"""Messages to people as rows: at least once, because a lease that runs out is taken again; counted, because each has a key."""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from alerts.channels import Name
from alerts.replies import CODE_DIGITS
from alerts.severity import Severity
from alerts.staff import Contact, StaffMember
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("notifications")

#: A contact is asked every month whether it still reaches its owner; a week later it counts no more.
VERIFIED_FOR: Final = timedelta(days=35)
#: 128 bits: nobody guesses a link that acknowledges.
TOKEN_BYTES: Final = 16


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
    contact_id: int | None
    channel: Name
    address: str
    severity: Severity
    attempts: int
    clinic: str
    reason: str
    armed: int
    token: str
    code: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Just before sending: whether the message is still ours, the alert still waits for somebody, and its reader wrote STOP."""

    ours: bool
    waiting: bool
    stopped: bool


def key_of(*, alert_id: int, armed: int, step: int, recipient_id: int, contact: Contact) -> str:
    """What makes a message one: this call, of this alert, to this person, by this contact."""
    return f"{_call_of(alert_id, armed, step, recipient_id)}{contact.channel}:{contact.contact_id}"


def _call_of(alert_id: int, armed: int, step: int, recipient_id: int) -> str:
    """What the keys of one call to one person begin with."""
    return f"{alert_id}/{armed}/{step}/{recipient_id}/"


def staff_of(connection: Connection, practices: Iterable[int], *, now: datetime) -> list[StaffMember]:
    """Everybody of some practices, reachable or not, with their contacts."""
    parameters = {"practices": sorted(set(practices)), "verified_since": now - VERIFIED_FOR}
    return [
        StaffMember(
            staff_id=row["id"],
            practice_id=row["practice_id"],
            username=row["username"],
            role=row["role"],
            contacts=tuple(
                Contact(one["id"], Name(one["channel"]), one["address"], one["verified"]) for one in row["contacts"]
            ),
            active=row["active"],
        )
        for row in connection.execute(_SQL["reachable"], parameters).fetchall()
    ]


def write(
    connection: Connection,
    recipient: StaffMember,
    contact: Contact,
    *,
    alert_id: int,
    armed: int,
    step: int,
    severity: Severity,
    reason: str,
    now: datetime,
) -> bool:
    """A message to send from now on; False where the same call to this contact is written already."""
    written = connection.execute(
        _SQL["insert"],
        {
            "practice_id": recipient.practice_id,
            "alert_id": alert_id,
            "step": step,
            "recipient_id": recipient.staff_id,
            "contact_id": contact.contact_id,
            "channel": contact.channel,
            "address": contact.address,
            "severity": int(severity),
            "key": key_of(alert_id=alert_id, armed=armed, step=step, recipient_id=recipient.staff_id, contact=contact),
            "reason": reason,
            # In the clear: it shows nothing, acknowledges one alert, and is worth nothing once that is acknowledged.
            "token": secrets.token_urlsafe(TOKEN_BYTES),
            "code": _new_code(connection, recipient.staff_id) if contact.channel is Name.SMS else None,
            "now": now,
        },
    )
    return written.rowcount == 1


def _new_code(connection: Connection, recipient_id: int) -> str | None:
    """CODE_DIGITS digits that none of the person's open calls bears; None where all are taken."""
    rows = connection.execute(_SQL["codes_in_use"], {"recipient_id": recipient_id}).fetchall()
    taken = {row["code"] for row in rows}
    free = [code for number in range(10**CODE_DIGITS) if (code := f"{number:0{CODE_DIGITS}d}") not in taken]
    return secrets.choice(free) if free else None


def write_next(connection: Connection, failed: Claimed, *, now: datetime) -> Contact | None:
    """The same call by the person's next contact, where one could not be reached; None: there is nothing left to try."""
    [person] = [
        one for one in staff_of(connection, [failed.practice_id], now=now) if one.staff_id == failed.recipient_id
    ]
    call = f"{_call_of(failed.alert_id, failed.armed, failed.step, failed.recipient_id)}%"
    rows = connection.execute(
        _SQL["tried"],
        {"alert_id": failed.alert_id, "recipient_id": failed.recipient_id, "step": failed.step, "call": call},
    ).fetchall()
    contact = person.next_contact([row["contact_id"] for row in rows]) if person.active else None
    if contact is not None:
        write(
            connection,
            person,
            contact,
            alert_id=failed.alert_id,
            armed=failed.armed,
            step=failed.step,
            severity=failed.severity,
            reason=failed.reason,
            now=now,
        )
    return contact


def claim(connection: Connection, *, now: datetime, lease_until: datetime, limit: int) -> list[Claimed]:
    """Messages that wait or whose sender fell silent, the most severe first, leased to the caller."""
    rows = connection.execute(_SQL["claim"], {"now": now, "lease_until": lease_until, "limit": limit}).fetchall()
    found = [claimed_of(row) for row in rows]
    return sorted(found, key=lambda claimed: (-claimed.severity, claimed.notification_id))


def claimed_of(row: Mapping[str, Any]) -> Claimed:
    """A message with all that it takes to send it, or to send it by another way."""
    return Claimed(
        notification_id=row["id"],
        practice_id=row["practice_id"],
        alert_id=row["alert_id"],
        public_id=row["public_id"],
        step=row["step"],
        recipient_id=row["recipient_id"],
        contact_id=row["contact_id"],
        channel=Name(row["channel"]),
        address=row["address"],
        severity=Severity(row["severity"]),
        attempts=row["attempts"],
        clinic=row["clinic"],
        reason=row["reason"],
        armed=row["armed"],
        token=row["token"] or "",
        code=row["code"] or "",
    )


def still_wanted(connection: Connection, claimed: Claimed) -> Wanted:
    """Ask once more, right before the call."""
    parameters = {"notification_id": claimed.notification_id, "attempts": claimed.attempts}
    row = connection.execute(_SQL["still_wanted"], parameters).fetchone()
    return Wanted(row["ours"], row["waiting"], row["stopped"]) if row else Wanted(False, False, False)


def lock_alert(connection: Connection, alert_id: int, *others: int) -> None:
    """Take the alert's row before the message's, in the order an acknowledgement takes them; of several, in one order."""
    connection.execute(_SQL["lock_alert"], {"alerts": sorted({alert_id, *others})})


def finish(
    connection: Connection,
    claimed: Claimed,
    state: State,
    answer: str,
    *,
    due_at: datetime,
    sent_at: datetime | None = None,
    provider: str = "",
    message_ids: Sequence[str] = (),
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
            "provider": provider or None,
            "message_ids": list(message_ids),
        },
    ).fetchone()
    return row is not None


def cancel(connection: Connection, *, alert_id: int, answer: str) -> int:
    """Nobody need be told any more; how many messages were still waiting."""
    return connection.execute(_SQL["cancel"], {"alert_id": alert_id, "answer": answer}).rowcount


@dataclass(frozen=True, slots=True)
class Linked:
    """The call a link belongs to: what its page may say, which is nothing about a patient.

    `severity` and `told` (as of which of its alert's calls) are what the message said; `stands` and `armed` the same by now.
    """

    practice_id: int
    alert_id: int
    public_id: UUID
    recipient_id: int
    recipient: str
    role: str
    active: bool
    severity: Severity
    told: int
    stands: Severity
    armed: int
    step: int
    status: str
    created_at: datetime
    clinic: str
    time_zone: str
    #: Since when the reader has its alert himself; None where he has not.
    mine_since: datetime | None


def by_token(connection: Connection, token: str) -> Linked | None:
    """The call whose message bore this link."""
    row = connection.execute(_SQL["by_token"], {"token": token}).fetchone()
    if row is None:
        return None
    return Linked(
        practice_id=row["practice_id"],
        alert_id=row["alert_id"],
        public_id=row["public_id"],
        recipient_id=row["recipient_id"],
        recipient=row["display_name"],
        role=row["role"],
        active=row["active"],
        severity=Severity(row["severity"]),
        told=row["told"],
        stands=Severity(row["stands"]),
        armed=row["armed"],
        step=row["step"],
        status=row["status"],
        created_at=row["created_at"],
        clinic=row["clinic"],
        time_zone=row["time_zone"],
        mine_since=row["mine_since"],
    )
