"""The connection pool, the transaction, and the one clock."""

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from rpm.store.queries import load

_SQL = load("practice")
Connection = psycopg.Connection[DictRow]

#: A statement that waits longer than this for a lock or an answer is abandoned: the caller tries again (E9).
STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 15_000
#: How long a caller waits for a free connection before it is told that the database is not to be had.
POOL_WAIT_S = 10.0


class Clock(Protocol):
    """Where a loop's outermost line asks for the time. Everything below takes `now` as an argument."""

    def __call__(self) -> datetime:
        """The instant, aware and in UTC."""
        ...


class DatabaseUnavailable(RuntimeError):
    """The database cannot be reached: check RPM_DSN and that the server runs."""


class DatabaseBusy(DatabaseUnavailable):
    """Others were changing the same rows: nothing was done; try again."""


#: The server is well: it let others go first, and this transaction never was.
_OTHERS_FIRST = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.SerializationFailure,
)


def _alive(connection: Connection) -> None:
    """Raise where the server no longer answers on this connection: the pool then opens another one.

    It is asked to forget who was there before, too: nobody leaves a role behind, and if one day somebody does it is not
    for the next to have (A7).
    """
    connection.autocommit = True
    connection.execute("reset role; reset rpm.practice; reset search_path")
    connection.autocommit = False


class Transactions(Protocol):
    """Where transactions are had."""

    def transaction(self) -> AbstractContextManager[Connection]:
        """As `Database.transaction`."""
        ...


@contextmanager
def _in_our_words() -> Generator[None]:
    """What the server or the pool has against a transaction, in our words."""
    try:
        yield
    except psycopg.errors.ProgramLimitExceeded:
        raise  # Of this data, and not of the server: trying again would go on for ever.
    except _OTHERS_FIRST as error:
        raise DatabaseBusy(f"{DatabaseBusy.__doc__} ({type(error).__name__})") from error
    except (PoolTimeout, psycopg.OperationalError) as error:
        # In a word: a full disk is mended elsewhere than a server that is away.
        raise DatabaseUnavailable(f"{DatabaseUnavailable.__doc__} ({type(error).__name__})") from error


class Lasting:
    """One thread's transactions on one connection, kept from one to the next until it `rest`s or something fails.

    What was just used is not asked whether it lives, which takes as long as the rows of a small batch. Where the server has gone
    the next transaction says so, and the one after it has another connection.
    """

    def __init__(self, pool: ConnectionPool[Connection]) -> None:
        self._pool = pool
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """As `Database.transaction`."""
        with _in_our_words():
            connection = self._connection = self._connection or self._pool.getconn()
            try:
                # Committed or rolled back here; only the pool closes what is its own.
                with connection:
                    yield connection
            except BaseException:
                self.rest()
                raise

    def rest(self) -> None:
        """Give the connection back: whoever has nothing to do needs none."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self._pool.putconn(connection)


class Database:
    """A pool of connections to one server. Rows come as dicts; every transaction is UTC and bounded in time."""

    def __init__(self, dsn: str, *, size_max: int = 8) -> None:
        options = (
            f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
            f" -c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MS} -c timezone=UTC"
            # A receipt says that a reading is on the disk: no server's default may make that a guess.
            " -c synchronous_commit=on"
        )
        arguments: dict[str, Any] = {
            "row_factory": dict_row,
            "options": options,
            "connect_timeout": 5,
            "keepalives_idle": 10,
            # A replica that only follows knows of no alert that was just acknowledged: the one that is written to, or none.
            "target_session_attrs": "read-write",
            "application_name": "rpm-cloud",
        }
        self.dsn = dsn
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            dsn,
            connection_class=psycopg.Connection[DictRow],
            kwargs=arguments,
            min_size=1,
            max_size=size_max,
            open=False,
            timeout=POOL_WAIT_S,
            check=_alive,
        )

    def open(self, *, wait_s: float = POOL_WAIT_S) -> "Database":
        """Connect now; DatabaseUnavailable where that does not succeed within `wait_s`."""
        try:
            self._pool.open(wait=True, timeout=wait_s)
        except PoolTimeout as error:
            self._pool.close()
            raise DatabaseUnavailable(DatabaseUnavailable.__doc__) from error
        return self

    def close(self) -> None:
        """Give every connection back. A closed database stays closed."""
        self._pool.close()

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """One transaction: committed when the block ends, rolled back when it raises.

        DatabaseUnavailable where the server is away, goes away, or is too busy, DatabaseBusy where others went first: the
        caller may try again.
        """
        with _in_our_words(), self._pool.connection() as connection:
            yield connection

    def lasting(self) -> "Lasting":
        """The same transactions on one connection, for one thread while it is busy."""
        return Lasting(self._pool)

    @contextmanager
    def of_practice(self, practice_id: int | None) -> Generator[Connection]:
        """One transaction for which only this practice's rows are there (F40); none at all where there is no practice.

        Role, practice and search path are the transaction's own: a session goes back into the pool as it came (A7).
        """
        with self.transaction() as connection:
            connection.execute(_SQL["enter"], {"practice": "" if practice_id is None else str(practice_id)})
            yield connection

    def clock(self) -> datetime:
        """The database's clock: the one clock of all replicas (H12). DatabaseUnavailable where it does not answer."""
        with self.transaction() as connection:
            row = connection.execute("select clock_timestamp() as instant").fetchone()
        assert row is not None
        instant: datetime = row["instant"]
        return instant.astimezone(UTC)
