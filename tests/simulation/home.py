"""A home: the product's own outbox and uplink, over a virtual connection. The outbox's file is SQLite's, in memory."""

import asyncio
import random
import sqlite3
import tempfile
from collections import deque
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, cast

from gateway.outbox import Form, NewRow, Outbox
from gateway.outbox.file import OpenFile
from gateway.turns import Turns
from gateway.uplink.connection import Message, NotConnected, Puback
from gateway.uplink.uplink import Uplink
from schemas.messages import Channel, Receipt, Status, StatusKind, gateway_of, topic
from tests.simulation.broker import ACCEPTED, Broker, Link
from tests.simulation.bugs import Bug
from tests.simulation.clock import VirtualLoop

OUTBOX_BYTES: Final = 8 << 20
HEARTBEAT_S: Final = 60.0
CONNECT_S: Final = 0.1


class Killed(BaseException):
    """The process ended here. Not an Exception: nothing in it gets to tidy up."""


@cache
def _empty_outbox() -> bytes:
    """An outbox as the product makes it, as bytes: making one anew costs more than a whole run."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "outbox.sqlite3"
        Outbox.open(path, bytes_max=OUTBOX_BYTES, gateway_id="gw-0").close()
        connection = sqlite3.connect(path, isolation_level=None)
        # There is no write-ahead log in memory.
        connection.execute("pragma journal_mode = delete")
        return connection.serialize()


class VirtualConnection:
    """In the place of `gateway.uplink.connection.Connection`, with its verbs. The door leads to the home."""

    def __init__(self, *, gateway_id: str, door: Any, will: bytes, news: asyncio.Event) -> None:
        del will
        self._home = cast("HomeGateway", door)
        self._gateway_id, self._news = gateway_id, news
        self._inbox: deque[Puback | Message] = deque()
        self._link = self._home.broker.connect()
        self._mid = 0
        self.lost: str | None = None

    async def open(self) -> None:
        """Connected, or NotConnected."""
        await asyncio.sleep(CONNECT_S)
        if self._link is None or not self._link.up:
            raise NotConnected("the broker cannot be reached")
        self._link.on_cut.append(self._fail)
        self._home.link = self._link
        self._home.broker.hears(self._gateway_id, self._link, self._hear)

    def publish(self, channel: Channel, payload: bytes) -> int:
        """To the broker; here the process may be killed, just before or just after."""
        link, home = self._link, self._home
        assert link is not None
        if self.lost is not None:
            raise NotConnected(self.lost)
        home.maybe_die()
        self._mid += 1
        mid = self._mid

        def arrive() -> None:
            code = ACCEPTED
            if channel is Channel.READINGS:
                code = home.broker.reading(topic(self._gateway_id, channel), payload)
            link.carry(lambda: self._tell(Puback(mid, code)), upwards=False)

        link.carry(arrive, upwards=True)
        home.maybe_die()
        return mid

    def take(self) -> Puback | Message | None:
        """The oldest thing heard."""
        return self._inbox.popleft() if self._inbox else None

    async def close(self) -> None:
        """End it."""
        if self._link is not None:
            self._link.cut()

    def _hear(self, name: str, payload: bytes) -> None:
        self._tell(Message(gateway_of(name)[1], payload))

    def _tell(self, fact: Puback | Message) -> None:
        self._inbox.append(fact)
        self._news.set()

    def _fail(self) -> None:
        self.lost = "connection lost"
        self._news.set()


class _DeletingUplink(Uplink):
    """The planted mistake: what the broker has taken is settled."""

    def _answered(self, flight: Any, reason_code: int) -> None:
        if reason_code == ACCEPTED and flight.seqs:
            receipt = Receipt(gateway_id=self._gateway_id, epoch=self._outbox.epoch, stored=flight.seqs)
            self._outbox.settle(receipt, now=self._utc_now())
        super()._answered(flight, reason_code)


class HomeGateway:
    """One box. `kill` and `start` may follow one another; what was committed to the outbox stays."""

    def __init__(
        self,
        name: str,
        loop: VirtualLoop,
        chance: random.Random,
        broker: Broker,
        *,
        bugs: frozenset[Bug],
        clock: Callable[[], datetime],
    ) -> None:
        self.gateway_id, self.broker = name, broker
        self.link: Link | None = None
        self._loop, self._chance, self._bugs, self._clock = loop, chance, bugs, clock
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(_empty_outbox())
        self.connection.execute("update meta set value = ? where name = 'epoch'", (f"{chance.getrandbits(64):016x}",))
        self.outbox = Outbox(OpenFile(self.connection, None, None), gateway_id=name)
        self._task: asyncio.Task[None] | None = None
        self._uplink: Uplink | None = None
        self._dies_in = 0

    @property
    def running(self) -> bool:
        """Whether its process is alive."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Start the process; it finds the outbox as it was left."""
        self._dies_in = 0
        kind = _DeletingUplink if Bug.PUBACK_DELETES in self._bugs else Uplink
        self._uplink = kind(
            gateway_id=self.gateway_id,
            doors=cast(Any, self),
            outbox=self.outbox,
            status=self._status,
            heartbeat_s=HEARTBEAT_S,
            utc_now=self._clock,
            turns=Turns(self._loop.time),
            chance=self._chance,
        )
        self._task = self._loop.create_task(self._run(self._uplink))

    async def _run(self, uplink: Uplink) -> None:
        try:
            await uplink.run(asyncio.Event())
        except Killed:
            if self.link is not None:
                self.link.cut()
        except Exception as error:  # noqa: BLE001 - whatever it is, the run is to fail of it
            self._loop.call_exception_handler({"exception": error})

    def kill(self) -> None:
        """kill -9."""
        if self.link is not None:
            self.link.cut()
        if self._task is not None:
            self._task.cancel()

    def die_at(self, step: int) -> None:
        """Kill it when it is about to publish, or has just published, for the so-manieth time from now."""
        self._dies_in = step

    def maybe_die(self) -> None:
        """A step at which it may be killed."""
        if self._dies_in:
            self._dies_in -= 1
            if not self._dies_in:
                raise Killed

    def hear(self, name: str, body: str, *, now: datetime) -> None:
        """A device's reading, kept as the product keeps it: a session, then its rows, in a transaction."""
        session = self.outbox.begin_session(address="C0:00:00:00:00:01", facts="{}", now=now)
        self.outbox.finish_session(session, [NewRow(Form.READING, name, "", now, body)], now=now)
        if self._uplink is not None:
            self._uplink.wake()

    def _status(self, kind: StatusKind, now: datetime) -> Status:
        return Status(gateway_id=self.gateway_id, kind=kind, sent_at=now)

    # The uplink's doors: one, which leads here.

    def next(self) -> "HomeGateway":
        """The door."""
        return self

    def opened(self, door: object) -> None:
        """Nothing follows."""

    def refused(self, door: object, reason: str) -> None:
        """Nothing follows."""
