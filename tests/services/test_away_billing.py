"""A patient in hospital, on the bill: in its month, in its file, and in a month that was closed before anybody said so (F64, F33).

Method: a clinic whose patient measures every day of May 2026; the stay is entered on the patient's page, late. What is expected is
worked out by hand: 16 days are 99454, 15 are 99445.
"""

import csv
import io
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from rpm.billing.adjustments import Adjustment
from rpm.billing.outcome import SupplyPeriod
from rpm.billing.report import month_report
from rpm.jobs import pauses
from rpm.store import billing, migrate
from rpm.store.database import Database
from tests.services.settling import rows_of
from tests.services.test_closed_months import CLOSED, LATER, MAY, Office, supply
from tests.support.clinic import Person
from tests.support.clock import SettableClock
from tests.support.commands import command
from tests.support.visitor import Visitor
from tests.support.website import Website

MIGRATION = Path(migrate.__file__).parent / "migrations" / "0024_pre_claimed_anchor.sql"
#: 14:00 to 14:25 of 12 May in New York.
WORKED = datetime(2026, 5, 12, 18, tzinfo=UTC)


@pytest.fixture
def office(database: Database) -> Office:
    return Office(database)


def worked(office: Office, person: Person, started: datetime = WORKED) -> None:
    with office.database.transaction() as connection:
        connection.execute(
            "insert into time_entry (practice_id, patient_id, staff_id, started_at, ended_at, activity, interactive,"
            " created_at) values (%s, %s, %s, %s, %s, 'call', true, %s)",
            [
                office.clinic.practice_id,
                person.id,
                office.rosa.staff_id,
                started,
                started + timedelta(minutes=25),
                started,
            ],
        )


def say(website: Website, person: Person, **fields: str) -> httpx.Response:
    return Visitor(website).sign_in("rosa").post(f"/patients/{person.public_id}/pause", **fields)


def june(office: Office) -> tuple[SupplyPeriod, ...]:
    """The periods that touch June, as they are known now."""
    with office.database.transaction() as connection:
        practice = billing.practice(connection, office.clinic.practice_id)
        assert practice is not None
        records = billing.month_records(connection, practice, MAY.after, now=LATER + timedelta(hours=2))
    [row] = month_report(records).rows
    return row.periods


def words(one: Adjustment) -> str:
    return f"{one.before.minutes} to {one.after.minutes} minutes: {one.why}"


def test_a_stay_said_after_the_month_was_closed_is_an_adjustment_and_so_is_taking_it_back(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 17))
    worked(office, maria)
    closed = office.close()
    assert b"99457x1" in closed.frozen.csv
    with Website(office.database, SettableClock(LATER)) as website:
        said = say(website, maria, why="hospital", since="2026-05-12", until="2026-05-13", note="hip")
        assert said.status_code == httpx.codes.SEE_OTHER
        (one,) = office.adjustments()
        assert supply(one) == ("99454x1 on 2026-05-30", "99445x1 on 2026-05-30")
        assert words(one) == "25 to 0 minutes: a stay in hospital from 2026-05-12 on was entered by Rosa"
        assert office.adjustments() == [one], "noticed once"
        assert office.kept() == closed, "the month is what it was"
        rosa = Visitor(website).sign_in("rosa")
        page = rosa.page(f"/patients/{maria.public_id}")
        assert "Was away: hospital" in page
        path = page[page.index(f"/patients/{maria.public_id}/pauses/") :].split('"')[0]
        assert rosa.post(path).status_code == httpx.codes.SEE_OTHER
        assert rosa.post(path).status_code == httpx.codes.BAD_REQUEST
        assert "Was away" not in rosa.page(f"/patients/{maria.public_id}")
    (_, back) = office.adjustments(LATER + timedelta(hours=1))
    assert supply(back) == ("99445x1 on 2026-05-30", "99454x1 on 2026-05-30")
    assert words(back) == "0 to 25 minutes: a stay in hospital from 2026-05-12 on was taken back by Rosa"


def test_the_page_and_the_file_say_why(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 17))
    worked(office, maria)
    with Website(office.database, SettableClock(CLOSED)) as website:
        assert say(website, maria, why="hospital", since="2026-05-12", until="2026-05-14").status_code == 303
        bill = Visitor(website).sign_in("bill")
        month = bill.page("/billing?month=2026-05")
        assert "In hospital from 12 May 2026 to 13 May 2026: readings and minutes of that time do not count" in month
        evidence = bill.page(f"/billing/patients/{maria.public_id}?month=2026-05")
        assert evidence.count("does not count: measured while the patient was in hospital") == 2
        assert "no: the patient was in hospital" in evidence
        [row] = csv.DictReader(io.StringIO(bill.get("/billing/month.csv?month=2026-05").content.decode("utf-8-sig")))
    assert row["warnings"].startswith("in hospital from 2026-05-12 to 2026-05-13")
    assert (row["period_1_days"], row["minutes"]) == ("14", "0")
    assert "2026-05-12" not in row["data_days"]


def test_an_entry_that_lies_partly_within_a_stay_shows_the_part_that_counts(office: Office) -> None:
    """Called from 23:50 on the evening before she went to hospital until 00:15, and from 23:50 of May's last day."""
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 17))
    worked(office, maria, datetime(2026, 5, 12, 3, 50, tzinfo=UTC))
    worked(office, maria, datetime(2026, 6, 1, 3, 50, tzinfo=UTC))
    with Website(office.database, SettableClock(CLOSED)) as website:
        assert say(website, maria, why="hospital", since="2026-05-12", until="2026-05-14").status_code == 303
        bill = Visitor(website).sign_in("bill")
        page = bill.page(f"/billing/patients/{maria.public_id}?month=2026-05")
        after = bill.page(f"/billing/patients/{maria.public_id}?month=2026-06")
    cells = [" ".join(cell.split()) for cell in re.findall(r"<td><strong.*?</td>", page + after)]
    assert [re.sub(r"<[^>]+>", "", cell) for cell in cells] == [
        "10:00 of 25:00, 23:50:00–00:00:00 not the rest: the patient was in hospital",
        "10:00 of 25:00, 23:50:00–00:00:00 not the rest: another month has its own part of it",
        "15:00 of 25:00, 00:00:00–00:15:00 not the rest: another month has its own part of it",
    ]
    told = command(office.database.dsn, "billing", "report", "--month", "2026-05", "--format", "json")
    [part] = json.loads(told.out)["rows"][0]["entries_in_part"]
    assert (part["name"], part["counted"]) == (
        "IN_HOSPITAL",
        [["2026-05-12T03:50:00+00:00", "2026-05-12T04:00:00+00:00"]],
    )


def test_a_journey_is_told_and_changes_nothing(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 17))
    worked(office, maria)
    closed = office.close()
    with Website(office.database, SettableClock(LATER)) as website:
        assert say(website, maria, why="travel", since="2026-05-12", until="2026-05-14").status_code == 303
        assert "Away (travel) from 12 May 2026" in Visitor(website).sign_in("bill").page(
            f"/billing/patients/{maria.public_id}?month=2026-05"
        )
    assert office.adjustments() == []
    assert office.kept() == closed


def test_what_a_bill_knew_at_an_instant(office: Office) -> None:
    """A stay that runs lasts as long as it was said to; what was said later was not known before."""
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 17))
    with Website(office.database, SettableClock(LATER)) as website:
        assert say(website, maria, why="hospital", since="2026-06-09", until="2026-06-20").status_code == 303
        assert say(website, maria, why="hospital", since="2026-06-09", until="2026-06-20").status_code == 400
    with office.database.transaction() as connection:
        practice = billing.practice(connection, office.clinic.practice_id)
        assert practice is not None
        before = billing.month_records(connection, practice, MAY.after, now=LATER - timedelta(seconds=1))
        after = billing.month_records(connection, practice, MAY.after, now=LATER)
    assert before.away == {}
    [stay] = after.away[maria.id]
    assert (stay.in_hospital, stay.ends_at) == (True, datetime(2026, 6, 20, 4, tzinfo=UTC))
    assert pauses.run_once(office.database, now=datetime(2026, 6, 20, 4, tzinfo=UTC)).done == 1
    with office.database.transaction() as connection:
        [told] = connection.execute("select reason from alert where rule_id = 'pause_ended'").fetchall()
    assert "Readings and minutes count for the bill again." in told["reason"]


def test_a_stay_over_the_first_days_moves_no_period_that_was_claimed(office: Office) -> None:
    """Periods cut anew would overlap the one that was paid, and bring days of May into a claim of June."""
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 21))
    assert [str(period.start) for period in june(office)] == ["2026-05-31"]
    closed = office.close()
    with Website(office.database, SettableClock(LATER)) as website:
        assert say(website, maria, why="hospital", since="2026-05-01", until="2026-05-06").status_code == 303
        page = Visitor(website).sign_in("bill").page(f"/billing/patients/{maria.public_id}?month=2026-05")
    assert "The first countable day is now 6 May 2026; the periods go on from 1 May 2026, as a closed month" in page
    (one,) = office.adjustments()
    assert supply(one) == ("99454x1 on 2026-05-30", "99445x1 on 2026-05-30")
    assert (len(one.before.days), len(one.after.days)) == (20, 15)
    assert one.why == "a stay in hospital from 2026-05-01 on was entered by Rosa"
    assert office.kept() == closed, "the month is what it was"
    assert [str(period.start) for period in june(office)] == ["2026-05-31"]


def test_as_long_as_nothing_is_claimed_the_first_day_that_counts_begins_the_periods(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    office.measured(maria, *range(1, 21))
    with Website(office.database, SettableClock(CLOSED)) as website:
        assert say(website, maria, why="hospital", since="2026-05-01", until="2026-05-06").status_code == 303
    assert [str(period.start) for period in june(office)] == ["2026-05-06", "2026-06-05"]


def test_what_was_closed_before_this_was_kept_is_read_from_the_months_themselves(office: Office) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    office.clinic.patient("Nobody", "Measured")
    office.measured(maria, *range(1, 17))
    office.close()
    anchors = "select id, claimed_anchor, anchor_claimed_at from enrolment order by id"
    kept = rows_of(office.database, anchors)
    assert [str(row["claimed_anchor"]) for row in kept] == ["2026-05-01", "None"]
    statement = MIGRATION.read_text("utf-8").split(";")[-2]
    with office.database.transaction() as connection:
        connection.execute("update enrolment set claimed_anchor = null, anchor_claimed_at = null")
        connection.execute(statement.encode())
    assert rows_of(office.database, anchors) == kept


@pytest.mark.parametrize(
    "since, until, said",
    [
        ("2026-06-20", "2026-06-25", "a day that has begun"),
        ("2024-06-01", "2024-06-05", "at most 400 days ago"),
        ("soon", "2026-06-25", "Give the day since when"),
        ("2026-05-14", "2026-05-12", "a day after the first"),
        ("2026-05-14", "2026-05-14", "a day after the first"),
        ("2026-01-01", "2026-05-14", "at most 60 days later"),
    ],
)
def test_days_that_cannot_be_are_one_line(office: Office, since: str, until: str, said: str) -> None:
    maria = office.clinic.patient("Maria", "Alvarez")
    with Website(office.database, SettableClock(LATER)) as website:
        answer = say(website, maria, why="hospital", since=since, until=until)
    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert said in answer.text
