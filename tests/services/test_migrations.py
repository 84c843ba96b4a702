"""Migrations: what they make is what schema.sql says, again and from two places at once; and what stops them is said."""

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from psycopg import sql
from psycopg.conninfo import make_conninfo

import rpm.store
from rpm.errors import UserError
from rpm.store.database import Database, DatabaseUnavailable
from rpm.store.migrate import LOCK_TIMEOUT_MS, Migrated, pending, require_current, upgrade
from rpm.store.schema import describe
from tests.support.database import DatabaseServer

SNAPSHOT = Path(rpm.store.__file__).parent / "schema.sql"
BEFORE_NOTIFICATION_CHANGES = "0024"


def _described(dsn: str) -> str:
    database = Database(dsn).open()
    try:
        with database.transaction() as connection:
            return describe(connection)
    finally:
        database.close()


def test_the_snapshot_is_what_the_migrations_make(dsn: str) -> None:
    assert _described(dsn) == SNAPSHOT.read_text("utf-8"), (
        "schema.sql is out of date: python -m rpm.store.schema > rpm/store/schema.sql"
    )


def test_a_database_made_from_the_snapshot_equals_a_migrated_one(empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn) as connection:
        connection.execute(SNAPSHOT.read_bytes())
    assert _described(empty_dsn) == SNAPSHOT.read_text("utf-8")


def test_migrating_twice_changes_nothing(empty_dsn: str) -> None:
    everything = pending(empty_dsn)
    assert upgrade(empty_dsn) == Migrated(None, everything[-1])
    assert upgrade(empty_dsn) == Migrated(everything[-1], everything[-1])
    assert pending(empty_dsn) == []


def test_two_that_migrate_at_once_do_it_one_after_the_other(empty_dsn: str) -> None:
    results: list[Migrated] = []
    threads = [threading.Thread(target=lambda: results.append(upgrade(empty_dsn))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert sum(result.before is None for result in results) == 1


def test_a_program_refuses_a_database_that_lacks_a_revision(empty_dsn: str) -> None:
    with pytest.raises(UserError, match="rpm-cloud migrate"):
        require_current(empty_dsn)


def test_a_program_refuses_a_database_of_a_newer_one(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    with pytest.raises(UserError, match="does not know"):
        require_current(dsn)


def test_a_server_without_the_extension_is_told_so(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpm.store.migrate.EXTENSIONS", ("timescaledb", "no_such_extension"))
    with pytest.raises(UserError, match="does not offer no_such_extension") as raised:
        upgrade(empty_dsn)
    assert "\n" not in str(raised.value)


def test_a_server_that_did_not_preload_timescaledb_is_told_before_it_hangs_up(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpm.store.migrate.PRELOADED_SETTING", "no.such_setting")
    with pytest.raises(UserError, match=r"^timescaledb is not in shared_preload_libraries: ") as raised:
        upgrade(empty_dsn)
    assert "\n" not in str(raised.value)


def test_a_backup_that_runs_is_not_waited_for_with_everybody_behind(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pg_dump holds what it reads; whoever waits to change it holds up every claim and every insert that comes after."""

    def not_so_far(config: Config, _head: str, to: Callable[[Config, str], None] = command.upgrade) -> None:
        to(config, BEFORE_NOTIFICATION_CHANGES)

    with monkeypatch.context() as earlier:
        earlier.setattr(command, "upgrade", not_so_far)
        upgrade(empty_dsn)
    left = pending(empty_dsn)
    with psycopg.connect(empty_dsn) as dump:
        dump.execute("lock table notification in access share mode")
        ends = threading.Timer(5 * LOCK_TIMEOUT_MS / 1000, dump.rollback)
        ends.start()
        with pytest.raises(UserError, match=r"^others use the tables") as caught:
            upgrade(empty_dsn)
        ends.cancel()
    assert "\n" not in str(caught.value)
    assert pending(empty_dsn) == left, "nothing half done"
    assert upgrade(empty_dsn) == Migrated(BEFORE_NOTIFICATION_CHANGES, left[-1])


def test_an_account_that_may_not_migrate_or_read_is_told_so(database_server: DatabaseServer, empty_dsn: str) -> None:
    with psycopg.connect(empty_dsn, autocommit=True) as connection:
        connection.execute("drop role if exists onlooker")
        connection.execute("create role onlooker login password 'onlooker'")
    onlooker = make_conninfo(empty_dsn, user="onlooker", password="onlooker")
    with pytest.raises(UserError, match="may not migrate") as raised:
        upgrade(onlooker)
    assert "\n" not in str(raised.value)
    upgrade(empty_dsn)
    with pytest.raises(UserError, match="may not read the tables") as raised:
        require_current(onlooker)
    assert "\n" not in str(raised.value)
    with psycopg.connect(database_server.dsn(), autocommit=True) as connection:
        connection.execute(sql.SQL("drop role onlooker"))


@pytest.mark.parametrize("dsn", ["postgresql://nobody@127.0.0.1:1/none", "postgresql://127.0.0.1:1"])
def test_a_server_that_is_not_there(dsn: str) -> None:
    with pytest.raises(DatabaseUnavailable):
        upgrade(dsn)


def test_a_string_that_is_no_dsn() -> None:
    with pytest.raises(UserError, match="RPM_DSN is not a connection string"):
        upgrade("not a dsn")
