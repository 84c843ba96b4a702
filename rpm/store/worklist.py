"""What a nurse's list is made of: open alerts, who has them, short trends, and whether the pipeline lives."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from rpm.store import queries
from rpm.store.database import Connection

_SQL = queries.load("worklist")

#: PostgreSQL channel on which every change of a worklist is told.
CHANNEL = "worklist"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom an alert is about."""

    patient_id: int
    public_id: UUID
    given_name: str
    family_name: str
    birth_date: date
    time_zone: str

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given_name} {self.family_name}"


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """One open alert as the list shows it. `subject` is None where nobody is known to own the reading; `armed`: how often it called."""

    alert_id: int
    public_id: UUID
    subject: Subject | None
    kind: str
    rule_id: str
    severity: int
    armed: int
    status: str
    confirmed: bool
    late: bool
    reason: str
    evidence: Mapping[str, Any]
    measured_at: datetime
    opened_at: datetime
    back_in_range_at: datetime | None
    acknowledged_at: datetime | None
    snoozed_until: datetime | None
    snooze_reason: str | None
    away_until: datetime | None
    owner_id: int | None
    owner_name: str | None
    timer_staff_id: int | None
    timer_name: str | None
    timer_started_at: datetime | None


def _subject(row: Mapping[str, Any]) -> Subject | None:
    if row["patient_id"] is None:
        return None
    return Subject(
        row["patient_id"],
        row["patient_public_id"],
        row["given_name"],
        row["family_name"],
        row["birth_date"],
        row["time_zone"],
    )


def open_alerts(connection: Connection, practice_id: int) -> list[OpenAlert]:
    """Every open alert of a practice, most severe first, then oldest first."""
    rows = connection.execute(_SQL["open_alerts"], {"practice_id": practice_id}).fetchall()
    return [
        OpenAlert(
            alert_id=row["id"],
            public_id=row["public_id"],
            subject=_subject(row),
            kind=row["kind"],
            rule_id=row["rule_id"],
            severity=row["severity"],
            armed=row["armed"],
            status=row["status"],
            confirmed=row["confirmed"],
            late=row["late"],
            reason=row["reason"],
            evidence=row["evidence"],
            measured_at=row["measured_at"],
            opened_at=row["opened_at"],
            back_in_range_at=row["back_in_range_at"],
            acknowledged_at=row["acknowledged_at"],
            snoozed_until=row["snoozed_until"],
            snooze_reason=row["snooze_reason"],
            away_until=row["away_until"],
            owner_id=row["owner_id"],
            owner_name=row["owner_name"],
            timer_staff_id=row["timer_staff_id"],
            timer_name=row["timer_name"],
            timer_started_at=row["timer_started_at"],
        )
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class Point:
    """One value of a trend; `unit` is the number of `schemas.codes.UNITS`."""

    measured_at: datetime
    value: float
    unit: int


def recent_values(
    connection: Connection,
    *,
    practice_id: int,
    wanted: Collection[tuple[int, int]],
    since: datetime,
    points: int,
) -> dict[tuple[int, int], list[Point]]:
    """The newest values by (patient, code), at most `points` each, oldest first."""
    pairs = sorted(set(wanted))
    rows = connection.execute(
        _SQL["recent_values"],
        {
            "practice_id": practice_id,
            "patients": [patient for patient, _ in pairs],
            "codes": [code for _, code in pairs],
            "since": since,
            "points": points,
        },
    ).fetchall()
    found: dict[tuple[int, int], list[Point]] = {}
    for row in rows:
        point = Point(row["measured_at"], row["value"], row["unit"])
        found.setdefault((row["patient_id"], row["code"]), []).append(point)
    return found


@dataclass(frozen=True, slots=True)
class Standing:
    """A practice's worklist in a few numbers. `version` differs whenever the list would look different."""

    version: str
    urgent: int
    alerts: int


def standings(connection: Connection) -> dict[int, Standing]:
    """The standing of every practice that has open alerts or running timers."""
    rows = connection.execute(_SQL["standing"]).fetchall()
    return {row["practice_id"]: Standing(row["version"], row["urgent"], row["alerts"]) for row in rows}


def announce(connection: Connection, *practices: int) -> None:
    """Tell every web process, once this transaction commits, that these practices' lists changed: each once."""
    for practice_id in sorted(set(practices)):
        connection.execute(_SQL["announce"], {"practice_id": practice_id})
