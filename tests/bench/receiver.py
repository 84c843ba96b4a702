"""The least a worker could do: paho receives each message and acknowledges it. Nothing is read, stored or answered.

Standard input: one JSON line. Standard output: one JSON line when subscribed, one when all messages were acknowledged.
"""

import json
import sys
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from rpm.broker import WORKER
from rpm.ingest.subscriber import RECEIVE_MAXIMUM
from schemas.messages import QOS, Channel, share_filter


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Do as standard input says."""
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    left = int(plan["messages"])
    ended = threading.Event()
    subscribed = threading.Event()
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True)
    client.username_pw_set(WORKER, plan["password"])

    def on_message(client: Client, _userdata: Any, message: MQTTMessage) -> None:
        nonlocal left
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


if __name__ == "__main__":
    main()
