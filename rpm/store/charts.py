"""A patient's values over time, what they are compared with, and where each of them came from."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from rpm.store import queries
from rpm.store.database import Connection

_SQL = queries.load("charts")

#: Points in one answer: a year of four readings a day of four quantities, or the newest of more.
POINTS_MAX: Final = 6_000
READINGS_MAX: Final = 25

#: Bits of `observation.quality` (see the first migration).
FLAGGED: Final = 1
LATE: Final = 2


@dataclass(frozen=True, slots=True)
class Point:
    """One stored value, with the clocks its reading passed. `code` and `unit` are numbers of `schemas.codes`."""

    measured_at: datetime
    code: int
    value: float
    unit: int
    quality: int
    reading_id: UUID
    device_time: str | None
    time_source: str
    clock_offset_s: float | None
    uncertainty_s: float | None
    received_at: datetime
    admitted_at: datetime


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a reading."""

    code: int
    value: float
    unit: int
    quality: int


@dataclass(frozen=True, slots=True)
class ReadingLine:
    """A reading as a line of the patient's page."""

    reading_id: UUID
    kind: str
    measured_at: datetime
    received_at: datetime
    time_source: str
    late: bool
    backfill: bool
    status: tuple[str, ...]
    flags: tuple[str, ...]
    context: Mapping[str, str]
    voided_at: datetime | None
    device_label: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest value of one quantity."""

    code: int
    measured_at: datetime
    value: float
    unit: int


def points(
    connection: Connection,
    *,
    practice_id: int,
    patient_id: int,
    codes: Collection[int],
    since: datetime,
    until: datetime,
) -> list[Point]:
    """Values of `codes` in (since, until], oldest first; void ones are left out, as are the oldest beyond POINTS_MAX."""
    rows = connection.execute(
        _SQL["points"],
        {
            "practice_id": practice_id,
            "patient_id": patient_id,
            "codes": list(codes),
            "since": since,
            "until": until,
            "limit": POINTS_MAX,
        },
    ).fetchall()
    return [Point(**row) for row in rows]


def latest(connection: Connection, *, practice_id: int, patient_id: int) -> list[Latest]:
    """The newest value of each quantity the patient ever sent."""
    rows = connection.execute(_SQL["latest"], {"practice_id": practice_id, "patient_id": patient_id}).fetchall()
    return [Latest(**row) for row in rows]


def readings(
    connection: Connection, *, practice_id: int, patient_id: int, since: datetime, until: datetime
) -> list[ReadingLine]:
    """The newest READINGS_MAX readings in (since, until], newest first, void ones among them."""
    rows = connection.execute(
        _SQL["readings"],
        {
            "practice_id": practice_id,
            "patient_id": patient_id,
            "since": since,
            "until": until,
            "limit": READINGS_MAX,
        },
    ).fetchall()
    return [
        ReadingLine(
            reading_id=row["reading_id"],
            kind=row["kind"],
            measured_at=row["measured_at"],
            received_at=row["received_at"],
            time_source=row["time_source"],
            late=row["late"],
            backfill=row["backfill"],
            status=tuple(row["status"]),
            flags=tuple(row["flags"]),
            context=row["context"],
            voided_at=row["voided_at"],
            device_label=row["device_label"],
            values=tuple(Value(**value) for value in row["quantities"]),
        )
        for row in rows
    ]


def provenance(
    connection: Connection, reading_id: UUID, *, practice_id: int, patient_id: int
) -> Mapping[str, Any] | None:
    """Every fact kept of one reading of this patient, by column name; None where it is not his."""
    return connection.execute(
        _SQL["provenance"], {"reading_id": reading_id, "practice_id": practice_id, "patient_id": patient_id}
    ).fetchone()


def days_with_readings(
    connection: Connection,
    *,
    practice_id: int,
    patient_id: int,
    time_zone: str,
    since: datetime,
    until: datetime,
) -> int:
    """On how many days of `time_zone` in (since, until] a device sent something by itself."""
    row = connection.execute(
        _SQL["days_with_readings"],
        {
            "practice_id": practice_id,
            "patient_id": patient_id,
            "time_zone": time_zone,
            "since": since,
            "until": until,
        },
    ).fetchone()
    assert row is not None, "count() always answers"
    days: int = row["days"]
    return days
