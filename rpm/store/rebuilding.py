"""The archive read back in the order in which it was settled and decided, and what a rebuilt database is compared by.

A step is a settlement (messages and the instant they were taken in) or what was decided in one transaction. Their numbers
come from one sequence.
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Any, Final

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.types.json import Jsonb

from rpm.errors import UserError
from rpm.ingest.unpack import Message
from rpm.store.contents import Table, connect
from rpm.store.database import Connection, DatabaseUnavailable
from rpm.store.queries import load

_SQL = load("rebuilding")
#: Compared, table by table: everything that messages and decisions about readings lead to.
COMPARED: Final = ("message", "delivery", "reading", "observation", "latest", "held", "correction", "rollup")
#: Whose readings they are and who decided: taken over as they are, in an order in which each finds what it refers to.
TAKEN_OVER: Final = ("practice", "staff", "patient", "enrolment")
#: Rows fetched at a time.
FETCH: Final = 500


@dataclass(frozen=True, slots=True)
class Settled:
    """Messages that were settled together, and when."""

    number: int
    at: datetime
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """One row before and after; None where it was not there."""

    relation: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What changed in one transaction, in its order."""

    number: int
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """Since when messages are kept (None: there is none), and how many readings came by none that still is."""

    since: datetime | None
    without: int


@contextmanager
def reading(dsn: str) -> Generator[Connection]:
    """The database at `dsn` as it is at one instant, for as long as it takes. DatabaseUnavailable."""
    try:
        with connect(dsn) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(DatabaseUnavailable.__doc__) from error


def make_beside(dsn: str) -> str:
    """The DSN of a new, empty database beside the one at `dsn`. UserError where one of that name is there."""
    parts: dict[str, Any] = conninfo_to_dict(dsn)
    name = f"{parts.get('dbname', 'postgres')}_rebuilt"
    try:
        with connect(dsn, autocommit=True) as connection:
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase as error:
        raise UserError(f"there is a database {name} already: drop it, or name another with --into") from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise UserError("this account may not create databases: make an empty one, and name it with --into") from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(DatabaseUnavailable.__doc__) from error
    return make_conninfo(dsn, dbname=name)


def require_empty(connection: Connection) -> None:
    """UserError where a database holds anything."""
    row = connection.execute(_SQL["holds_anything"]).fetchone()
    if row is None or row["holds"]:
        raise UserError("the database to rebuild into is not empty: name a new one")


def take_over(source: Connection, target: Connection) -> None:
    """Copy whose readings they are and who decided."""
    target.execute("delete from practice")
    for table in TAKEN_OVER:
        name = sql.Identifier(table)
        with (
            source.cursor().copy(sql.SQL("copy {} to stdout (format binary)").format(name)) as rows,
            target.cursor().copy(sql.SQL("copy {} from stdin (format binary)").format(name)) as copy,
        ):
            for part in rows:
                copy.write(part)


def reach(source: Connection) -> Reach:
    """How far back the archive goes."""
    row = source.execute(_SQL["archived_from"]).fetchone()
    assert row is not None
    return Reach(row["since"], row["without"])


def steps(source: Connection) -> Iterator[Settled | Decided]:
    """Everything that was settled or decided, in order."""
    return merge(_settled(source), _decided(source), key=lambda step: step.number)


def _settled(source: Connection) -> Iterator[Settled]:
    with source.cursor("messages") as cursor:
        cursor.itersize = FETCH
        rows = cursor.execute(_SQL["messages"])
        for (number, at), group in groupby(rows, key=lambda row: (row["settled_no"], row["received_at"])):
            yield Settled(number, at, tuple(Message(row["topic"], bytes(row["payload"])) for row in group))


def _decided(source: Connection) -> Iterator[Decided]:
    with source.cursor("changes") as cursor:
        cursor.itersize = FETCH
        rows = cursor.execute(_SQL["changes"])
        for number, group in groupby(rows, key=lambda row: row["decided_no"]):
            yield Decided(number, tuple(Change(row["relation"], row["before"], row["after"]) for row in group))


def put(connection: Connection, change: Change) -> None:
    """Make a row of what is registered, or of what is held, what it was then."""
    verb = "drop" if change.after is None else "put"
    connection.execute(_SQL[f"{verb}_{change.relation}"], {"row": Jsonb(change.after or change.before)})


def take_held(connection: Connection, change: Change) -> dict[str, Any] | None:
    """The held reading of a change, locked; None where it is not here: it came by no message that is kept."""
    return connection.execute(_SQL["take_held"], {"row": Jsonb(change.after)}).fetchone()


def contents(connection: Connection) -> dict[str, Table]:
    """What there is of everything that is compared."""
    found: dict[str, Table] = {}
    for table in COMPARED:
        row = connection.execute(_SQL[f"sum_{table}"]).fetchone()
        assert row is not None
        found[table] = Table.model_validate(row)
    return found
