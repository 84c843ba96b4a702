"""The outbox's verbs. One thread, one connection, one transaction per verb."""

import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self

from devices.procedures import Frame
from gateway.errors import OutboxFailed, OutboxRefused
from gateway.outbox import room
from gateway.outbox.file import OpenFile, open_file, open_to_read
from gateway.outbox.records import EventRow, Form, Gap, Kept, KeptSession, NewRow, Row, Stats
from schemas.messages import Event, EventName, Receipt

#: A next try further ahead than this was set by a clock that has since gone back: the row is due.
NEXT_TRY_S_MAX: Final = 600.0
#: Pages a row may touch beyond its body: its own overflow, and the indexes.
ROW_BYTES: Final = 4_096
#: Telemetry kept at most; beyond it the oldest go, counted.
EVENTS_MAX: Final = 2_000
#: Receipted rows deleted in one go.
PURGE_ROWS: Final = 1_000

_EPOCH_START: Final = datetime(1970, 1, 1, tzinfo=UTC)

#: The largest number SQLite gives a row.
SEQ_MAX: Final = 2**63 - 1


class Outbox:
    """Frames, rows, events of one gateway, in one file of bounded size."""

    def __init__(self, file: OpenFile, *, gateway_id: str) -> None:
        self._file = file
        self._gateway_id = gateway_id
        self._connection = file.connection
        self.epoch: Final[str] = self._one("select value from meta where name = 'epoch'")

    @classmethod
    def open(cls, path: Path, *, bytes_max: int, gateway_id: str, now: datetime) -> Self:
        """Open or make the outbox for writing; OutboxRefused where that cannot be."""
        file = open_file(path, bytes_max=bytes_max)
        try:
            outbox = cls(file, gateway_id=gateway_id)
        except OutboxFailed as error:
            file.close()
            raise OutboxRefused(str(error)) from error
        if file.set_aside is not None:
            outbox.add_event(
                Event(
                    gateway_id=gateway_id,
                    at=now,
                    name=EventName.OUTBOX_DAMAGED,
                    value=f"moved to {file.set_aside.name}",
                )
            )
        return outbox

    @classmethod
    def read_only(cls, path: Path, *, bytes_max: int, gateway_id: str) -> Self:
        """Look into an outbox that a running gateway writes; OutboxRefused where there is none."""
        return cls(open_to_read(path, bytes_max=bytes_max), gateway_id=gateway_id)

    def close(self) -> None:
        """Close the file. Nothing is pending: every verb committed before it returned."""
        self._file.close()

    # What a device says

    def begin_session(self, *, address: str, facts: str, now: datetime) -> int:
        """Keep who is being listened to and what it said of itself; the number frames are kept under."""
        with self._writing(now=now):
            row = self._connection.execute(
                "insert into session(address, facts, opened_us) values (?, ?, ?) returning number",
                (address, facts, _micros(now)),
            ).fetchone()
        number: int = row[0]
        return number

    def keep(self, session: int, frame: Frame) -> None:
        """A frame, on the disk when this returns; OutboxFailed where it could not be written.

        Called inside the notification callback, before anything else: the device may already have been told to forget.
        """
        with self._writing(now=frame.received_at):
            self._connection.execute(
                "insert into frame(session, characteristic, raw, received_us) values (?, ?, ?, ?)",
                (session, frame.characteristic, frame.data, _micros(frame.received_at)),
            )

    def unfinished(self) -> list[KeptSession]:
        """Sessions whose frames are not rows yet: the one that just ended, or those of a process that was killed."""
        return [self.session(number) for (number,) in self._all("select number from session order by number")]

    def session(self, number: int) -> KeptSession:
        """One session with its frames."""
        ((address, facts, opened_us),) = self._all(
            "select address, facts, opened_us from session where number = :number", number=number
        )
        return KeptSession(number, address, facts, _from_micros(opened_us), tuple(self._frames(number)))

    def finish_session(
        self, session: int, rows: Sequence[NewRow], *, now: datetime, last_sequence: int | None = None
    ) -> Kept:
        """Frames out, rows in, and how far the device was read (None: as before), in one transaction.

        A row whose name is here already and that adds no context is a device repeating itself: counted, not kept.
        """
        new: list[str] = []
        with self._writing(now=now, room_bytes=sum(ROW_BYTES + len(row.body) for row in rows)):
            for row in rows:
                known = self._connection.execute(
                    "select 1 from row where name = ?1 and (context = ?2 or ?2 = '') limit 1", (row.name, row.context)
                ).fetchone()
                if known is None:
                    self._connection.execute(
                        "insert into row(form, name, context, body, received_us) values (?, ?, ?, ?, ?)",
                        (row.form, row.name, row.context, row.body, _micros(row.received_at)),
                    )
                    new.append(row.name)
            if len(rows) > len(new):
                room.count(self._connection, "repeated", len(rows) - len(new))
            if last_sequence is not None:
                self._connection.execute(
                    "insert into device select address, ? from session where number = ?"
                    " on conflict (address) do update set last_sequence = excluded.last_sequence",
                    (last_sequence, session),
                )
            self._connection.execute("delete from frame where session = ?", (session,))
            self._connection.execute("delete from session where number = ?", (session,))
        return Kept(len(new), len(rows) - len(new), frozenset(new))

    def knows(self, name: str) -> bool:
        """Whether a row of this name is here."""
        return bool(self._one("select exists (select 1 from row where name = :name)", name=name))

    def last_sequence(self, address: str) -> int | None:
        """How far this device's records were read; None where they never were."""
        found = self._all("select last_sequence from device where address = :address", address=address)
        return found[0][0] if found else None

    # What travels

    def due(self, *, now: datetime, limit: int) -> list[Row]:
        """Rows to send now, the newest first: a fresh reading does not wait behind the backlog (H9)."""
        found = self._all(
            "select seq, form, attempts, body from row where state < 2 and (next_try <= :now or next_try > :horizon)"
            " order by seq desc limit :limit",
            now=now.timestamp(),
            horizon=now.timestamp() + NEXT_TRY_S_MAX,
            limit=limit,
        )
        return [Row(seq, Form(form), attempts, body) for seq, form, attempts, body in found]

    def next_due_s(self, *, now: datetime) -> float | None:
        """Seconds until a row is due (0 or less: now), or None where none waits."""
        earliest = self._one("select min(next_try) from row where state < 2")
        return None if earliest is None else min(earliest - now.timestamp(), NEXT_TRY_S_MAX)

    def in_flight(self, *, now: datetime) -> int:
        """Rows sent whose receipt may still come before their next try."""
        # `state < 2` says nothing new to the reader: SQLite knows the partial index by it.
        return self._one(
            "select count(*) from row where state < 2 and state = 1 and next_try > :now and next_try <= :horizon",
            now=now.timestamp(),
            horizon=now.timestamp() + NEXT_TRY_S_MAX,
        )

    def mark_sent(self, next_tries: Iterable[tuple[int, datetime]], *, now: datetime) -> None:
        """Note (seq, next try) of rows about to be published. Before it, so that no receipt can precede its send."""
        with self._writing(now=now):
            self._connection.executemany(
                "update row set state = 1, attempts = attempts + 1, next_try = ? where seq = ? and state < 2",
                [(moment.timestamp(), seq) for seq, moment in next_tries],
            )

    def unsend(self, seqs: Iterable[int], *, now: datetime) -> None:
        """Take a send back: nobody was listening, so it was not a try (L10)."""
        with self._writing(now=now):
            self._connection.executemany(
                "update row set attempts = max(attempts - 1, 0), next_try = 0, state = min(attempts - 1, 1)"
                " where seq = ? and state = 1",
                [(seq,) for seq in seqs],
            )

    def hasten(self, *, now: datetime, within_s: float) -> None:
        """After an outage nobody's next try is further away than `within_s`."""
        soon = now.timestamp() + within_s
        with self._writing(now=now):
            self._connection.execute(
                "update row set next_try = ?1 where state < 2 and state = 1 and next_try > ?1", (soon,)
            )

    def settle(self, receipt: Receipt, *, now: datetime) -> int:
        """Mark as receipted the rows the cloud has committed; how many that were.

        A row never sent cannot have a receipt, so a forged or confused one settles nothing (F11).
        """
        outcomes = [(seq, "stored") for seq in receipt.stored]
        outcomes += [(seq, "duplicate") for seq in receipt.duplicate]
        outcomes += [(seq, "unassigned") for seq in receipt.unassigned]
        outcomes += [(item.seq, f"quarantined: {item.reason}") for item in receipt.quarantined]
        with self._writing(now=now):
            settled = self._connection.executemany(
                "update row set state = 2, receipted_at = ?, outcome = ? where seq = ? and state < 2 and attempts > 0",
                [(now.timestamp(), outcome, seq) for seq, outcome in outcomes],
            ).rowcount
        return max(settled, 0)

    def replay(self, *, from_seq: int, now: datetime, to_seq: int = SEQ_MAX) -> int:
        """Put receipted rows `from_seq` to `to_seq` back into the queue: a restored cloud asks again (L19)."""
        with self._writing(now=now):
            return self._connection.execute(
                "update row set state = 0, attempts = 0, next_try = 0, receipted_at = null, outcome = null"
                " where state = 2 and seq between ? and ?",
                (from_seq, to_seq),
            ).rowcount

    def purge(self, *, now: datetime, ring: timedelta) -> int:
        """Delete rows receipted longer than `ring` ago, a bounded number at a time; how many went."""
        with self._writing(now=now):
            return self._connection.execute(
                "delete from row where seq in (select seq from row where state = 2 and receipted_at < ? limit ?)",
                ((now - ring).timestamp(), PURGE_ROWS),
            ).rowcount

    # Telemetry

    def add_event(self, event: Event) -> None:
        """Keep an event until the broker has it; beyond EVENTS_MAX the oldest go, counted."""
        with self._writing(now=event.at):
            self._connection.execute("insert into event(body) values (?)", (event.model_dump_json(),))
            gone = self._connection.execute(
                "delete from event where number <= (select max(number) from event) - ?", (EVENTS_MAX,)
            ).rowcount
            if gone > 0:
                room.count(self._connection, "dropped_events", gone)

    def events(self, *, limit: int) -> list[EventRow]:
        """The oldest events that wait."""
        found = self._all("select number, body from event order by number limit :limit", limit=limit)
        return [EventRow(number, body) for number, body in found]

    def settle_event(self, number: int, *, now: datetime) -> None:
        """The broker has it, and for telemetry that is enough."""
        with self._writing(now=now):
            self._connection.execute("delete from event where number = ?", (number,))

    # What it tells

    def stats(self, *, now: datetime) -> Stats:
        """Depth, oldest age, ring and counters."""
        oldest = self._one("select min(received_us) from row where state < 2")
        counters = {str(name): str(value) for name, value in self._all("select name, value from meta")}
        return Stats(
            epoch=self.epoch,
            depth=self._one("select count(*) from row where state < 2"),
            oldest_age_s=0.0 if oldest is None else max(now.timestamp() - oldest / 1e6, 0.0),
            ring=self._one("select count(*) from row where state = 2"),
            frames=self._one("select count(*) from frame"),
            events=self._one("select count(*) from event"),
            dropped=int(counters.get("dropped", 0)),
            dropped_events=int(counters.get("dropped_events", 0)),
            repeated=int(counters.get("repeated", 0)),
            used=room.used_share(self._connection),
        )

    def gaps(self) -> list[Gap]:
        """What had to be dropped unreceipted."""
        found = self._all("select first_seq, last_seq, readings, at from gap order by first_seq")
        return [Gap(first, last, readings, _instant(at)) for first, last, readings, at in found]

    def _frames(self, session: int) -> Iterator[Frame]:
        for characteristic, raw, received_us in self._all(
            "select characteristic, raw, received_us from frame where session = :session order by number",
            session=session,
        ):
            yield Frame(characteristic, raw, _from_micros(received_us))

    def _all(self, query: str, **parameters: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, parameters).fetchall()
        except sqlite3.OperationalError as error:
            raise OutboxFailed(f"the outbox cannot be read: {error}") from error

    def _one(self, query: str, **parameters: object) -> Any:
        return self._all(query, **parameters)[0][0]

    @contextmanager
    def _writing(self, *, now: datetime, room_bytes: int = 0) -> Generator[None]:
        """One transaction with room for `room_bytes`; OutboxFailed where the disk refuses, and then nothing of it."""
        try:
            while room.used_share(self._connection, more_bytes=room_bytes) > room.FULL_AT:
                with self._transaction():
                    evicted = room.evict(self._connection, gateway_id=self._gateway_id, now=now)
                if evicted is room.Evicted.NOTHING:
                    break
            with self._transaction():
                yield
        except sqlite3.OperationalError as error:
            raise OutboxFailed(f"the outbox cannot be written: {error}") from error

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._connection.execute("begin immediate")
        try:
            yield
            self._connection.execute("commit")
        except BaseException:
            # SQLite may have rolled back by itself (disk full).
            if self._connection.in_transaction:
                self._connection.execute("rollback")
            raise


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH_START) // timedelta(microseconds=1)


def _from_micros(micros: int) -> datetime:
    return _EPOCH_START + timedelta(microseconds=micros)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
