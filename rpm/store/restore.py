"""A backup made a database again: first under another name, where it is compared with its manifest; then in its place.

What was there is never written over. A restore that fails, or whose rows are not those of the manifest, leaves everything as
it was; one that succeeds over a database with rows in it leaves that one under another name.

TimescaleDB wants its extension, in the version of the backup, before anything else, and the two functions around pg_restore:
until the second one the server runs none of its jobs there, and takes rows of chunks as they are.
"""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import DictRow

from rpm.errors import UserError
from rpm.store import backup, programs
from rpm.store.backup import Manifest
from rpm.store.contents import connect, contents, require_same
from rpm.store.database import Connection, DatabaseUnavailable
from rpm.store.queries import load

_SQL = load("backup")
#: Where databases are made from: every server has it.
MAINTENANCE: Final = "postgres"
#: Whoever was hung up on comes back; after so many tries somebody is quicker than we are.
RENAME_TRIES: Final = 10


def drill(dsn: str, dump: Path) -> Manifest:
    """Restore a backup beside the database at `dsn`, compare it, and drop it again; the manifest.

    UserError, DatabaseUnavailable, ProgramFailed and NotTheSame as `restore`. Nothing is left of it in any case.
    """
    manifest = backup.read(dump)
    with _server(dsn) as server:
        scratch = f"{_name(dsn)}_drill"
        _restore_as(server, dsn, scratch, dump, manifest)
        _drop(server, scratch)
    return manifest


def restore(dsn: str, dump: Path, *, replace: bool, now: datetime) -> tuple[Manifest, str | None]:
    """Make the backup the database at `dsn`; its manifest, and the name under which what was there is kept.

    A database with tables is replaced only where `replace` says so. UserError where that, the server or the account does not
    allow it; DatabaseUnavailable; ProgramFailed where pg_restore ended badly, and NotTheSame where file or rows are not
    those of the manifest: the database is as it was then.
    """
    manifest = backup.read(dump)
    name = _name(dsn)
    with _server(dsn) as server:
        occupied = _occupied(server, dsn, name)
        if occupied and not replace:
            raise UserError(f"the database {name} is not empty: say --replace, and it is kept under another name")
        scratch = f"{name}_restoring"
        _restore_as(server, dsn, scratch, dump, manifest)
        kept = f"{name}_before_{now:%Y%m%dT%H%M%SZ}" if occupied else None
        if kept is not None:
            _rename(server, name, kept)
        elif _exists(server, name):
            _drop(server, name)
        try:
            _rename(server, scratch, name)
        except BaseException:
            # Nothing would bear the name that every program asks for.
            if kept is not None:
                _rename(server, kept, name)
            raise
    return manifest, kept


def as_owner(dsn: str, manifest: Manifest) -> str:
    """The DSN with which the tables' owner does what a superuser is signed in for: what is made then is the owner's."""
    return make_conninfo(dsn, options=f"-c role={manifest.owner}")


def _restore_as(server: Connection, dsn: str, scratch: str, dump: Path, manifest: Manifest) -> None:
    """The backup as a new database `scratch`, compared; there is none of that name where this raises."""
    able = _require_able(server, manifest)
    restoring = programs.program("pg_restore", manifest.server_major)
    _drop(server, scratch)
    try:
        _do(server, "create database {} owner {} template template0 encoding 'UTF8'", scratch, manifest.owner)
        # A role is the server's: a dump has none, and refers to this one.
        if not able["has_practice"]:
            _do(server, "create role rpm_practice nologin")
        _do(server, "grant rpm_practice to {}", manifest.owner)
        there = make_conninfo(dsn, dbname=scratch)
        with connect(there, autocommit=True) as connection:
            connection.execute(
                sql.SQL("create extension timescaledb version {}").format(sql.Literal(manifest.timescaledb))
            )
        with connect(there, autocommit=True) as connection:
            connection.execute("select timescaledb_pre_restore()")
        programs.finish(programs.start(restoring, there, ["--exit-on-error", str(dump)]))
        with connect(there, autocommit=True) as connection:
            connection.execute("select timescaledb_post_restore()")
        with connect(there, autocommit=True) as connection:
            require_same(manifest.tables, contents(connection, seed=manifest.seed))
            connection.execute("analyze")
    except BaseException:
        _drop(server, scratch)
        raise


def _require_able(server: Connection, manifest: Manifest) -> DictRow:
    row = server.execute(_SQL["server"], {"owner": manifest.owner, "timescaledb": manifest.timescaledb}).fetchone()
    assert row is not None
    if not row["superuser"]:
        raise UserError("only a superuser can restore TimescaleDB's catalogue: set RPM_DSN to one's for this command")
    if row["server_major"] != manifest.server_major:
        raise UserError(
            f"this server is PostgreSQL {row['server_major']}, the backup of {manifest.server_major}: restore it on that"
        )
    if not row["has_timescaledb"]:
        raise UserError(f"this server does not offer TimescaleDB {manifest.timescaledb}, which the backup is of")
    if not row["has_owner"]:
        raise UserError(
            f"the tables belong to {manifest.owner}, whom this server does not know: create that role first"
        )
    return row


@contextmanager
def _server(dsn: str) -> Generator[Connection]:
    """A session at the server that holds the database at `dsn`, outside of it."""
    try:
        with connect(make_conninfo(dsn, dbname=MAINTENANCE), autocommit=True) as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"{DatabaseUnavailable.__doc__}") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise UserError("this account may not create databases: set RPM_DSN to a superuser's") from error


def _name(dsn: str) -> str:
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    name = parts.get("dbname")
    if not name or name == MAINTENANCE:
        raise UserError("RPM_DSN names no database of its own: it ends in /NAME")
    return str(name)


def _exists(server: Connection, name: str) -> bool:
    return bool(server.execute(_SQL["databases"], {"names": [name]}).fetchall())


def _occupied(server: Connection, dsn: str, name: str) -> bool:
    if not _exists(server, name):
        return False
    with connect(dsn) as connection:
        row = connection.execute(_SQL["has_tables"]).fetchone()
    assert row is not None
    return bool(row["has_tables"])


def _do(server: Connection, statement: LiteralString, *names: str) -> None:
    server.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


def _drop(server: Connection, name: str) -> None:
    _do(server, "drop database if exists {} with (force)", name)


def _rename(server: Connection, name: str, new: str) -> None:
    """Give a database another name, though workers and pages are connected to it: they come back, to whatever has the name."""
    for tried in range(RENAME_TRIES):
        server.execute(_SQL["hang_up"], {"name": name})
        try:
            _do(server, "alter database {} rename to {}", name, new)
        except psycopg.errors.ObjectInUse:
            if tried == RENAME_TRIES - 1:
                raise UserError(f"somebody comes back to the database {name} all the time: stop them first") from None
        else:
            return
