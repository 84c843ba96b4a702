"""Devices and who uses them: an assignment is a range of time, so moving a cuff never moves its old readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from rpm import audit
from rpm.access import Actor
from rpm.errors import UserError
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.codes import Kind
from schemas.ids import normal_address

_SQL = load("devices")
LABEL_LENGTH_MAX = 64
LIST_MAX = 400
#: 255 says "some user" on the wire, so it can be nobody's.
USER_SLOT_MAX = 254


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A device, and one who uses it now or will (`assignment_id` None: nobody). `seen_at` None: never heard.

    `pending`: its readings wait until somebody has confirmed one of them as this patient's (A5).
    """

    id: int
    address: str
    kind: str
    label: str
    manufacturer: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    single_person: bool
    created_at: datetime
    seen_at: datetime | None
    assignment_id: int | None
    user_slot: int | None
    starts_at: datetime | None
    ends_at: datetime | None
    pending: bool | None
    patient_id: int | None
    patient_public_id: UUID | None
    given_name: str | None
    family_name: str | None
    #: Nobody uses it, and what somebody measured may still be in its memory.
    unwiped: bool


@dataclass(frozen=True, slots=True)
class Returned:
    """Who last used a slot of a device until it was taken back, and whether what they measured is out of it."""

    id: int
    user_slot: int | None
    patient_id: int
    given_name: str
    family_name: str
    ended_at: datetime
    wiped_at: datetime | None
    wiped_how: str | None
    wiped_by: str | None


class Wiping(StrEnum):
    """How what was measured went out of a device."""

    CLEARED = "memory cleared"
    RESET = "factory reset"
    NO_MEMORY = "keeps no memory"


def register_device(
    connection: Connection,
    *,
    practice_id: int,
    address: str,
    kind: str,
    label: str,
    single_person: bool = True,
    now: datetime,
) -> int:
    """The id of the practice's device at this address, made or renamed; UserError where the values are no device's."""
    try:
        address = normal_address(address)
    except ValueError as error:
        raise UserError("a device's address is six pairs of digits and letters, such as C0:00:00:00:10:01") from error
    if kind not in set(Kind):
        raise UserError(f"a device's kind is one of {', '.join(Kind)}")
    label = _checked_label(label)
    row = connection.execute(
        _SQL["register"],
        {
            "practice_id": practice_id,
            "address": address,
            "kind": kind,
            "label": label,
            "single_person": single_person,
            "now": now,
        },
    ).fetchone()
    assert row is not None
    return row["id"]


def meet_device(
    connection: Connection, *, practice_id: int, address: str, kind: Kind, label: str, now: datetime
) -> int:
    """The id of a device from a reading somebody claims; one that nobody registered is registered as one person's."""
    row = connection.execute(
        _SQL["meet"],
        {
            "practice_id": practice_id,
            "address": address,
            "kind": kind,
            "label": _checked_label(label[:LABEL_LENGTH_MAX]),
            "now": now,
        },
    ).fetchone()
    assert row is not None
    return row["id"]


def assign(
    connection: Connection,
    *,
    device_id: int,
    patient_id: int,
    user_slot: int | None = None,
    start: datetime,
    end: datetime | None = None,
    claimed: UUID | None = None,
    actor: Actor,
    now: datetime,
) -> int:
    """The new assignment's id. Ends no other: UserError where someone else uses this slot in that time.

    Its readings wait until one of them is confirmed (`rpm.store.confirming`), unless the actor has just said of one,
    `claimed`, that it is this patient's.
    """
    if end is not None and end <= start:
        raise UserError("the time of use ends before it begins")
    if user_slot is not None and not 0 <= user_slot <= USER_SLOT_MAX:
        raise UserError(f"a user slot is a number from 0 to {USER_SLOT_MAX}")
    try:
        row = connection.execute(
            _SQL["assign"],
            {
                "practice_id": actor.practice_id,
                "device_id": device_id,
                "patient_id": patient_id,
                "user_slot": user_slot,
                "start": start,
                "end": end,
                "claimed": claimed,
                "staff_id": actor.staff_id,
                "now": now,
            },
        ).fetchone()
    except psycopg.errors.ExclusionViolation as error:
        raise UserError("someone uses this device in that time already: take it back from them first") from error
    if row is None:
        raise UserError("no such device or patient in this practice")
    # Whoever hands it out has it in hand.
    learn_serial(connection, device_id, None, actor=actor)
    audit.record(
        connection,
        actor,
        audit.Action.DEVICE_ASSIGNED,
        now=now,
        patient_id=patient_id,
        device=device_id,
        assignment=row["id"],
    )
    return row["id"]


def learn_serial(connection: Connection, device_id: int, serial: str | None, *, actor: Actor) -> None:
    """From now on this serial number is the device's, by the word of a person; None: the next one it gives."""
    asked = {"device_id": device_id, "serial": serial, "practice_id": actor.practice_id}
    connection.execute(_SQL["learn_serial"], asked)


def return_device(connection: Connection, *, assignment_id: int, at: datetime, actor: Actor, now: datetime) -> None:
    """End an assignment at an instant; readings from before stay whose they were."""
    row = connection.execute(
        _SQL["give_back"],
        {
            "assignment_id": assignment_id,
            "practice_id": actor.practice_id,
            "at": at,
            "staff_id": actor.staff_id,
        },
    ).fetchone()
    if row is None:
        raise UserError("this device is not in use at that time, so it cannot be taken back then")
    audit.record(
        connection,
        actor,
        audit.Action.DEVICE_RETURNED,
        now=now,
        patient_id=row["patient_id"],
        device=row["device_id"],
        assignment=assignment_id,
    )


def returned(connection: Connection, device_id: int, *, practice_id: int, now: datetime) -> Sequence[Returned]:
    """Who last used each slot of a device that was taken back."""
    asked = {"device_id": device_id, "practice_id": practice_id, "now": now}
    with connection.cursor(row_factory=class_row(Returned)) as cursor:
        return cursor.execute(_SQL["returned"], asked).fetchall()


def wipe(
    connection: Connection, *, device_id: int, assignment_id: int, how: Wiping, actor: Actor, now: datetime
) -> None:
    """Write down that what a device's last user measured is out of it. From now on it can send nothing for them.

    UserError where the device is still in use, or was wiped before.
    """
    row = connection.execute(
        _SQL["wipe"],
        {
            "device_id": device_id,
            "assignment_id": assignment_id,
            "practice_id": actor.practice_id,
            "how": how,
            "staff_id": actor.staff_id,
            "now": now,
        },
    ).fetchone()
    if row is None:
        raise UserError("this device is in use, or was wiped before: take it back first")
    audit.record(
        connection, actor, audit.Action.DEVICE_WIPED, now=now, patient_id=row["patient_id"], device=device_id,
        assignment=assignment_id, how=how,
    )  # fmt: skip


def refuse_unwiped(
    connection: Connection, *, device_id: int, user_slot: int | None, patient_id: int, actor: Actor, now: datetime
) -> None:
    """UserError where somebody else's measurements may be in the memory of what is to be given to this patient."""
    for use in returned(connection, device_id, practice_id=actor.practice_id, now=now):
        if use.user_slot == user_slot and use.patient_id != patient_id and use.wiped_at is None:
            raise UserError(
                "what its last user measured may still be in this device: wipe it first, or say that it is given as it is"
            )


def list_devices(connection: Connection, *, practice_id: int, text: str = "", now: datetime) -> Sequence[DeviceUse]:
    """The devices of a practice that say `text` somewhere, once per person who uses them now or will; LIST_MAX at most."""
    return _find(connection, practice_id=practice_id, device_id=None, text=text, now=now)


def device_uses(connection: Connection, device_id: int, *, practice_id: int, now: datetime) -> Sequence[DeviceUse]:
    """One device, once per person who uses it now or will; empty where the practice has none of that number."""
    return _find(connection, practice_id=practice_id, device_id=device_id, text="", now=now)


def _find(
    connection: Connection, *, practice_id: int, device_id: int | None, text: str, now: datetime
) -> Sequence[DeviceUse]:
    asked = {"practice_id": practice_id, "device_id": device_id, "text": text, "now": now, "limit": LIST_MAX}
    with connection.cursor(row_factory=class_row(DeviceUse)) as cursor:
        return cursor.execute(_SQL["list"], asked).fetchall()


def _checked_label(label: str) -> str:
    label = label.strip()
    if not label or len(label) > LABEL_LENGTH_MAX or "\0" in label:
        raise UserError(f"a label has 1 to {LABEL_LENGTH_MAX} characters")
    return label
