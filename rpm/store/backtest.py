"""A practice's own past, for rules to be tried on: of whom there is something, and when it came."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("backtest")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody whose readings rules are tried on."""

    patient_id: int
    public_id: UUID
    given_name: str
    family_name: str


def people(connection: Connection, *, practice_id: int, since: datetime) -> list[Person]:
    """Everybody of a practice of whom something was measured since then, synthetic patients left out."""
    rows = connection.execute(_SQL["patients"], {"practice_id": practice_id, "since": since}).fetchall()
    return [Person(row.pop("id"), **row) for row in rows]


def came(connection: Connection, patients: Sequence[int], *, since: datetime, until: datetime) -> dict[int, datetime]:
    """Reading number → when it was taken in, of everything measured within (since, until]."""
    asked = {"patients": list(patients), "since": since, "until": until}
    return {row["reading_no"]: row["admitted_at"] for row in connection.execute(_SQL["came"], asked)}
