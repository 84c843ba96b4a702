"""The people who are looked after: who they are, what they measure with, and what happened to them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from rpm.store import queries
from rpm.store.database import Connection

_SQL = queries.load("patients")

SEARCH_MAX: Final = 500
DEVICES_MAX: Final = 50
ALERTS_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Patient:
    """One patient, with the last episode of monitoring (its fields None where there never was one)."""

    patient_id: int
    public_id: UUID
    given_name: str
    family_name: str
    birth_date: date
    phone: str | None
    language: str
    time_zone: str
    program: str
    synthetic: bool
    consented_at: datetime | None
    ordered_at: datetime | None
    ordered_by: str | None
    condition_icd10: str | None
    set_up_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    #: The record was let go of: what was measured is not here any more.
    purged_at: datetime | None = None

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given_name} {self.family_name}"

    def __repr__(self) -> str:
        """No name and no number of a person in a log line or a traceback."""
        return f"Patient({self.public_id})"


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the list of patients. `severity` is that of the worst open alert, 0 where none is open."""

    patient_id: int
    public_id: UUID
    given_name: str
    family_name: str
    birth_date: date
    time_zone: str
    program: str
    heard_at: datetime | None
    severity: int
    open_alerts: int


@dataclass(frozen=True, slots=True)
class AssignedDevice:
    """What a patient measures with, or did until `until`. `pending`: its readings wait to be confirmed as theirs."""

    device_id: int
    kind: str
    label: str
    manufacturer: str | None
    model: str | None
    serial: str | None
    seen_at: datetime | None
    #: The box that heard it last.
    gateway_id: str | None
    user_slot: int | None
    pending: bool
    since: datetime
    until: datetime | None


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One thing that happened to an alert."""

    at: datetime
    kind: str
    reason: str
    who: str | None


@dataclass(frozen=True, slots=True)
class PatientAlert:
    """One alert of a patient, open or closed, with its life."""

    alert_id: int
    public_id: UUID
    kind: str
    rule_id: str
    rule_version: str
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
    owner_name: str | None
    closed_at: datetime | None
    closer_name: str | None
    disposition: str | None
    note: str | None
    events: tuple[AlertEvent, ...]


def by_public_id(connection: Connection, public_id: UUID, *, practice_id: int) -> Patient | None:
    """One patient of the practice; None for nobody's id and for another practice's alike."""
    row = connection.execute(_SQL["by_public_id"], {"public_id": public_id, "practice_id": practice_id}).fetchone()
    if row is None:
        return None
    return Patient(patient_id=row.pop("id"), **row)


def search(connection: Connection, text: str, *, practice_id: int) -> list[Line]:
    """Patients whose name or birth date contains `text` (all for ""), by family name, SEARCH_MAX at most."""
    rows = connection.execute(
        _SQL["search"], {"text": text.strip(), "practice_id": practice_id, "limit": SEARCH_MAX}
    ).fetchall()
    return [Line(patient_id=row.pop("id"), **row) for row in rows]


def devices(connection: Connection, *, practice_id: int, patient_id: int) -> list[AssignedDevice]:
    """A patient's devices, those in use first."""
    rows = connection.execute(
        _SQL["devices"], {"patient_id": patient_id, "practice_id": practice_id, "limit": DEVICES_MAX}
    ).fetchall()
    return [AssignedDevice(device_id=row.pop("id"), **row) for row in rows]


def alerts(connection: Connection, *, practice_id: int, patient_id: int) -> list[PatientAlert]:
    """A patient's alerts with their lives: open ones first (worst first), then the newest, ALERTS_MAX at most."""
    rows = connection.execute(
        _SQL["alerts"], {"patient_id": patient_id, "practice_id": practice_id, "limit": ALERTS_MAX}
    ).fetchall()
    lives = _lives(connection, [row["id"] for row in rows], practice_id=practice_id)
    found: list[PatientAlert] = []
    for row in rows:
        row.pop("band")
        alert_id = row.pop("id")
        found.append(PatientAlert(alert_id=alert_id, events=tuple(lives.get(alert_id, [])), **row))
    return found


def _lives(connection: Connection, alert_ids: Collection[int], *, practice_id: int) -> dict[int, list[AlertEvent]]:
    rows = connection.execute(
        _SQL["alert_events"], {"alert_ids": list(alert_ids), "practice_id": practice_id}
    ).fetchall()
    lives: dict[int, list[AlertEvent]] = {}
    for row in rows:
        event = AlertEvent(row["at"], row["kind"], row["reason"], row["display_name"])
        lives.setdefault(row["alert_id"], []).append(event)
    return lives


@dataclass(frozen=True, slots=True)
class AlertNumber:
    """What stands behind an alert's public id. The patient is None where nobody is known to own the reading."""

    alert_id: int
    patient_id: int | None
    patient_public_id: UUID | None
    technical: bool


def alert_number(connection: Connection, public_id: UUID, *, practice_id: int) -> AlertNumber | None:
    """The inner numbers of an alert of the practice; None for nobody's id and for another practice's alike."""
    row = connection.execute(_SQL["alert_ids"], {"public_id": public_id, "practice_id": practice_id}).fetchone()
    if row is None:
        return None
    return AlertNumber(row["id"], row["patient_id"], row["patient_public_id"], row["technical"])
