"""Time spent for patients: a running timer per nurse, and entries that are never changed, only reversed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from rpm.store import queries
from rpm.store.database import Connection

_SQL = queries.load("minutes")

#: Overlaps named to a nurse; the rest are counted in the bill all the same.
OVERLAPS_MAX: Final = 20
ENTRIES_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that runs."""

    patient_id: int
    public_id: UUID
    patient_name: str
    alert_id: int | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class StoppedTimer:
    """A timer that was just taken away."""

    patient_id: int
    alert_id: int | None
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Entry:
    """Time somebody spent for a patient. `reversed`: another row takes it back. `reverses`: this one does."""

    entry_id: int
    staff_id: int
    staff_name: str
    started_at: datetime
    ended_at: datetime
    activity: str
    interactive: bool
    manual: bool
    note: str
    reverses: int | None
    reversed: bool


@dataclass(frozen=True, slots=True)
class Overlap:
    """An entry that claims some of the same time."""

    entry_id: int
    staff_id: int
    staff_name: str
    patient_id: int
    started_at: datetime
    ended_at: datetime


def start_timer(
    connection: Connection,
    *,
    staff_id: int,
    practice_id: int,
    patient_id: int,
    alert_id: int | None,
    now: datetime,
) -> bool:
    """Start somebody's timer; False where one already runs, which stays."""
    return (
        connection.execute(
            _SQL["start_timer"],
            {
                "staff_id": staff_id,
                "practice_id": practice_id,
                "patient_id": patient_id,
                "alert_id": alert_id,
                "now": now,
            },
        ).fetchone()
        is not None
    )


def running_timer(connection: Connection, staff_id: int) -> Timer | None:
    """The timer somebody has running."""
    row = connection.execute(_SQL["running_timer"], {"staff_id": staff_id}).fetchone()
    if row is None:
        return None
    name = f"{row['given_name']} {row['family_name']}"
    return Timer(row["patient_id"], row["public_id"], name, row["alert_id"], row["started_at"])


def take_timer(connection: Connection, staff_id: int) -> StoppedTimer | None:
    """Take somebody's timer away; None where none runs. Of two requests at once, one gets it."""
    row = connection.execute(_SQL["take_timer"], {"staff_id": staff_id}).fetchone()
    return None if row is None else StoppedTimer(row["patient_id"], row["alert_id"], row["started_at"])


def add(
    connection: Connection,
    *,
    practice_id: int,
    patient_id: int,
    staff_id: int,
    alert_id: int | None,
    started_at: datetime,
    ended_at: datetime,
    activity: str,
    interactive: bool,
    manual: bool,
    note: str,
    now: datetime,
    reverses: int | None = None,
) -> int:
    """Write down an entry and return its number. `manual`: typed in, not measured by the timer."""
    row = connection.execute(
        _SQL["insert_entry"],
        {
            "practice_id": practice_id,
            "patient_id": patient_id,
            "staff_id": staff_id,
            "alert_id": alert_id,
            "started_at": started_at,
            "ended_at": ended_at,
            "activity": activity,
            "interactive": interactive,
            "manual": manual,
            "note": note,
            "reverses": reverses,
            "now": now,
        },
    ).fetchone()
    assert row is not None, "insert returns its row"
    number: int = row["id"]
    return number


def reverse(
    connection: Connection, *, practice_id: int, entry_id: int, staff_id: int, note: str, now: datetime
) -> int | None:
    """Take an entry back by a row of its own and return the patient; None where that cannot be.

    It cannot where there is no such entry in the practice, where it is a reversal, or where it is reversed already.
    """
    row = connection.execute(_SQL["entry"], {"entry_id": entry_id, "practice_id": practice_id}).fetchone()
    if row is None or row["reverses"] is not None or row["reversed"]:
        return None
    add(
        connection,
        practice_id=practice_id,
        patient_id=row["patient_id"],
        staff_id=staff_id,
        alert_id=row["alert_id"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        activity=row["activity"],
        interactive=row["interactive"],
        manual=row["manual"],
        note=note,
        now=now,
        reverses=entry_id,
    )
    patient_id: int = row["patient_id"]
    return patient_id


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(
        entry_id=row["id"],
        staff_id=row["staff_id"],
        staff_name=row["display_name"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        activity=row["activity"],
        interactive=row["interactive"],
        manual=row["manual"],
        note=row["note"],
        reverses=row["reverses"],
        reversed=row["reversed"],
    )


def of_patient(connection: Connection, *, practice_id: int, patient_id: int, since: datetime) -> list[Entry]:
    """A patient's entries that began since an instant, newest first."""
    rows = connection.execute(
        _SQL["of_patient"],
        {"practice_id": practice_id, "patient_id": patient_id, "since": since, "limit": ENTRIES_MAX},
    ).fetchall()
    return [_entry(row) for row in rows]


def overlapping(
    connection: Connection,
    *,
    practice_id: int,
    staff_id: int,
    patient_id: int,
    started_at: datetime,
    ended_at: datetime,
) -> list[Overlap]:
    """Standing entries that claim some of the time: this person's for anybody, anybody's for this patient."""
    rows = connection.execute(
        _SQL["overlapping"],
        {
            "practice_id": practice_id,
            "staff_id": staff_id,
            "patient_id": patient_id,
            "started_at": started_at,
            "ended_at": ended_at,
            "limit": OVERLAPS_MAX,
        },
    ).fetchall()
    return [
        Overlap(row["id"], row["staff_id"], row["display_name"], row["patient_id"], row["started_at"], row["ended_at"])
        for row in rows
    ]
