"""A worker that does what a test says: a real MQTT client with the worker's account and the product's share filter.

What it receipts is scripted, because the property under test is the gateway's: without a receipt nothing settles.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from rpm.broker import WORKER
from schemas.messages import (
    QOS,
    UP,
    Channel,
    Event,
    QuarantinedItem,
    ReadingBatch,
    Receipt,
    Request,
    Status,
    gateway_of,
    share_filter,
    topic,
)
from tests.support.broker import Broker

WAIT_S_MAX = 45.0
Answer = Callable[[ReadingBatch], Receipt | None]


def stored(batch: ReadingBatch) -> Receipt:
    """A worker that committed everything."""
    return Receipt(
        gateway_id=batch.gateway_id,
        epoch=batch.epoch,
        stored=tuple(item.seq for item in batch.items),
        quarantined=tuple(QuarantinedItem(seq=item.seq, reason=item.reason) for item in batch.undecoded),
    )


def silent(_batch: ReadingBatch) -> None:
    """A worker that dies before its commit."""


class FakeWorker:
    """A member of the workers' share group that answers as told."""

    def __init__(self, broker: Broker, answer: Answer) -> None:
        self.answer = answer
        self.batches: list[ReadingBatch] = []
        self.sizes: list[int] = []
        self.statuses: list[Status] = []
        self.events: list[Event] = []
        self._broker = broker
        self._client: Client | None = None

    def join(self) -> "FakeWorker":
        subscribed = threading.Event()
        client = Client(CallbackAPIVersion.VERSION2, client_id=WORKER, protocol=MQTTProtocolVersion.MQTTv5)
        client.username_pw_set(WORKER, self._broker.passwords[WORKER])

        def connected(*_facts: object) -> None:
            client.subscribe([(share_filter(channel), QOS) for channel in UP])

        def listening(*_facts: object) -> None:
            subscribed.set()

        client.on_connect = connected
        client.on_subscribe = listening
        client.on_message = self._heard
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0
        client.connect("127.0.0.1", self._broker.port, clean_start=True, properties=properties)
        client.loop_start()
        assert subscribed.wait(WAIT_S_MAX)
        self._client = client
        return self

    def leave(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None

    def request(self, request: Request) -> None:
        """Ask the gateway for something."""
        assert self._client is not None
        self._client.publish(topic(request.gateway_id, Channel.REQUESTS), request.model_dump_json(), qos=QOS)

    def tell(self, gateway_id: str, payload: bytes) -> None:
        """Publish any bytes as a receipt."""
        assert self._client is not None
        self._client.publish(topic(gateway_id, Channel.RECEIPTS), payload, qos=QOS)

    @property
    def seqs(self) -> list[int]:
        return [row.seq for batch in self.batches for row in (*batch.items, *batch.undecoded)]

    def _heard(self, client: Client, _userdata: Any, message: Any) -> None:
        _gateway, channel = gateway_of(message.topic)
        if channel is Channel.STATUS:
            self.statuses.append(Status.model_validate_json(message.payload))
        elif channel is Channel.EVENTS:
            self.events.append(Event.model_validate_json(message.payload))
        else:
            batch = ReadingBatch.model_validate_json(message.payload)
            self.batches.append(batch)
            self.sizes.append(len(message.payload))
            receipt = self.answer(batch)
            if receipt is not None:
                client.publish(topic(batch.gateway_id, Channel.RECEIPTS), receipt.model_dump_json(), qos=QOS)


@pytest.fixture
def worker(broker: Broker) -> Iterator[FakeWorker]:
    """A worker that has not joined yet, and answers every batch with a receipt unless told otherwise."""
    made = FakeWorker(broker, stored)
    yield made
    made.leave()
