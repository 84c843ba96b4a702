"""The outbox's file: how it is made, opened, bounded and locked.

SQLite in WAL mode with synchronous=FULL: a commit is on the disk when it returns, and kill -9 or a power cut at any
instruction leaves either all of a transaction or nothing of it (F8).
"""

import contextlib
import fcntl
import os
import secrets
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.errors import OutboxRefused
from gateway.outbox import conversion, engine

#: "rpmO": tells an outbox from any other SQLite file.
APPLICATION_ID: Final = 0x72706D4F
FORMAT: Final = 2
PAGE_BYTES: Final = 4096
#: The log is folded back every 64 pages, so that it stays small beside the cap and a full outbox still drains (L16).
WAL_PAGES: Final = 64
WAL_BYTES_MAX: Final = 1 << 20

SCHEMA: Final = """
create table meta(name text primary key, value text not null) strict, without rowid;
-- One connection to one device, gone once its frames have become rows.
create table session(
    number integer primary key, address text not null, facts text not null, opened_us integer not null
) strict;
-- What a device said, byte for byte, written inside the notification callback.
create table frame(
    number integer primary key, session integer not null references session(number), characteristic text not null,
    raw blob not null, received_us integer not null
) strict;
-- What travels. seq is never used twice. state: 0 new, 1 sent, 2 receipted.
create table row(
    seq integer primary key autoincrement, form text not null, name text not null, context text not null,
    body text not null, received_us integer not null, state integer not null default 0,
    attempts integer not null default 0, next_try real not null default 0,
    receipted_at real, outcome text
) strict;
create index row_waiting on row(seq, state, next_try, received_us) where state < 2;
create index row_ring on row(receipted_at) where state = 2;
create index row_name on row(name);
-- Telemetry: never a vital.
create table event(number integer primary key autoincrement, body text not null) strict;
-- Readings dropped for want of room: what was lost is known (L17).
create table gap(
    first_seq integer primary key, last_seq integer not null, readings integer not null, at real not null
) strict;
-- How far a device that keeps its records (RACP) was read.
create table device(address text primary key, last_sequence integer) strict, without rowid;
"""

#: What each later format adds; an older file is brought up to date when it is opened, in one transaction.
ADDED: Final = {
    2: """
-- The machine's boots: UTC = offset_ns + how long it has run, unknown while nothing vouched for the clock.
create table boot(
    number integer primary key autoincrement, id text not null unique, offset_ns integer, ran_ns integer not null
) strict;
-- By the clock that nobody sets, and whether the other one was right. Null: kept by an older program.
alter table session add column boot integer;
alter table session add column running_ns integer;
alter table session add column clock_right integer;
alter table frame add column running_ns integer;
-- Events told while the clock was wrong: their time in `body` is put right before they travel. Null: it is right.
alter table event add column boot integer;
alter table event add column running_ns integer;
-- Replays done, so that the same request asked again is not done again.
create table replay(
    number integer primary key autoincrement, request text not null unique, readings integer not null
) strict;
"""
}


_NOT_BY_THIS_KEY: Final = "cannot be read with this outbox_key, or is not an outbox; nothing was touched"


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open outbox. `set_aside` is where a damaged one was moved before this one was begun, or None."""

    connection: sqlite3.Connection
    lock: int | None
    set_aside: Path | None

    def close(self) -> None:
        """Let go of the file; another process may open it now."""
        self.connection.close()
        if self.lock is not None:
            os.close(self.lock)


def open_file(path: Path, *, bytes_max: int, key: bytes | None = None) -> OpenFile:
    """Open the outbox at `path` for writing, making it if there is none; OutboxRefused where it cannot be used.

    With a key it is encrypted; one that is not yet becomes so first.

    A file that SQLite finds damaged is moved aside under a name with the time, never deleted, and a new one with a new
    epoch is begun: a box in a home has nobody who would repair it, and goes on.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutboxRefused(f"the outbox {path} cannot be made: {error.strerror}: {error.filename}") from error
    lock = _lock(path)
    set_aside = None
    try:
        plain = engine.is_plain(path)
        if path.exists() and _is_damaged(path, key=None if plain else key):
            set_aside = _move_aside(path)
        elif plain and key is not None:
            conversion.encrypt(path, key=key)
        connection = _connect(path, bytes_max=bytes_max, key=key)
    except (OSError, *engine.OPERATIONAL_ERRORS) as error:
        os.close(lock)
        raise OutboxRefused(f"the outbox {path} cannot be opened: {error}") from error
    except BaseException:
        os.close(lock)
        raise
    return OpenFile(connection, lock, set_aside)


def open_to_read(path: Path, *, bytes_max: int, key: bytes | None = None) -> OpenFile:
    """Open an existing outbox beside the gateway that writes it; OutboxRefused where there is none."""
    if not path.exists() or (path.is_file() and path.stat().st_size == 0):
        raise OutboxRefused(f"there is no outbox at {path} yet: `rpm-gateway run` makes it")
    # Not encrypted yet: the next start of the gateway does that.
    key = None if engine.is_plain(path) else key
    if _is_damaged(path, key=key):
        raise OutboxRefused(f"{path} is damaged: `rpm-gateway run` moves it aside and begins a new one")
    connection = engine.connect(path, key=key, read_only=True)
    _check_format(connection, path)
    connection.execute(f"pragma max_page_count = {bytes_max // PAGE_BYTES}")
    return OpenFile(connection, None, None)


def _lock(path: Path) -> int:
    """Hold the one right to write this outbox, for as long as the process lives: two writers would share numbers."""
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise OutboxRefused(f"the outbox {path} cannot be written: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise OutboxRefused(f"another rpm-gateway uses the outbox {path}: stop it, or give this one its own") from error
    return lock


def _is_damaged(path: Path, *, key: bytes | None) -> bool:
    """Whether SQLite knows the file as one of its own and finds it broken; OutboxRefused where it never was one."""
    try:
        # Read only: whoever closes a connection that may write folds the log into a file it could not even read.
        probe = engine.connect(path, key=key, read_only=True)
    except engine.OPERATIONAL_ERRORS as error:
        raise OutboxRefused(f"the outbox {path} cannot be opened: {error}") from error
    try:
        _check_format(probe, path)
        return probe.execute("pragma quick_check(1)").fetchone()[0] != "ok"
    except engine.DATABASE_ERRORS as error:
        if engine.error_code(error) == sqlite3.SQLITE_NOTADB:
            what = "is not an outbox, or is encrypted and wants its outbox_key" if key is None else _NOT_BY_THIS_KEY
            raise OutboxRefused(f"{path} {what}: name another file, or move it away") from error
        if engine.error_code(error) in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_CORRUPT_INDEX}:
            return True
        raise OutboxRefused(f"the outbox {path} cannot be opened: {error}") from error
    finally:
        probe.close()


def _check_format(connection: sqlite3.Connection, path: Path) -> None:
    tables = connection.execute("select count(*) from sqlite_schema").fetchone()[0]
    application = connection.execute("pragma application_id").fetchone()[0]
    version = connection.execute("pragma user_version").fetchone()[0]
    if tables and application != APPLICATION_ID:
        raise OutboxRefused(f"{path} is the database of another program: name another file")
    if version > FORMAT:
        raise OutboxRefused(f"{path} was written by a newer rpm-gateway (format {version}): use that one")


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
    for suffix in ("-wal", "-shm", ""):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _connect(path: Path, *, bytes_max: int, key: bytes | None) -> sqlite3.Connection:
    # Rows hold what people's bodies measured: nobody else on the machine reads them.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = engine.connect(path, key=key)
    try:
        _prepare(connection, bytes_max=bytes_max)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, *, bytes_max: int) -> None:
    for pragma in (
        f"page_size = {PAGE_BYTES}",
        "journal_mode = wal",
        "synchronous = full",
        f"wal_autocheckpoint = {WAL_PAGES}",
        f"journal_size_limit = {WAL_BYTES_MAX}",
        # Sorting must not need room on a disk that has none.
        "temp_store = memory",
        f"max_page_count = {bytes_max // PAGE_BYTES}",
        "foreign_keys = on",
    ):
        connection.execute(f"pragma {pragma}")
    if connection.execute("pragma user_version").fetchone()[0] < FORMAT:
        _make(connection)


def _make(connection: sqlite3.Connection) -> None:
    """The tables and the epoch in one transaction: there is never an outbox without an epoch, nor one with two (L18).

    A file of an older format gets what it lacks, and keeps its epoch.
    """
    connection.execute("begin immediate")
    try:
        version = connection.execute("pragma user_version").fetchone()[0]
        if not version:
            _execute(connection, SCHEMA)
            connection.execute("insert into meta values ('epoch', ?)", (secrets.token_hex(8),))
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
        for added in range(version + 1, FORMAT + 1):
            _execute(connection, ADDED.get(added, ""))
        connection.execute(f"pragma user_version = {FORMAT}")
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:
            connection.execute("rollback")
        raise


def _execute(connection: sqlite3.Connection, statements: str) -> None:
    """One after the other: `executescript` would commit first."""
    for statement in statements.split(";"):
        if statement.strip():
            connection.execute(statement)
