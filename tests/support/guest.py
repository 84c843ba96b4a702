"""A client at a broker that wants certificates; remembers what it hears. Its client id, and all it says, may lie."""

import queue
import ssl
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

from tests.support.guarded_broker import Credentials

ANSWER_S_MAX = 30.0


class Refused(Exception):
    """The broker did not let the client in."""


class Guest:
    """One connection; Refused where there is none. It does not come back by itself unless `persistent`."""

    def __init__(
        self,
        port: int,
        ca_file: Path,
        credentials: Credentials | None,
        *,
        client_id: str = "anything",
        persistent: bool = False,
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.connections = 0
        self._there = False
        self.ends: list[str] = []
        self._answers: queue.Queue[str] = queue.Queue()
        self._events: queue.Queue[str] = queue.Queue()
        context = ssl.create_default_context(cafile=ca_file)
        if credentials is not None:
            context.load_cert_chain(credentials.certificate, credentials.key)
        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=persistent,
        )
        client.tls_set_context(context)  # pyright: ignore[reportUnknownMemberType]
        client.reconnect_delay_set(1, 1)
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = lambda _c, _d, _m, reasons, _p: self._answers.put(str(reasons[0]))
        client.on_publish = lambda _c, _d, _m, reason, _p: self._answers.put(str(reason))
        client.on_message = self._on_message
        self._client = client
        try:
            client.connect("127.0.0.1", port, keepalive=30)
        except OSError as error:
            raise Refused(str(error)) from error
        client.loop_start()
        event = self._events.get(timeout=ANSWER_S_MAX)
        if event != "connected":
            self.close()
            raise Refused(event)

    def _on_connect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        if not reason.is_failure:
            self.connections += 1
            self._there = True
        self._events.put(str(reason) if reason.is_failure else "connected")

    def _on_disconnect(self, _client: Client, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
        self._there = False
        self.ends.append(str(reason))
        self._events.put(str(reason))
        self._answers.put(f"lost: {reason}")

    def _on_message(self, _client: Client, _data: Any, message: MQTTMessage) -> None:
        self.heard.append((message.topic, bytes(message.payload)))

    @property
    def connected(self) -> bool:
        """Whether the broker has it now. (paho's own word stays true where the broker hung up and nobody reconnects.)"""
        return self._there

    def subscribe(self, name: str) -> str:
        """The broker's answer."""
        self._client.subscribe(name, options=SubscribeOptions(qos=1))
        return self._answers.get(timeout=ANSWER_S_MAX)

    def publish(self, name: str, payload: bytes) -> str:
        """The broker's answer, once it has handed the message to whoever gets it."""
        self._client.publish(name, payload, qos=1)
        return self._answers.get(timeout=ANSWER_S_MAX)

    def say(self, topics: list[str], payload: bytes) -> None:
        """Publish on all of them, and wait until the broker has handed all of them on."""
        for name in topics:
            self._client.publish(name, payload, qos=1)
        for _ in topics:
            self._answers.get(timeout=ANSWER_S_MAX)

    def hears(self) -> list[tuple[str, bytes]]:
        """All that came until now: the broker answers in order, so one more question brings whatever is on its way."""
        self.subscribe("drill/marker")
        heard, self.heard = self.heard, []
        return heard

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()
