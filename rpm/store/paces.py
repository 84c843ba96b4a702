"""What a contact was sent lately, what waits for it, and what was told in a summary (`alerts.pace` decides)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from alerts.pace import WINDOW, Sent
from alerts.severity import Severity
from rpm.store import alerts
from rpm.store.database import Connection
from rpm.store.notifications import Claimed
from rpm.store.queries import load

_SQL = load("paces")

#: Alerts told in one message; what is beyond them is told in the next.
SUMMARY_MAX: Final = 2000


def sent(connection: Connection, contact_id: int, *, now: datetime) -> list[Sent]:
    """What went to a contact within the window."""
    rows = connection.execute(_SQL["sent"], {"contact_id": contact_id, "since": now - WINDOW}).fetchall()
    return [Sent(row["at"], Severity(row["severity"])) for row in rows]


def postpone(connection: Connection, claimed: Claimed, *, until: datetime) -> None:
    """Give a claimed message back until then, with what is no more urgent and waits for the same contact."""
    facts = {
        "notification_id": claimed.notification_id,
        "attempts": claimed.attempts,
        "contact_id": claimed.contact_id,
        "severity": int(claimed.severity),
        "until": until,
    }
    connection.execute(_SQL["postpone"], facts)
    connection.execute(_SQL["postpone_others"], facts)


def waiting(connection: Connection, claimed: Claimed) -> dict[int, int]:
    """What else waits for the contact of a message: alerts by message."""
    rows = connection.execute(
        _SQL["waiting"],
        {"contact_id": claimed.contact_id, "notification_id": claimed.notification_id, "limit": SUMMARY_MAX},
    ).fetchall()
    return {row["id"]: row["alert_id"] for row in rows}


def told(connection: Connection, claimed: Claimed, others: Mapping[int, int], *, provider: str, now: datetime) -> int:
    """These were told in `claimed`, which was sent; how many still waited. Their alerts are locked."""
    if not others:
        return 0
    answer = f"told with {len(others)} others in one message"
    rows = connection.execute(
        _SQL["told"],
        {
            "ids": sorted(others),
            "told_in": claimed.notification_id,
            "provider": provider or None,
            "answer": answer,
            "now": now,
        },
    ).fetchall()
    for row in rows:
        alerts.add_event(
            connection,
            practice_id=row["practice_id"],
            alert_id=row["alert_id"],
            at=now,
            kind="notified",
            staff_id=row["recipient_id"],
            reason=f"{row['channel']}: {answer}",
            detail={"step": row["step"] + 1},
        )
    return len(rows)
