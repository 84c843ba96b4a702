"""What the Community edition of TimescaleDB adds, where an administrator asks for it and the server has it.

What a server has is asked of the server, never of a setting.
"""

from pathlib import Path
from typing import Final

import psycopg

from rpm.errors import UserError
from rpm.store.contents import connect
from rpm.store.database import DatabaseUnavailable
from rpm.store.migrate import held_by_others, waits_no_longer
from rpm.store.queries import load

_SQL = load("migrate")
STATEMENTS: Final = Path(__file__).parent / "community.sql"
#: What the setting `timescaledb.license` says of the Community edition.
COMMUNITY: Final = "timescale"


def add(dsn: str) -> bool:
    """Turn the columnstore on; False where it is on already.

    UserError where the server has the Apache edition, with what it would have given, or where others hold the table for as
    long as a migration waits; nothing is changed then. DatabaseUnavailable.
    """
    try:
        with connect(dsn) as connection:
            row = connection.execute(_SQL["edition"]).fetchone()
            assert row is not None
            if row["license"] != COMMUNITY:
                raise UserError(
                    f"this server has TimescaleDB's Apache edition (timescaledb.license = {row['license']}): the"
                    " columnstore is of the Community edition. Nothing was changed, and nothing else needs it"
                )
            if row["columnstore"]:
                return False
            connection.execute(*waits_no_longer())
            connection.execute(STATEMENTS.read_bytes())
            return True
    except psycopg.errors.LockNotAvailable as error:
        raise held_by_others("the columnstore is not on", "migrate --community") from error
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(DatabaseUnavailable.__doc__) from error
