"""A clinic on paper: practices, staff, patients, devices, readings and alerts, put into a database in a few words.

    clinic = Clinic(database, now=MORNING)
    maria = clinic.patient("Maria", "Alvarez", born="1955-04-02")
    clinic.pressure(maria, 192, 118, minutes_ago=4)
    clinic.alert(maria, "blood_pressure_high", urgent, "Blood pressure 192/118 mmHg; limit …", minutes_ago=4)

Readings go through the product's own store; people and alerts by plain SQL, so that a mistake of the pages' own queries
cannot hide in their set-up.
"""

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from psycopg.types.json import Jsonb

from rpm.access import hash_password
from rpm.ingest.admit import Admitted, Observed
from rpm.store.database import Connection, Database
from rpm.store.heartbeats import beat
from rpm.store.readings import Entry, store
from rpm.web.live import STAGES
from schemas.codes import BY_NAME, UNIT_NUMBER, Kind
from schemas.ids import derive_reading_id
from schemas.quantity import Quantity
from schemas.reading import DeviceIdentity, Reading, TimeSource

PASSWORD = "a-password-for-tests"
#: One hash for everybody: argon2 takes its time, and tests make many people.
PASSWORD_HASH = hash_password(PASSWORD)

ROUTINE, PRIORITY, URGENT = 1, 2, 3
WORDS = {ROUTINE: "routine", PRIORITY: "priority", URGENT: "urgent"}

_STAFF = """
with made as (
    insert into staff (practice_id, username, display_name, role, email, password_hash, created_at)
    values (%(practice)s, %(username)s, %(name)s, %(role)s, %(username)s || '@clinic.example', %(hash)s, 'epoch') returning id, practice_id
)
insert into contact (practice_id, staff_id, channel, address, verified_at, created_at)
select practice_id, id, 'email', %(username)s || '@clinic.example', '2200-01-01', 'epoch' from made returning staff_id as id
"""
_PATIENT = """
insert into patient (practice_id, given_name, family_name, birth_date, phone, time_zone, program, created_at)
values (%(practice)s, %(given)s, %(family)s, %(born)s, %(phone)s, %(zone)s, 'heart failure', 'epoch')
returning id, public_id
"""
_ENROLMENT = """
insert into enrolment (practice_id, patient_id, established_patient, consented_at, ordered_at, ordered_by,
    condition_icd10, set_up_at, started_at)
values (%(practice)s, %(patient)s, true, '2026-01-05', '2026-01-05', 'Dr. Shah', 'I50.9', '2026-01-06', '2026-01-05')
"""
_DEVICE = """
insert into device (practice_id, address, kind, label, manufacturer, model, created_at, seen_at)
values (%(practice)s, %(address)s, %(kind)s, %(label)s, 'Northlight', %(model)s, 'epoch', %(now)s) returning id
"""
_ASSIGNMENT = """
insert into device_assignment (practice_id, device_id, patient_id, during)
values (%(practice)s, %(device)s, %(patient)s, tstzrange('2026-01-06', null))
"""
_ALERT = """
insert into alert (practice_id, patient_id, kind, rule_id, rule_version, band, severity, status, confirmed, late, reason,
    evidence, measured_at, opened_at, updated_at, back_in_range_at, acknowledged_at, acknowledged_by, next_step_at)
values (%(practice)s, %(patient)s, %(kind)s, %(rule)s, '1', %(band)s, %(severity)s, %(status)s, %(confirmed)s, %(late)s,
    %(reason)s, %(evidence)s, %(measured_at)s, %(opened_at)s, %(opened_at)s, %(back_at)s, %(taken_at)s, %(taken_by)s,
    %(next_step_at)s)
returning id, public_id
"""
_EVENT = """
insert into alert_event (practice_id, alert_id, at, kind, reason) values (%(practice)s, %(alert)s, %(at)s, %(kind)s, %(reason)s)
"""


@dataclass(frozen=True, slots=True)
class Person:
    """A patient of the clinic."""

    id: int
    public_id: UUID
    practice_id: int
    devices: dict[Kind, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raised:
    """An alert of the clinic."""

    id: int
    public_id: UUID


class Clinic:
    """One practice in a database. A second Clinic on the same database is another practice."""

    def __init__(self, database: Database, *, now: datetime, name: str = "Maple Street Clinic") -> None:
        self.database, self.now = database, now
        self._numbers = count(1)
        with database.transaction() as connection:
            row = connection.execute(
                "insert into practice (name, time_zone, created_at) values (%s, 'America/New_York', 'epoch') returning id",
                [name],
            ).fetchone()
            assert row is not None
            self.practice_id: int = row["id"]
            connection.execute(
                "insert into gateway (id, practice_id, label, created_at) values (%s, %s, 'Home', 'epoch')",
                [self.gateway_id, self.practice_id],
            )

    @property
    def gateway_id(self) -> str:
        """The clinic's only gateway."""
        return f"gw-test-{self.practice_id}"

    def _one(self, connection: Connection, statement: str, **values: Any) -> dict[str, Any]:
        row = connection.execute(statement.encode(), {"practice": self.practice_id, **values}).fetchone()
        assert row is not None
        return row

    def staff(self, username: str, role: str = "nurse", *, name: str = "") -> int:
        """A member of staff who signs in with PASSWORD."""
        with self.database.transaction() as connection:
            values = {"username": username, "role": role, "name": name or username.title(), "hash": PASSWORD_HASH}
            return self._one(connection, _STAFF, **values)["id"]

    def patient(
        self,
        given: str,
        family: str,
        *,
        born: str = "1955-04-02",
        zone: str = "America/New_York",
        measures: bool = True,
    ) -> Person:
        """A patient with consent, an order and (unless `measures` is false) a cuff, a scale and a meter."""
        with self.database.transaction() as connection:
            values = {"given": given, "family": family, "born": date.fromisoformat(born), "zone": zone}
            row = self._one(connection, _PATIENT, **values, phone="+1 555 0100")
            person = Person(row["id"], row["public_id"], self.practice_id)
            connection.execute(_ENROLMENT.encode(), {"practice": self.practice_id, "patient": person.id})
            for kind, label in _LABELS.items() if measures else ():
                self._device(connection, person, kind, label)
        return person

    def _device(self, connection: Connection, person: Person, kind: Kind, label: str) -> None:
        number = next(self._numbers)
        practice = f"{self.practice_id >> 8:02X}:{self.practice_id & 255:02X}"
        address = f"C0:{practice}:00:{number >> 8:02X}:{number & 255:02X}"
        values = {"address": address, "kind": kind, "label": label, "model": label.title(), "now": self.now}
        device = self._one(connection, _DEVICE, **values)["id"]
        connection.execute(_ASSIGNMENT.encode(), {"practice": self.practice_id, "device": device, "patient": person.id})
        person.devices[kind] = device, address

    def measure(
        self,
        person: Person,
        kind: Kind,
        values: dict[str, tuple[float, str]],
        *,
        at: datetime,
        late: bool = False,
        status: tuple[str, ...] = (),
        context: dict[str, str] | None = None,
    ) -> UUID:
        """A reading in the patient's record. `values`: quantity → (value, unit)."""
        return self._keep([self._entry((person, kind, values, at, late, status), context or {})])[0]

    def measure_many(
        self, rows: list[tuple[Person, Kind, dict[str, tuple[float, str]], datetime, bool, tuple[str, ...]]]
    ) -> list[UUID]:
        """Many readings in one transaction."""
        return self._keep([self._entry(row, {}) for row in rows])

    def _keep(self, entries: list[Entry]) -> list[UUID]:
        with self.database.transaction() as connection:
            store(connection, entries, now=self.now)
        return [entry.reading.reading_id for entry in entries]

    def _entry(
        self,
        row: tuple[Person, Kind, dict[str, tuple[float, str]], datetime, bool, tuple[str, ...]],
        context: dict[str, str],
    ) -> Entry:
        person, kind, values, at, late, status = row
        device_id, address = person.devices[kind]
        seq = next(self._numbers)
        received_at = at + (timedelta(hours=9) if late else timedelta(seconds=2))
        raw = f"{seq:08x}"
        reading = Reading(
            reading_id=derive_reading_id(
                address=address,
                user_slot=None,
                characteristic="2A35",
                device_time=None,
                sequence_number=None,
                raw=raw,
                received_at=received_at,
            ),
            device=DeviceIdentity(address=address),
            kind=kind,
            characteristic="2A35",
            quantities={name: Quantity(value=value, unit=unit) for name, (value, unit) in values.items()},
            status=status,
            context=context,
            measured_at=at,
            time_source=TimeSource.GATEWAY,
            received_at=received_at,
            raw=raw,
        )
        quality = (1 if status else 0) | (2 if late else 0)
        observed = tuple(
            Observed(BY_NAME[name].number, float(value), UNIT_NUMBER[unit], quality)
            for name, (value, unit) in values.items()
        )
        decision = Admitted(self.practice_id, person.id, device_id, observed, status, late)
        return Entry(reading, decision, self.gateway_id, "0123456789abcdef", seq)

    def pressure(self, person: Person, systolic: float, diastolic: float, *, minutes_ago: float = 0) -> UUID:
        """A squeeze."""
        values = {"systolic": (systolic, "mm[Hg]"), "diastolic": (diastolic, "mm[Hg]"), "pulse_rate": (72.0, "/min")}
        return self.measure(person, Kind.BLOOD_PRESSURE, values, at=self.now - timedelta(minutes=minutes_ago))

    def alert(
        self,
        person: Person | None,
        rule: str,
        severity: int,
        reason: str,
        *,
        minutes_ago: float = 0,
        kind: str = "clinical",
        quantity: str = "",
        value: float = 0,
        unit: str = "",
        confirmed: bool = True,
        late: bool = False,
        back_minutes_ago: float | None = None,
        taken_by: int | None = None,
    ) -> Raised:
        """An open alert; `taken_by` somebody, or nobody's yet."""
        opened_at = self.now - timedelta(minutes=minutes_ago)
        measured = opened_at - timedelta(hours=9) if late else opened_at
        shown = {
            "quantity": quantity,
            "value": value,
            "unit": unit,
            "measured_at": measured.isoformat(),
            "role": "value",
        }
        with self.database.transaction() as connection:
            row = self._one(
                connection,
                _ALERT,
                patient=person.id if person else None,
                kind=kind,
                rule=rule,
                band=WORDS[severity],
                severity=severity,
                status="acknowledged" if taken_by else "open",
                confirmed=confirmed,
                late=late,
                reason=reason,
                evidence=Jsonb({"values": [shown] if quantity else []}),
                measured_at=measured,
                opened_at=opened_at,
                back_at=None if back_minutes_ago is None else self.now - timedelta(minutes=back_minutes_ago),
                taken_at=opened_at + timedelta(minutes=1) if taken_by else None,
                taken_by=taken_by,
                next_step_at=None if taken_by else opened_at,
            )
            connection.execute(
                _EVENT.encode(),
                {
                    "practice": self.practice_id,
                    "alert": row["id"],
                    "at": opened_at,
                    "kind": "opened",
                    "reason": f"opened: {reason}",
                },
            )
        return Raised(row["id"], row["public_id"])

    def pipeline_lives(self, *, at: datetime | None = None) -> None:
        """Every stage of the pipeline has just beaten."""
        with self.database.transaction() as connection:
            for stage in STAGES:
                beat(connection, stage, now=at or self.now)


_LABELS = {Kind.BLOOD_PRESSURE: "cuff", Kind.BODY_WEIGHT: "scale", Kind.GLUCOSE: "meter"}
#: For tests that need an instant without a clock.
NOON = datetime(2026, 6, 10, 16, 0, tzinfo=UTC)
