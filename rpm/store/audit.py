"""The append-only, chained record of who saw and did what."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from rpm.store import queries
from rpm.store.database import Connection

_SQL = queries.load("audit")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing somebody saw or did. `who` is empty where a program did it."""

    number: int
    at: datetime
    who: str
    action: str
    detail: Mapping[str, Any]


def append(
    connection: Connection,
    *,
    practice_id: int,
    staff_id: int | None,
    patient_id: int | None,
    action: str,
    detail: Mapping[str, Any],
    now: datetime,
) -> None:
    """Add a row. It holds the chain's lock until the transaction ends, so it is a transaction's last statement."""
    connection.execute(
        _SQL["append"],
        {
            "practice_id": practice_id,
            "staff_id": staff_id,
            "patient_id": patient_id,
            "action": action,
            "detail": Jsonb(dict(detail)),
            "now": now,
        },
    )


def _entry(row: Mapping[str, Any]) -> Entry:
    return Entry(row["id"], row["at"], row["display_name"] or "", row["action"], row["detail"])


def of_patient(connection: Connection, *, practice_id: int, patient_id: int, limit: int) -> list[Entry]:
    """Who saw or changed what of one patient, newest first; a list that showed him among others counts."""
    rows = connection.execute(
        _SQL["of_patient"], {"practice_id": practice_id, "patient_id": patient_id, "limit": limit}
    ).fetchall()
    return [_entry(row) for row in rows]


def of_practice(connection: Connection, *, practice_id: int, limit: int) -> list[Entry]:
    """What was seen or done in a practice, newest first."""
    rows = connection.execute(_SQL["of_practice"], {"practice_id": practice_id, "limit": limit}).fetchall()
    return [_entry(row) for row in rows]


def broken_links(connection: Connection, *, limit: int = 10) -> list[int]:
    """Numbers of rows that were changed, or whose predecessor is gone; empty while the record is whole."""
    return [row["id"] for row in connection.execute(_SQL["broken_links"], {"limit": limit}).fetchall()]
