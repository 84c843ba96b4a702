"""No practice reaches another's rows in the database itself: each table, found in the schema, is tried (F40, P6, A7).

Method: two practices with one row of everything. A table that a later migration brings is tried too, and fails here until it
is kept apart (`call keep_apart('table')` in its migration) or stands below with the reason why it holds nothing of a practice.
"""

import re
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import rpm.store
from rpm.errors import UserError
from rpm.store.database import Connection, Database
from rpm.store.migrate import upgrade
from tests.support.database import DatabaseServer
from tests.support.two_practices import OURS, THEIRS, fill, is_in

SCHEMA = (Path(rpm.store.__file__).parent / "schema.sql").read_text("utf-8")
TABLES = re.findall(r"^create table (\w+) \(", SCHEMA, re.MULTILINE)
HYPERTABLES = re.findall(r"create_hypertable\('(\w+)'", SCHEMA)
#: What holds nothing of a practice; the role may see of it what is said here.
NOBODYS = {
    "delivery": "which rows of a gateway's outbox were settled: numbers",
    "heartbeat": "signs of life of the pipeline",
    "login_failure": "hashes by which wrong log-ins are counted, before anybody is known",
    "retention": "before when messages or readings were let go for their age",
    "revocation_list": "numbers of certificates, public to every broker",
}
#: Kept apart by what they refer to.
BY_REFERENCE = {"practice": "id", "session": "staff_id"}


@pytest.fixture
def filled(database: Database) -> Database:
    with database.transaction() as connection:
        fill(connection)
    return database


def everything(connection: Connection, table: str) -> list[dict[str, object]]:
    return connection.execute(sql.SQL("select * from {}").format(sql.Identifier(table))).fetchall()


def test_every_table_says_whose_its_rows_are(database: Database) -> None:
    with database.transaction() as connection:
        rows = connection.execute(
            "select relname, relrowsecurity as kept, exists (select from pg_attribute where attrelid = pg_class.oid and"
            " attname = 'practice_id' and attnotnull) as named from pg_class"
            " where relnamespace = 'public'::regnamespace and relkind = 'r' and relname <> 'alembic_version'"
        ).fetchall()
    found = {row["relname"]: row for row in rows}
    assert sorted(found) == sorted(TABLES)
    for name, row in found.items():
        if name in NOBODYS or name in BY_REFERENCE:
            assert not row["named"]
        else:
            assert row["named"], f"{name} holds rows of nobody: a practice_id, or a reason in NOBODYS"
        assert row["kept"] == (name not in NOBODYS and name not in HYPERTABLES), f"call keep_apart('{name}')"
    assert set(HYPERTABLES) == {"message", "observation", "reading"}


@pytest.mark.parametrize("table", [name for name in TABLES if name not in NOBODYS])
def test_a_practice_sees_its_own_and_nobody_sees_any(filled: Database, table: str) -> None:
    with filled.transaction() as connection:
        assert sum(is_in(OURS, row) for row in everything(connection, table)) == 1, "who owns the tables sees all"
    with filled.of_practice(OURS) as connection:
        seen = everything(connection, table)
    assert [is_in(OURS, row) for row in seen] == [True]
    with filled.of_practice(THEIRS) as connection:
        assert not any(is_in(OURS, row) for row in everything(connection, table))
    with filled.of_practice(None) as connection:
        assert everything(connection, table) == []


@pytest.mark.parametrize("table", [name for name in TABLES if name not in NOBODYS and name not in BY_REFERENCE])
def test_a_practice_changes_nothing_of_another(filled: Database, table: str) -> None:
    name = sql.Identifier(table)
    for statement in (
        sql.SQL("update {} set practice_id = practice_id where practice_id = %s"),
        sql.SQL("delete from {} where practice_id = %s"),
    ):
        # Refused to everybody: what is append-only, and the deletion of what was measured.
        with (
            suppress(psycopg.errors.IntegrityConstraintViolation, psycopg.errors.InsufficientPrivilege),
            filled.of_practice(THEIRS) as connection,
        ):
            assert connection.execute(statement.format(name), [OURS]).rowcount == 0
    # Nor does it give anything away: a row made or left for another.
    with pytest.raises(psycopg.Error), filled.of_practice(THEIRS) as connection:
        connection.execute(sql.SQL("update {} set practice_id = %s").format(name), [OURS])
    with filled.transaction() as connection:
        assert sum(is_in(OURS, row) for row in everything(connection, table)) == 1


@pytest.mark.parametrize("table", HYPERTABLES)
def test_a_hypertable_is_not_to_be_had_but_through_its_view(filled: Database, table: str) -> None:
    with filled.of_practice(OURS) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(sql.SQL("select from public.{}").format(sql.Identifier(table)))
    with filled.transaction() as connection:
        columns = connection.execute(
            "select attrelid::regclass::text as of, array_agg(attname::text order by attnum) as names from pg_attribute"
            " where attrelid in (%(t)s::regclass, ('own.' || %(t)s)::regclass) and attnum > 0 and not attisdropped"
            " group by attrelid",
            {"t": table},
        ).fetchall()
    assert columns[0]["names"] == columns[1]["names"], f"call keep_apart_hypertable('{table}') after a new column"


def test_a_reading_of_another_practice_is_not_added(filled: Database) -> None:
    row = "(now(), 1, 1, 1, %s, 1, 1, 1)"
    with filled.of_practice(THEIRS) as connection:
        connection.execute(f"insert into observation values {row}".encode(), [THEIRS])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"insert into observation values {row}".encode(), [OURS])


def test_nobody_inherits_an_identity_through_the_pool(dsn: str) -> None:
    """A7: two practices take turns on one connection, and one of them forgets itself there."""
    database = Database(dsn, size_max=1).open()
    try:
        with database.transaction() as connection:
            fill(connection)
            # Of a session, as nobody should: the next one must not have it.
            connection.execute("select set_config('rpm.practice', %s, false)", [str(OURS)])
        for _ in range(6):  # psycopg prepares a statement at its fifth time: the plan must be nobody's either
            with database.of_practice(None) as connection:
                assert everything(connection, "patient") == []
            for mine in (OURS, THEIRS):
                with database.of_practice(mine) as connection:
                    assert [is_in(mine, row) for row in everything(connection, "patient")] == [True]
                with pytest.raises(ZeroDivisionError), database.of_practice(mine):
                    raise ZeroDivisionError
            with database.transaction() as connection:
                row = connection.execute(
                    "select current_setting('rpm.practice', true) as practice, current_user = session_user as self"
                ).fetchone()
                assert row is not None
                assert (row["practice"] or "", row["self"]) == ("", True)
                assert len(everything(connection, "patient")) == 2
    finally:
        database.close()


def test_the_record_of_two_practices_is_one_chain(database: Database) -> None:
    with database.transaction() as connection:
        for number in (OURS, THEIRS):
            connection.execute(
                "insert into practice (id, name, time_zone, created_at) values (%s, 'x', 'UTC', 'epoch')", [number]
            )
    for number in (OURS, THEIRS, OURS):
        with database.of_practice(number) as connection:
            connection.execute("insert into audit (at, practice_id, action) values ('epoch', %s, 'x')", [number])
    with database.transaction() as connection:
        rows = connection.execute("select hash, previous_hash from audit order by id").fetchall()
    assert [row["previous_hash"] for row in rows] == [None, *(row["hash"] for row in rows[:-1])]


def test_an_owner_who_is_no_superuser_is_kept_apart_too(database_server: DatabaseServer, empty_dsn: str) -> None:
    """What an administrator has to do once for an account that may not make roles is said in one line, and is enough."""
    name = conninfo_to_dict(empty_dsn)["dbname"]
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("create role plain login password 'plain'")
        connection.execute(f"alter database {name} owner to plain".encode())
        connection.execute("create extension timescaledb")
        connection.execute("create extension btree_gist")
        connection.execute("grant all on schema public to plain")
    plain = make_conninfo(empty_dsn, user="plain", password="plain")
    with pytest.raises(UserError, match=r"grant rpm_practice to plain$"):
        upgrade(plain)
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("grant rpm_practice to plain")
    upgrade(plain)
    with Database(empty_dsn).open().transaction() as connection:
        fill(connection)
    opened = Database(plain).open()
    try:
        with opened.of_practice(OURS) as connection:
            assert [is_in(OURS, row) for row in everything(connection, "patient")] == [True]
            assert [is_in(OURS, row) for row in everything(connection, "reading")] == [True]
        with opened.transaction() as connection:
            assert len(everything(connection, "patient")) == 2
    finally:
        opened.close()
    database_server.drop(str(name))
    with psycopg.connect(database_server.dsn(), autocommit=True) as connection:
        connection.execute(f"create database {name}".encode())
        connection.execute("drop role plain")
