"""One patient's record: written out in full, and let go of with everything but what bills rest on (F41).

Method: two people of one household live through the mixed history of `test_rebuild`, share messages, and one of them is
purged. Whatever her devices' bytes, values, alerts and notes said is then looked for in every row of every table.
"""

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from psycopg import sql

from rpm.billing.episode import ServiceMonth
from rpm.billing.report import MonthReport, month_report
from rpm.ingest.batch import settle
from rpm.rebuild import rebuild
from rpm.store import billing, purge, record
from rpm.store.database import Database
from tests.services.settling import count_of, message_of, rows_of
from tests.services.test_rebuild import NOW, Practice, live_through
from tests.support.clinic import URGENT
from tests.support.commands import Done, command
from tests.support.two_practices import tables

#: Tables that bear a patient's number and are not in an export, and why.
NOT_EXPORTED = {
    "latest": "follows from the values",
    "rollup": "follows from the values",
    "rollup_mark": "what is still to be made of them",
    "patient_news": "what is still to be judged of them",
    "purge": "there is no record any more",
    "timer": "runs while somebody works, and becomes minutes",
}
#: Those a purge leaves as they are, and why.
NOT_PURGED = {
    "enrolment": "consent and order are what a bill rests on",
    "time_entry": "minutes are what a bill rests on",
    "claim_adjustment": "a closed month and what changed in it is a bill",
    "audit": "who saw what is accounted for",
    "purge": "it says that it was done",
    "timer": "none runs: that is asked first",
    "device_assignment": "goes before everything else",
}


@pytest.fixture
def practice(database: Database) -> Practice:
    practice = Practice(database)
    live_through(practice)
    alert = practice.clinic.alert(
        practice.maria, "blood_pressure_high", URGENT, "Blood pressure 281/78 mmHg", quantity="systolic", value=281
    )
    with database.transaction() as connection:
        connection.execute(
            "update alert set status = 'closed', closed_at = %s, note = 'canary: she fell' where id = %s",
            [NOW, alert.id],
        )
        connection.execute(
            "insert into time_entry (practice_id, patient_id, staff_id, alert_id, started_at, ended_at, activity, interactive,"
            " created_at) values (%s, %s, %s, %s, %s, %s, 'call', true, %s)",
            [
                practice.clinic.practice_id, practice.maria.id, practice.rosa.staff_id, alert.id, NOW,
                NOW + timedelta(minutes=12), NOW,
            ],
        )  # fmt: skip
    return practice


def ask(practice: Practice, *arguments: str) -> Done:
    return command(practice.database.dsn, "patient", *arguments)


def ended(practice: Practice) -> None:
    """Maria is looked after no more, and has brought her devices back."""
    with practice.database.transaction() as connection:
        connection.execute(
            "update enrolment set ended_at = %s where patient_id = %s", [practice.now, practice.maria.id]
        )
        connection.execute(
            "update device_assignment set during = tstzrange(lower(during), %s)"
            " where patient_id = %s and upper(during) is null",
            [practice.now, practice.maria.id],
        )
        connection.execute(
            "update alert set status = 'closed', closed_at = %s where status <> 'closed'", [practice.now]
        )


def purged(practice: Practice) -> dict[str, Any]:
    done = ask(practice, "purge", str(practice.maria.public_id), "--as", "boss", "--why", "asked for it", "--yes")
    assert done.status == 0, done.err
    return json.loads(done.out)


def billed(practice: Practice) -> MonthReport:
    with practice.database.transaction() as connection:
        of = billing.practice(connection, practice.clinic.practice_id)
        assert of is not None
        return month_report(
            billing.month_records(connection, of, ServiceMonth(date(2026, 6, 1)), now=NOW + timedelta(days=40))
        )


def everything(database: Database) -> Iterator[tuple[str, str]]:
    """Every row of every table as text, bytes as they are."""
    with database.transaction() as connection:
        for table in tables(connection):
            for row in connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).fetchall():
                for value in row.values():
                    yield table, value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def test_every_table_of_a_patient_is_exported_and_purged_or_says_why_not(database: Database) -> None:
    with database.transaction() as connection:
        bear = {
            table
            for table, columns in tables(connection).items()
            if any(re.match("patient_(id|before|after)$", column["column"]) for column in columns)
        } | {"patient"}
    assert bear - set(record.TABLES) == set(NOT_EXPORTED)
    assert bear - set(purge.STEPS) == set(NOT_PURGED)


def test_an_export_has_every_row_once_and_nobody_elses(practice: Practice, tmp_path: Path) -> None:
    file = tmp_path / "maria.zip"
    done = ask(practice, "export", str(practice.maria.public_id), "--as", "boss", "--to", str(file))
    assert done.status == 0, done.err
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        for name, facts in manifest["files"].items():
            data = archive.read(name)
            assert (facts["lines"], facts["sha256"]) == (data.count(b"\n"), hashlib.sha256(data).hexdigest()), name
        readings = [json.loads(line) for line in archive.read("reading.jsonl").splitlines()]
        values = [json.loads(line) for line in archive.read("observation.jsonl").splitlines()]
        [alert] = [json.loads(line) for line in archive.read("alert.jsonl").splitlines()]
        everything_in_it = b"".join(archive.read(name) for name in archive.namelist())
    stored = rows_of(practice.database, "select reading_id from reading where patient_id = %s", practice.maria.id)
    assert {one["reading_id"] for one in readings} == {str(row["reading_id"]) for row in stored}
    assert {one["reading_id"] for one in values} == {one["reading_id"] for one in readings}
    assert len(values) == count_of(practice.database, f"observation where patient_id = {practice.maria.id}")
    assert alert["note"] == "canary: she fell"
    assert alert["events"][0]["kind"] == "opened"
    theirs = rows_of(practice.database, "select reading_id from reading where patient_id = %s", practice.jose.id)
    assert theirs
    assert not [row for row in theirs if str(row["reading_id"]).encode() in everything_in_it]
    again = ask(practice, "export", str(practice.maria.public_id), "--as", "boss", "--to", str(file))
    assert (again.status, again.err) == (2, f"rpm-cloud: {file} is there already: an export overwrites nothing\n")


def test_after_a_purge_nothing_of_hers_is_anywhere_and_every_bill_stands(practice: Practice) -> None:
    database, maria = practice.database, practice.maria
    theirs = {
        name
        for row in rows_of(database, "select raw from reading where patient_id = %s", practice.jose.id)
        for name in [row["raw"].hex()]
    }
    hers = {
        row["raw"].hex() for row in rows_of(database, "select raw from reading where patient_id = %s", maria.id)
    } - theirs
    assert len(hers) > 10
    ended(practice)
    before = billed(practice)
    assert any(row.management and row.periods for row in before.rows), "there is something to bill"
    certificate = purged(practice)
    canaries = {
        *hers,
        *(bytes.fromhex(raw).decode() for raw in hers),
        "canary",
        "281/78",
        "the cuff slipped",
        "555 0100",
    }
    found = {
        (table, canary)
        for table, text in everything(database)
        for canary in canaries
        if canary in text and not (table == "patient" and canary == "555 0100")
    }
    assert found == set()
    assert rows_of(database, "select phone from patient where id = %s", maria.id) == [{"phone": None}]
    assert certificate["left"] == 0
    assert certificate["readings_kept_without_values"] == len(
        rows_of(database, "select 1 from reading where patient_id = %s", maria.id)
    )
    assert billed(practice) == before, "days and minutes are what they were"


def test_the_others_of_the_household_can_still_be_rebuilt(practice: Practice, target: Database) -> None:
    ended(practice)
    purged(practice)
    rebuilt = rebuild(practice.database.dsn, target)
    assert rebuilt.differences == []
    assert rebuilt.reach.without == 0
    assert rebuilt.after["reading"].rows == count_of(target, f"reading where patient_id = {practice.jose.id}") > 2
    hashes = rows_of(practice.database, "select payload, sha256 from message")
    assert all(hashlib.sha256(row["payload"]).digest() == row["sha256"] for row in hashes)


def test_what_still_comes_is_nobodys_and_what_comes_again_is_known(practice: Practice) -> None:
    late = practice.squeeze(practice.maria, 139, hours_ago=200)
    again = practice.squeeze(practice.maria, 137, hours_ago=201)
    practice.send(again)
    ended(practice)
    purged(practice)
    counts = count_of(practice.database, "observation")
    settle(practice.database, [message_of(late, again, first_seq=900)], now=practice.now)
    assert count_of(practice.database, "observation") == counts
    held = rows_of(practice.database, "select reading_id, patient_id from held where seq >= 900")
    assert held == [{"reading_id": late.reading_id, "patient_id": None}]


@pytest.mark.parametrize(
    "change, said",
    [
        ("update device_assignment set during = tstzrange(lower(during), null) where id = 2", "devices back first"),
        ("update enrolment set ended_at = null", "end the patient's enrolment first"),
        ("update alert set status = 'open' where patient_id is not null", "close the patient's alerts first"),
    ],
)
def test_who_is_still_looked_after_is_not_purged(practice: Practice, change: str, said: str) -> None:
    ended(practice)
    with practice.database.transaction() as connection:
        connection.execute(change.encode())
    before = sorted(everything(practice.database))
    done = ask(practice, "purge", str(practice.maria.public_id), "--as", "boss", "--why", "why", "--yes")
    assert done.status == 2
    assert said in done.err
    assert sorted(everything(practice.database)) == before


def test_it_wants_an_administrator_a_reason_and_a_second_word(practice: Practice) -> None:
    ended(practice)
    maria = str(practice.maria.public_id)
    assert "rosa is a nurse: this is for admin" in ask(practice, "purge", maria, "--as", "rosa", "--why", "x").err
    assert "--why: say why" in ask(practice, "purge", maria, "--as", "boss", "--why", " ").err
    assert "export" in ask(practice, "purge", maria, "--as", "boss", "--why", "x").err
    assert count_of(practice.database, "purge") == 0
    purged(practice)
    assert "the record was purged" in ask(practice, "purge", maria, "--as", "boss", "--why", "x", "--yes").err
    assert "no such" in ask(practice, "export", "00000000-0000-0000-0000-000000000001", "--as", "boss", "--to", "x").err
