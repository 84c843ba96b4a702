"""The synthetic patient as rows: a practice of its own, its cuff, its test contact, and the alerts it raises (F67)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from rpm.access import hash_password, new_token
from rpm.errors import UserError
from rpm.store import alerts, gateways, notifications, plans, staff
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("synthetic")

PRACTICE: Final = "Synthetic practice"
CONTACT: Final = "synthetic-contact"
#: One message for each red, at once: whom the installation's own plan would call does not matter to the proof, and nobody
#: of a real practice is called.
PLAN: Final = f"""\
fallback = ["staff:{CONTACT}"]

[[policy]]
severity = "urgent"

[[policy.step]]
after_min = 0
targets = ["staff:{CONTACT}"]
"""
#: A red whose message nobody took is closed after so long: the next one has to be an alert of its own.
CLOSED_AFTER: Final = timedelta(minutes=20)


@dataclass(frozen=True, slots=True)
class Found:
    """The synthetic patient there is. `heard_by`: the gateway that heard its cuff last; None: never heard."""

    patient_id: int
    practice_id: int
    staff_id: int
    email: str | None
    address: str | None
    heard_by: str | None


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert of the synthetic patient."""

    public_id: UUID
    opened_at: datetime


def found(connection: Connection) -> Found | None:
    """The synthetic patient; None where none was set up."""
    with connection.cursor(row_factory=class_row(Found)) as cursor:
        return cursor.execute(_SQL["found"], {"username": CONTACT}).fetchone()


def set_up(connection: Connection, *, email: str, gateway_id: str, address: str, now: datetime) -> None:
    """Make practice, contact, plan, patient, cuff and gateway. UserError where a name or the device is taken."""
    practice_id = staff.add_practice(connection, name=PRACTICE, time_zone="UTC", now=now)
    contact_id = staff.add(
        connection,
        practice_id=practice_id,
        username=CONTACT,
        display_name="Synthetic contact",
        role="nurse",
        email=email,
        # Nobody knows it: this account is written to, and never signs in.
        password_hash=hash_password(new_token()),
        now=now,
    )
    if contact_id is None:
        raise UserError(f"there is an account {CONTACT} already: `rpm-cloud user list` says whose")
    plans.save(
        connection, practice_id=practice_id, text=PLAN, note="made by set-up", seen=0, saved_by=contact_id, now=now
    )
    facts = {"practice_id": practice_id, "address": address, "now": now}
    patient_id = _add(connection, "add_patient", facts)
    connection.execute(_SQL["add_enrolment"], {**facts, "patient_id": patient_id})
    device_id = _add(connection, "add_device", facts)
    connection.execute(_SQL["add_assignment"], {**facts, "patient_id": patient_id, "device_id": device_id})
    gateways.register_gateway(
        connection, gateway_id, practice_id=practice_id, label="Synthetic home", now=now
    )  # fmt: skip


def _add(connection: Connection, statement: str, facts: Mapping[str, object]) -> int:
    row = connection.execute(_SQL[statement], facts).fetchone()
    assert row is not None
    number: int = row["id"]
    return number


def set_contact(connection: Connection, known: Found, email: str) -> None:
    """Its pages go to another address from now on."""
    connection.execute(_SQL["set_contact"], {"staff_id": known.staff_id, "email": email})


def newest(connection: Connection) -> Raised | None:
    """The newest alert a synthetic patient raised; None: none yet."""
    with connection.cursor(row_factory=class_row(Raised)) as cursor:
        return cursor.execute(_SQL["newest"]).fetchone()


def close_told(connection: Connection, *, limit: int, now: datetime) -> Sequence[int]:
    """Close what was told, or was not for CLOSED_AFTER; the alerts."""
    asked = {"before": now - CLOSED_AFTER, "limit": limit, "now": now}
    rows = connection.execute(_SQL["close_told"], asked).fetchall()
    for row in rows:
        notifications.cancel(connection, alert_id=row["id"], answer="closed before it was sent")
        alerts.add_event(
            connection,
            practice_id=row["practice_id"],
            alert_id=row["id"],
            at=now,
            kind="closed",
            reason="synthetic: by itself, so that the next red is an alert of its own",
        )
    return [row["id"] for row in rows]
