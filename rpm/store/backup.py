"""A backup: one file by pg_dump, and beside it a manifest that says what must be in it.

Both are of one instant: pg_dump reads the snapshot in which the rows are counted. Everything of a practice is in the file:
it is its owner's alone to read (mode 0600), and stands under its name only once it is whole and on the disk.
"""

import hashlib
import os
import secrets
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import psycopg
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from rpm.errors import UserError
from rpm.store import programs
from rpm.store.contents import NotTheSame, Table, connect, contents
from rpm.store.database import DatabaseUnavailable
from rpm.store.queries import load

_SQL = load("backup")
FORM: Final = 1


class Manifest(BaseModel):
    """What a backup is of, and what must be in it. It names no person: counts and sums only."""

    model_config = ConfigDict(frozen=True)

    form: Annotated[int, Field(ge=1, le=FORM)] = FORM
    taken_at: datetime
    revision: str
    server_major: int
    timescaledb: str
    owner: str
    dump_bytes: int
    dump_sha256: str
    seed: int
    tables: dict[str, Table]

    @property
    def rows(self) -> int:
        """How many rows there are in all tables."""
        return sum(table.rows for table in self.tables.values())


def manifest_of(dump: Path) -> Path:
    """Where a dump's manifest stands."""
    return dump.with_name(f"{dump.name}.json")


def take(dsn: str, dump: Path, *, now: datetime) -> Manifest:
    """Write the database at `dsn` to `dump` and its manifest.

    UserError where a file is there already, cannot be written, or pg_dump is not to be had; DatabaseUnavailable;
    ProgramFailed. Nothing is left behind then.
    """
    kept = manifest_of(dump)
    for path in (dump, kept):
        if path.exists():
            raise UserError(f"{path} is there already: a backup overwrites nothing")
    part = dump.with_name(f".{dump.name}.part")
    try:
        manifest = _take(dsn, part, now=now)
        _write(part.with_name(f".{kept.name}.part"), manifest.model_dump_json(indent=2).encode(), kept)
        part.rename(dump)
        _sync(dump.parent)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(f"{DatabaseUnavailable.__doc__}") from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise UserError("there is nothing of ours in the database at RPM_DSN: `rpm-cloud migrate` makes it") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise UserError("this account may not read every row: set RPM_DSN to the one that owns the tables") from error
    except OSError as error:
        raise UserError(f"cannot write {dump}: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _take(dsn: str, part: Path, *, now: datetime) -> Manifest:
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        about = connection.execute(_SQL["about"]).fetchone()
        snapshot = connection.execute(_SQL["snapshot"]).fetchone()
        assert about is not None
        assert snapshot is not None
        dumping = programs.start(
            programs.program("pg_dump", about["server_major"]),
            dsn,
            ["--format=custom", f"--snapshot={snapshot['name']}", f"--file={part}"],
        )
        seed = secrets.randbits(62)
        try:
            tables = contents(connection, seed=seed)
            programs.finish(dumping)
        finally:
            # Nothing to do after a good end; else nobody would ever read what it is still writing.
            dumping.kill()
            dumping.wait()
    with part.open("rb") as file:
        os.fsync(file.fileno())
    return Manifest(
        taken_at=now, dump_bytes=part.stat().st_size, dump_sha256=sha256_of(part), seed=seed, tables=tables, **about
    )


def read(dump: Path) -> Manifest:
    """The manifest beside a dump, of which each byte is as it was.

    UserError where one of the two is not there or cannot be read; NotTheSame where the dump is not the one described.
    """
    try:
        manifest = Manifest.model_validate_json(manifest_of(dump).read_bytes())
    except OSError as error:
        raise UserError(f"{manifest_of(dump)} cannot be read ({error.strerror}): it belongs to the backup") from error
    except ValidationError as error:
        raise UserError(f"{manifest_of(dump)} is no manifest of a backup that this version reads") from error
    try:
        same = sha256_of(dump) == manifest.dump_sha256
    except OSError as error:
        raise UserError(f"{dump} cannot be read: {error.strerror}") from error
    if not same:
        raise NotTheSame(f"{dump} is not the file that was written: its sha256 differs from its manifest's")
    return manifest


def sha256_of(path: Path) -> str:
    """The file's SHA-256, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(part: Path, data: bytes, path: Path) -> None:
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)


def _sync(folder: Path) -> None:
    """A new name is on the disk only once its folder is."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
