"""What comes back after a message went: that it arrived or did not, and what its reader answers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.channels import Name
from alerts.notices import SHORT_ID
from alerts.replies import KEYS_MAX, Call
from rpm.store import notifications
from rpm.store.database import Connection
from rpm.store.notifications import Claimed
from rpm.store.queries import load

_SQL = load("reports")

#: An older call is answered on its page.
ANSWERED_WITHIN: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message that arrived, as its alert's timeline says it."""

    practice_id: int
    alert_id: int
    recipient_id: int
    channel: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Whose answer a text message would be, if it acknowledges this call."""

    name: str
    role: str


def delivered(connection: Connection, token: str, *, provider: str, now: datetime) -> Delivered | None:
    """It arrived; None where this provider has no such message."""
    asked = {"token": token, "provider": provider, "now": now}
    found = connection.execute(_SQL["of_token"], asked).fetchone()
    if found is None:
        return None
    # The alert before the message, as everywhere: a key may be pressed in the same second.
    notifications.lock_alert(connection, found["alert_id"])
    row = connection.execute(_SQL["delivered"], asked).fetchone()
    return None if row is None else Delivered(**row)


def refused(connection: Connection, token: str, *, provider: str, answer: str) -> list[Claimed]:
    """It did not arrive, says its provider; the messages that failed with it (none: it is not known, or has arrived)."""
    row = connection.execute(_SQL["of_token"], {"token": token, "provider": provider}).fetchone()
    return [] if row is None else _fail(connection, row["id"], row["alert_id"], answer)


def overdue(
    connection: Connection,
    channel: Name,
    *,
    providers: Collection[str],
    before: datetime,
    since: datetime,
    answer: str,
    limit: int,
) -> list[Claimed]:
    """Those of a channel of which nothing was heard since they were taken, given up; `limit`, and what was told in them."""
    rows = connection.execute(
        _SQL["overdue"],
        {"channel": channel, "providers": sorted(providers), "before": before, "since": since, "limit": limit},
    ).fetchall()
    # Alerts are locked in one order, as everywhere.
    ordered = sorted(rows, key=lambda row: (row["alert_id"], row["id"]))
    return [failed for row in ordered for failed in _fail(connection, row["id"], row["alert_id"], answer)]


def _fail(connection: Connection, notification_id: int, alert_id: int, answer: str) -> list[Claimed]:
    notifications.lock_alert(connection, alert_id)
    rows = connection.execute(_SQL["not_delivered"], {"notification_id": notification_id, "answer": answer}).fetchall()
    return [notifications.claimed_of(row) for row in rows]


def told_besides(connection: Connection, token: str) -> int:
    """Of how many alerts more a message told."""
    row = connection.execute(_SQL["told_besides"], {"token": token}).fetchone()
    return 0 if row is None else int(row["n"])


def hear_key(connection: Connection, token: str) -> int:
    """How many keys this call has heard, with the one that is being pressed: more than KEYS_MAX where it hears no more."""
    row = connection.execute(_SQL["hear_key"], {"token": token, "most": KEYS_MAX}).fetchone()
    return KEYS_MAX + 1 if row is None else int(row["keys_heard"])


def hear_no_more(connection: Connection, token: str) -> None:
    """The right key was pressed: whoever sends it again presses none."""
    connection.execute(_SQL["hear_no_more"], {"token": token, "most": KEYS_MAX})


def calls_of_number(connection: Connection, address: str, *, now: datetime) -> dict[Call, Sender]:
    """The calls that somebody with this number may answer, and who that would be."""
    rows = connection.execute(_SQL["calls_of_number"], {"address": address, "since": now - ANSWERED_WITHIN}).fetchall()
    return {
        Call(
            alert_id=row["alert_id"],
            practice_id=row["practice_id"],
            recipient_id=row["recipient_id"],
            code=row["code"],
            waiting=row["waiting"],
            short_id=str(row["public_id"])[:SHORT_ID],
        ): Sender(row["display_name"], row["role"])
        for row in rows
    }
