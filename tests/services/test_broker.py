"""Who may say and hear what (L11, F2, F3, P2, P12), tried by delivery.

Method: real clients on a real broker. A refusal is believed only where nothing arrives while a permitted message on the
same connection does: an earlier test of another project passed because nothing was permitted at all. So each test first
sees the permitted thing happen.
"""

import queue
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from rpm.broker import WORKER
from schemas.messages import DOWN, UP, Channel, share_filter, topic
from tests.support.broker import Broker

MINE, OTHER = "gw-home-a", "gw-home-b"
ARRIVES_S_MAX = 30.0
#: How long nothing has to come before we call it refused; a permitted message takes a millisecond or two.
SILENCE_S = 0.3


class Member:
    """A client that remembers what came. `client_id` may lie."""

    def __init__(self, broker: Broker, username: str, *, client_id: str, password: str | None = None) -> None:
        self.heard: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._answers: queue.Queue[ReasonCode] = queue.Queue()
        self._connected: queue.Queue[ReasonCode] = queue.Queue()
        self._hung_up: queue.Queue[ReasonCode] = queue.Queue()
        self.disconnects = 0
        client = Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
        parts = urlsplit(broker.url(username))
        client.username_pw_set(username, password or parts.password)
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        self._client = client
        client.connect("127.0.0.1", broker.port, keepalive=30)
        client.loop_start()
        self.answer = self._connected.get(timeout=ARRIVES_S_MAX)

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.heard.put((message.topic, bytes(message.payload)))

    def _on_connect(
        self, _client: Client, _data: object, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._connected.put(reason)

    def _on_disconnect(
        self, _client: Client, _data: object, _flags: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self.disconnects += 1
        self._hung_up.put(reason)

    def _on_subscribe(
        self, _client: Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        self._answers.put(reasons[0])

    def _on_publish(
        self, _client: Client, _data: object, _mid: int, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._answers.put(reason)

    def subscribe(self, name: str) -> ReasonCode:
        """Subscribe with QoS 1; the broker's answer."""
        self._client.subscribe(name, options=SubscribeOptions(qos=1))
        return self._answers.get(timeout=ARRIVES_S_MAX)

    def publish(self, name: str, payload: bytes) -> ReasonCode:
        """Publish with QoS 1; the broker's answer."""
        self._client.publish(name, payload, qos=1)
        return self._answers.get(timeout=ARRIVES_S_MAX)

    def ask_to_retain(self, name: str, payload: bytes) -> str:
        """Publish with the retain flag; the reason for which the broker hangs up."""
        self._client.publish(name, payload, qos=0, retain=True)
        return str(self._hung_up.get(timeout=ARRIVES_S_MAX))

    def hears(self) -> tuple[str, bytes]:
        """The next message that comes."""
        return self.heard.get(timeout=ARRIVES_S_MAX)

    def hears_nothing(self) -> bool:
        """Whether nothing comes for a while."""
        try:
            self.heard.get(timeout=SILENCE_S)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        """Disconnect and end the network thread."""
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def members(broker: Broker) -> Iterator[dict[str, Member]]:
    """A worker and two gateways, connected and subscribed to what is theirs."""
    joined = {
        WORKER: Member(broker, WORKER, client_id="worker-1"),
        MINE: Member(broker, MINE, client_id=MINE),
        OTHER: Member(broker, OTHER, client_id=OTHER),
    }
    for channel in UP:
        assert not joined[WORKER].subscribe(share_filter(channel)).is_failure
    for name in (MINE, OTHER):
        for channel in DOWN:
            assert not joined[name].subscribe(topic(name, channel)).is_failure
    yield joined
    for member in joined.values():
        member.close()


@pytest.mark.parametrize("channel", UP)
def test_a_gateway_is_heard_on_its_own_topics(members: dict[str, Member], channel: Channel) -> None:
    assert not members[MINE].publish(topic(MINE, channel), b"mine").is_failure
    assert members[WORKER].hears() == (topic(MINE, channel), b"mine")


@pytest.mark.parametrize("channel", DOWN)
def test_a_gateway_hears_what_is_sent_to_it_and_the_others_do_not(members: dict[str, Member], channel: Channel) -> None:
    assert not members[WORKER].publish(topic(MINE, channel), b"yours").is_failure
    assert members[MINE].hears() == (topic(MINE, channel), b"yours")
    assert members[OTHER].hears_nothing()


@pytest.mark.parametrize(
    "name",
    [
        *(topic(OTHER, channel) for channel in (*UP, *DOWN)),
        *(topic(MINE, channel) for channel in DOWN),
        f"{topic(MINE, Channel.READINGS)}/more",
        "$CONTROL/dynamic-security/v1",
        "anything",
    ],
)
def test_a_gateway_cannot_speak_anywhere_else(members: dict[str, Member], name: str) -> None:
    refused = members[MINE].publish(name, b"spoofed")
    assert refused.is_failure, refused
    members[MINE].publish(topic(MINE, Channel.READINGS), b"mine")
    assert members[WORKER].hears() == (topic(MINE, Channel.READINGS), b"mine"), "the permitted message comes first"
    assert members[WORKER].hears_nothing()
    assert members[OTHER].hears_nothing()


@pytest.mark.parametrize(
    "name",
    [
        "#",
        "+/#",
        "$SYS/#",
        "$CONTROL/#",
        "rpm/v1/gateways/+/receipts",
        "rpm/v1/gateways/+/readings",
        *(topic(OTHER, channel) for channel in (*UP, *DOWN)),
        f"rpm/v1/gateways/{MINE}/#",
    ],
)
def test_a_gateway_cannot_listen_anywhere_else(members: dict[str, Member], name: str) -> None:
    refused = members[MINE].subscribe(name)
    assert refused.is_failure, refused
    members[WORKER].publish(topic(OTHER, Channel.RECEIPTS), b"for the other")
    members[OTHER].publish(topic(OTHER, Channel.READINGS), b"by the other")
    assert members[OTHER].hears() == (topic(OTHER, Channel.RECEIPTS), b"for the other")
    assert members[WORKER].hears() == (topic(OTHER, Channel.READINGS), b"by the other")
    assert members[MINE].hears_nothing()


@pytest.mark.parametrize(
    "name", [share_filter(Channel.READINGS), "$share/ingest/#", "$share/other/rpm/v1/gateways/+/readings"]
)
def test_a_gateway_cannot_join_the_workers(members: dict[str, Member], name: str) -> None:
    refused = members[MINE].subscribe(name)
    assert refused.is_failure, refused
    sent = [f"reading {number}".encode() for number in range(20)]
    for payload in sent:
        members[OTHER].publish(topic(OTHER, Channel.READINGS), payload)
    assert [members[WORKER].hears()[1] for _ in sent] == sent, "every one comes to the worker"
    assert members[MINE].hears_nothing()


def test_a_gateway_cannot_take_a_workers_or_another_gateways_name(broker: Broker, members: dict[str, Member]) -> None:
    for stolen in ("worker-1", OTHER):
        thief = Member(broker, MINE, client_id=stolen)
        assert thief.answer.is_failure, thief.answer
        thief.close()
    members[OTHER].publish(topic(OTHER, Channel.READINGS), b"still here")
    assert members[WORKER].hears() == (topic(OTHER, Channel.READINGS), b"still here")
    assert members[WORKER].disconnects == members[OTHER].disconnects == 0


def test_two_workers_share_one_account(broker: Broker, members: dict[str, Member]) -> None:
    second = Member(broker, WORKER, client_id="worker-2")
    assert not second.subscribe(share_filter(Channel.READINGS)).is_failure
    for number in range(10):
        members[MINE].publish(topic(MINE, Channel.READINGS), str(number).encode())
    heard = [members[WORKER].hears()[1] for _ in range(5)] + [second.hears()[1] for _ in range(5)]
    assert sorted(heard) == [str(number).encode() for number in range(10)]
    assert members[WORKER].disconnects == second.disconnects == 0
    second.close()


@pytest.mark.parametrize("username, password", [(MINE, "guessed"), ("gw-nobody", "guessed"), (WORKER, "guessed")])
def test_a_wrong_password_or_an_unknown_name_is_refused(broker: Broker, username: str, password: str) -> None:
    broker.passwords.setdefault(username, password)
    stranger = Member(broker, username, client_id=username, password=password)
    assert stranger.answer.is_failure, stranger.answer
    stranger.close()


def test_nothing_is_retained(broker: Broker, members: dict[str, Member]) -> None:
    members[MINE].close()
    assert members[WORKER].ask_to_retain(topic(MINE, Channel.RECEIPTS), b"kept?") == "Retain not supported"
    late = Member(broker, MINE, client_id=MINE)
    late.subscribe(topic(MINE, Channel.RECEIPTS))
    assert late.hears_nothing()
    members[OTHER].publish(topic(OTHER, Channel.READINGS), b"the broker is well")
    late.close()


def test_no_reading_lies_on_the_brokers_disk(broker: Broker, members: dict[str, Member]) -> None:
    """Not while a message waits for who is away, and not when the broker writes down what it has at its end."""
    canary = b"NIGHTINGALE-118"
    away = Client(
        CallbackAPIVersion.VERSION2, client_id="gw-home-c", protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
    )
    away.username_pw_set("gw-home-c", broker.passwords["gw-home-c"])
    stays = Properties(PacketTypes.CONNECT)
    stays.SessionExpiryInterval = 3600
    away.connect("127.0.0.1", broker.port, clean_start=True, properties=stays)
    away.subscribe(topic("gw-home-c", Channel.REQUESTS), options=SubscribeOptions(qos=1))
    away.loop_start()
    assert not members[WORKER].publish(topic("gw-home-c", Channel.REQUESTS), canary).is_failure
    away.loop_stop()
    assert not members[WORKER].publish(topic("gw-home-c", Channel.REQUESTS), canary).is_failure
    broker.stop()
    written = [path for path in broker.folder.rglob("*") if path.is_file()]
    assert len(written) >= 2
    assert [path.name for path in written if canary in path.read_bytes()] == []


def test_permissions_outlive_a_killed_broker(broker: Broker, members: dict[str, Member]) -> None:
    members[MINE].close()
    broker.kill()
    broker.start()
    again = Member(broker, MINE, client_id=MINE)
    assert again.subscribe(share_filter(Channel.READINGS)).is_failure
    assert again.publish(topic(OTHER, Channel.READINGS), b"spoofed").is_failure
    assert not again.publish(topic(MINE, Channel.READINGS), b"mine").is_failure
    again.close()


def test_a_will_is_heard(broker: Broker, members: dict[str, Member]) -> None:
    """A gateway that vanishes is missed: its will is a status of its own."""
    client = Client(CallbackAPIVersion.VERSION2, client_id="gw-home-c", protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set("gw-home-c", broker.passwords["gw-home-c"])
    client.will_set(topic("gw-home-c", Channel.STATUS), b"gone", qos=1, properties=Properties(PacketTypes.WILLMESSAGE))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    while not client.is_connected():
        pass
    client.loop_stop()
    connection = client.socket()
    assert connection is not None
    connection.close()
    assert members[WORKER].hears() == (topic("gw-home-c", Channel.STATUS), b"gone")
