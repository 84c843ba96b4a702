"""Uses of a device that wait for a confirmed test reading, and what becomes of them and of what they measured meanwhile (A5).

Pending, a device's readings are held with their time and filed under nobody. Confirmed, they are filed, each by the range
of the use; refused, the device is nobody's and they wait to be claimed. Either is audited.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from rpm import audit
from rpm.access import Actor
from rpm.confirmation import How, asked_for, refusal
from rpm.errors import UserError
from rpm.store.database import Connection
from rpm.store.held import WITHOUT_OWNER, Claimed, admit_again, take_like
from rpm.store.queries import load
from schemas.messages import ReadingItem

_SQL = load("confirming")
LIST_MAX: Final = 400
#: Readings offered to ask the patient about: the newest.
TESTS_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Pending:
    """A use of a device that nobody has confirmed. `waiting` readings are held for it, the first since `waiting_since`."""

    id: int
    device_id: int
    label: str
    kind: str
    gateway_id: str | None
    user_slot: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    assigned_by: int | None
    assigner: str | None
    patient_id: int
    patient_public_id: UUID
    given_name: str
    family_name: str
    phone: str | None
    time_zone: str
    waiting: int
    waiting_since: datetime | None


@dataclass(frozen=True, slots=True)
class Test:
    """A waiting reading and what the patient is asked to read of it, never its value. `asks` None: it has no number."""

    held_id: int
    measured_at: datetime
    asks: str | None


def pending(connection: Connection, *, practice_id: int, device_id: int | None = None) -> list[Pending]:
    """The uses nobody has confirmed, those with readings waiting first, LIST_MAX at most; of one device, where given."""
    asked = {
        "practice_id": practice_id, "device_id": device_id, "reasons": WITHOUT_OWNER, "limit": LIST_MAX,
    }  # fmt: skip
    with connection.cursor(row_factory=class_row(Pending)) as cursor:
        return cursor.execute(_SQL["pending"], asked).fetchall()


def tests_of(connection: Connection, uses: Sequence[Pending], *, practice_id: int) -> dict[int, list[Test]]:
    """By use: the newest readings that wait for it, TESTS_MAX each."""
    asked = {
        "assignments": [use.id for use in uses], "practice_id": practice_id, "reasons": WITHOUT_OWNER,
        "limit": TESTS_MAX,
    }  # fmt: skip
    found: dict[int, list[Test]] = {}
    for row in connection.execute(_SQL["tests"], asked):
        asks = asked_for(ReadingItem.model_validate(row["item"]).reading)
        found.setdefault(row["assignment_id"], []).append(Test(row["held_id"], row["measured_at"], asks))
    return found


def confirm(
    connection: Connection,
    assignment_id: int,
    *,
    device_id: int,
    held_id: int,
    how: How,
    said: str = "",
    actor: Actor,
    now: datetime,
) -> Claimed:
    """File what the device measured: its use is confirmed by one of the readings that wait for it.

    UserError with what is wrong: decided before, no such reading, the wrong number, the wrong person. Where the
    patient's set-up was open, this reading is its proof.
    """
    use, waiting = _take(connection, assignment_id, device_id, actor)
    row = next((each for each in waiting if each["id"] == held_id), None)
    if row is None:
        raise UserError("this reading does not wait for this device to be confirmed")
    reading = ReadingItem.model_validate(row["item"]).reading
    reason = refusal(reading, how=how, said=said, assigned_by=use["assigned_by"], confirmed_by=actor.staff_id)
    if reason is not None:
        raise UserError(reason)
    facts = {
        "assignment_id": assignment_id, "how": how, "reading_id": reading.reading_id, "staff_id": actor.staff_id,
        "patient_id": use["patient_id"], "practice_id": actor.practice_id, "measured_at": reading.measured_at, "now": now,
    }  # fmt: skip
    connection.execute(_SQL["confirm"], facts)
    connection.execute(_SQL["prove_set_up"], facts)
    filed = admit_again(connection, waiting, actor=actor, now=now)
    audit.record(
        connection, actor, audit.Action.DEVICE_CONFIRMED, now=now, patient_id=use["patient_id"], device=device_id,
        assignment=assignment_id, how=str(how), held=held_id, admitted=filed.admitted,
    )  # fmt: skip
    return Claimed(filed.admitted, filed.still_held, assignment_id)


def refuse(connection: Connection, assignment_id: int, *, device_id: int, actor: Actor, now: datetime) -> int:
    """The device is not this patient's: it is free, and what it measured waits to be claimed. How many readings wait."""
    use, waiting = _take(connection, assignment_id, device_id, actor)
    connection.execute(_SQL["refuse"], {"assignment_id": assignment_id})
    left = admit_again(connection, waiting, actor=actor, now=now)
    audit.record(
        connection, actor, audit.Action.DEVICE_REFUSED, now=now, patient_id=use["patient_id"], device=device_id,
        assignment=assignment_id,
    )  # fmt: skip
    return left.still_held


def _take(
    connection: Connection, assignment_id: int, device_id: int, actor: Actor
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The use and what waits for it, both locked; the use first, as ingest does."""
    asked = {"assignment_id": assignment_id, "device_id": device_id, "practice_id": actor.practice_id}
    use = connection.execute(_SQL["take"], asked).fetchone()
    if use is None:
        raise UserError("this is not waiting to be confirmed: somebody has decided it, or taken the device back")
    waiting = take_like(
        connection, practice_id=actor.practice_id, address=use["address"], user_slot=use["user_slot"],
        start=use["starts_at"], end=use["ends_at"],
    )  # fmt: skip
    return use, waiting
