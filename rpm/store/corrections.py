"""Stored readings that should not have been, or not as this person's: set aside, put back, given to whose they are.

Nothing is deleted: the reading, its bytes and its name stay, so that it is not taken in again, and every correction says who
made it and why, with whose it was before and after. What rests on a reading follows in the same transaction: its values,
the newest value of either patient, the marks by which both are judged anew, and the life of alerts that cite it. Days of a
bill are counted from the readings as they stand. Alerts stay open: only a person closes one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb

from rpm import audit
from rpm.access import Actor
from rpm.errors import UserError
from rpm.store import alerts, readings, worklist
from rpm.store.arrays import array
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("corrections")
REASON_LENGTH_MAX: Final = 300


class Kind(StrEnum):
    """What was done to a reading."""

    VOID = "void"
    RESTORE = "restore"
    MOVE = "move"


#: What the life of an alert says of a reading it cites.
SENTENCES: Final[Mapping[Kind, str]] = {
    Kind.VOID: "A reading this alert rests on was set aside",
    Kind.RESTORE: "A reading this alert rests on was put back",
    Kind.MOVE: "A reading this alert rests on was another patient’s, and went there",
}
_ACTIONS: Final[Mapping[Kind, audit.Action]] = {
    Kind.VOID: audit.Action.READING_SET_ASIDE,
    Kind.RESTORE: audit.Action.READING_PUT_BACK,
    Kind.MOVE: audit.Action.READING_MOVED,
}


@dataclass(frozen=True, slots=True)
class Correction:
    """One thing that was done to a reading. `before` and `after` name the patients: (id at the edge, name)."""

    kind: Kind
    reason: str
    at: datetime
    by: str
    before: tuple[UUID, str]
    after: tuple[UUID, str]


@dataclass(frozen=True, slots=True)
class _Stored:
    """A reading as it stands, locked."""

    reading_no: int
    reading_id: UUID
    patient_id: int
    measured_at: datetime
    voided_at: datetime | None


def void(connection: Connection, reading_id: UUID, *, reason: str, actor: Actor, now: datetime) -> None:
    """Set a stored reading aside: it stays visible and is not used. UserError where it is not the practice's, or void."""
    stored = _take(connection, reading_id, actor)
    if stored.voided_at is not None:
        raise UserError("this reading is set aside already")
    _correct(connection, stored, Kind.VOID, stored.patient_id, now, reason=reason, actor=actor, now=now)


def restore(connection: Connection, reading_id: UUID, *, reason: str, actor: Actor, now: datetime) -> None:
    """Use a reading again that was set aside. UserError where it is not the practice's, or not set aside."""
    stored = _take(connection, reading_id, actor)
    if stored.voided_at is None:
        raise UserError("this reading is not set aside")
    _correct(connection, stored, Kind.RESTORE, stored.patient_id, None, reason=reason, actor=actor, now=now)


def move(
    connection: Connection, reading_id: UUID, *, patient_id: int, reason: str, actor: Actor, now: datetime
) -> None:
    """Give a reading to the patient whose it is; the device stays whose it was.

    UserError where reading or patient are not the practice's, or the reading is that patient's already.
    """
    stored = _take(connection, reading_id, actor)
    asked = {"patient_id": patient_id, "practice_id": actor.practice_id}
    if connection.execute(_SQL["is_patient"], asked).fetchone() is None:
        raise UserError("no such patient in this practice")
    if stored.patient_id == patient_id:
        raise UserError("this reading is that patient's already")
    _correct(connection, stored, Kind.MOVE, patient_id, stored.voided_at, reason=reason, actor=actor, now=now)


def is_stored(connection: Connection, reading_id: UUID, *, practice_id: int) -> bool:
    """Whether a practice has a stored reading of this name."""
    asked = {"reading_id": reading_id, "practice_id": practice_id}
    return connection.execute(_SQL["take"], asked).fetchone() is not None


def corrections(connection: Connection, reading_id: UUID, *, practice_id: int) -> list[Correction]:
    """What was done to one reading, oldest first."""
    rows = connection.execute(_SQL["list"], {"reading_id": reading_id, "practice_id": practice_id}).fetchall()
    return [
        Correction(
            kind=Kind(row["kind"]),
            reason=row["reason"],
            at=row["corrected_at"],
            by=row["corrected_by"],
            before=(row["before_public_id"], f"{row['before_given']} {row['before_family']}"),
            after=(row["after_public_id"], f"{row['after_given']} {row['after_family']}"),
        )
        for row in rows
    ]


def _take(connection: Connection, reading_id: UUID, actor: Actor) -> _Stored:
    asked = {"reading_id": reading_id, "practice_id": actor.practice_id}
    row = connection.execute(_SQL["take"], asked).fetchone()
    if row is None:
        raise UserError("there is no such stored reading in this practice")
    return _Stored(**row)


def _correct(
    connection: Connection,
    stored: _Stored,
    kind: Kind,
    patient_id: int,
    voided_at: datetime | None,
    *,
    reason: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Make it so, and everything that rests on it; write down what was so before."""
    why = " ".join(reason.replace("\0", "").split())[:REASON_LENGTH_MAX]
    if not why:
        raise UserError("say why: whoever looks later must understand it")
    patients = sorted({stored.patient_id, patient_id})
    fields: dict[str, Any] = {
        "practice_id": actor.practice_id,
        "reading_id": stored.reading_id,
        "reading_no": stored.reading_no,
        "measured_at": stored.measured_at,
        "patient_id": patient_id,
        "patients": array(patients),
        "voided_at": voided_at,
        "kind": kind,
        "patient_before": stored.patient_id,
        "patient_after": patient_id,
        "reason": why,
        "staff_id": actor.staff_id,
        "now": now,
    }
    for statement in ("set_reading", "set_observations", "forget_latest", "find_latest", "add"):
        connection.execute(_SQL[statement], fields)
    _tell_alerts(connection, stored, kind, patients, actor=actor, now=now)
    day = stored.measured_at.astimezone(UTC).date()
    readings.save_news(
        connection,
        {(patient, actor.practice_id): 1 for patient in patients},
        [(patient, actor.practice_id, day) for patient in patients],
        now=now,
    )
    readings.tell(connection)
    for patient in patients:
        audit.record(connection, actor, _ACTIONS[kind], now=now, patient_id=patient, reading_id=str(stored.reading_id))


def _tell_alerts(
    connection: Connection, stored: _Stored, kind: Kind, patients: Sequence[int], *, actor: Actor, now: datetime
) -> None:
    """Whoever works on an alert of either patient that cites the reading sees what became of it."""
    cited = Jsonb([[stored.reading_no]])
    among = Jsonb([{"reading_no": stored.reading_no}])
    for patient_id in patients:
        asked = {"patient_id": patient_id, "judged": cited, "among": among}
        for row in connection.execute(_SQL["alerts_on"], asked).fetchall():
            alerts.add_event(
                connection,
                practice_id=actor.practice_id,
                alert_id=row["id"],
                at=now,
                kind="reading_corrected",
                reason=SENTENCES[kind],
                staff_id=actor.staff_id,
            )
    if kind is Kind.MOVE:
        connection.execute(
            _SQL["let_go"],
            {"patient_before": stored.patient_id, "reading_no": stored.reading_no, "judged": cited},
        )
    worklist.announce(connection, actor.practice_id)
