"""A name that one process has at a time: a lock of the database's, held by a connection of its own."""

import psycopg
from psycopg.rows import dict_row

from rpm.errors import UserError
from rpm.store.database import Connection, DatabaseUnavailable
from rpm.store.queries import load

_SQL = load("names")


class NameTaken(UserError):
    """Another process has this name."""


class HeldName:
    """A worker's name, from now until `close` or the end of the process. NameTaken where another process has it."""

    def __init__(self, dsn: str, name: str) -> None:
        try:
            self._connection: Connection = psycopg.Connection[dict[str, object]].connect(
                dsn, row_factory=dict_row, autocommit=True, connect_timeout=5, application_name=f"rpm-cloud {name}"
            )
        except psycopg.OperationalError as error:
            raise DatabaseUnavailable(DatabaseUnavailable.__doc__) from error
        row = self._connection.execute(_SQL["hold"], {"name": name}).fetchone()
        if row is None or not row["held"]:
            self._connection.close()
            raise NameTaken(
                f"another worker runs as {name}: give each a certificate of its own (`rpm-cloud broker certify`)"
            )

    def close(self) -> None:
        """Let the name go."""
        self._connection.close()
