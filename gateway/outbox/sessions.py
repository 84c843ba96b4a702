"""What a device says, from the frame inside the notification callback to the rows that travel."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from devices.procedures import Frame
from gateway.outbox import room
from gateway.outbox.records import Kept, KeptSession, NewRow
from gateway.outbox.store import Stamp, Store, from_micros, micros
from schemas.messages import Event, EventName

#: Pages a row may touch beyond its body: its own overflow, and the indexes.
ROW_BYTES: Final = 4_096
#: What is free on the disk before a device is listened to: some frames with the pages that they touch.
LISTEN_BYTES: Final = 65_536


class Sessions:
    """The outbox's side that faces the devices."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def begin_session(self, *, address: str, facts: str, now: datetime) -> int:
        """Keep who is being listened to and what it said of itself; the number frames are kept under.

        OutboxFailed where the disk has no room: this row may still fit where the frames would not, and a device that was
        listened to forgets. One that was not tells it again.
        """
        self._store.require_disk(LISTEN_BYTES)
        with self._store.writing(now=now):
            row = self._store.connection.execute(
                "insert into session(address, facts, opened_us, boot, running_ns, clock_right)"
                " values (?, ?, ?, ?, ?, ?) returning number",
                (address, facts, micros(now), *self._stamped()),
            ).fetchone()
        number: int = row[0]
        return number

    def keep(self, session: int, frame: Frame) -> None:
        """A frame, on the disk when this returns; OutboxFailed where it could not be written.

        Called inside the notification callback, before anything else: the device may already have been told to forget.
        """
        with self._store.writing(now=frame.received_at):
            self._store.connection.execute(
                "insert into frame(session, characteristic, raw, received_us, running_ns) values (?, ?, ?, ?, ?)",
                (session, frame.characteristic, frame.data, micros(frame.received_at), self._stamped()[1]),
            )

    def unfinished(self) -> list[KeptSession]:
        """Sessions whose frames are not rows yet: the one that just ended, or those of a process that was killed."""
        return [self.session(number) for (number,) in self._store.all("select number from session order by number")]

    def session(self, number: int) -> KeptSession:
        """One session with its frames."""
        ((address, facts, opened_us, boot, running_ns, right),) = self._store.all(
            "select address, facts, opened_us, boot, running_ns, clock_right from session where number = :number",
            number=number,
        )
        frames = self._store.all(
            "select characteristic, raw, received_us, running_ns from frame where session = :session order by number",
            session=number,
        )
        return KeptSession(
            number,
            address,
            facts,
            from_micros(opened_us),
            tuple(Frame(characteristic, raw, from_micros(us)) for characteristic, raw, us, _ in frames),
            None if boot is None else Stamp(boot, running_ns, bool(right)),
            tuple(kept_ns for *_, kept_ns in frames),
        )

    def postpone(self, session: int, *, last_sequence: int | None, missing: int = 0, now: datetime) -> None:
        """Leave a session's frames as they are until the time is known, and note how far the device was read."""
        with self._store.writing(now=now):
            self._note_sequence(session, last_sequence, missing=missing, now=now)

    def finish_session(
        self,
        session: int,
        rows: Sequence[NewRow],
        *,
        now: datetime,
        last_sequence: int | None = None,
        missing: int = 0,
    ) -> Kept:
        """Frames out, rows in, how far the device was read (None: as before) and what it lacks, in one transaction.

        A row whose name is here already and that adds no context is a device repeating itself: counted, not kept.
        """
        new: list[str] = []
        with self._store.writing(now=now, room_bytes=sum(ROW_BYTES + len(row.body) for row in rows)):
            for row in rows:
                known = self._store.connection.execute(
                    "select 1 from row where name = ?1 and (context = ?2 or ?2 = '') limit 1", (row.name, row.context)
                ).fetchone()
                if known is None:
                    self._store.connection.execute(
                        "insert into row(form, name, context, body, received_us) values (?, ?, ?, ?, ?)",
                        (row.form, row.name, row.context, row.body, micros(row.received_at)),
                    )
                    new.append(row.name)
            if len(rows) > len(new):
                room.count(self._store.connection, "repeated", len(rows) - len(new))
            self._note_sequence(session, last_sequence, missing=missing, now=now)
            self._store.connection.execute("delete from frame where session = ?", (session,))
            self._store.connection.execute("delete from session where number = ?", (session,))
        return Kept(len(new), len(rows) - len(new), frozenset(new))

    def _note_sequence(self, session: int, last_sequence: int | None, *, missing: int, now: datetime) -> None:
        if missing:
            ((address,),) = self._store.all("select address from session where number = :number", number=session)
            self._store.insert_event(
                Event(
                    gateway_id=self._store.gateway_id,
                    at=now,
                    name=EventName.RECORDS_MISSING,
                    address=address,
                    value=missing,
                )
            )
        if last_sequence is not None:
            self._store.connection.execute(
                "insert into device select address, ? from session where number = ?"
                " on conflict (address) do update set last_sequence = excluded.last_sequence",
                (last_sequence, session),
            )

    def _stamped(self) -> tuple[int | None, int | None, bool | None]:
        """Taken inside the notification callback, as the frame's own time was."""
        stamp = None if self._store.stamp is None else self._store.stamp()
        return (None, None, None) if stamp is None else (stamp.boot, stamp.running_ns, stamp.right)

    def knows(self, name: str) -> bool:
        """Whether a row of this name is here."""
        return bool(self._store.one("select exists (select 1 from row where name = :name)", name=name))

    def last_sequence(self, address: str) -> int | None:
        """How far this device's records were read; None where they never were."""
        found = self._store.all("select last_sequence from device where address = :address", address=address)
        return found[0][0] if found else None
