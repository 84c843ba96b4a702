"""A connection of its own that waits for a PostgreSQL channel: a hint to look now, never the only reason to look."""

from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

CONNECT_TIMEOUT_S = 5


class ListenerLost(ConnectionError):
    """The server cannot be reached, or went away: look without being told, and listen anew."""


class Listener:
    """Hears one channel. Hearing nothing proves nothing: the caller looks anyway when the wait is over."""

    def __init__(self, dsn: str, channel: str) -> None:
        """ListenerLost where the server cannot be reached."""
        try:
            self._connection = psycopg.connect(
                dsn,
                autocommit=True,
                connect_timeout=CONNECT_TIMEOUT_S,
                keepalives_idle=10,
                application_name=f"rpm-cloud listens to {channel}",
            )
            self._connection.execute(sql.SQL("listen {}").format(sql.Identifier(channel)))
        except psycopg.Error as error:
            raise ListenerLost(ListenerLost.__doc__) from error

    def wait(self, timeout_s: float) -> bool:
        """Whether something was told within `timeout_s`; ListenerLost where the server went away."""
        try:
            return any(True for _ in self._connection.notifies(timeout=timeout_s, stop_after=1))
        except psycopg.Error as error:
            raise ListenerLost(ListenerLost.__doc__) from error

    def close(self) -> None:
        """Hear no more."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
