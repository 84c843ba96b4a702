"""How the outbox's file is read and written: one thread, one connection, one transaction per verb."""

import os
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from gateway.errors import OutboxFailed
from gateway.outbox import engine, room
from schemas.messages import Event

_EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Stamp:
    """A moment by the clock that nobody sets: which boot, and how long it had run. `right`: the wall clock could be believed."""

    boot: int
    running_ns: int
    right: bool


class Store:
    """The open connection, and what every verb does with it."""

    def __init__(self, connection: sqlite3.Connection, *, gateway_id: str) -> None:
        self.connection = connection
        self.gateway_id = gateway_id
        #: The moment by the clock that nobody sets; None where there is none to ask (a test, a command that only reads).
        self.stamp: Callable[[], Stamp] | None = None

    def all(self, query: str, **parameters: object) -> list[tuple[Any, ...]]:
        """Every row; OutboxFailed where the file cannot be read."""
        try:
            return self.connection.execute(query, parameters).fetchall()
        except engine.OPERATIONAL_ERRORS as error:
            raise OutboxFailed(f"the outbox cannot be read: {error}") from error

    def one(self, query: str, **parameters: object) -> Any:
        """The first column of the first row."""
        return self.all(query, **parameters)[0][0]

    def require_disk(self, free_bytes: int) -> None:
        """OutboxFailed where the file's disk has not so much room left."""
        path = self.all("pragma database_list")[0][2]
        if not path:
            return  # in memory
        try:
            disk = os.statvfs(path)
        except OSError as error:
            raise OutboxFailed(f"the outbox cannot be written: {error.strerror}") from error
        if disk.f_bavail * disk.f_frsize < free_bytes:
            raise OutboxFailed("the outbox cannot be written: the disk is full")

    def unset(self) -> tuple[int | None, int | None]:
        """Boot and running time while the clock is wrong; (None, None) while it is right."""
        stamp = None if self.stamp is None else self.stamp()
        return (None, None) if stamp is None or stamp.right else (stamp.boot, stamp.running_ns)

    def insert_event(self, event: Event) -> None:
        """An event, inside the caller's transaction."""
        self.connection.execute(
            "insert into event(body, boot, running_ns) values (?, ?, ?)",
            (event.model_dump_json(), *self.unset()),
        )

    @contextmanager
    def writing(self, *, now: datetime, room_bytes: int = 0) -> Generator[None]:
        """One transaction with room for `room_bytes`; OutboxFailed where the disk refuses, and then nothing of it."""
        try:
            while room.used_share(self.connection, more_bytes=room_bytes) > room.FULL_AT:
                with self._transaction():
                    evicted = room.evict(self.connection, gateway_id=self.gateway_id, now=now, unset=self.unset())
                if evicted is room.Evicted.NOTHING:
                    break
            with self._transaction():
                yield
        except engine.OPERATIONAL_ERRORS as error:
            raise OutboxFailed(f"the outbox cannot be written: {error}") from error

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self.connection.execute("begin immediate")
        try:
            yield
            self.connection.execute("commit")
        except BaseException:
            # SQLite may have rolled back by itself (disk full).
            if self.connection.in_transaction:
                self.connection.execute("rollback")
            raise


def micros(instant: datetime) -> int:
    """An instant as the file keeps it."""
    return (instant - _EPOCH_START) // timedelta(microseconds=1)


def from_micros(number: int) -> datetime:
    """The instant that was kept."""
    return _EPOCH_START + timedelta(microseconds=number)
