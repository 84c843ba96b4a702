"""The least a worker could do: a client receives each message and acknowledges it. Nothing is read or stored.

By paho, as the product does, also with an answer to each message's home as large as a receipt of one reading; or by gmqtt, a
client that lives on asyncio.

Standard input: one JSON line. Standard output: one JSON line when subscribed, one when all messages were acknowledged.
"""

import asyncio
import json
import secrets
import sys
import threading
import time
from typing import Any, Final

import gmqtt
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from rpm.broker import WORKER
from rpm.ingest.subscriber import RECEIVE_MAXIMUM
from schemas.messages import QOS, Channel, Receipt, share_filter, topic

#: A subscription granted is below it (MQTT 5, 3.9.3).
_REFUSED: Final = 128


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do as standard input says."""
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    if plan["client"] == "gmqtt":
        asyncio.run(by_gmqtt(plan))
    else:
        by_paho(plan)


def _receipt(path: str) -> tuple[str, bytes]:
    """Where an answer to a message goes, and what it says."""
    gateway_id = path.split("/")[-2]
    said = Receipt(gateway_id=gateway_id, epoch="e" * 16, stored=(1,))
    return topic(gateway_id, Channel.RECEIPTS), said.model_dump_json().encode()


def by_paho(plan: dict[str, Any]) -> None:
    """The product's own client, used as the product uses it."""
    left = int(plan["messages"])
    answers = bool(plan["answers"])
    ended = threading.Event()
    subscribed = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    client.username_pw_set(WORKER, plan["password"])

    def on_message(client: Client, _userdata: Any, message: MQTTMessage) -> None:
        nonlocal left
        if answers:
            client.publish(*_receipt(message.topic), qos=QOS)
        client.ack(message.mid, QOS)
        left -= 1
        if not left:
            _say({"ended": time.monotonic()})
            ended.set()

    def on_subscribe(
        _client: Client, _userdata: Any, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        if not any(reason.is_failure for reason in reasons):
            subscribed.set()

    client.on_message = on_message
    client.on_subscribe = on_subscribe
    properties = Properties(PacketTypes.CONNECT)
    properties.ReceiveMaximum = RECEIVE_MAXIMUM
    client.connect("127.0.0.1", plan["port"], clean_start=True, properties=properties)
    client.subscribe([(share_filter(Channel.READINGS), SubscribeOptions(qos=QOS))])
    client.loop_start()
    if not subscribed.wait(10):
        sys.exit("the broker grants no subscription")
    _say({"ready": True})
    ended.wait()
    sys.stdin.read()
    client.disconnect()
    client.loop_stop()


async def by_gmqtt(plan: dict[str, Any]) -> None:
    """The other client. Who acknowledges only once a message is done with it gives it a coroutine, and has a task for each."""
    left = int(plan["messages"])
    subscribed, ended = asyncio.Event(), asyncio.Event()
    client: Any = gmqtt.Client(
        f"worker-{secrets.token_hex(6)}", optimistic_acknowledgement=False, receive_maximum=RECEIVE_MAXIMUM
    )
    client.set_auth_credentials(WORKER, plan["password"])

    async def on_message(_client: Any, _path: str, _payload: bytes, _qos: int, _properties: Any) -> int:
        nonlocal left
        left -= 1
        if not left:
            _say({"ended": time.monotonic()})
            ended.set()
        return 0

    def on_subscribe(_client: Any, _mid: int, granted: list[int], _properties: Any) -> None:
        if all(quality < _REFUSED for quality in granted):
            subscribed.set()

    client.on_message, client.on_subscribe = on_message, on_subscribe
    await client.connect("127.0.0.1", plan["port"])
    client.subscribe(share_filter(Channel.READINGS), qos=QOS)
    try:
        await asyncio.wait_for(subscribed.wait(), 10)
    except TimeoutError:
        sys.exit("the broker grants no subscription")
    _say({"ready": True})
    await ended.wait()
    await asyncio.to_thread(sys.stdin.read)
    await client.disconnect()


if __name__ == "__main__":
    main()
