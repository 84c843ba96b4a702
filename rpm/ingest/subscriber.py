"""The workers' side of the broker, and the only place that knows paho.

MQTT 5, QoS 1, shared subscription, manual acknowledgement; clean start and session expiry 0, because a dead member of a
share group that keeps its session keeps being sent messages (L3). Nothing of value lives in the session: what was not
receipted is sent again. Callbacks only append; an exception in one would end paho's thread without a word (L14).
"""

import contextlib
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from rpm.broker.tls import Identity
from rpm.errors import UserError
from rpm.ingest.inbox import Delivery, Inbox
from rpm.ingest.unpack import Message
from schemas.messages import QOS, UP, Channel, Receipt, Request, share_filter, topic

KEEPALIVE_S: Final = 5
RECONNECT_S_MIN: Final = 1
RECONNECT_S_MAX: Final = 30
#: How many messages the broker may leave with us unacknowledged. With 20, a worker that acknowledges after its commit
#: settles 1,600 readings a second; with 4,000 nearly 10,000.
RECEIVE_MAXIMUM: Final = 4000
#: Receipts handed to paho and not yet confirmed by the broker. (Paho's own window stays at its default of 20: it walks
#: all it has in flight at every PUBACK.)
RECEIPTS_OUTSTANDING_MAX: Final = 4000
#: How long one batch's receipts wait for room; what finds none is left out: the gateway sends again and is told then.
RECEIPTS_WAIT_S_MAX: Final = 5.0
#: How long a start waits for the broker to grant the subscription before it reports and goes on trying.
START_WAIT_S: Final = 5.0
FAREWELL_S_MAX: Final = 2.0
TAKEN_OVER: Final = "Session taken over"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and as whom to connect."""

    host: str
    port: int
    username: str | None
    password: str | None
    tls: bool


def broker_address(url: str) -> BrokerAddress:
    """`mqtt://user:password@host:port`, or `mqtts://` for TLS; UserError with one line where it is neither."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname or port == 0:
        raise UserError("RPM_BROKER_URL is not a broker's URL: want mqtt://user:password@host:port")
    tls = parts.scheme == "mqtts"
    username = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password else None
    return BrokerAddress(parts.hostname, port or (8883 if tls else 1883), username, password, tls)


class Subscriber:
    """One member of the workers' share group: fills its `inbox`, sends receipts, acknowledges."""

    def __init__(self, address: BrokerAddress, identity: Identity | None = None) -> None:
        self.inbox = Inbox()
        self._address = address
        self._identity = identity
        # Several workers share one account; with one client id they would throw each other out for ever (F13). By
        # certificate each has an account of its own, and the broker gives it that name.
        self.client_id = identity.name if identity else f"{address.username or 'worker'}-{secrets.token_hex(6)}"
        self._taken_over = False
        self._generation = 0
        #: Held while an acknowledgement is checked and handed over, so that no reconnection falls between the two (L7).
        self._connection = threading.RLock()
        self._connected = False
        self._overflowed = False
        self._granted = threading.Event()
        self._refused: str | None = None
        self._receipts = threading.BoundedSemaphore(RECEIPTS_OUTSTANDING_MAX)
        self._thread: threading.Thread | None = None
        self._client = self._build()

    def _build(self) -> Client:
        client = Client(CallbackAPIVersion.VERSION2, client_id=self.client_id, protocol=MQTTv5, manual_ack=True)
        if self._address.username is not None:
            client.username_pw_set(self._address.username, self._address.password)
        if self._identity is not None:
            client.tls_set_context(self._identity.context())  # pyright: ignore[reportUnknownMemberType] -- paho has no type here
        elif self._address.tls:
            client.tls_set_context(ssl.create_default_context())  # pyright: ignore[reportUnknownMemberType] -- paho has no type here
        client.reconnect_delay_set(RECONNECT_S_MIN, RECONNECT_S_MAX)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_publish = self._on_publish
        client.on_socket_open = _without_delay
        return client

    def start(self) -> None:
        """Connect and join the share group, in a thread of paho's that goes on trying for ever.

        UserError where the broker refuses the account or the subscription at once.
        """
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(
            self._address.host, self._address.port, keepalive=KEEPALIVE_S, clean_start=True, properties=properties
        )
        before = set(threading.enumerate())
        self._client.loop_start()
        self._thread = next(iter(set(threading.enumerate()) - before), None)
        granted = self._granted.wait(START_WAIT_S)
        if self._refused is not None:
            self.stop()
            raise UserError(f"the broker refuses the account in RPM_BROKER_URL: {self._refused}")
        if not granted:
            _log.warning("ingest.broker_away", host=self._address.host, port=self._address.port)

    def stop(self) -> None:
        """Leave the group, after giving what was said last a moment to go out."""
        deadline = time.monotonic() + FAREWELL_S_MAX
        while self._connected and self._client.want_write() and time.monotonic() < deadline:
            time.sleep(0.01)
        self._client.disconnect()
        self._client.loop_stop()

    @property
    def alive(self) -> bool:
        """Whether the thread that talks to the broker still runs (connected or trying), and nobody has taken our name."""
        return self._thread is not None and self._thread.is_alive() and not self._taken_over

    @property
    def connected(self) -> bool:
        """Whether the broker has us in the share group now."""
        return self._connected and self._granted.is_set()

    def send(self, receipts: Iterable[Receipt]) -> int:
        """Hand receipts to the broker; how many were left out, for want of a connection or of room."""
        return self._publish((each.gateway_id, Channel.RECEIPTS, each.model_dump_json()) for each in receipts)

    def ask(self, asked: Iterable[Request]) -> int:
        """Hand requests to the broker; how many were left out, for want of a connection or of room."""
        return self._publish((each.gateway_id, Channel.REQUESTS, each.model_dump_json()) for each in asked)

    def _publish(self, messages: Iterable[tuple[str, Channel, str]]) -> int:
        left_out = 0
        deadline = time.monotonic() + RECEIPTS_WAIT_S_MAX
        for gateway_id, channel, text in messages:
            left_s = max(0.0, deadline - time.monotonic())
            if not self._connected or not self._receipts.acquire(timeout=left_s):
                left_out += 1
                continue
            self._client.publish(topic(gateway_id, channel), text.encode(), qos=QOS)
        if left_out:
            _log.warning("ingest.left_out", count=left_out)
        return left_out

    def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """Acknowledge what came over the present connection; how many came over an earlier one and were let be.

        Packet ids begin anew with a connection: a late acknowledgement would acknowledge another message (L7).
        """
        stale = 0
        for delivery in deliveries:
            with self._connection:
                if delivery.generation == self._generation and self._connected:
                    self._client.ack(delivery.mid, QOS)
                else:
                    stale += 1
        if self._overflowed and not len(self.inbox):
            self._begin_anew()
        return stale

    def _begin_anew(self) -> None:
        """Drop the connection: the broker forgets what we had no room for, and the gateways send it again."""
        open_socket = self._client.socket()
        if isinstance(open_socket, socket.socket):
            # Gone by itself in the meantime: as well.
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)

    # Callbacks: in paho's thread, and never with an exception.

    def _on_connect(
        self, client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._refused = str(reason)
            self._granted.set()
            _log.error("ingest.broker_refuses", reason=str(reason))
            return
        with self._connection:
            self._generation += 1
            self._connected = True
            self._overflowed = False
        self._granted.clear()
        client.subscribe([(share_filter(channel), SubscribeOptions(qos=QOS)) for channel in UP])

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        with self._connection:
            self._generation += 1
            self._connected = False
        if reason == TAKEN_OVER:
            # To come back would be to throw the other out, and be thrown out again: measured, 17 times in 15 s (F13).
            self._taken_over = True
            _log.critical("ingest.name_taken", client_id=self.client_id, said="two workers have one certificate")
            return
        _log.info("ingest.disconnected", reason=str(reason))

    def _on_subscribe(
        self, _client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._refused = f"it may not join the workers' group ({refused[0]})" if refused else None
        if refused:
            _log.error("ingest.subscription_refused", reason=refused[0])
        else:
            _log.info("ingest.subscribed", client_id=self.client_id)
        self._granted.set()

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        if self._overflowed:
            return
        try:
            name = message.topic
        except UnicodeDecodeError:
            name = ""
        if not self.inbox.put(Delivery(Message(name, bytes(message.payload)), message.mid, self._generation)):
            self._overflowed = True
            _log.error("ingest.inbox_full", messages=len(self.inbox))

    def _on_publish(
        self, _client: Client, _userdata: Any, _mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self._receipts.release()
        if reason.is_failure:
            _log.error("ingest.receipt_refused", reason=str(reason))


def _without_delay(_client: Client, _userdata: Any, opened: Any) -> None:
    """Small packets go at once: with Nagle's algorithm the slowest hundredth waited 40 ms."""
    if isinstance(opened, socket.socket):
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
