"""A member of the workers' share group that takes its share of the messages, acknowledges them, and does nothing.

It has the workers' own account: the product's access rules would keep anybody else out (`tests/services/test_broker.py`), and
what is asked here is what happens where they did not.
"""

import secrets
from typing import Any, Self
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

from schemas.messages import QOS, Channel, share_filter


class Rogue:
    """Use as a context manager. `swallowed` counts what went to it and nowhere else."""

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)
        self.swallowed = 0
        self._client = Client(CallbackAPIVersion.VERSION2, f"rogue-{secrets.token_hex(4)}", protocol=MQTTv5)
        self._client.username_pw_set(self._url.username or "", self._url.password)
        self._client.reconnect_delay_set(1, 2)
        self._client.on_connect = self._join
        self._client.on_message = self._swallow

    def __enter__(self) -> Self:
        self._client.connect_async(self._url.hostname or "", self._url.port or 0, keepalive=5)
        self._client.loop_start()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _join(self, client: Client, *_: Any) -> None:
        client.subscribe(share_filter(Channel.READINGS), qos=QOS)

    def _swallow(self, _client: Client, _userdata: Any, _message: MQTTMessage) -> None:
        self.swallowed += 1
