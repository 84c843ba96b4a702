"""Bring a database to the schema this program knows.

Alembic keeps the order and the record of what was done; the statements are the SQL files in `migrations/`, one for each
revision in `migrations/versions/`. A revision is committed whole or not at all, and two programs that migrate at once
do it one after the other.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic import command, op
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg.rows import DictRow, dict_row
from sqlalchemy import Connection as SqlAlchemyConnection
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from rpm.errors import UserError
from rpm.store.database import Connection, Database, DatabaseUnavailable
from rpm.store.locks import Lock
from rpm.store.queries import load

MIGRATIONS = Path(__file__).parent / "migrations"
#: Extensions the first migration creates: they must be installed on the server before.
EXTENSIONS = ("timescaledb", "btree_gist")
#: Known to a server that loaded TimescaleDB when it started, and to no other.
PRELOADED_SETTING = "timescaledb.max_background_workers"
CONNECT_TIMEOUT_S = 5
APPLICATION = "rpm-cloud migrate"
#: Behind a change that waits for a lock (a backup reads every table) stands whoever comes to call or to send: no longer than this.
LOCK_TIMEOUT_MS = 3_000


@dataclass(frozen=True, slots=True)
class Migrated:
    """From which revision (None: an empty database) to which."""

    before: str | None
    after: str | None


def run_file(revision_file: str) -> None:
    """Execute the SQL file that bears a revision's name.

    Goes to psycopg directly: without parameters it takes many statements at once, and leaves `%` alone.
    """
    sql = (MIGRATIONS / Path(revision_file).name).with_suffix(".sql").read_bytes()
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    driver.execute(sql)


def upgrade(dsn: str) -> Migrated:
    """Apply every pending revision. Does nothing where there is none.

    Raises UserError where the server lacks what the schema needs, this account may not change it or others hold a table for
    longer than LOCK_TIMEOUT_MS, and DatabaseUnavailable where it cannot be reached.
    """
    with _connection(dsn) as driver, _for_alembic(dsn) as connection:
        _require_extensions(driver)
        driver.execute(load("migrate")["one_at_a_time"], {"key": Lock.MIGRATE})
        driver.commit()
        before = _revision(connection)
        config = _config()
        config.attributes["connection"] = connection
        connection.exec_driver_sql(load("migrate")["waits_no_longer"].decode(), {"limit": f"{LOCK_TIMEOUT_MS}ms"})
        connection.commit()
        try:
            command.upgrade(config, "head")
        except (psycopg.Error, DBAPIError) as error:
            cause = error.orig if isinstance(error, DBAPIError) else error
            if isinstance(cause, psycopg.errors.InsufficientPrivilege):
                raise UserError(f"this database account may not migrate: {_first_line(cause)}") from error
            if isinstance(cause, psycopg.errors.LockNotAvailable):
                raise held_by_others(f"the database stays at revision {_revision(connection)}", "migrate") from error
            raise
        return Migrated(before, _revision(connection))


def waits_no_longer() -> tuple[bytes, dict[str, str]]:
    """The statement after which a connection waits LOCK_TIMEOUT_MS for a table, and its values."""
    return load("migrate")["waits_no_longer"], {"limit": f"{LOCK_TIMEOUT_MS}ms"}


def held_by_others(stands: str, again: str) -> UserError:
    """What is said where others held a table for too long: how it stands now, and the command to run again."""
    return UserError(f"others use the tables, a backup perhaps: {stands}; run `rpm-cloud {again}` again later")


def pending(dsn: str) -> list[str]:
    """Revisions this program knows and the database does not have, oldest first."""
    with _connection(dsn), _for_alembic(dsn) as connection:
        current = _revision(connection)
    script = ScriptDirectory.from_config(_config())
    known = [revision.revision for revision in reversed(list(script.walk_revisions()))]
    if current is None:
        return known
    if current not in known:
        raise UserError(f"the database is at revision {current}, which this program does not know: install a newer one")
    return known[known.index(current) + 1 :]


def require_current(dsn: str) -> None:
    """UserError with the command to run where the database lacks a revision."""
    missing = pending(dsn)
    if missing:
        raise UserError(f"the database lacks revision {missing[0]}: run `rpm-cloud migrate`")


def open_current(dsn: str, *, size_max: int = 2) -> Database:
    """The database at `dsn`, connected. UserError and DatabaseUnavailable as `require_current` raises them.

    One connection is tried first: a pool logs every failed try, and a person wants one line.
    """
    require_current(dsn)
    return Database(dsn, size_max=size_max).open()


def _config() -> Config:
    config = Config()
    # Alembic reads `%` in its options as interpolation.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextmanager
def _connection(dsn: str) -> Generator[Connection]:
    try:
        driver: Connection = psycopg.Connection[DictRow].connect(
            dsn, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_S, application_name=APPLICATION
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"{DatabaseUnavailable.__doc__} ({_first_line(error)})") from error
    except psycopg.ProgrammingError as error:
        raise UserError(f"RPM_DSN is not a connection string: {_first_line(error)}") from error
    with driver:
        yield driver


@contextmanager
def _for_alembic(dsn: str) -> Generator[SqlAlchemyConnection]:
    """A second connection to the same database, with rows as SQLAlchemy expects them."""

    def tuples() -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S, application_name=APPLICATION)

    engine = create_engine("postgresql+psycopg://", creator=tuples, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def _revision(connection: SqlAlchemyConnection) -> str | None:
    try:
        found = MigrationContext.configure(connection).get_current_revision()
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise UserError(
                f"this database account may not read the tables ({_first_line(error.orig)}): grant it, or set RPM_DSN"
                " to the account that ran `rpm-cloud migrate`"
            ) from error
        raise
    connection.rollback()
    return found


def _require_extensions(driver: Connection) -> None:
    rows = driver.execute(load("migrate")["offered_extensions"], {"names": list(EXTENSIONS)}).fetchall()
    driver.rollback()
    missing = set(EXTENSIONS) - {row["name"] for row in rows}
    if missing:
        raise UserError(
            f"this PostgreSQL server does not offer {', '.join(sorted(missing))}: install the extension"
            " (packages of PostgreSQL's contrib and of TimescaleDB), or set RPM_DSN to a server that has it"
        )
    # Asked before, because the server ends the connection of whoever creates an extension that had to be preloaded.
    row = driver.execute(load("migrate")["timescaledb_preloaded"], {"setting": PRELOADED_SETTING}).fetchone()
    driver.rollback()
    if row is None or not row["preloaded"]:
        raise UserError(
            "timescaledb is not in shared_preload_libraries: add it in postgresql.conf and restart the server"
        )


def _first_line(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
