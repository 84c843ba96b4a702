"""One MQTT 5 connection, from CONNECT to its end. A new one gets a new paho client.

paho queues what it is given while it is not connected and sends it later behind the outbox's back; with a client that
lives exactly as long as its connection, what the outbox believes and what is under way cannot drift apart. paho's thread
only appends to an inbox: an exception in one of its callbacks would end that thread unnoticed (L14).
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Final, cast

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.uplink.door import Door
from schemas.messages import DOWN, QOS, Channel, gateway_of, topic

log = structlog.get_logger()

#: How long the broker may be silent; it publishes the will after 1.5 times this.
KEEPALIVE_S: Final = 15
#: CONNECT to CONNACK and SUBACK.
OPEN_S_MAX: Final = 15.0
CLOSE_S_MAX: Final = 3.0
#: Messages waiting to be read. A receipt beyond it is dropped: its rows are sent again, and receipted again.
INBOX_MAX: Final = 1_000


class NotConnected(ConnectionError):
    """The broker could not be reached, or refused: the text says which, for the log."""


class NotLetIn(NotConnected):
    """A broker was there, and ended the conversation before it began: it does not take what this gateway shows."""


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker's answer to one publication."""

    mid: int
    reason_code: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message on one of this gateway's down topics."""

    channel: Channel
    payload: bytes


class Connection:
    """One connection of one gateway. `news` is set whenever the inbox got something or the connection was lost."""

    def __init__(self, *, gateway_id: str, door: Door, will: bytes, news: asyncio.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._gateway_id = gateway_id
        self._door = door
        self._news = news
        self._inbox: deque[Puback | Message] = deque()
        self._answered: asyncio.Future[None] = self._loop.create_future()
        self._over = asyncio.Event()
        self._closing = False
        self.lost: str | None = None
        #: TCP and our half of TLS went well: from here on it is the broker that ends it.
        self._reached = False
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=gateway_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        if door.password is not None:
            client.username_pw_set(gateway_id, door.password.get_secret_value())
        client.will_set(topic(gateway_id, Channel.STATUS), will, qos=QOS)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        self._thread = threading.Thread(target=self._network, name="uplink", daemon=True)

    async def open(self) -> None:
        """Connect and subscribe to the down topics; NotConnected where that does not succeed in OPEN_S_MAX."""
        self._thread.start()
        try:
            async with asyncio.timeout(OPEN_S_MAX):
                await self._answered
        except TimeoutError:
            raise NotConnected("the broker does not answer") from None

    def publish(self, channel: Channel, payload: bytes) -> int:
        """Hand a message to the network; the number its PUBACK will bear. NotConnected where the connection is gone."""
        sent = self._client.publish(topic(self._gateway_id, channel), payload, qos=QOS)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise NotConnected(f"cannot publish: {sent.rc.name}")
        return sent.mid

    def take(self) -> Puback | Message | None:
        """The oldest thing heard, or None."""
        return self._inbox.popleft() if self._inbox else None

    async def close(self) -> None:
        """End it, with the will: the cloud is told that this gateway has gone."""
        self._closing = True
        with contextlib.suppress(ValueError):
            self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        if not await self._ended():
            # A broker that is frozen never closes: the socket goes, and paho's thread with it.
            still_open = cast(socket.socket | None, self._client.socket())
            if still_open is not None:
                with contextlib.suppress(OSError):
                    still_open.shutdown(socket.SHUT_RDWR)
            if not await self._ended():
                log.error("uplink_thread_stuck")

    async def _ended(self) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S_MAX):
                await self._over.wait()
        return self._over.is_set()

    # paho's thread from here on

    def _network(self) -> None:
        """The thread, which never ends without a word: what the loop is not told, it would wait for (L14)."""
        reason = "its thread ended"
        try:
            reason = self._until_lost()
        except Exception as error:  # noqa: BLE001 - the thread's edge: a callback's own mistake must not look like silence
            log.error("uplink_thread_broke", error=type(error).__name__)
            reason = f"its thread broke: {type(error).__name__}"
        finally:
            self._tell(self._fail, reason)
            self._tell(self._end, None)

    def _until_lost(self) -> str:
        """Connect and carry messages; why it ended."""
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0
        try:
            context = self._door.context()
            if context is not None:
                self._client.tls_set_context(context)  # pyright: ignore[reportUnknownMemberType]
            self._client.connect(
                self._door.broker.host,
                self._door.broker.port,
                keepalive=KEEPALIVE_S,
                clean_start=True,
                properties=properties,
            )
            self._reached = True
            self._client.loop_forever()
        except (OSError, ValueError) as error:
            # Up to TLS 1.2 what we show is judged before our half of the greeting is over.
            self._reached = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLCertVerificationError)
            return f"{type(error).__name__}: {error}"
        return "connection lost"

    def _on_connect(
        self, client: Client, _userdata: Any, _flags: ConnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        if self._closing:
            # Given up while it was still connecting: it would throw its successor out, whose client id is the same.
            client.disconnect()
            return
        if code.is_failure:
            self._tell(self._fail, f"the broker refused: {code}")
            return
        client.subscribe([(topic(self._gateway_id, channel), QOS) for channel in DOWN])

    def _on_subscribe(
        self, _client: Client, _userdata: Any, _mid: int, codes: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [str(code) for code in codes if code.is_failure]
        # Without receipts nothing would ever settle: better no connection, and a log line that says why.
        self._tell(self._fail if refused else self._ready, f"the broker refused the down topics: {refused}")

    def _on_publish(
        self, _client: Client, _userdata: Any, mid: int, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._tell(self._heard, Puback(mid, code.value))

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            gateway_id, channel = gateway_of(message.topic)
        except ValueError:
            return
        if gateway_id == self._gateway_id and channel in DOWN:
            self._tell(self._heard, Message(channel, bytes(message.payload)))

    def _on_disconnect(
        self, _client: Client, _userdata: Any, _flags: DisconnectFlags, code: ReasonCode, _properties: Properties | None
    ) -> None:
        self._tell(self._fail, f"disconnected: {code}")

    def _tell(self, what: Any, fact: Any) -> None:
        # The loop is closed only when the process ends, and then nobody listens.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, fact)

    # the loop's thread again

    def _ready(self, _fact: str) -> None:
        if not self._answered.done():
            self._answered.set_result(None)

    def _fail(self, reason: str) -> None:
        self.lost = self.lost or reason
        if not self._answered.done():
            self._answered.set_exception((NotLetIn if self._reached else NotConnected)(reason))
        self._news.set()

    def _end(self, _fact: None) -> None:
        self._over.set()

    def _heard(self, fact: Puback | Message) -> None:
        if isinstance(fact, Message) and len(self._inbox) >= INBOX_MAX:
            log.warning("uplink_inbox_full")
            return
        self._inbox.append(fact)
        self._news.set()
