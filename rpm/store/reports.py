"""What comes back after a message went: that it arrived or did not, and what its reader answers."""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Final

from psycopg import Rollback
from psycopg.types.json import Jsonb

from alerts.channels import Name
from alerts.channels.carriers import Outcome
from alerts.notices import SHORT_ID
from alerts.receipts import Receipt, verdict
from alerts.replies import KEYS_MAX, Call, had_since
from rpm.store import notifications
from rpm.store.database import Connection
from rpm.store.notifications import Claimed
from rpm.store.queries import load

_SQL = load("reports")

#: What is kept of one message: more than any provider says of all its parts.
RECEIPTS_MAX: Final = 50
#: How often a message is told of more alerts while its report waits for it: with each attempt to send it.
LOCKED_AGAIN_MAX: Final = 5
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


def keep(connection: Connection, token: str, receipt: Receipt) -> int | None:
    """Keep what a provider says, also of a message that is not written as sent yet; which it is (None: there is none)."""
    found = _locked(connection, token, with_others=receipt.outcome is Outcome.NOT_DELIVERED)
    if found is None:
        return None
    said = Jsonb([asdict(receipt)])
    connection.execute(_SQL["keep"], {"notification_id": found, "receipt": said, "most": RECEIPTS_MAX})
    return found


def _locked(connection: Connection, token: str, *, with_others: bool) -> int | None:
    """The message of a token; its alert is locked, and `with_others` those it told of besides.

    The alert before the message, as everywhere: a sender may write its end, or a key be pressed, in the same second. What did
    not arrive has told of none of its alerts, which change, too; a key, which arrives, has locked its own already.

    Which alerts those are stands still only once its own is locked: a sender may write them while we wait for it. Then
    all are let go and taken again, for several are locked in one order alone.
    """
    asked = {"token": token}
    row = connection.execute(_SQL["of_token"], asked).fetchone()
    for left in reversed(range(LOCKED_AGAIN_MAX + 1)):
        if row is None:
            return None
        wanted: set[int] = {row["alert_id"], *(row["besides"] if with_others else ())}
        with connection.transaction():
            notifications.lock_alert(connection, *sorted(wanted))
            row = connection.execute(_SQL["of_token"], asked).fetchone()
            if left and with_others and row is not None and not wanted.issuperset(row["besides"]):
                raise Rollback
            break
    return None if row is None else int(row["id"])


def said_of(connection: Connection, notification_id: int) -> Receipt | None:
    """What became of a message, as far as its provider has said; None also while nobody has taken it."""
    row = connection.execute(_SQL["said_of"], {"notification_id": notification_id}).fetchone()
    if row is None or row["provider"] is None:
        return None
    receipts = [Receipt(**{**one, "outcome": Outcome(one["outcome"])}) for one in row["reports"]]
    return verdict(receipts, provider=row["provider"], messages=row["message_ids"])


def delivered(connection: Connection, notification_id: int, *, now: datetime) -> Delivered | None:
    """It arrived; None where that is known already. Its alert is locked."""
    row = connection.execute(_SQL["delivered"], {"notification_id": notification_id, "now": now}).fetchone()
    return None if row is None else Delivered(**row)


def refused(connection: Connection, notification_id: int, *, answer: str) -> list[Claimed]:
    """It did not arrive; the messages that failed with it (none: it has arrived, or is given up). Its alert is locked."""
    rows = connection.execute(_SQL["not_delivered"], {"notification_id": notification_id, "answer": answer}).fetchall()
    return [notifications.claimed_of(row) for row in rows]


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
    if not rows:
        return []
    # Alerts are locked in one order, as everywhere: those of all of them, and what was told in them, at once.
    notifications.lock_alert(connection, *(alert for row in rows for alert in (row["alert_id"], *row["besides"])))
    return [failed for row in rows for failed in refused(connection, row["id"], answer=answer)]


def give_up(connection: Connection, contacts: Collection[int], *, answer: str, now: datetime) -> list[Claimed]:
    """What went to these contacts, or waits for them, of alerts that wait for somebody: given up, whatever came of it."""
    asked = {"contacts": list(contacts), "since": now - ANSWERED_WITHIN, "answer": answer}
    rows = connection.execute(_SQL["of_contacts"], asked).fetchall()
    if not rows:
        return []
    notifications.lock_alert(connection, *(row["alert_id"] for row in rows))
    given_up = connection.execute(_SQL["give_up"], asked).fetchall()
    return [notifications.claimed_of(row) for row in given_up]


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
            told=row["told"],
            waiting=row["open"] and row["told"] == row["armed"],
            anew=row["open"] and row["told"] != row["armed"],
            short_id=str(row["public_id"])[:SHORT_ID],
            had_since=had_since(row["mine_since"], row["time_zone"]) if row["mine_since"] else "",
        ): Sender(row["display_name"], row["role"])
        for row in rows
    }
