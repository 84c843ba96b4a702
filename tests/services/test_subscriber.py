"""The workers' connection to a real broker: whose acknowledgement counts, what a full inbox does, who is let in."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from paho.mqtt.client import Client, ConnectFlags, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from rpm.errors import UserError
from rpm.ingest.subscriber import Subscriber, broker_address
from rpm.ingest.worker import EXIT_STALLED, HANDS, STALL_S_MAX, IngestLoop, watch
from rpm.store.database import Database
from tests.support.broker import Broker
from tests.support.sender import Sender, eventually, subscribed


@pytest.fixture
def sender(broker: Broker) -> Iterator[Sender]:
    made = Sender(broker)
    yield made
    made.close()


def test_a_late_acknowledgement_is_not_given(broker: Broker) -> None:
    """Packet ids begin anew after a reconnection: an old one would acknowledge a new message (L7)."""
    with subscribed(broker) as subscriber:
        first = Sender(broker)
        for _ in range(3):
            first.say(b"old")
        assert eventually(lambda: len(subscriber.inbox) == 3)
        old = subscriber.inbox.take(wait_s=1)
        broker.kill()
        assert eventually(lambda: not subscriber.connected)
        broker.start()
        assert eventually(lambda: subscriber.connected)
        second = Sender(broker, "gw-home-b")
        for _ in range(3):
            second.say(b"new")
        assert eventually(lambda: len(subscriber.inbox) >= 3)
        new = [each for each in subscriber.inbox.take(wait_s=1) if each.message.payload == b"new"]
        assert {each.mid for each in new} & {each.mid for each in old}
        assert subscriber.acknowledge(old) == 3
        assert subscriber.acknowledge(new) == 0
        first.close()
        second.close()


def test_a_worker_that_dies_leaves_no_session_behind(broker: Broker) -> None:
    """A dead member of a share group that keeps its session keeps being sent readings (L3)."""
    sessions: list[bool] = []
    with subscribed(broker) as subscriber:
        address = broker_address(broker.url())

        def connected(_client: Client, _userdata: object, flags: ConnectFlags, *_: object) -> None:
            sessions.append(flags.session_present)

        # Who takes the id over from a living connection finds what the broker would have kept for a dead one.
        heir = Client(CallbackAPIVersion.VERSION2, client_id=subscriber.client_id, protocol=MQTTv5)
        heir.username_pw_set(address.username, address.password)
        heir.on_connect = connected
        subscriber._client.loop_stop()  # pyright: ignore[reportPrivateUsage]
        heir.connect(address.host, address.port, clean_start=False)
        heir.loop_start()
        assert eventually(lambda: bool(sessions))
        heir.disconnect()
        heir.loop_stop()
    assert sessions == [False]


def _overflowed(subscriber: Subscriber) -> bool:
    """Whether a message found no room."""
    return subscriber._overflowed  # pyright: ignore[reportPrivateUsage]


def test_an_inbox_without_room_begins_anew(broker: Broker, sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    """What found no room is not acknowledged: the connection is dropped, and the gateway sends it again."""
    monkeypatch.setattr("rpm.ingest.inbox.INBOX_MESSAGES_MAX", 2)
    with subscribed(broker) as subscriber:
        for number in range(5):
            sender.say(b"%d" % number)
        assert eventually(lambda: _overflowed(subscriber))
        subscriber.acknowledge(subscriber.inbox.take(wait_s=1))
        assert eventually(lambda: not subscriber.connected)
        assert eventually(lambda: subscriber.connected)
        sender.say(b"again")
        assert eventually(lambda: len(subscriber.inbox) > 0)


def test_an_inbox_without_room_outlives_the_broker_that_filled_it(
    broker: Broker, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection to drop may be gone by itself: that is no reason for the loop to end."""
    monkeypatch.setattr("rpm.ingest.inbox.INBOX_MESSAGES_MAX", 2)
    with subscribed(broker) as subscriber:
        for number in range(5):
            sender.say(b"%d" % number)
        assert eventually(lambda: _overflowed(subscriber))
        batch = subscriber.inbox.take(wait_s=1)
        line = socket.socket()
        monkeypatch.setattr(subscriber._client, "socket", lambda: line)  # pyright: ignore[reportPrivateUsage]
        assert subscriber.acknowledge(batch) == 0
        line.close()


def test_an_account_the_broker_does_not_know(broker: Broker) -> None:
    with pytest.raises(UserError, match="refuses the account") as raised:
        Subscriber(broker_address(f"mqtt://worker:wrong@127.0.0.1:{broker.port}")).start()
    assert "\n" not in str(raised.value)


def test_an_account_that_may_not_join_the_workers(broker: Broker) -> None:
    address = broker_address(broker.url("gw-home-a"))
    subscriber = Subscriber(address)
    # The broker pins a gateway's client id, so a thief of its password must use it.
    subscriber._client._client_id = b"gw-home-a"  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(UserError, match="may not join"):
        subscriber.start()


@pytest.mark.parametrize("url", ["", "mqtt://", "http://worker:x@127.0.0.1:1883", "mqtt://worker:x@127.0.0.1:port"])
def test_a_url_that_is_no_brokers(url: str) -> None:
    with pytest.raises(UserError, match="RPM_BROKER_URL"):
        broker_address(url)


def test_a_callback_that_fails_ends_the_process(
    database: Database, broker: Broker, sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paho's thread dies of it and still calls itself connected (L14)."""

    def fail(*_: object) -> None:
        raise RuntimeError("a bug in a callback")

    def fail_quietly(_: object) -> None:
        """pytest would call it a failure of the test."""

    monkeypatch.setattr(threading, "excepthook", fail_quietly)
    stop, left = threading.Event(), list[int]()
    with subscribed(broker) as subscriber:
        subscriber._client.on_message = fail  # pyright: ignore[reportPrivateUsage]
        sender.say(b"anything")
        assert eventually(lambda: not subscriber.alive)
        watch(IngestLoop(database, subscriber, stop), subscriber, stop, leave=left.append)
    assert left == [EXIT_STALLED]


@pytest.mark.parametrize("hand", range(HANDS))
def test_a_loop_that_hangs_ends_its_process(database: Database, broker: Broker, hand: int) -> None:
    stop, left = threading.Event(), list[int]()
    with subscribed(broker) as subscriber:
        loop = IngestLoop(database, subscriber, stop)
        loop._turned_at[hand] = time.monotonic() - STALL_S_MAX - 1
        watch(loop, subscriber, stop, leave=left.append)
    assert left == [EXIT_STALLED]
