"""What becomes of held readings: a person releases, voids or claims them. Every decision is audited.

A held reading that is released or claimed goes through `admit` once more: what a person may say is that an unlikely
value is right, or whose it is; nothing else is waived.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rpm import audit
from rpm.access import Actor
from rpm.errors import UserError
from rpm.ingest.admit import Admitted, Quarantined, Unassigned, admit
from rpm.ingest.attribution import UNKNOWN_USER
from rpm.ingest.reasons import CLAIMABLE, CLAIMED_ALONE, RELEASABLE, SENTENCES, Reason
from rpm.store import readings
from rpm.store.archive import source_of
from rpm.store.database import Connection
from rpm.store.devices import assign, learn_serial, meet_device
from rpm.store.holding import NOTE_LENGTH_MAX, Wanted, fields_of, practices_of
from rpm.store.known import known_of
from rpm.store.queries import load
from schemas.messages import ReadingItem
from schemas.reading import Reading

_SQL = load("held")
#: One claim admits at most this many; the rest waits for the next.
CLAIM_MAX: Final = 5000
#: Held for want of an owner, or of somebody who confirms the one they have.
WITHOUT_OWNER: Final = [*sorted(CLAIMABLE), Reason.NOT_CONFIRMED]


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim did: how many readings became the patient's, and how many are still held for another reason."""

    admitted: int
    still_held: int
    assignment_id: int | None


def release(connection: Connection, held_id: int, *, actor: Actor, note: str = "", now: datetime) -> None:
    """Admit a held reading as it is, marked as released by hand. UserError where nobody can, with why."""
    row = take(connection, held_id, actor)
    reason = Reason(row["reason"])
    if reason not in RELEASABLE:
        raise UserError(f"reading {held_id} cannot be released. {SENTENCES[reason]}")
    item = _item(row)
    known = known_of(connection, [(row["gateway_id"], item.reading)], now=now)
    decision = admit(
        item.reading, gateway_id=row["gateway_id"], known=known, arrived=row["held_at"], now=now, released=True
    )
    if not isinstance(decision, Admitted):
        raise UserError(f"reading {held_id} cannot be released. {SENTENCES[decision.reason]}")
    if reason is Reason.ANOTHER_DEVICE:
        learn_serial(connection, decision.device_id, item.reading.device.serial, actor=actor)
    _store(connection, [(row, item, decision)], released_by=actor.staff_id, now=now)
    decide(connection, held_id, "released", actor=actor, now=now, patient_id=decision.patient_id, decision=note)
    audit.record(
        connection, actor, audit.Action.READING_RELEASED, now=now, patient_id=decision.patient_id, held=held_id
    )


def void(connection: Connection, held_id: int, *, actor: Actor, note: str = "", now: datetime) -> None:
    """Set a held reading aside for good: it stays visible and is never used, also when it is sent again."""
    row = take(connection, held_id, actor)
    decide(connection, held_id, "void", actor=actor, now=now, decision=note)
    audit.record(connection, actor, audit.Action.READING_VOIDED, now=now, patient_id=row["patient_id"], held=held_id)


def claim(
    connection: Connection,
    held_id: int,
    *,
    patient_id: int,
    start: datetime,
    end: datetime | None,
    actor: Actor,
    note: str = "",
    now: datetime,
) -> Claimed:
    """Say whose a held reading is.

    Assigns its device and slot to the patient from `start` to `end` (None: until it is returned; not where they have it
    already) and admits every reading held for want of an owner in that range. Where the device has users then and the reading
    only does not tell which of them it was, this one reading is admitted and nothing assigned. UserError where the range does
    not hold the reading, or someone else uses the device in it.
    """
    row = take(connection, held_id, actor)
    reason = Reason(row["reason"])
    if reason not in CLAIMABLE:
        raise UserError(f"reading {held_id} cannot be claimed. {SENTENCES[reason]}")
    item = _item(row)
    reading = item.reading
    if not (start <= reading.measured_at and (end is None or reading.measured_at < end)):
        raise UserError("the time given does not hold the reading that is claimed")
    asked = {"patient_id": patient_id, "practice_id": actor.practice_id}
    if connection.execute(_SQL["own_patient"], asked).fetchone() is None:
        raise UserError("no such patient in this practice")
    assignment_id: int | None = None
    rows = [row]
    if reason not in CLAIMED_ALONE:
        slot = None if reading.user_slot == UNKNOWN_USER else reading.user_slot
        # Given to this patient already, and unconfirmed: who says whose this reading is has confirmed it.
        connection.execute(
            _SQL["confirm_by_claim"],
            {
                "practice_id": actor.practice_id,
                "address": reading.device.address,
                "user_slot": slot,
                "patient_id": patient_id,
                "measured_at": reading.measured_at,
                "reading_id": reading.reading_id,
                "staff_id": actor.staff_id,
                "now": now,
            },
        )
        # Somebody may have assigned the device after the reading came.
        if _owner(connection, row, reading, now=now) != patient_id:
            assignment_id = _assign(
                connection, reading, slot, patient_id=patient_id, start=start, end=end, actor=actor, now=now
            )
        like = take_like(
            connection,
            practice_id=actor.practice_id,
            address=reading.device.address,
            user_slot=slot,
            start=start,
            end=end,
        )
        rows += [other for other in like if other["id"] != held_id]
    claimed_for = patient_id if reason in CLAIMED_ALONE else None
    claimed = admit_again(connection, rows, claimed_for=claimed_for, actor=actor, note=note, now=now)
    audit.record(
        connection,
        actor,
        audit.Action.READING_CLAIMED,
        now=now,
        patient_id=patient_id,
        held=held_id,
        admitted=claimed.admitted,
    )
    return Claimed(claimed.admitted, claimed.still_held, assignment_id)


def take_like(
    connection: Connection,
    *,
    practice_id: int,
    address: str,
    user_slot: int | None,
    start: datetime,
    end: datetime | None,
) -> list[dict[str, Any]]:
    """What of a device and slot is held for want of an owner, measured in a range of time: locked, oldest first."""
    return connection.execute(
        _SQL["take_like"],
        {
            "practice_id": practice_id,
            "reasons": WITHOUT_OWNER,
            "address": address,
            "user_slot": user_slot,
            "start": start,
            "end": end,
            "limit": CLAIM_MAX,
        },
    ).fetchall()


def _owner(connection: Connection, row: dict[str, Any], reading: Reading, *, now: datetime) -> int | None:
    """Whose a held reading is by what is known now; None: still nobody's for certain."""
    known = known_of(connection, [(row["gateway_id"], reading)], now=now)
    decision = admit(reading, gateway_id=row["gateway_id"], known=known, arrived=row["held_at"], now=now)
    return None if isinstance(decision, Unassigned) else decision.patient_id


def _assign(
    connection: Connection,
    reading: Reading,
    slot: int | None,
    *,
    patient_id: int,
    start: datetime,
    end: datetime | None,
    actor: Actor,
    now: datetime,
) -> int:
    """Give the device of a reading to a patient; one that nobody registered is registered. The assignment's id."""
    device_id = meet_device(
        connection,
        practice_id=actor.practice_id,
        address=reading.device.address,
        kind=reading.kind,
        label=reading.device.model or reading.kind.replace("_", " "),
        now=now,
    )
    return assign(
        connection,
        device_id=device_id,
        patient_id=patient_id,
        user_slot=slot,
        start=start,
        end=end,
        claimed=reading.reading_id,
        actor=actor,
        now=now,
    )


def look_again(connection: Connection, *, gateway_id: str, actor: Actor, now: datetime) -> Claimed:
    """Decide anew on what was held because nobody had registered the gateway; what nothing else is wrong with is used."""
    rows = connection.execute(
        _SQL["take_of_gateway"],
        {
            "practice_id": actor.practice_id,
            "gateway_id": gateway_id,
            "reason": Reason.UNKNOWN_GATEWAY,
            "limit": CLAIM_MAX,
        },
    ).fetchall()
    return admit_again(connection, rows, actor=actor, now=now)


def admit_again(
    connection: Connection,
    rows: Sequence[dict[str, Any]],
    *,
    claimed_for: int | None = None,
    actor: Actor,
    note: str = "",
    now: datetime,
) -> Claimed:
    """Admit those of these held rows, locked, that can be now; what else is wrong with a reading still holds it.

    `claimed_for`: a person says that all of them are this patient's.
    """
    items = [(row, _item(row)) for row in rows]
    known = known_of(connection, [(row["gateway_id"], item.reading) for row, item in items], now=now)
    admitted: list[tuple[dict[str, Any], ReadingItem, Admitted]] = []
    still_held = 0
    for row, item in items:
        decision = admit(
            item.reading, gateway_id=row["gateway_id"], known=known, arrived=row["held_at"], now=now,
            claimed_for=claimed_for,
        )  # fmt: skip
        if isinstance(decision, Admitted):
            admitted.append((row, item, decision))
            continue
        still_held += 1
        hold_on(connection, row["id"], decision)
    _store(connection, admitted, released_by=None, now=now)
    for row, _, decision in admitted:
        decide(connection, row["id"], "claimed", actor=actor, now=now, patient_id=decision.patient_id, decision=note)
    return Claimed(len(admitted), still_held, None)


def hold_on(connection: Connection, held_id: int, decision: Quarantined | Unassigned) -> None:
    """Something else is wrong with a held reading now; the judge looks again."""
    quarantined = isinstance(decision, Quarantined)
    connection.execute(
        _SQL["hold_on"],
        {
            "held_id": held_id,
            "why": "quarantined" if quarantined else "unassigned",
            "reason": decision.reason,
            "pointer": decision.pointer if quarantined else "",
            "patient_id": decision.patient_id if quarantined else None,
            "device_id": decision.device_id,
        },
    )


def _store(
    connection: Connection,
    admitted: Sequence[tuple[dict[str, Any], ReadingItem, Admitted]],
    *,
    released_by: int | None,
    now: datetime,
) -> None:
    entries = [
        readings.Entry(item.reading, decision, row["gateway_id"], row["epoch"], row["seq"], released_by, source_of(row))
        for row, item, decision in admitted
    ]
    readings.store(connection, entries, now=now)
    readings.tell(connection)


def take_wanted(
    connection: Connection, wanted: Wanted, *, actor: Actor, after: int, limit: int
) -> list[dict[str, Any]]:
    """What waits for a decision and is wanted, with numbers above `after`: locked, oldest first."""
    asked = {**fields_of(wanted, actor), "after": after, "limit": limit}
    return connection.execute(_SQL["take_wanted"], asked).fetchall()


def take(connection: Connection, held_id: int, actor: Actor) -> dict[str, Any]:
    """One held row, locked; UserError where the actor's practice has none of that number, or it was decided before."""
    row = connection.execute(_SQL["take"], {"held_id": held_id, "practices": practices_of(actor)}).fetchone()
    if row is None:
        raise UserError(f"there is no held reading {held_id}")
    if row["state"] != "held":
        raise UserError(f"reading {held_id} was decided before: {row['state']}")
    return row


def _item(row: dict[str, Any]) -> ReadingItem:
    return ReadingItem.model_validate(row["item"])


def decide(
    connection: Connection,
    held_id: int,
    state: str,
    *,
    actor: Actor,
    now: datetime,
    patient_id: int | None = None,
    decision: str = "",
) -> None:
    """Write down what became of a held row, and who decided; `decision` is why, in their words."""
    connection.execute(
        _SQL["decide"],
        {
            "held_id": held_id,
            "state": state,
            "staff_id": actor.staff_id,
            "now": now,
            "decision": decision[:NOTE_LENGTH_MAX].replace("\0", ""),
            "patient_id": patient_id,
        },
    )
