"""The workers' share group on a real broker: each message goes to one of them, with an acknowledgement that means something."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode

from schemas.messages import QOS, Channel, share_filter, topic
from tests.support.broker import Broker
from tests.support.sender import Sender, eventually, subscribed

GATEWAY, WORKER = "gw-home-a", "worker"


@pytest.fixture
def sender(broker: Broker) -> Iterator[Sender]:
    made = Sender(broker)
    yield made
    made.close()


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_a_message_goes_to_one_worker_whatever_their_number(broker: Broker, sender: Sender, workers: int) -> None:
    """Two groups would each have it, a wrong name none: L12."""
    said = {b"%d" % number for number in range(300)}
    with ExitStack() as stack:
        members = [stack.enter_context(subscribed(broker)) for _ in range(workers)]
        for payload in said:
            sender.say(payload)
        assert eventually(lambda: sum(len(member.inbox) for member in members) >= len(said))
        heard: Counter[bytes] = Counter()
        shares: list[int] = []
        for member in members:
            shares.append(0)
            while batch := member.inbox.take(wait_s=0.3):
                shares[-1] += len(batch)
                heard.update(delivery.message.payload for delivery in batch)
                member.acknowledge(batch)
    assert heard == Counter(said)
    assert all(shares), "each had its part"


def test_what_is_said_twice_over_to_be_sure_is_refused(broker: Broker) -> None:
    """QoS 2 with acknowledgements by hand lost what a killed worker held: nobody may speak or listen so (L8)."""
    assert QOS == 1
    ended: list[ReasonCode] = []
    granted: list[ReasonCode] = []
    gateway = _client(broker, GATEWAY)
    gateway.on_disconnect = lambda _client, _data, _flags, reason, _properties: ended.append(reason)
    worker = _client(broker, WORKER)
    worker.on_subscribe = lambda _client, _data, _mid, reasons, _properties: granted.extend(reasons)
    for client in (gateway, worker):
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
    assert eventually(lambda: gateway.is_connected() and worker.is_connected())
    worker.subscribe(share_filter(Channel.READINGS), 2)
    assert eventually(lambda: bool(granted))
    assert [reason.value for reason in granted] == [QOS]
    gateway.publish(topic(GATEWAY, Channel.READINGS), b"", qos=2)
    assert eventually(lambda: bool(ended))
    assert ended[0] == "QoS not supported"
    for client in (gateway, worker):
        client.disconnect()
        client.loop_stop()


def _client(broker: Broker, account: str) -> Client:
    client = Client(CallbackAPIVersion.VERSION2, client_id=account, protocol=MQTTv5)
    client.username_pw_set(account, broker.passwords[account])
    return client
