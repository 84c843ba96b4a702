"""Ask at home for a second reading, take back what nobody needs any more, and have those judged whose time is over.

What waits, and until when, is rows: a turn that comes late, or a process that was killed, acts at its next turn. That a box
has no line delays nothing: the deadline is the first reading's, and needs no answer. Where nobody can be asked nothing waits.
"""

from datetime import datetime
from typing import Final
from uuid import UUID

from rpm.errors import UserError
from rpm.jobs.report import Done
from rpm.store import pauses, readings, repeats, requests
from rpm.store.database import Connection, Database
from schemas.messages import RequestKind

#: Done in one transaction.
LIMIT: Final = 100


def run_once(database: Database, *, now: datetime, limit: int = LIMIT) -> Done:
    """Each of the three, `limit` at most: the deadlines first."""
    # By itself: who judges locks a patient's news first, then what of theirs waits.
    with database.transaction() as connection:
        repeats.give_up(connection, now=now)
    with database.transaction() as connection:
        woken = repeats.wake(connection, now=now, limit=limit)
        if woken:
            readings.tell(connection)
    with database.transaction() as connection:
        asked = _ask(connection, now=now, limit=limit)
    with database.transaction() as connection:
        pointless = repeats.to_withdraw(connection, now=now, limit=limit)
        for one in pointless:
            requests.withdraw(connection, one.request_id, practice_id=one.practice_id, now=now)
    return Done(woken + asked + len(pointless), limit in {woken, asked, len(pointless)})


def _ask(connection: Connection, *, now: datetime, limit: int) -> int:
    found = repeats.to_ask(connection, now=now, limit=limit)
    away = pauses.running(connection, [one.patient_id for one in found], now=now) if found else frozenset[int]()
    seen_to = 0
    # By gateway, as everybody locks them.
    for one in sorted(found, key=lambda one: (one.gateway_id or "", one.patient_id, one.reading_no)):
        try:
            request_id = None if one.patient_id in away else _request(connection, one, now=now)
        except requests.AskedAlready:
            # Whoever stands before the box is asked meanwhile. The first reading ends that, and then this one is asked for.
            continue
        repeats.asked(connection, one, request_id, now=now)
        seen_to += 1
    return seen_to


def _request(connection: Connection, one: repeats.ToAsk, *, now: datetime) -> UUID | None:
    """By which request somebody at home is asked; None: nobody can be, for there is no box, or too much is asked of it.

    AskedAlready where the box asks for the same, of somebody else or for a nurse.
    """
    if one.gateway_id is None or one.kind is None:
        return None
    slot = {} if one.user_slot is None else {"user_slot": one.user_slot}
    try:
        return requests.ask(
            connection, one.gateway_id, RequestKind.MEASURE_AGAIN, {"kind": one.kind, **slot},
            practice_id=one.practice_id, staff_id=None, patient_id=one.patient_id, expires_at=one.until_at, now=now,
        )  # fmt: skip
    except requests.AskedAlready:
        raise
    except UserError:
        return None
