"""Simulated gateways at work: connect, send as fast as receipts come or at a rate, send again what has no receipt.

A gateway keeps a reading until its receipt comes and sends it again where none does; so do these. What is under way is
bounded, so that the broker's queue is never the place where readings wait.
"""

import asyncio
import random
import secrets
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rpm.errors import UserError
from rpm.ingest.subscriber import BrokerAddress
from rpm.load import mqtt
from rpm.load.connection import Account, Connection
from rpm.load.messages import Run, gateway_id, message
from rpm.load.tally import Tally
from schemas.messages import Channel, topic

CONNECT_S_MAX: Final = 20.0
#: So many connections are being opened at once.
OPENING_MAX: Final = 50
#: A message without a receipt is sent again after so long.
RESEND_AFTER_S: Final = 15.0
RESEND_LOOK_S: Final = 0.5
#: No receipt for this long: what has none now is given up.
SILENCE_S_MAX: Final = 30.0
PING_EVERY_S: Final = 20.0
#: Under way at once, unless told otherwise: as much as two workers' hands can hold.
MESSAGES_UNDER_WAY: Final = 4000
READINGS_UNDER_WAY: Final = 40_000
#: Messages handed over before the receipts are looked at again.
BURST: Final = 50
PROGRESS_EVERY_S: Final = 0.25
LAST_EVERY_S: Final = 0.01

Progress = Callable[[Tally], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """How a run is sent. `per_second` 0: as fast as receipts come. `seconds` 0: until every reading is sent."""

    per_second: float = 0.0
    seconds: float = 0.0
    under_way: int = MESSAGES_UNDER_WAY


def under_way_of(per_message: int) -> int:
    """How many messages of so many readings may be without a receipt at once."""
    return max(1, min(MESSAGES_UNDER_WAY, READINGS_UNDER_WAY // per_message))


class Fleet:
    """All simulated gateways of a run, over `connections` to one broker."""

    def __init__(
        self, run: Run, address: BrokerAddress, *, connections: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self.tally = Tally(run)
        self._run = run
        self._address, self._tls = address, tls
        self._lines: list[Connection] = []
        self._sent: list[int] = [0] * connections
        self._payloads: dict[int, bytes] = {}
        self._room = asyncio.Event()
        name = f"load-{secrets.token_hex(4)}"
        for number in range(connections):
            account = Account(f"{name}-{number}", address.username or "", address.password or "")
            names = [gateway_id(gateway) for gateway in range(number, run.gateways, connections)]
            self._lines.append(Connection(account, names, self._heard))

    def _heard(self, receipt: dict[str, Any]) -> None:
        self.tally.hear(receipt, at=time.monotonic())
        self._room.set()

    async def open(self) -> None:
        """Connect and subscribe; UserError where the broker is not to be had or refuses."""
        loop = asyncio.get_running_loop()
        host, port = self._address.host, self._address.port
        for start in range(0, len(self._lines), OPENING_MAX):
            part = self._lines[start : start + OPENING_MAX]
            try:
                async with asyncio.timeout(CONNECT_S_MAX):
                    for line in part:
                        await loop.create_connection(lambda line=line: line, host, port, ssl=self._tls)
                    for line in part:
                        await line.ready.wait()
            except (OSError, TimeoutError) as error:
                raise UserError(f"the broker at {host}:{port} cannot be reached ({error or 'no answer'})") from error
            self._check(part)

    def close(self) -> None:
        """Hang up."""
        for line in self._lines:
            line.close()

    async def send(self, built: Sequence[bytes], pace: Pace, *, now: datetime, progress: Progress) -> None:
        """Send the run, and wait for the receipts; `built`: the first messages, made before.

        UserError where the broker lets a simulated gateway down.
        """
        sending = asyncio.create_task(self._send(self._messages(built, now), pace))
        pinged = looked = time.monotonic()
        quiet_since, settled = pinged, -1
        try:
            while not sending.done() or self.tally.under_way:
                await asyncio.sleep(LAST_EVERY_S if sending.done() else PROGRESS_EVERY_S)
                clock = time.monotonic()
                self._check(self._lines)
                progress(self.tally)
                if clock - pinged > PING_EVERY_S:
                    pinged = clock
                    for line in self._lines:
                        line.ping()
                if clock - looked > RESEND_LOOK_S:
                    looked = clock
                    self._send_again(clock - RESEND_AFTER_S)
                if settled != self.tally.settled:
                    settled, quiet_since = self.tally.settled, clock
                if clock - quiet_since > SILENCE_S_MAX and self.tally.under_way:
                    break
        finally:
            sending.cancel()
        if sending.done() and not sending.cancelled():
            sending.result()

    def _messages(self, built: Sequence[bytes], now: datetime) -> Iterator[bytes]:
        yield from built
        for place in range(len(built), self._run.messages):
            yield message(self._run, place, now=now)

    async def _send(self, payloads: Iterator[bytes], pace: Pace) -> None:
        draw = random.Random(self._run.seed)  # noqa: S311 - pauses, no secrets
        begun = due = time.monotonic()
        for place, payload in enumerate(payloads):
            if pace.per_second:
                due += draw.expovariate(pace.per_second / self._run.per_message)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
            elif place % BURST == 0:
                await asyncio.sleep(0)
            while self.tally.under_way >= pace.under_way:
                self._room.clear()
                await self._room.wait()
            if pace.seconds and time.monotonic() - begun >= pace.seconds:
                return
            self._payloads[place] = payload
            self.tally.first_sending(place, at=time.monotonic())
            self._hand_over(place)

    def _send_again(self, before: float) -> None:
        """What is settled need not be kept; what is overdue goes once more."""
        for place in self._payloads.keys() - self.tally.sent_last.keys():
            del self._payloads[place]
        for place in self.tally.overdue(before=before):
            self.tally.sending(place, at=time.monotonic())
            self._hand_over(place)

    def _hand_over(self, place: int) -> None:
        gateway = place % self._run.gateways
        which = gateway % len(self._lines)
        name = topic(gateway_id(gateway), Channel.READINGS)
        line = self._lines[which]
        line.outgoing.append(mqtt.publish(mqtt.packet_id(self._sent[which]), name, self._payloads[place]))
        self._sent[which] += 1
        line.flush()

    @staticmethod
    def _check(lines: Sequence[Connection]) -> None:
        for line in lines:
            if line.failed is not None:
                raise UserError(str(line.failed))
