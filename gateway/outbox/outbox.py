"""The outbox's verbs."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Self

from gateway.errors import OutboxFailed, OutboxRefused
from gateway.outbox import room
from gateway.outbox.boots import Boots
from gateway.outbox.file import OpenFile, open_file, open_to_read
from gateway.outbox.records import EventRow, Form, Gap, Row, Stats
from gateway.outbox.sessions import Sessions
from gateway.outbox.store import Stamp, Store, micros
from schemas.messages import Event, EventName, Receipt

#: A next try further ahead than this was set by a clock that has since gone back: the row is due.
NEXT_TRY_S_MAX: Final = 600.0
#: Telemetry kept at most; beyond it the oldest go, counted.
EVENTS_MAX: Final = 2_000
#: Replays remembered, so that none is done twice: a request lives seven days at most.
REPLAYS_MAX: Final = 200
#: Receipted rows deleted in one go.
PURGE_ROWS: Final = 1_000

#: The largest number SQLite gives a row.
SEQ_MAX: Final = 2**63 - 1


class Outbox(Sessions):
    """Frames, rows, events of one gateway, in one file of bounded size."""

    def __init__(self, file: OpenFile, *, gateway_id: str) -> None:
        super().__init__(Store(file.connection, gateway_id=gateway_id))
        self._file = file
        self._connection = file.connection
        self.boots: Final = Boots(self._store)
        self.epoch: Final[str] = self._store.one("select value from meta where name = 'epoch'")

    @classmethod
    def open(cls, path: Path, *, bytes_max: int, gateway_id: str, key: bytes | None = None) -> Self:
        """Open or make the outbox for writing; OutboxRefused where that cannot be. With a key it is encrypted."""
        file = open_file(path, bytes_max=bytes_max, key=key)
        try:
            outbox = cls(file, gateway_id=gateway_id)
        except OutboxFailed as error:
            file.close()
            raise OutboxRefused(str(error)) from error
        return outbox

    @classmethod
    def read_only(cls, path: Path, *, bytes_max: int, gateway_id: str, key: bytes | None = None) -> Self:
        """Look into an outbox that a running gateway writes; OutboxRefused where there is none."""
        return cls(open_to_read(path, bytes_max=bytes_max, key=key), gateway_id=gateway_id)

    def tell_set_aside(self, *, now: datetime) -> None:
        """Where a damaged file was moved aside to begin this one: an event that says so."""
        if self._file.set_aside is not None:
            value = f"moved to {self._file.set_aside.name}"
            self.add_event(Event(gateway_id=self._store.gateway_id, at=now, name=EventName.OUTBOX_DAMAGED, value=value))

    def stamp_by(self, stamp: Callable[[], Stamp]) -> None:
        """From now on everything kept bears the moment this says, by the clock that nobody sets."""
        self._store.stamp = stamp

    def close(self) -> None:
        """Close the file. Nothing is pending: every verb committed before it returned."""
        self._file.close()

    # What travels

    def due(self, *, now: datetime, limit: int) -> list[Row]:
        """Rows to send now, the newest first: a fresh reading does not wait behind the backlog (H9)."""
        found = self._store.all(
            "select seq, form, attempts, body from row where state < 2 and (next_try <= :now or next_try > :horizon)"
            " order by seq desc limit :limit",
            now=now.timestamp(),
            horizon=now.timestamp() + NEXT_TRY_S_MAX,
            limit=limit,
        )
        return [Row(seq, Form(form), attempts, body) for seq, form, attempts, body in found]

    def next_due_s(self, *, now: datetime) -> float | None:
        """Seconds until a row is due (0 or less: now), or None where none waits."""
        earliest = self._store.one("select min(next_try) from row where state < 2")
        return None if earliest is None else min(earliest - now.timestamp(), NEXT_TRY_S_MAX)

    def in_flight(self, *, now: datetime) -> int:
        """Rows sent whose receipt may still come before their next try."""
        # `state < 2` says nothing new to the reader: SQLite knows the partial index by it.
        return self._store.one(
            "select count(*) from row where state < 2 and state = 1 and next_try > :now and next_try <= :horizon",
            now=now.timestamp(),
            horizon=now.timestamp() + NEXT_TRY_S_MAX,
        )

    def mark_sent(self, next_tries: Iterable[tuple[int, datetime]], *, now: datetime) -> None:
        """Note (seq, next try) of rows about to be published. Before it, so that no receipt can precede its send."""
        with self._store.writing(now=now):
            self._connection.executemany(
                "update row set state = 1, attempts = attempts + 1, next_try = ? where seq = ? and state < 2",
                [(moment.timestamp(), seq) for seq, moment in next_tries],
            )

    def unsend(self, seqs: Iterable[int], *, now: datetime) -> None:
        """Take a send back: nobody was listening, so it was not a try (L10)."""
        with self._store.writing(now=now):
            self._connection.executemany(
                "update row set attempts = max(attempts - 1, 0), next_try = 0, state = min(attempts - 1, 1)"
                " where seq = ? and state = 1",
                [(seq,) for seq in seqs],
            )

    def hasten(self, *, now: datetime, within_s: float) -> None:
        """After an outage nobody's next try is further away than `within_s`."""
        soon = now.timestamp() + within_s
        with self._store.writing(now=now):
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
        with self._store.writing(now=now):
            settled = self._connection.executemany(
                "update row set state = 2, receipted_at = ?, outcome = ? where seq = ? and state < 2 and attempts > 0",
                [(now.timestamp(), outcome, seq) for seq, outcome in outcomes],
            ).rowcount
        return max(settled, 0)

    def replay(self, request: str, *, from_seq: int, now: datetime, to_seq: int = SEQ_MAX) -> int:
        """Put receipted rows `from_seq` to `to_seq` back into the queue: a restored cloud asks again (L19).

        How many that were. The same request again is told the same number, and nothing is sent twice for it.
        """
        with self._store.writing(now=now):
            done = self._connection.execute("select readings from replay where request = ?", (request,)).fetchone()
            if done is not None:
                return int(done[0])
            readings = self._connection.execute(
                "update row set state = 0, attempts = 0, next_try = 0, receipted_at = null, outcome = null"
                " where state = 2 and seq between ? and ?",
                (from_seq, to_seq),
            ).rowcount
            self._connection.execute("insert into replay(request, readings) values (?, ?)", (request, readings))
            self._connection.execute(
                "delete from replay where number <= (select max(number) from replay) - ?", (REPLAYS_MAX,)
            )
        return readings

    def purge(self, *, now: datetime, ring: timedelta) -> int:
        """Delete rows receipted longer than `ring` ago, a bounded number at a time; how many went."""
        with self._store.writing(now=now):
            return self._connection.execute(
                "delete from row where seq in (select seq from row where state = 2 and receipted_at < ? limit ?)",
                ((now - ring).timestamp(), PURGE_ROWS),
            ).rowcount

    # Telemetry

    def add_event(self, event: Event) -> None:
        """Keep an event until the broker has it; beyond EVENTS_MAX the oldest go, counted."""
        with self._store.writing(now=event.at):
            self._store.insert_event(event)
            gone = self._connection.execute(
                "delete from event where number <= (select max(number) from event) - ?", (EVENTS_MAX,)
            ).rowcount
            if gone > 0:
                room.count(self._connection, "dropped_events", gone)

    def events(self, *, limit: int) -> list[EventRow]:
        """The oldest events that wait for the broker alone: not those that wait for the right time."""
        found = self._store.all(
            "select number, body from event where boot is null order by number limit :limit", limit=limit
        )
        return [EventRow(number, body) for number, body in found]

    def date_events(self, at: Callable[[Stamp], datetime | None], *, now: datetime) -> int:
        """Put events right that were told by a wrong clock, where `at` knows when that was; how many."""
        found = self._store.all("select number, body, boot, running_ns from event where boot is not null")
        known = [(number, body, at(Stamp(boot, ns, right=False))) for number, body, boot, ns in found]
        dated = [
            (Event.model_validate_json(body).model_copy(update={"at": instant}).model_dump_json(), number)
            for number, body, instant in known
            if instant is not None
        ]
        if dated:
            with self._store.writing(now=now):
                self._connection.executemany(
                    "update event set body = ?, boot = null, running_ns = null where number = ?", dated
                )
        return len(dated)

    def settle_event(self, number: int, *, now: datetime) -> None:
        """The broker has it, and for telemetry that is enough."""
        with self._store.writing(now=now):
            self._connection.execute("delete from event where number = ?", (number,))

    # What it tells

    def stats(self, *, now: datetime) -> Stats:
        """Depth, oldest age, ring and counters."""
        oldest = self._store.one("select min(received_us) from row where state < 2")
        counters = {str(name): str(value) for name, value in self._store.all("select name, value from meta")}
        return Stats(
            epoch=self.epoch,
            depth=self._store.one("select count(*) from row where state < 2"),
            oldest_age_s=0.0 if oldest is None else max(now.timestamp() - oldest / 1e6, 0.0),
            ring=self._store.one("select count(*) from row where state = 2"),
            frames=self._store.one("select count(*) from frame"),
            events=self._store.one("select count(*) from event"),
            dropped=int(counters.get("dropped", 0)),
            dropped_events=int(counters.get("dropped_events", 0)),
            repeated=int(counters.get("repeated", 0)),
            used=room.used_share(self._connection),
        )

    def buffer_days(self, *, now: datetime) -> float | None:
        """How many days of readings like the last week's there is room for; None while too few are known (F9)."""
        return room.buffer_days(self._connection, now_us=micros(now))

    def gaps(self) -> list[Gap]:
        """What had to be dropped unreceipted."""
        found = self._store.all("select first_seq, last_seq, readings, at from gap order by first_seq")
        return [Gap(first, last, readings, _instant(at)) for first, last, readings, at in found]


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
