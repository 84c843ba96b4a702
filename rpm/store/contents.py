"""What a database holds, in a few numbers: for each table how many rows, and a sum over all of them.

Two databases with the same contents hold the same rows, whatever order they lie in. The sum goes over every row, not over a
sample of them: reading the rows is what takes the time, and they are read to be counted. It is drawn with a seed, so that no
two backups can be alike by design; and says nothing about a row to whoever reads it.
"""

from collections.abc import Iterator
from typing import Final

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from pydantic import BaseModel, ConfigDict

from rpm.errors import RpmError
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("backup")
CONNECT_TIMEOUT_S: Final = 10
#: How a row is written decides its sum: nothing of the server's or an account's settings may.
SETTINGS: Final = (
    "-c timezone=UTC -c datestyle=ISO,YMD -c intervalstyle=postgres -c bytea_output=hex -c extra_float_digits=1"
    # Rather an error than the part of a table that somebody may see.
    " -c row_security=off -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
)


class NotTheSame(RpmError):
    """What was restored is not what was backed up. The text names the first table that differs, and no row of it."""


class Table(BaseModel):
    """How many rows, and their sum (a decimal number: it can be longer than 64 bits)."""

    model_config = ConfigDict(frozen=True)

    rows: int
    sum: str


def connect(dsn: str, *, autocommit: bool = False) -> Connection:
    """A connection that sees every row and may take any time; psycopg's own errors."""
    return psycopg.Connection[DictRow].connect(
        dsn, row_factory=dict_row, connect_timeout=CONNECT_TIMEOUT_S, options=SETTINGS, autocommit=autocommit,
        application_name="rpm-cloud backup",
    )  # fmt: skip


def contents(connection: Connection, *, seed: int) -> dict[str, Table]:
    """Every table of the database as this transaction sees it."""
    found: dict[str, Table] = {}
    for row in connection.execute(_SQL["tables"]).fetchall():
        # The names are the catalogue's own: no statement in a file could name tables that later versions bring.
        counted = connection.execute(
            sql.SQL(
                "select count(*) as rows, coalesce(sum(hashtextextended(t::text, {})), 0)::text as sum from public.{} t"
            ).format(sql.Literal(seed), sql.Identifier(row["name"]))
        ).fetchone()
        assert counted is not None
        found[row["name"]] = Table.model_validate(counted)
    return found


def differences(kept: dict[str, Table], found: dict[str, Table]) -> Iterator[str]:
    """In what the second is not the first, a line for each table."""
    for name in sorted(kept.keys() | found.keys()):
        before, after = kept.get(name), found.get(name)
        if before is None or after is None:
            yield f"table {name} is {'missing' if after is None else 'not of the backup'}"
        elif before.rows != after.rows:
            yield f"table {name} has {after.rows} rows and had {before.rows}"
        elif before.sum != after.sum:
            yield f"a row of table {name} is not as it was"


def require_same(kept: dict[str, Table], found: dict[str, Table]) -> None:
    """NotTheSame with the first difference and how many there are."""
    told = list(differences(kept, found))
    if told:
        more = f" (and {len(told) - 1} more tables)" if len(told) > 1 else ""
        raise NotTheSame(f"this is not what was backed up: {told[0]}{more}")
