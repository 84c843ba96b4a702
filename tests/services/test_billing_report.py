"""A practice's month on a real database (F82, F86, F88, B1, B7): what is stored, what is counted, what is printed.

Method: rows are inserted as the pipeline leaves them; days are counted again by a ledger in Python that shares no SQL.
"""

import csv
import io
import json
import os
import random
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from psycopg.types.json import Jsonb

from rpm.billing.episode import Practice, ServiceMonth
from rpm.billing.report import MonthReport, ReportRow, month_report
from rpm.store import billing
from rpm.store.database import Connection, Database
from tests.support.periods import first_day

NEW_YORK = ZoneInfo("America/New_York")
NOVEMBER = ServiceMonth(date(2026, 11, 1))
BEGUN = datetime(2026, 10, 10, 4, tzinfo=UTC)
NOW = datetime(2026, 12, 20, 12, tzinfo=UTC)


class Clinic:
    """A practice with people, told row by row."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.practice_id = self._one(
            "insert into practice (name, time_zone, created_at) values ('Hill Street', 'America/New_York', 'epoch')"
        )
        self.nurse = self.staff("rosa", "nurse")

    def _one(self, statement: str, **values: object) -> int:
        row = self.connection.execute(f"{statement} returning id".encode(), values).fetchone()
        assert row is not None
        number: int = row["id"]
        return number

    def staff(self, username: str, role: str) -> int:
        return self._one(
            "insert into staff (practice_id, username, display_name, role, password_hash, created_at)"
            " values (%(practice)s, %(username)s, %(username)s, %(role)s, 'x', 'epoch')",
            practice=self.practice_id,
            username=f"{username}-{self.practice_id}",
            role=role,
        )

    def patient(self, family_name: str = "Lee", *, synthetic: bool = False) -> int:
        return self._one(
            "insert into patient (practice_id, given_name, family_name, birth_date, time_zone, synthetic, created_at)"
            " values (%(practice)s, 'Ann', %(family)s, '1950-01-01', 'America/Los_Angeles', %(synthetic)s, 'epoch')",
            practice=self.practice_id,
            family=family_name,
            synthetic=synthetic,
        )

    def enrol(self, patient: int, *, started: datetime = BEGUN, ended: datetime | None = None, **gaps: object) -> int:
        facts = {"consented": started, "ordered": started, "set_up": started, **gaps}
        return self._one(
            "insert into enrolment (practice_id, patient_id, established_patient, consented_at, ordered_at, set_up_at,"
            " started_at, ended_at) values (%(practice)s, %(patient)s, true, %(consented)s, %(ordered)s, %(set_up)s,"
            " %(started)s, %(ended)s)",
            practice=self.practice_id,
            patient=patient,
            started=started,
            ended=ended,
            **facts,
        )

    def reading(self, patient: int, measured_at: datetime, **facts: object) -> None:
        values: dict[str, object] = {
            "practice": self.practice_id,
            "patient": patient,
            "measured": measured_at,
            "admitted": measured_at + timedelta(minutes=1),
            "automatic": True,
            "voided": None,
            "context": Jsonb({}),
            **facts,
        }
        self.connection.execute(
            b"insert into reading (reading_no, reading_id, practice_id, patient_id, device_id, gateway_id, epoch, seq,"
            b" kind, characteristic, measured_at, time_source, received_at, admitted_at, backfill, late, automatic,"
            b" status, flags, context, raw, voided_at) values (1, gen_random_uuid(), %(practice)s, %(patient)s, 1,"
            b" 'gw-test-1', 'e', 1, 'blood_pressure', '2A35', %(measured)s, 'device', %(measured)s, %(admitted)s, false,"
            b" false, %(automatic)s, '{}', '{}', %(context)s, '', %(voided)s)",
            values,
        )

    def daily(self, patient: int, first: str, count: int, **facts: object) -> None:
        noon = datetime.fromisoformat(f"{first}T12:00").replace(tzinfo=NEW_YORK)
        for number in range(count):
            self.reading(patient, (noon + timedelta(days=number)).astimezone(UTC), **facts)

    def work(self, patient: int, start: str, minutes: float, *, live: bool = False, **facts: object) -> int:
        begun = datetime.fromisoformat(start).replace(tzinfo=NEW_YORK).astimezone(UTC)
        values: dict[str, object] = {
            "staff": self.nurse,
            "service": "RPM",
            "activity": "call",
            "reverses": None,
            **facts,
        }
        return self._one(
            "insert into time_entry (practice_id, patient_id, staff_id, started_at, ended_at, service, activity,"
            " interactive, reverses, created_at) values (%(practice)s, %(patient)s, %(staff)s, %(begun)s, %(ended)s,"
            " %(service)s, %(activity)s, %(live)s, %(reverses)s, %(ended)s)",
            practice=self.practice_id,
            patient=patient,
            begun=begun,
            ended=begun + timedelta(minutes=minutes),
            live=live,
            **values,
        )

    def report(self, month: ServiceMonth = NOVEMBER, now: datetime = NOW) -> MonthReport:
        practice = Practice(self.practice_id, "Hill Street", "America/New_York")
        return month_report(billing.month_records(self.connection, practice, month, now=now))

    def row(self, month: ServiceMonth = NOVEMBER, now: datetime = NOW) -> ReportRow:
        (row,) = self.report(month, now).rows
        return row


def codes(row: ReportRow) -> dict[str, int]:
    return {one.code: one.units for one in row.codes}


def test_from_stored_readings_to_codes(database: Database) -> None:
    with database.transaction() as connection:
        clinic = Clinic(connection)
        patient = clinic.patient()
        clinic.enrol(patient)
        clinic.daily(patient, "2026-10-10", 16)
        clinic.work(patient, "2026-11-03T10:00", 22, live=True)
        row = clinic.row()
    assert codes(row) == {"99454": 1, "99453": 1, "99457": 1}
    assert len(row.periods[0].days) == 16
    assert row.periods[0].start == date(2026, 10, 10)


def test_voided_manual_control_and_premature_readings_make_no_day(database: Database) -> None:
    with database.transaction() as connection:
        clinic = Clinic(connection)
        patient, neighbour = clinic.patient(), clinic.patient("Weiss")
        clinic.enrol(patient)
        clinic.daily(patient, "2026-10-10", 2)
        clinic.daily(patient, "2026-10-12", 20, voided=NOW - timedelta(days=1))
        clinic.daily(patient, "2026-10-12", 20, automatic=False)
        clinic.daily(patient, "2026-10-12", 20, context=Jsonb({"sample_location": "control_solution"}))
        clinic.daily(patient, "2026-10-01", 9)
        clinic.daily(neighbour, "2026-10-12", 20)
        row = clinic.row()
    assert row.periods[0].days == (date(2026, 10, 10), date(2026, 10, 11))
    assert codes(row) == {"99445": 1, "99453": 1}


def test_what_a_gateway_held_back_was_not_transmitted_yet(database: Database) -> None:
    """Measured in the period ending on Nov 8, admitted after Nov 13: it asks for a corrected claim."""
    with database.transaction() as connection:
        clinic = Clinic(connection)
        patient = clinic.patient()
        clinic.enrol(patient)
        clinic.daily(patient, "2026-10-10", 15)
        clinic.daily(patient, "2026-10-28", 1, admitted=datetime(2026, 11, 14, 5, tzinfo=UTC))
        clinic.daily(patient, "2026-10-29", 1, admitted=datetime(2026, 11, 14, 4, 59, tzinfo=UTC))
        row = clinic.row()
        before = clinic.row(now=datetime(2026, 11, 12, tzinfo=UTC))
    assert row.periods[0].late_days == (date(2026, 10, 28),)
    assert codes(row) == {"99454": 1, "99453": 1}
    assert "CORRECTED_CLAIM" in {one.name for one in row.warnings}
    assert codes(before) == {"99445": 1, "99453": 1}


def test_made_up_patients_are_never_in_a_report(database: Database) -> None:
    with database.transaction() as connection:
        clinic = Clinic(connection)
        for synthetic in (True, False):
            patient = clinic.patient("Made-up" if synthetic else "Real", synthetic=synthetic)
            clinic.enrol(patient)
            clinic.daily(patient, "2026-10-10", 16)
        report = clinic.report()
    assert [row.episode.family_name for row in report.rows] == ["Real"]


def test_another_practices_patients_and_time_are_not_read(database: Database) -> None:
    with database.transaction() as connection:
        clinic, other = Clinic(connection), Clinic(connection)
        patient = other.patient()
        other.enrol(patient)
        other.daily(patient, "2026-10-10", 16)
        assert clinic.report().rows == ()
        assert len(other.report().rows) == 1


def test_time_taken_back_and_time_of_others_do_not_count(database: Database) -> None:
    with database.transaction() as connection:
        clinic = Clinic(connection)
        patient = clinic.patient()
        clinic.enrol(patient)
        wrong = clinic.work(patient, "2026-11-03T10:00", 22, live=True)
        clinic.work(patient, "2026-11-03T10:00", 22, live=True, reverses=wrong)
        clinic.work(patient, "2026-11-04T10:00", 12, live=True)
        clinic.work(patient, "2026-11-05T10:00", 30, live=True, staff=clinic.staff("bill", "biller"))
        clinic.work(patient, "2026-11-06T10:00", 30, live=True, service="CCM")
        row = clinic.row()
    assert codes(row) == {"99470": 1}
    assert row.management is not None
    assert row.management.minutes == 12


def test_one_nurse_with_two_patients_counts_for_neither(database: Database) -> None:
    with database.transaction() as connection:
        clinic = Clinic(connection)
        patients = [clinic.patient(name) for name in ("Lee", "Weiss")]
        for number, patient in enumerate(patients):
            clinic.enrol(patient)
            clinic.work(patient, f"2026-11-03T10:{number * 10:02}", 20, live=True)
        report = clinic.report()
    for row in report.rows:
        assert row.codes == ()
        assert {one.name for one in row.blockers} == {"STAFF_CONFLICT"}


def test_days_equal_a_ledger_of_its_own(database: Database) -> None:
    """Random patients, clock changes and late data included: SQL and pure code against plain sets."""
    dice = random.Random(20261101)
    ledger: dict[int, set[tuple[date, datetime]]] = {}
    with database.transaction() as connection:
        clinic = Clinic(connection)
        for number in range(20):
            patient = clinic.patient(f"P{number:02}")
            clinic.enrol(patient)
            ledger[patient] = set()
            for _ in range(dice.randrange(60)):
                measured = BEGUN + timedelta(seconds=dice.randrange(60 * 24 * 3600))
                admitted = measured + timedelta(seconds=dice.choice([60, 3600, 9 * 24 * 3600]))
                automatic, voided = dice.random() > 0.1, NOW if dice.random() < 0.1 else None
                clinic.reading(patient, measured, admitted=admitted, automatic=automatic, voided=voided)
                if automatic and voided is None and admitted <= NOW:
                    ledger[patient].add((measured.astimezone(NEW_YORK).date(), admitted))
        report = clinic.report()
    assert len(report.rows) == 20
    counted = 0
    for row in report.rows:
        seen = ledger[row.episode.patient_id]
        if not seen:
            assert row.periods == ()
            continue
        anchor = first_day(seen, NEW_YORK)
        for period in row.periods:
            assert (period.start - anchor).days % 30 == 0
            lock = datetime.combine(period.start + timedelta(days=35), datetime.min.time(), NEW_YORK)
            expected = {day for day, at in seen if period.start <= day <= period.end and at < lock}
            assert set(period.days) == expected
            counted += len(expected)
    assert counted > 200


def test_the_command_prints_the_same_month(database: Database) -> None:
    with database.transaction() as connection:
        clinic = Clinic(connection)
        patient = clinic.patient("=Lee")
        clinic.enrol(patient, started=datetime(2026, 1, 10, 5, tzinfo=UTC))
        clinic.daily(patient, "2026-01-10", 16)
        clinic.work(patient, "2026-02-03T10:00", 22, live=True)
    told = _command(database, "report", "--month", "2026-02")
    assert told.returncode == 0, told.stderr
    (line,) = csv.DictReader(io.StringIO(told.stdout.decode(), newline=""))
    assert line["codes"] == "99454x1 on 2026-02-08; 99453x1 on 2026-02-08; 99457x1 on 2026-02-28"
    assert line["patient"] == "'=Lee, Ann"
    told = _command(database, "report", "--month", "2026-02", "--format", "json", "--practice", str(clinic.practice_id))
    (row,) = json.loads(told.stdout)["rows"]
    assert [one["code"] for one in row["codes"]] == ["99454", "99453", "99457"]


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--month", "2026-13"), "--month 2026-13: write a calendar month as 2026-11"),
        (("--month", "2999-01"), "--month 2999-01: that month has not begun"),
        (("--month", "2026-02", "--practice", "77"), "--practice 77: there is no such practice; known: 1"),
    ],
)
def test_a_wrong_wish_is_one_line(database: Database, arguments: tuple[str, ...], said: str) -> None:
    with database.transaction() as connection:
        Clinic(connection)
    told = _command(database, "report", *arguments)
    assert (told.returncode, told.stdout) == (2, b"")
    assert told.stderr.decode() == f"rpm-cloud: {said}\n"


def _command(database: Database, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "rpm", "billing", *arguments],
        env={**os.environ, "RPM_DSN": database.dsn},
        capture_output=True,
        check=False,
        timeout=60,
    )
