"""One connection of simulated gateways to the broker: publishes within its Receive Maximum, hears the receipts."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from rpm.load import mqtt
from schemas.messages import Channel, topic

#: Filters in one SUBSCRIBE: a packet of some kilobytes.
FILTERS_PER_PACKET: Final = 100

#: What a receipt that was heard is handed to: the receipt, as it came.
Heard = Callable[[dict[str, Any]], None]


class Refused(RuntimeError):
    """The broker does not let a simulated gateway in, subscribe or publish; its text says which, and why."""


@dataclass(frozen=True, slots=True)
class Account:
    """As whom to connect."""

    client_id: str
    username: str
    password: str = field(repr=False)


class Connection(asyncio.Protocol):
    """Speaks for the gateways `names` under one account. `ready` is set once their receipts would be heard, or it failed."""

    def __init__(self, account: Account, names: Sequence[str], heard: Heard) -> None:
        self.ready = asyncio.Event()
        self.outgoing: deque[bytes] = deque()
        self.unacknowledged = 0
        #: Why it is of no use any more.
        self.failed: Refused | None = None
        self._account, self._names, self._heard = account, names, heard
        self._subscribing = 0
        self._window = 1
        self._packets = mqtt.Packets()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say who we are."""
        self._transport = cast("asyncio.Transport", transport)
        account = self._account
        self._transport.write(mqtt.connect(account.client_id, account.username, account.password))

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing can be done through it now."""
        self._fail(f"the broker ended the connection of {self._account.client_id} ({exc or 'closed'})")

    def data_received(self, data: bytes) -> None:
        """Take what arrived, answer, and send what there is room for."""
        answers: list[bytes] = []
        for kind, body in self._packets.feed(data):
            if kind == mqtt.PUBACK:
                self.unacknowledged -= 1
                self._check(kind, body, "publish")
            elif kind == mqtt.PUBLISH:
                number, payload = mqtt.published(body)
                answers.append(mqtt.puback(number))
                self._heard(json.loads(payload))
            elif kind == mqtt.CONNACK:
                answers += self._welcome(body)
            elif kind == mqtt.SUBACK:
                self._check(kind, body, "subscribe")
                self._subscribing -= 1
                if not self._subscribing:
                    self.ready.set()
        assert self._transport is not None
        if answers:
            self._transport.write(b"".join(answers))
        self.flush()

    def flush(self) -> None:
        """Send as much as the broker allows."""
        count = min(self._window - self.unacknowledged, len(self.outgoing))
        if count > 0 and self.failed is None:
            assert self._transport is not None
            self.unacknowledged += count
            self._transport.write(b"".join(self.outgoing.popleft() for _ in range(count)))

    def ping(self) -> None:
        """Show that we are here; to be called more often than the keep-alive."""
        if self._transport is not None and self.failed is None:
            self._transport.write(mqtt.PINGREQ)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.abort()

    def _welcome(self, body: bytes) -> list[bytes]:
        try:
            self._window = mqtt.granted(body)
        except ConnectionRefusedError as error:
            self._fail(f"{error} (account {self._account.username})")
            return []
        filters = [topic(name, Channel.RECEIPTS) for name in self._names]
        parts = [filters[start : start + FILTERS_PER_PACKET] for start in range(0, len(filters), FILTERS_PER_PACKET)]
        self._subscribing = len(parts)
        return [mqtt.subscribe(number, *part) for number, part in enumerate(parts, start=1)]

    def _check(self, kind: int, body: bytes, what: str) -> None:
        reason = mqtt.refused(kind, body)
        if reason is not None:
            self._fail(
                f"the broker does not let account {self._account.username} {what} for simulated gateways:"
                f" reason {reason:#x}"
            )

    def _fail(self, why: str) -> None:
        if self.failed is None:
            self.failed = Refused(why)
        self.ready.set()
