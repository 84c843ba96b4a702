"""Mosquitto's dynamic-security plugin, told over MQTT while the broker runs: `$CONTROL/dynamic-security/v1`.

With `rpm.ingest.subscriber` the only place of the cloud that knows paho: the plugin can be told in no other way.
"""

import itertools
import json
import queue
from collections.abc import Sequence
from typing import Any, Final

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from rpm.broker.changes import HARMLESS
from rpm.broker.roles import CONTROL_TOPIC, RESPONSE_TOPIC, Json
from rpm.broker.tls import Identity

KEEPALIVE_S: Final = 10
ANSWER_S_MAX: Final = 10.0
#: Commands in one message: far below the broker's largest packet.
COMMANDS_AT_ONCE: Final = 50
#: Rows of a list in one answer.
PAGE: Final = 200
PAGES_MAX: Final = 1000

_log = structlog.get_logger()


class BrokerAway(RuntimeError):
    """The broker does not answer, or refuses the guard: see that it runs, and whether the certificates are good."""


class Control:
    """One connection as the guard. Every method raises BrokerAway; a Control that did is closed and made anew."""

    def __init__(self, host: str, port: int, identity: Identity) -> None:
        self._answers: queue.Queue[Json] = queue.Queue()
        self._events: queue.Queue[str] = queue.Queue()
        self._numbers = itertools.count(1)
        self._connected = False
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=identity.name, protocol=MQTTv5, reconnect_on_failure=False
        )
        client.tls_set_context(identity.context())  # pyright: ignore[reportUnknownMemberType] -- paho has no type here
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        self._client = client
        try:
            client.connect(host, port, keepalive=KEEPALIVE_S)
        except OSError as error:
            raise BrokerAway(f"{BrokerAway.__doc__} ({error.strerror or error})") from error
        client.loop_start()
        try:
            self._expect("connected")
            client.subscribe(RESPONSE_TOPIC, options=SubscribeOptions(qos=1))
            self._expect("subscribed")
        except BrokerAway:
            self.close()
            raise

    @property
    def connected(self) -> bool:
        """Whether the broker has us now."""
        return self._connected

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def tell(self, commands: Sequence[Json]) -> list[str]:
        """Have these commands done, in order; what the plugin has against them, harmless refusals left out."""
        wrong: list[str] = []
        for start in range(0, len(commands), COMMANDS_AT_ONCE):
            for answer in self._ask(commands[start : start + COMMANDS_AT_ONCE]):
                error = answer.get("error")
                if error and error not in HARMLESS:
                    wrong.append(f"{answer.get('command')}: {error}")
        return wrong

    def clients(self) -> dict[str, Json]:
        """Every account by name."""
        return {each["username"]: each for each in self._pages("listClients", "clients")}

    def roles(self) -> dict[str, Json]:
        """Every role by name."""
        return {each["rolename"]: each for each in self._pages("listRoles", "roles")}

    def _pages(self, command: str, what: str) -> list[Json]:
        found: list[Json] = []
        for page in range(PAGES_MAX):
            asked = {"command": command, "verbose": True, "count": PAGE, "offset": page * PAGE}
            (answer,) = self._ask([asked])
            rows: list[Json] = answer.get("data", {}).get(what, [])
            found += rows
            if len(rows) < PAGE:
                return found
        raise BrokerAway(f"more than {PAGE * PAGES_MAX} {what}")

    def _ask(self, commands: Sequence[Json]) -> list[Json]:
        number = str(next(self._numbers))
        marked = [{**each, "correlationData": number} for each in commands]
        self._client.publish(CONTROL_TOPIC, json.dumps({"commands": marked}), qos=1)
        answers: list[Json] = []
        while len(answers) < len(commands):
            try:
                answer = self._answers.get(timeout=ANSWER_S_MAX)
            except queue.Empty:
                raise BrokerAway(BrokerAway.__doc__) from None
            if answer.get("lost"):
                raise BrokerAway(BrokerAway.__doc__)
            answers += [each for each in answer.get("responses", []) if each.get("correlationData") == number]
        return answers

    def _expect(self, event: str) -> None:
        try:
            happened = self._events.get(timeout=ANSWER_S_MAX)
        except queue.Empty:
            raise BrokerAway(BrokerAway.__doc__) from None
        if happened != event:
            raise BrokerAway(f"{BrokerAway.__doc__} ({happened})")

    # Callbacks: in paho's thread, and never with an exception.

    def _on_connect(
        self, _client: Client, _userdata: Any, _flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self._connected = not reason.is_failure
        self._events.put(str(reason) if reason.is_failure else "connected")

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._connected = False
        self._events.put(str(reason))
        self._answers.put({"lost": str(reason)})

    def _on_subscribe(
        self, _client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        self._events.put(refused[0] if refused else "subscribed")

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        try:
            self._answers.put(json.loads(message.payload))
        except ValueError:
            _log.error("broker_control_unreadable", bytes=len(message.payload))
