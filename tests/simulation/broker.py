"""A broker as far as readings and receipts go: connections with delays, packet numbers, the workers' group, no persistence.

It is the outside, so it is a model; what it does wrong is what Mosquitto was measured to do: it forgets everything when it is
killed, throws away what a dead member held, and gives a member that keeps its session messages while that is away.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

DELAY_S: Final = (0.001, 0.2)
ACCEPTED: Final = 0x00
NOBODY: Final = 0x10


class Link:
    """One connection: what is sent arrives later, in order, or never. `cut` loses what is under way both ways."""

    def __init__(self, loop: asyncio.BaseEventLoop, chance: random.Random) -> None:
        self._loop, self._chance = loop, chance
        self._last_s = {True: 0.0, False: 0.0}
        self.up = True
        self.on_cut: list[Callable[[], None]] = []

    def carry(self, arrive: Callable[[], None], *, upwards: bool) -> None:
        """Have `arrive` called at the other end."""
        at_s = max(self._loop.time() + self._chance.uniform(*DELAY_S), self._last_s[upwards])
        self._last_s[upwards] = at_s
        self._loop.call_at(at_s, lambda: arrive() if self.up else None)

    def cut(self) -> None:
        """End it: both ends are told."""
        if self.up:
            self.up = False
            for told in self.on_cut:
                told()


@dataclass
class Member:
    """A member of the workers' group. `gone`: its connection has ended, and its session is kept (a planted mistake)."""

    deliver: Callable[[int, str, bytes], None]
    link: Link
    keeps_session: bool = False
    gone: bool = False
    next_mid: int = 1
    unacknowledged: dict[int, tuple[str, bytes]] = field(default_factory=dict[int, tuple[str, bytes]])


class Broker:
    """The running broker; `crash` makes it a new one."""

    def __init__(self, loop: asyncio.BaseEventLoop, chance: random.Random) -> None:
        self._loop, self._chance = loop, chance
        self.group: list[Member] = []
        self._gateways: dict[str, tuple[Link, Callable[[str, bytes], None]]] = {}
        self._links: list[Link] = []
        self.up = True
        self.duplicate_share = 0.0
        #: Asked at each acknowledgement and each receipt: the oracle.
        self.on_ack: Callable[[bytes], None] = lambda _payload: None
        self.on_receipt: Callable[[bytes], None] = lambda _payload: None

    def connect(self) -> Link | None:
        """A new connection, or None while the broker is away."""
        if not self.up:
            return None
        link = Link(self._loop, self._chance)
        self._links = [each for each in self._links if each.up] + [link]
        return link

    def crash(self) -> None:
        """Everything it knew is gone."""
        self.up = False
        links, self._links = self._links, []
        self.group.clear()
        self._gateways.clear()
        for link in links:
            link.cut()

    def cut_one(self) -> None:
        """A connection of chance ends."""
        if alive := [link for link in self._links if link.up]:
            self._chance.choice(alive).cut()

    def join(self, member: Member) -> None:
        """Into the workers' group, until its connection ends."""
        self.group.append(member)
        member.link.on_cut.append(lambda: self._left(member))

    def _left(self, member: Member) -> None:
        if member.keeps_session:
            member.gone = True
        elif member in self.group:
            self.group.remove(member)

    def acknowledged(self, member: Member, mid: int) -> None:
        """A member says it has done with a message."""
        held = member.unacknowledged.pop(mid, None)
        if held is not None:
            self.on_ack(held[1])

    def hears(self, gateway_id: str, link: Link, deliver: Callable[[str, bytes], None]) -> None:
        """A gateway listens to its topics."""
        self._gateways[gateway_id] = (link, deliver)

    def reading(self, topic: str, payload: bytes) -> int:
        """A batch of readings has arrived; the answer's reason code."""
        if not self.group:
            return NOBODY
        for _ in range(2 if self._chance.random() < self.duplicate_share else 1):
            member = self.group.pop(0)
            self.group.append(member)
            mid, member.next_mid = member.next_mid, member.next_mid + 1
            member.unacknowledged[mid] = (topic, payload)
            if not member.gone:
                member.link.carry(lambda member=member, mid=mid: member.deliver(mid, topic, payload), upwards=False)
        return ACCEPTED

    def receipt(self, gateway_id: str, topic: str, payload: bytes) -> None:
        """A receipt has arrived: on to the gateway, if it is there."""
        self.on_receipt(payload)
        if gateway_id in self._gateways:
            link, deliver = self._gateways[gateway_id]
            if link.up:
                link.carry(lambda: deliver(topic, payload), upwards=False)
