"""A gateway as the broker sees it: speaks MQTT itself, and remembers every receipt and when it came."""

import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager, suppress

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from rpm.ingest.subscriber import Subscriber, broker_address
from schemas.messages import QOS, Channel, Receipt, topic
from schemas.reading import Reading
from tests.support.broker import Broker
from tests.support.readings import batch

ANSWER_S_MAX = 60.0


class Sender:
    """Sends readings as one gateway; `until_receipted` sends again what has no receipt yet, as a gateway does."""

    def __init__(self, broker: Broker, gateway_id: str = "gw-home-a") -> None:
        self.gateway_id = gateway_id
        self.receipts: list[Receipt] = []
        self._heard = threading.Condition()
        self._ready = threading.Event()
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=gateway_id, protocol=MQTTv5)
        self._client.username_pw_set(gateway_id, broker.passwords[gateway_id])
        self._client.reconnect_delay_set(1, 1)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message
        self._client.connect("127.0.0.1", broker.port, keepalive=5)
        self._client.loop_start()
        assert self._ready.wait(ANSWER_S_MAX)

    def _on_connect(self, client: Client, *_: object) -> None:
        client.subscribe(topic(self.gateway_id, Channel.RECEIPTS), QOS)

    def _on_subscribe(self, *_: object) -> None:
        self._ready.set()

    def _on_message(self, _client: Client, _userdata: object, message: MQTTMessage) -> None:
        with self._heard:
            self.receipts.append(Receipt.model_validate_json(bytes(message.payload)))
            self._heard.notify_all()

    def settled(self) -> set[int]:
        """Sequence numbers that have a receipt."""
        return {seq for receipt in self.receipts for seq in receipt.seqs()}

    def send(self, *readings: Reading, first_seq: int = 1) -> None:
        """One message of these readings."""
        self.say(batch(self.gateway_id, *readings, first_seq=first_seq)[1])

    def say(self, payload: bytes, channel: Channel = Channel.READINGS) -> None:
        """Any bytes on one of the gateway's own topics."""
        self._client.publish(topic(self.gateway_id, channel), payload, qos=QOS)

    def wait(self, seqs: Collection[int], *, timeout_s: float = ANSWER_S_MAX) -> bool:
        """Whether every one of `seqs` has a receipt within the time."""
        with self._heard:
            return self._heard.wait_for(lambda: self.settled() >= set(seqs), timeout=timeout_s)

    def until_receipted(self, readings: dict[int, Reading], *, timeout_s: float = ANSWER_S_MAX) -> bool:
        """Send each reading (by sequence number) again and again until all have receipts; whether they have."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self.wait(readings, timeout_s=1.0):
                return True
            for seq in sorted(set(readings) - self.settled()):
                self.send(readings[seq], first_seq=seq)
        return self.wait(readings, timeout_s=1.0)

    def close(self) -> None:
        """Hang up."""
        with suppress(RuntimeError):
            self._client.disconnect()
            self._client.loop_stop()


def eventually(condition: Callable[[], bool], *, timeout_s: float = ANSWER_S_MAX) -> bool:
    """Whether the condition comes true within the time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@contextmanager
def subscribed(broker: Broker) -> Generator[Subscriber]:
    """A member of the workers' group, connected."""
    subscriber = Subscriber(broker_address(broker.url()))
    subscriber.start()
    assert eventually(lambda: subscriber.connected)
    try:
        yield subscriber
    finally:
        subscriber.stop()
