"""A backup comes back as it was, or is said not to (F38).

Method: the commands, PostgreSQL's own programs, databases that are really lost. What is in a database is looked at by plain SQL.
"""

import json
import stat
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import rpm
from alerts.escalation import read_plan
from rpm import drills
from rpm.drills import DRILL_AGE_MAX
from rpm.jobs.expiries import run_once
from rpm.store.contents import Table, differences
from rpm.store.database import Database
from rpm.store.heartbeats import last_beat
from tests.services.settling import count_of, rows_of, two_homes
from tests.support.clinic import URGENT, Clinic, Person
from tests.support.commands import command

PLAN = read_plan(Path(rpm.__file__).parent / "care" / "escalation.toml")


@pytest.fixture
def clinic(database: Database) -> Clinic:
    made = two_homes(database)
    made.staff("rosa")
    return made


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


@pytest.fixture
def dump(dsn: str, clinic: Clinic, maria: Person, tmp_path: Path) -> Path:
    """A backup of a clinic with five pressures and an alert."""
    for minutes in range(5):
        clinic.pressure(maria, 130 + minutes, 80, minutes_ago=minutes)
    clinic.alert(maria, "blood_pressure_high", URGENT, "Blood pressure 192/118 mmHg", minutes_ago=4)
    done = command(dsn, "backup", tmp_path / "b.dump")
    assert done.status == 0, done.err
    return tmp_path / "b.dump"


def databases(dsn: str) -> set[str]:
    """What the server has of this test's database."""
    name = str(conninfo_to_dict(dsn).get("dbname"))
    with psycopg.connect(dsn) as connection:
        found = connection.execute("select datname from pg_database where datname like %s", [f"{name}\\_%"]).fetchall()
    return {row[0].removeprefix(name) for row in found}


def test_what_is_written_is_its_owners_alone_and_says_what_is_in_it(dsn: str, dump: Path) -> None:
    kept = dump.with_name("b.dump.json")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (dump, kept)] == [0o600, 0o600]
    assert sorted(path.name for path in dump.parent.iterdir()) == ["b.dump", "b.dump.json"]
    manifest = json.loads(kept.read_text("utf-8"))
    assert {name: manifest["tables"][name]["rows"] for name in ("reading", "observation", "alert", "patient")} == {
        "reading": 5,
        "observation": 15,
        "alert": 1,
        "patient": 1,
    }
    again = command(dsn, "backup", dump)
    assert (again.status, again.err.count("\n")) == (2, 1)
    assert "overwrites nothing" in again.err
    in_a_folder = command(dsn, "backup", dump.parent)
    assert in_a_folder.status == 0
    assert len(list(dump.parent.glob("rpm-*T*Z.dump"))) == 1


def test_a_database_is_replaced_only_when_told_and_what_was_there_is_kept(
    database: Database, dsn: str, clinic: Clinic, maria: Person, dump: Path
) -> None:
    clinic.pressure(maria, 150, 90, minutes_ago=0)
    refused = command(dsn, "restore", dump)
    assert refused.status == 2
    assert "is not empty: say --replace" in refused.err
    assert (count_of(database, "reading"), databases(dsn)) == (6, set())

    done = command(dsn, "restore", dump, "--replace")
    assert done.status == 0, done.err
    assert "acknowledged and closed alerts" in done.out, "it says what is lost"
    assert count_of(database, "reading") == 5, "the pool that was open all the while finds the new one"
    [kept] = databases(dsn)
    assert kept.startswith("_before_")
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(make_conninfo(dsn, dbname=f"{name}{kept}"), autocommit=True) as connection:
        assert connection.execute("select count(*) from reading").fetchone() == (6,)
    # What TimescaleDB and the identities need is there: rows can be added, in a chunk that was and in one that was not.
    clinic.pressure(maria, 151, 90, minutes_ago=1)
    clinic.pressure(maria, 152, 90, minutes_ago=60 * 24 * 40)
    assert count_of(database, "observation") == 21
    assert {row["action"] for row in rows_of(database, "select action from audit")} == {
        "the database was restored from a backup"
    }
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as connection:
        connection.execute(f'drop database "{name}{kept}" with (force)'.encode())


def test_a_database_that_is_gone_comes_back(dsn: str, dump: Path) -> None:
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)'.encode())
    assert command(dsn, "restore", dump).status == 0
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select count(*) from reading").fetchone() == (5,)
        assert connection.execute("select count(*) from session").fetchone() == (0,)


def test_a_file_that_is_another_is_not_restored(database: Database, dsn: str, dump: Path) -> None:
    data = bytearray(dump.read_bytes())
    data[len(data) // 2] ^= 1
    dump.write_bytes(data)
    done = command(dsn, "restore", dump, "--replace")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert "its sha256 differs" in done.err
    assert (count_of(database, "reading"), databases(dsn)) == (5, set())


@pytest.mark.parametrize("what", ["rows", "sum"])
def test_what_differs_by_one_row_is_not_put_in_place(database: Database, dsn: str, dump: Path, what: str) -> None:
    kept = dump.with_name("b.dump.json")
    manifest = json.loads(kept.read_text("utf-8"))
    table = manifest["tables"]["observation"]
    table[what] = 14 if what == "rows" else str(int(table["sum"]) + 1)
    kept.write_text(json.dumps(manifest), "utf-8")
    done = command(dsn, "restore", dump, "--replace")
    assert (done.status, done.err.count("\n")) == (1, 1)
    assert {"rows": "observation has 15 rows and had 14", "sum": "a row of table observation is not as it was"}[
        what
    ] in done.err
    assert (count_of(database, "reading"), databases(dsn)) == (5, set())


def test_a_changed_row_a_missing_table_and_a_new_one_are_told_apart() -> None:
    before = {"a": Table(rows=1, sum="7"), "b": Table(rows=2, sum="8"), "c": Table(rows=3, sum="9")}
    after = {"a": Table(rows=1, sum="6"), "c": Table(rows=3, sum="9"), "d": Table(rows=0, sum="0")}
    assert list(differences(before, after)) == [
        "a row of table a is not as it was",
        "table b is missing",
        "table d is not of the backup",
    ]
    assert list(differences(before, before)) == []


def test_a_drill_is_a_sign_of_life_and_its_silence_an_alert(database: Database, dsn: str, dump: Path) -> None:
    now = database.clock()

    def alerts() -> list[str]:
        return [row["reason"] for row in rows_of(database, "select reason from alert where kind = 'technical'")]

    run_once(database, now=now, plan=PLAN, watching_since=now - timedelta(days=1))
    assert alerts() == [], "nobody who never made a backup is told that one is old"
    done = command(dsn, "backup", dump, "--verify")
    assert done.status == 0, done.err
    assert databases(dsn) == set(), "nothing is left of it"
    with database.transaction() as connection:
        beat = last_beat(connection, drills.STAGE)
    assert beat is not None
    run_once(database, now=beat + DRILL_AGE_MAX, plan=PLAN, watching_since=now - timedelta(days=1))
    assert alerts() == []
    for _ in range(2):
        run_once(
            database, now=beat + DRILL_AGE_MAX + timedelta(seconds=1), plan=PLAN, watching_since=now - timedelta(days=1)
        )
    assert [reason[:44] for reason in alerts()] == ["No backup was restored and compared since 20"]


def test_a_drill_that_fails_is_told_to_every_practice(database: Database, dsn: str, dump: Path) -> None:
    dump.write_bytes(b"nothing")
    done = command(dsn, "backup", dump, "--verify")
    assert (done.status, done.err.count("\n")) == (1, 1)
    [alert] = rows_of(database, "select reason, next_step_at is not null as calls from alert where kind = 'technical'")
    assert alert["reason"].startswith("The restore drill failed: ")
    assert alert["calls"]


@pytest.mark.parametrize(
    "arguments, told",
    [
        (("backup", "/nowhere/at/all.dump"), "cannot write /nowhere/at/all.dump: No such file or directory"),
        (("restore", "/nowhere/at/all.dump"), "/nowhere/at/all.dump.json cannot be read (No such file or directory)"),
        (("backup", "--verify", "/nowhere/at/all.dump"), "/nowhere/at/all.dump.json cannot be read"),
    ],
)
def test_a_file_that_is_not_there_is_one_line(dsn: str, arguments: tuple[str, ...], told: str) -> None:
    done = command(dsn, *arguments)
    assert (done.status, done.err.count("\n")) == (2, 1)
    assert told in done.err


def test_an_account_that_cannot_is_told_so(dsn: str, dump: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("drop role if exists visitor")
        connection.execute("create role visitor login password 'visitor'")
    visitor = make_conninfo(dsn, user="visitor", password="visitor")
    done = command(visitor, "backup", dump.with_name("c.dump"))
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert "may not read every row" in done.err
    done = command(visitor, "restore", dump, "--replace")
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert "only a superuser can restore" in done.err
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("drop role visitor")


@pytest.mark.usefixtures("clinic")
def test_programs_that_are_not_to_be_had_are_named(dsn: str, tmp_path: Path) -> None:
    done = command(dsn, "backup", tmp_path / "c.dump", RPM_LOCAL=str(tmp_path), PATH=str(tmp_path))
    assert (done.status, done.err.count("\n")) == (2, 1), done.err
    assert "there is no pg_dump of PostgreSQL" in done.err
    assert list(tmp_path.iterdir()) == [], "and nothing is left behind"
