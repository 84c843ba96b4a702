"""A patient who is away, in hospital or on a journey, until a day: what that changes, and that it ends by itself.

While it lasts nobody misses readings, and what comes and is not urgent stands on the worklist without calling; what had called
before goes on until somebody has it. A red calls as ever: a pause is said by a person who may be wrong about who is using the cuff.
What it changes of a bill, also where it is written down afterwards: `rpm.billing.away`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from psycopg.rows import class_row

from rpm.store import alerts
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("pauses")

RULE: Final = "pause_ended"
VERSION: Final = "1"
#: What ended so long ago is still shown, to be taken back: a claim may be filed for a year, and a month.
LATELY: Final = timedelta(days=400)
LATELY_MAX: Final = 10


class Why(StrEnum):
    """Why a patient is away."""

    HOSPITAL = "hospital"
    TRAVEL = "travel"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Pause:
    """A pause that runs."""

    id: int
    reason: str
    note: str
    begins_at: datetime
    ends_at: datetime
    made_by: str


def running(connection: Connection, patients: Collection[int], *, now: datetime) -> frozenset[int]:
    """Which of these patients are away."""
    rows = connection.execute(_SQL["running"], {"patients": sorted(patients), "now": now}).fetchall()
    return frozenset(row["patient_id"] for row in rows)


def of_patient(connection: Connection, *, practice_id: int, patient_id: int) -> Pause | None:
    """The patient's pause; None: not away."""
    with connection.cursor(row_factory=class_row(Pause)) as cursor:
        return cursor.execute(_SQL["of_patient"], {"practice_id": practice_id, "patient_id": patient_id}).fetchone()


def begin(
    connection: Connection,
    *,
    practice_id: int,
    patient_id: int,
    why: Why,
    note: str,
    ends_at: datetime,
    staff_id: int,
    now: datetime,
    begins_at: datetime | None = None,
) -> bool:
    """From now on, or since `begins_at`; one that is over already is for the bill alone. False where the patient is away already."""
    facts = {"practice_id": practice_id, "patient_id": patient_id, "reason": why, "note": note, "ends_at": ends_at}
    said = {**facts, "begins_at": begins_at or now, "staff_id": staff_id, "now": now}
    return connection.execute(_SQL["begin"], said).fetchone() is not None


def lately(connection: Connection, *, practice_id: int, patient_id: int, now: datetime) -> list[Pause]:
    """The patient's pauses that ended within LATELY, the newest first; `ends_at` is when they ended."""
    asked = {"practice_id": practice_id, "patient_id": patient_id, "since": now - LATELY, "limit": LATELY_MAX}
    with connection.cursor(row_factory=class_row(Pause)) as cursor:
        return cursor.execute(_SQL["lately"], asked).fetchall()


def withdraw(
    connection: Connection, pause_id: int, *, practice_id: int, patient_id: int, staff_id: int, now: datetime
) -> bool:
    """It was said by mistake: nothing follows from it any more. False where there is none, or it was taken back already."""
    facts = {"pause_id": pause_id, "practice_id": practice_id, "patient_id": patient_id, "staff_id": staff_id}
    return connection.execute(_SQL["withdraw"], {**facts, "now": now}).fetchone() is not None


def end(connection: Connection, *, practice_id: int, patient_id: int, staff_id: int, now: datetime) -> bool:
    """Back before the day; False where there was no pause."""
    facts = {"practice_id": practice_id, "patient_id": patient_id, "staff_id": staff_id, "now": now}
    return connection.execute(_SQL["end_early"], facts).fetchone() is not None


def end_due(connection: Connection, *, now: datetime, limit: int) -> list[int]:
    """End the pauses whose day has come, and say so on each patient's list; the practices told, once for each pause."""
    rows = connection.execute(_SQL["end_due"], {"now": now, "limit": limit}).fetchall()
    for row in rows:
        count = "1 alert" if row["came"] == 1 else f"{row['came']} alerts"
        came = f" {count} came meanwhile: what is less than urgent called nobody." if row["came"] else ""
        billed = " Readings and minutes count for the bill again." if row["reason"] == Why.HOSPITAL else ""
        facts = {
            "practice_id": row["practice_id"],
            "patient_id": row["patient_id"],
            "rule": RULE,
            "rule_version": VERSION,
            "reason": f"The pause ({row['reason']}) is over: alerts call again, and readings are missed again.{billed}{came}",
            "now": now,
        }
        said = connection.execute(_SQL["say_ended"], facts).fetchone()
        assert said is not None, "it is added or brought up to date"
        alerts.add_event(
            connection,
            practice_id=row["practice_id"],
            alert_id=said["id"],
            at=now,
            kind="opened",
            reason=str(facts["reason"]),
        )
    return [row["practice_id"] for row in rows]
