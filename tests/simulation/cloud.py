"""The cloud's side: the product's own subscriber and ingest loop, over a virtual broker and a table in memory.

What is the product's: which message is taken, unpacked, settled again, receipted, acknowledged, in which order, and over which
connection. What stands in: paho's client, and the transaction (`Table`), which keeps the database's promises: all or nothing, a row
settled once by (gateway, epoch, seq), a reading once by its name, and an answer that may get lost after the commit.
"""

import random
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any, Final, Self, cast

from paho.mqtt.client import Client

from rpm.ingest.inbox import Delivery
from rpm.ingest.receipts import Outcome, Settlement, receipts
from rpm.ingest.subscriber import BrokerAddress, Subscriber
from rpm.ingest.unpack import Message, Row, unpack
from rpm.ingest.worker import HANDS, IngestLoop
from rpm.store.database import Database, DatabaseUnavailable
from schemas.messages import Receipt, gateway_of
from tests.simulation.broker import Broker, Member
from tests.simulation.bugs import Bug
from tests.simulation.clock import Hand, VirtualLoop

STEP_S: Final = (0.001, 0.3)
RECONNECT_S: Final = (0.5, 3.0)
_FINE: Final = SimpleNamespace(is_failure=False)
Key = tuple[str, str, int]


class Table:
    """What is committed. `up` False: it refuses. `unknown_share`: so often a commit succeeds and its answer is lost."""

    def __init__(self, *, dedupe: bool) -> None:
        self.up = True
        self.unknown_share = 0.0
        self.deliveries: dict[Key, str] = {}
        self.readings: list[tuple[str, str]] = []
        self._names: set[str] = set()
        self._dedupe = dedupe

    def commit(self, rows: Sequence[tuple[Key, str, str]]) -> list[Settlement]:
        """One transaction of (key, name, body)."""
        settlements: list[Settlement] = []
        for key, name, body in rows:
            known = name in self._names
            if not known or not self._dedupe:
                self.readings.append((name, body))
                self._names.add(name)
            self.deliveries.setdefault(key, name)
            settlements.append(Settlement(*key, Outcome.DUPLICATE if known else Outcome.STORED))
        return settlements


class _Paho:
    """paho's client as the subscriber uses it."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker

    def ack(self, mid: int, _qos: int) -> None:
        worker, member = self._worker, self._worker.member
        if member is not None and member.link.up:
            member.link.carry(lambda: worker.broker.acknowledged(member, mid), upwards=True)

    def publish(self, topic: str, payload: bytes, *, qos: int) -> None:
        assert qos == 1
        worker, member = self._worker, self._worker.member
        if member is None or not member.link.up:
            return
        gateway_id, _ = gateway_of(topic)
        member.link.carry(lambda: worker.broker.receipt(gateway_id, topic, payload), upwards=True)
        member.link.carry(worker.receipt_taken, upwards=False)

    def subscribe(self, _filters: Any) -> None:
        assert self._worker.member is not None
        self._worker.broker.join(self._worker.member)


class _Subscriber(Subscriber):
    """The product's, with a virtual network below."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        super().__init__(BrokerAddress("", 0, None, None, tls=False))

    def _build(self) -> Client:
        return cast(Client, _Paho(self._worker))

    def connected_to_broker(self, client: Any) -> None:
        """As paho tells it."""
        self._on_connect(client, None, cast(Any, None), cast(Any, _FINE), None)
        self._on_subscribe(client, None, 0, [cast(Any, _FINE)], None)

    def connection_lost(self) -> None:
        """As paho tells it."""
        self._on_disconnect(self._client, None, cast(Any, None), cast(Any, "lost"), None)

    def arrived(self, mid: int, topic: str, payload: bytes) -> None:
        """As paho tells it."""
        message = SimpleNamespace(topic=topic, payload=payload, mid=mid)
        self._on_message(self._client, None, cast(Any, message))

    def receipt_taken(self) -> None:
        """As paho tells it."""
        self._on_publish(self._client, None, 0, cast(Any, _FINE), cast(Any, None))

    def send(self, receipts: Iterable[Receipt]) -> int:
        """Between receipt and acknowledgement a process can die, and a connection end."""
        left_out = super().send(receipts)
        self._worker.step()
        return left_out

    def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """With the mistake planted: whatever connection it came over."""
        if Bug.NO_GENERATION in self._worker.bugs:
            deliveries = [Delivery(each.message, each.mid, self._generation) for each in deliveries]
        return super().acknowledge(deliveries)


class Worker:
    """One worker's process: two hands and a connection. It comes back when it is killed only by `Worker(…)` again."""

    def __init__(
        self,
        loop: VirtualLoop,
        chance: random.Random,
        broker: Broker,
        table: Table,
        *,
        bugs: frozenset[Bug],
        clock: Callable[[], datetime],
        trace: Callable[[str], None],
    ) -> None:
        self.broker, self.bugs = broker, bugs
        self.member: Member | None = None
        self._loop, self._chance, self._table, self._trace = loop, chance, table, trace
        self._alive = True
        self._current: Hand | None = None
        self._subscriber = _Subscriber(self)
        # In place of `threading.Event`: to wait for the word to stop is to give way.
        stop = SimpleNamespace(is_set=lambda: False, wait=self._wait)
        self._ingest = IngestLoop(cast(Database, self), self._subscriber, cast(Any, stop), clock=clock)
        self._hands = [Hand(loop, lambda hand, number=number: self._work(hand, number)) for number in range(HANDS)]
        for hand in self._hands:
            hand.start()
        self._connect()

    def kill(self) -> None:
        """kill -9."""
        self._alive = False
        for hand in self._hands:
            hand.kill()
        if self.member is not None:
            self.member.link.cut()

    def bury(self) -> None:
        """When all is over: its hands hold on to nothing."""
        for hand in self._hands:
            hand.bury()

    def cut(self) -> None:
        """Its connection ends."""
        if self.member is not None:
            self.member.link.cut()

    def step(self) -> None:
        """Give way for a moment: here it may be killed."""
        self._wait(self._chance.uniform(*STEP_S))

    def receipt_taken(self) -> None:
        """The broker has answered a receipt."""
        self._subscriber.receipt_taken()

    def settle(self, messages: Sequence[Message]) -> list[Settlement]:
        """In place of the transaction on a real database: the same promises, kept in memory."""
        rows = [_row(row) for message in messages for row in unpack(message).rows]
        if Bug.RECEIPT_BEFORE_COMMIT in self.bugs:
            early = [Settlement(*key, Outcome.STORED) for key, _, _ in rows]
            super(_Subscriber, self._subscriber).send(receipts(early))
        self.step()
        if not self._table.up:
            raise DatabaseUnavailable("away")
        settlements = self._table.commit(rows)
        self._trace(f"committed {[key[2] for key, _, _ in rows]} of {rows[0][0][0]}")
        lost = self._chance.random() < self._table.unknown_share
        self.step()
        if lost:
            raise DatabaseUnavailable("the commit's answer was lost")
        return settlements

    def lasting(self) -> Self:
        """In place of a connection that is kept."""
        return self

    def rest(self) -> None:
        """Nothing is kept."""

    def _wait(self, seconds: float) -> bool:
        hand = self._current
        assert hand is not None
        hand.pause(seconds)
        self._current = hand
        return False

    def _work(self, hand: Hand, number: int) -> None:
        inbox = self._subscriber.inbox
        while True:
            if not len(inbox):
                hand.rest()
            self._current = hand
            if Bug.ACK_BEFORE_COMMIT in self.bugs:
                self._acknowledge_early()
            self._ingest.take_and_settle(number, wait_s=0.0)

    def _acknowledge_early(self) -> None:
        if self.member is not None:
            for mid in list(self.member.unacknowledged):
                cast(Any, self._subscriber)._client.ack(mid, 1)

    def _connect(self) -> None:
        if not self._alive:
            return
        link = self.broker.connect()
        if link is None:
            self._again()
            return
        self.member = Member(self._arrived, link, keeps_session=Bug.SESSION_KEPT in self.bugs)
        link.on_cut.append(self._lost)
        self._subscriber.connected_to_broker(_Paho(self))

    def _lost(self) -> None:
        if self._alive:
            self._subscriber.connection_lost()
            self._again()

    def _again(self) -> None:
        self._loop.call_later(self._chance.uniform(*RECONNECT_S), self._connect)

    def _arrived(self, mid: int, topic: str, payload: bytes) -> None:
        if self._alive:
            self._subscriber.arrived(mid, topic, payload)
            for hand in self._hands:
                hand.wake()


def _row(row: Row) -> tuple[Key, str, str]:
    assert row.gateway_id is not None
    assert row.epoch is not None
    assert row.seq is not None
    assert row.reading is not None, row.reason
    return (row.gateway_id, row.epoch, row.seq), str(row.reading_id), str(row.reading.raw)


def settle_in_memory(database: Database, messages: Sequence[Message], *, now: datetime) -> list[Settlement]:
    """In `rpm.ingest.batch.settle`'s place."""
    del now
    return cast(Worker, database).settle(messages)
