"""A month that is closed stays what it was reported as; whatever is known later is an adjustment, never a silent change (F33, F91).

Method: a clinic whose patients measure every day of May 2026, closed in June; then each thing that may change a bill happens.
What is expected is worked out by hand from the rules: 2 to 15 days are 99445, 16 to 30 are 99454.
"""

import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import httpx
import psycopg
import pytest

from rpm.access import Actor, Role
from rpm.billing import closing as frozen_months
from rpm.billing.adjustments import Adjustment
from rpm.billing.episode import ServiceMonth
from rpm.errors import UserError
from rpm.jobs import adjust
from rpm.store import billing, closing, corrections
from rpm.store.database import Database
from schemas.codes import Kind
from tests.services.settling import rows_of
from tests.support.clinic import Clinic, Person
from tests.support.clock import SettableClock
from tests.support.commands import command
from tests.support.visitor import Visitor
from tests.support.website import Website

MAY = ServiceMonth(date(2026, 5, 1))
CLOSED = datetime(2026, 6, 8, 14, tzinfo=UTC)
LATER = CLOSED + timedelta(days=2)
PRESSURE = {"systolic": (128.0, "mm[Hg]"), "diastolic": (79.0, "mm[Hg]")}


class Office:
    """A practice, who bills for it, and who corrects readings."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clinic = Clinic(database, now=CLOSED)
        practice_id = self.clinic.practice_id
        self.bill = Actor(self.clinic.staff("bill", "biller"), practice_id, Role.BILLER, "Bill")
        self.rosa = Actor(self.clinic.staff("rosa"), practice_id, Role.NURSE, "Rosa")

    def measured(self, person: Person, *days: int, stored_at: datetime | None = None) -> list[UUID]:
        """A reading at noon of each of these days of May, stored a minute later unless said otherwise."""
        names: list[UUID] = []
        for day in days:
            noon = datetime(2026, 5, day, 16, tzinfo=UTC)
            self.clinic.now = stored_at or noon + timedelta(minutes=1)
            names.append(self.clinic.measure(person, Kind.BLOOD_PRESSURE, PRESSURE, at=noon))
        return names

    def close(self, *, now: datetime = CLOSED, by: Actor | None = None) -> closing.Closed:
        with self.database.transaction() as connection:
            practice = billing.practice(connection, self.clinic.practice_id)
            assert practice is not None
            return closing.close(connection, practice, MAY, actor=by or self.bill, now=now)

    def kept(self) -> closing.Closed:
        with self.database.transaction() as connection:
            found = closing.closed(connection, self.clinic.practice_id, MAY)
        assert found is not None
        return found

    def adjustments(self, now: datetime = LATER) -> list[Adjustment]:
        adjust.run_once(self.database, now=now)
        with self.database.transaction() as connection:
            return [one for _, one in closing.adjustments(connection, self.clinic.practice_id, MAY)]

    def void(self, reading: UUID, *, now: datetime = LATER) -> None:
        with self.database.transaction() as connection:
            corrections.void(connection, reading, reason="the dog wore it", actor=self.rosa, now=now)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def supply(one: Adjustment) -> tuple[str, str]:
    """The device-supply code before and after."""
    (before,), (after,) = (
        [code for code in claim.codes if code[:5] in {"99445", "99454"}] for claim in (one.before, one.after)
    )
    return before, after


def test_days_from_before_the_first_move_no_claim_that_was_locked(
    office: Office,
) -> None:
    """Measured from 10 May on: claimed to 8 June, locked on the 14th. On the 20th a box hands over the first three of May."""
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(10, 26))
    office.close()
    locked, found = datetime(2026, 6, 15, tzinfo=UTC), datetime(2026, 6, 20, 16, tzinfo=UTC)
    with Website(office.database, SettableClock(locked)) as website:
        before = row_of_june(website)
    office.measured(maria, 1, 2, 3, stored_at=found)
    with Website(office.database, SettableClock(found)) as website:
        after = row_of_june(website)
        page = Visitor(website).sign_in("bill").page(f"/billing/patients/{maria.public_id}?month=2026-05")
    assert before["codes"] == after["codes"] == "99454x1 on 2026-06-08; 99453x1 on 2026-06-08"
    assert before["data_days"] == after["data_days"]
    assert "locked on 2026-06-14, has them, and 3 days of data before that are in no period" in after["warnings"]
    assert "locked on 14 Jun 2026, has them, and 3 days of data before that are in no period" in page
    assert office.adjustments(found) == [], "May was closed without it, and has no claim of it now"


def row_of_june(website: Website) -> dict[str, str]:
    text = Visitor(website).sign_in("bill").get("/billing/month.csv?month=2026-06").content.decode("utf-8-sig")
    [row] = csv.DictReader(io.StringIO(text))
    return row


def test_a_reading_that_carried_day_16_is_set_aside(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    names = office.measured(maria, *range(1, 17))
    closed = office.close()
    assert b"99454x1 on 2026-05-30" in closed.frozen.csv
    assert office.adjustments(CLOSED) == []
    office.void(names[7])
    (one,) = office.adjustments()
    assert supply(one) == ("99454x1 on 2026-05-30", "99445x1 on 2026-05-30")
    assert (len(one.before.days), len(one.after.days), one.changes_codes) == (16, 15, True)
    assert one.why == "a reading of 2026-05-08 was set aside by Rosa: the dog wore it"
    assert office.adjustments() == [one], "noticed once"
    assert office.kept() == closed, "the month is what it was"
    with office.database.transaction() as connection:
        corrections.restore(connection, names[7], reason="it did not", actor=office.rosa, now=LATER)
    (_, back) = office.adjustments(LATER + timedelta(hours=1))
    assert supply(back) == ("99445x1 on 2026-05-30", "99454x1 on 2026-05-30")


@pytest.mark.parametrize("closed_on", [2, 8], ids=["while late data count", "after the claim is locked"])
def test_late_data_bring_the_sixteenth_day(office: Office, closed_on: int) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 16))
    closed = office.close(now=datetime(2026, 6, closed_on, 14, tzinfo=UTC))
    assert b"99445x1 on 2026-05-30" in closed.frozen.csv
    office.measured(maria, 20, stored_at=LATER)
    (one,) = office.adjustments(LATER + timedelta(hours=1))
    assert supply(one) == ("99445x1 on 2026-05-30", "99454x1 on 2026-05-30")
    assert one.why == "1 reading came after the month was closed, the first of 2026-05-20"


def test_data_that_came_after_the_claim_was_locked_and_before_the_month_was_closed(office: Office) -> None:
    """The report leaves them out; the adjustment that a corrected claim would rest on says what they are."""
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 16))
    office.measured(maria, 20, stored_at=CLOSED - timedelta(hours=1))
    closed = office.close()
    assert b"99445x1 on 2026-05-30" in closed.frozen.csv
    (one,) = office.adjustments(CLOSED)
    assert supply(one) == ("99445x1 on 2026-05-30", "99454x1 on 2026-05-30")
    assert one.why == "the data of 2026-05-20 came after the claim was locked"
    office.measured(maria, 21, 22, stored_at=LATER)
    (_, two) = office.adjustments(LATER + timedelta(hours=1))
    assert two.why == "2 readings came after the month was closed, the first of 2026-05-21", "those of before were told"


def test_a_reading_that_was_another_patients_makes_two_adjustments(office: Office) -> None:
    maria, jose = office.clinic.patient("Maria", "Alvarez"), office.clinic.patient("José", "Alvarez")
    names = office.measured(maria, *range(1, 17))
    office.measured(jose, *range(1, 16))
    office.close()
    with office.database.transaction() as connection:
        corrections.move(connection, names[15], patient_id=jose.id, reason="his", actor=office.rosa, now=LATER)
    hers, his = office.adjustments()
    assert {one.patient for one in (hers, his)} == {maria.public_id, jose.public_id}
    assert [supply(one) for one in (hers, his)] == [
        ("99454x1 on 2026-05-30", "99445x1 on 2026-05-30"),
        ("99445x1 on 2026-05-30", "99454x1 on 2026-05-30"),
    ]
    assert hers.why == his.why == "a reading of 2026-05-16 was given to the patient whose it is by Rosa: his"


def test_what_changes_no_code_is_told_all_the_same(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    names = office.measured(maria, *range(1, 21))
    office.close()
    office.void(names[3])
    (one,) = office.adjustments()
    assert (one.changes_codes, len(one.before.days), len(one.after.days)) == (False, 20, 19)


def test_minutes_written_down_afterwards(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 17))
    office.close()
    with office.database.transaction() as connection:
        connection.execute(
            "insert into time_entry (practice_id, patient_id, staff_id, started_at, ended_at, service, activity,"
            " interactive, manual, note, created_at) values (%s, %s, %s, '2026-05-12 14:00+00', '2026-05-12 14:21+00',"
            " 'RPM', 'call', true, true, 'forgot', %s)",
            [office.clinic.practice_id, maria.id, office.rosa.staff_id, LATER],
        )
    (one,) = office.adjustments()
    assert set(one.after.codes) - set(one.before.codes) == {"99457x1 on 2026-05-31"}
    assert one.why == "1 entry of minutes came after the month was closed, the first of 2026-05-12"


def test_it_is_printed_byte_for_byte_whatever_is_known_by_then(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    names = office.measured(maria, *range(1, 17))
    closed = office.close()
    office.void(names[0])
    with office.database.transaction() as connection:
        connection.execute("update patient set family_name = 'Renamed'")

    def printed(*options: str) -> bytes:
        asked = [sys.executable, "-m", "rpm", "billing", "report", "--month", "2026-05", *options]
        return subprocess.check_output(asked, env={**os.environ, "RPM_DSN": office.database.dsn})

    assert printed() == closed.frozen.csv
    assert printed("--format", "json") == closed.frozen.json + b"\n"
    known_now = printed("--as-known-now")
    assert b"Renamed" in known_now
    assert b"99445x1" in known_now
    assert frozen_months.freeze(office.kept().report) == closed.frozen, "read again and written again it is the same"


def test_nobody_changes_what_is_closed(office: Office, database: Database) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    names = office.measured(maria, *range(1, 17))
    with pytest.raises(UserError, match="2026-05 is not over in America/New_York"):
        office.close(now=datetime(2026, 6, 1, 3, 59, tzinfo=UTC))
    office.close()
    office.void(names[0])
    office.adjustments()
    with pytest.raises(UserError, match="closed already"):
        office.close(now=LATER)
    stranger = Actor(office.bill.staff_id, office.clinic.practice_id + 1, Role.BILLER, "Eve")
    with pytest.raises(UserError, match="its own practice"):
        office.close(by=stranger)
    for statement in (
        "update closed_month set csv = ''",
        "delete from closed_month",
        "update claim_adjustment set before = '{}'",
        "delete from claim_adjustment",
    ):
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation), database.transaction() as connection:
            connection.execute(statement.encode())
    with database.transaction() as connection:
        connection.execute("alter table closed_month disable trigger closed_month_append_only")
        connection.execute("update closed_month set csv = csv || 'x'::bytea")
    assert not office.kept().intact
    before = rows_of(database, "select count(*) as n from claim_adjustment")
    office.void(names[1])
    office.adjustments()
    assert rows_of(database, "select count(*) as n from claim_adjustment") == before, "it is compared with nothing"
    told = command(database.dsn, "billing", "report", "--month", "2026-05")
    assert (told.status, told.out) == (2, "")
    assert told.err == "rpm-cloud: what is kept of this closed month is not what was hashed when it was closed\n"


def test_on_the_page_and_on_the_command_line(office: Office, clock: SettableClock) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    names = office.measured(maria, *range(1, 17))
    dsn = office.database.dsn
    assert (
        command(dsn, "billing", "adjustments", "--month", "2026-05", "--as", "bill").err
        == "rpm-cloud: 2026-05 is not closed\n"
    )
    assert command(dsn, "billing", "close", "--month", "2026-05", "--as", "rosa").status == 2
    clock.forward(seconds=(LATER - clock()).total_seconds())
    with Website(office.database, clock) as website:
        bill = Visitor(website).sign_in("bill")
        assert "Close May 2026" in bill.page("/billing?month=2026-05")
        assert bill.post("/billing/close", month="2026-05").status_code == httpx.codes.SEE_OTHER
        file = bill.get("/billing/month.csv?month=2026-05").content
        assert "Nothing that became known since would change it." in bill.page("/billing?month=2026-05")
        office.void(names[15], now=clock())
        clock.forward(minutes=1)
        page = bill.page("/billing?month=2026-05")
        assert "This month is closed" in page
        assert "1 adjustment" in page
        assert "99454x1 on 30 May 2026" in page
        assert "A reading of 16 May 2026 was set aside by Rosa: the dog wore it" in page
        assert bill.get("/billing/month.csv?month=2026-05").content == file
        behind = bill.page(f"/billing/patients/{maria.public_id}?month=2026-05")
        assert "Reported Wed 10 Jun 2026" in behind
        assert "99454x1 on 30 May 2026" in behind
        assert "Below is what is known now" in behind
        listed = bill.get("/billing/adjustments.csv?month=2026-05").text
        assert "99445x1 on 2026-05-30" in listed
        again = bill.post("/billing/close", month="2026-05")
        assert "is closed already" in again.text
        with office.database.transaction() as connection:
            connection.execute("alter table closed_month disable trigger closed_month_append_only")
            connection.execute("update closed_month set csv = csv || 'x'::bytea")
        assert "not what was hashed" in bill.get("/billing/month.csv?month=2026-05").text
        assert "not what was hashed" in bill.page("/billing?month=2026-05")
    told = command(dsn, "billing", "adjustments", "--month", "2026-05", "--as", "bill", "--format", "json")
    (one,) = json.loads(told.out)
    assert (one["patient_id"], one["changes_codes"]) == (str(maria.public_id), True)
    actions = {row["action"] for row in _rows(office.database, "select action from audit")}
    assert {"closed a month of billing", "saw billing", "exported billing"} <= actions


def _rows(database: Database, statement: str) -> list[dict[str, str]]:
    with database.transaction() as connection:
        return connection.execute(statement.encode()).fetchall()
