"""What gateways are asked for when a database comes back older than it was (L19).

A gateway keeps what was receipted for some days. What came between the backup and the loss was receipted by a database that
is gone: the box believes it safe and would never send it again. So every box is asked, from the first row that is not here.
"""

from datetime import datetime, timedelta
from typing import Final

from psycopg.types.json import Jsonb

from rpm.audit import Action
from rpm.store import audit, sessions
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.messages import RequestKind

_SQL = load("backup")
_REQUESTS = load("requests")
#: As long as a gateway keeps what was receipted, unless it is told otherwise (`ring_days`): one that is off for a weekend
#: hears of it when it comes back.
ASKED_FOR: Final = timedelta(days=7)
#: A box whose state was never heard is known by its newest reading; one this old is no longer sought in all of history.
EPOCH_SOUGHT: Final = timedelta(days=90)
#: Numbers of an outbox begin with it.
FIRST_SEQ: Final = 1


def after_restore(connection: Connection, *, taken_at: datetime, now: datetime) -> int:
    """Write a replay request to every gateway in use; how many. Nobody asked for it: it bears no member of staff.

    Every session ends, for an account switched off since the backup is on again: whoever signs in has its password.
    A box whose outbox is a new one since the backup sends all of it: its numbers are of an epoch that is unknown here.
    """
    sessions.end_all(connection)
    marks = connection.execute(_SQL["marks"], {"since": taken_at - EPOCH_SOUGHT}).fetchall()
    for mark in marks:
        connection.execute(
            _REQUESTS["ask"],
            {
                "gateway_id": mark["gateway_id"],
                "practice_id": mark["practice_id"],
                "patient_id": None,
                "staff_id": None,
                "kind": RequestKind.REPLAY,
                "arguments": Jsonb(
                    {"epoch": mark["epoch"] or "", "from_seq": mark["from_seq"], "other_epochs_from": FIRST_SEQ}
                ),
                "expires_at": now + ASKED_FOR,
                "now": now,
            },
        )
    for practice_id in sorted({mark["practice_id"] for mark in marks}):
        audit.append(
            connection,
            practice_id=practice_id,
            staff_id=None,
            patient_id=None,
            action=Action.RESTORED,
            detail={"backup": f"{taken_at:%Y-%m-%d %H:%M} UTC"},
            now=now,
        )
    return len(marks)
