"""The loop that empties the outbox: at its own pace, over connections that come and go.

PUBACK settles nothing (L1). A row is marked sent before it is published, published again with back-off until a receipt
names it, and only the receipt, which the cloud sends after its commit, settles it.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog
from pydantic import ValidationError

from gateway.backoff import delay_s
from gateway.errors import GatewayError, OutboxFailed
from gateway.outbox import Outbox
from gateway.turns import WAIT_S_MAX, Part, Turns
from gateway.uplink.batches import Verdict, next_batch, next_try, render, verdict
from gateway.uplink.connection import Connection, Message, NotConnected, NotLetIn, Puback
from gateway.uplink.door import Doors
from schemas.messages import BATCH_ITEMS_MAX, Channel, Event, EventName, Receipt, Status, StatusKind

log = structlog.get_logger()

#: Publications awaiting their PUBACK. Below paho's own window of 20, whose bookkeeping is quadratic in what is in flight.
WINDOW: Final = 8
#: Rows sent and awaiting their receipt; a worker that is slow is not buried.
ROWS_IN_FLIGHT_MAX: Final = 1_000
#: A connection that answers nothing for so long is dead, whatever paho believes.
PUBACK_S_MAX: Final = 20.0
#: After a new connection no row waits longer than this for its next try.
HASTEN_S: Final = 5.0

#: Reconnecting: 1 s, 2 s, 4 s … each up to five times as long by chance, at most 120 s (F21, S1).
RECONNECT_FIRST_S: Final = 1.0
RECONNECT_MAX_S: Final = 24.0
RECONNECT_SPREAD: Final = 4.0
#: A connection that lived so long was a good one: the next back-off starts from the beginning.
STABLE_S: Final = 10.0

#: Nobody listening, or refused: how long to pause before one message tries again.
PAUSE_FIRST_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
PAUSE_SPREAD: Final = 0.5
#: Nobody listening for so long is worth telling once somebody does.
UNHEARD_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class _InAir:
    """One publication whose PUBACK is awaited: the rows or the event it carries, or neither (a status)."""

    seqs: tuple[int, ...]
    event: int | None
    at: float


@dataclass(slots=True)
class LinkState:
    """What the uplink knows of the way up, for heartbeat and people. `last_receipt_at` is None until the first one."""

    connected: bool = False
    paused: Verdict | None = None
    last_receipt_at: datetime | None = None
    #: When the broker last took a status, whether or not somebody listened.
    heartbeat_taken_at: datetime | None = None


class Uplink:
    """Empties one outbox. `status` makes the birth and the heartbeat; `utc_now` is asked once per turn of the loop."""

    def __init__(
        self,
        *,
        gateway_id: str,
        doors: Doors,
        outbox: Outbox,
        status: Callable[[StatusKind, datetime], Status],
        heartbeat_s: float,
        utc_now: Callable[[], datetime],
        on_request: Callable[[bytes], None] = lambda _payload: None,
        on_change: Callable[[], None] = lambda: None,
        turns: Turns | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.state = LinkState()
        self._gateway_id = gateway_id
        self._doors = doors
        self._outbox = outbox
        self._status = status
        self._heartbeat_s = heartbeat_s
        self._utc_now = utc_now
        self._on_request = on_request
        self._on_change = on_change
        self._chance = chance or random.SystemRandom()
        self._news = asyncio.Event()
        self._in_air: dict[int, _InAir] = {}
        self._pauses = 0
        self._paused_until = 0.0
        self._unheard_since: float | None = None
        self._heartbeat_at = 0.0
        self._turns = turns or Turns()
        self._another_door = False

    def wake(self) -> None:
        """Something was kept: look at the outbox now."""
        self._news.set()

    def change_doors(self) -> None:
        """There is a new certificate: end this connection, and open the next one with it, at once."""
        self._another_door = True
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Connect, empty the outbox, connect again; until `stop` is set."""
        loop = asyncio.get_running_loop()
        failures = 0
        while not stop.is_set():
            began = loop.time()
            await self._one_connection(stop)
            if self._another_door:
                continue
            failures = 0 if loop.time() - began >= STABLE_S else failures + 1
            wait_s = delay_s(
                max(failures - 1, 0),
                first_s=RECONNECT_FIRST_S,
                max_s=RECONNECT_MAX_S,
                spread=RECONNECT_SPREAD,
                draw=self._chance.random(),
            )
            await self._turns.rest(Part.UPLINK, wait_s, stop)

    async def _one_connection(self, stop: asyncio.Event) -> None:
        self._turns.turn(Part.UPLINK)
        now = self._utc_now()
        will = self._status(StatusKind.WILL, now).model_dump_json().encode()
        self._in_air.clear()
        self._resume()
        self._another_door = False
        try:
            door = self._doors.next()
        except GatewayError as error:
            log.error("uplink_no_door", reason=str(error))
            return
        connection = Connection(gateway_id=self._gateway_id, door=door, will=will, news=self._news)
        try:
            await connection.open()
            log.info("uplink_connected")
            self.state.connected = True
            self._doors.opened(door)
            self._on_change()
            self._outbox.hasten(now=self._utc_now(), within_s=HASTEN_S)
            self._say(connection, StatusKind.BIRTH)
            await self._converse(connection, stop)
        except NotLetIn as error:
            log.warning("uplink_not_let_in", reason=str(error))
            self._doors.refused(door, str(error))
        except NotConnected as error:
            log.warning("uplink_not_connected", reason=str(error))
        except OutboxFailed as error:
            # What cannot be marked must not be sent: the rows wait until the disk has room.
            log.critical("outbox_failed", reason=str(error))
        finally:
            self.state.connected = False
            self._on_change()
            self._turns.turn(Part.UPLINK)
            await connection.close()

    async def _converse(self, connection: Connection, stop: asyncio.Event) -> None:
        stopping = asyncio.ensure_future(stop.wait())
        stopping.add_done_callback(lambda _done: self._news.set())
        try:
            while not stop.is_set() and not self._another_door:
                self._news.clear()
                if connection.lost is not None:
                    raise NotConnected(connection.lost)
                while (heard := connection.take()) is not None:
                    self._hear(heard)
                self._pump(connection)
                self._turns.turn(Part.UPLINK)
                # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with the news.
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._idle_s()):
                        await self._news.wait()
        finally:
            stopping.cancel()

    def _idle_s(self) -> float:
        """How long nothing is to do: until a row is due, a pause ends, a heartbeat is due or an answer is overdue."""
        clock = asyncio.get_running_loop().time()
        moments = [self._heartbeat_at]
        moments += [flight.at + PUBACK_S_MAX for flight in self._in_air.values()]
        if self._paused_until > clock:
            moments.append(self._paused_until)
        elif len(self._in_air) < (1 if self._pauses else WINDOW):
            waiting = self._outbox.next_due_s(now=self._utc_now())
            moments += [] if waiting is None else [clock + waiting]
        return min(max(min(moments) - clock, 0.05), WAIT_S_MAX)

    def _pump(self, connection: Connection) -> None:
        now, clock = self._utc_now(), asyncio.get_running_loop().time()
        if any(clock - flight.at > PUBACK_S_MAX for flight in self._in_air.values()):
            raise NotConnected("the broker stopped answering")
        if clock >= self._heartbeat_at:
            self._say(connection, StatusKind.HEARTBEAT)
        if clock < self._paused_until:
            return
        window = 1 if self._pauses else WINDOW
        while len(self._in_air) < window and self._send_rows(connection, now=now):
            pass
        carrying = any(flight.seqs or flight.event for flight in self._in_air.values())
        if not carrying and (not self._pauses or self._outbox.next_due_s(now=now) is None):
            for event in self._outbox.events(limit=window):
                mid = connection.publish(Channel.EVENTS, event.body.encode())
                self._in_air[mid] = _InAir((), event.number, clock)

    def _send_rows(self, connection: Connection, *, now: datetime) -> bool:
        room = ROWS_IN_FLIGHT_MAX - self._outbox.in_flight(now=now)
        batch = next_batch(self._outbox.due(now=now, limit=min(room, BATCH_ITEMS_MAX))) if room > 0 else ()
        if not batch:
            return False
        self._outbox.mark_sent(
            [(row.seq, next_try(row, now=now, draw=self._chance.random())) for row in batch], now=now
        )
        mid = connection.publish(Channel.READINGS, render(batch, gateway_id=self._gateway_id, epoch=self._outbox.epoch))
        self._in_air[mid] = _InAir(tuple(row.seq for row in batch), None, asyncio.get_running_loop().time())
        return True

    def _say(self, connection: Connection, kind: StatusKind) -> None:
        self._heartbeat_at = asyncio.get_running_loop().time() + self._heartbeat_s
        mid = connection.publish(Channel.STATUS, self._status(kind, self._utc_now()).model_dump_json().encode())
        # Awaited like any other: a connection that answers no heartbeat is dead, also where there is nothing to send.
        self._in_air[mid] = _InAir((), None, asyncio.get_running_loop().time())

    # What comes down

    def _hear(self, heard: Puback | Message) -> None:
        if isinstance(heard, Puback):
            flight = self._in_air.pop(heard.mid, None)
            if flight is not None:
                self._answered(flight, heard.reason_code)
        elif heard.channel is Channel.RECEIPTS:
            self._receipted(heard.payload)
        else:
            self._on_request(heard.payload)

    def _answered(self, flight: _InAir, reason_code: int) -> None:
        now, meaning = self._utc_now(), verdict(reason_code)
        if not flight.seqs and flight.event is None:
            # A status: whether somebody hears it decides nothing here.
            if meaning in {Verdict.IN_TRANSIT, Verdict.NOBODY_LISTENING}:
                self.state.heartbeat_taken_at = now
            return
        if meaning is Verdict.NOBODY_LISTENING:
            self._outbox.unsend(flight.seqs, now=now)
            self._pause(meaning, reason_code)
        elif meaning is Verdict.GATEWAY_REFUSED:
            self._pause(meaning, reason_code)
        elif meaning is Verdict.MESSAGE_REFUSED:
            log.error("message_refused", reason_code=reason_code, rows=flight.seqs[:3], count=len(flight.seqs))
            if flight.event is not None:
                # Telemetry that can never be taken is let go; a reading never is, it rests longer each time.
                self._outbox.settle_event(flight.event, now=now)
        else:
            if flight.event is not None:
                self._outbox.settle_event(flight.event, now=now)
            self._heard_again(now)

    def _pause(self, meaning: Verdict, reason_code: int) -> None:
        clock = asyncio.get_running_loop().time()
        if clock < self._paused_until:
            return  # another answer of the same window
        if self._pauses == 0:
            log.error("uplink_paused", why=meaning, reason_code=reason_code)
            self._unheard_since = clock
        wait_s = delay_s(
            self._pauses, first_s=PAUSE_FIRST_S, max_s=PAUSE_MAX_S, spread=PAUSE_SPREAD, draw=self._chance.random()
        )
        self._pauses += 1
        self._paused_until = clock + wait_s
        self.state.paused = meaning
        self._on_change()

    def _heard_again(self, now: datetime) -> None:
        if not self._pauses:
            return
        assert self._unheard_since is not None
        silent_s = asyncio.get_running_loop().time() - self._unheard_since
        log.info("uplink_resumed", after_s=round(silent_s, 1))
        if silent_s >= UNHEARD_S:
            why = str(self.state.paused)
            self._outbox.add_event(
                Event(gateway_id=self._gateway_id, at=now, name=EventName.UPLINK_WAS_PAUSED, value=why)
            )
        self._resume()
        self._on_change()

    def _resume(self) -> None:
        self._pauses, self._paused_until, self._unheard_since = 0, 0.0, None
        self.state.paused = None

    def _receipted(self, payload: bytes) -> None:
        now = self._utc_now()
        try:
            receipt = Receipt.model_validate_json(payload)
        except ValidationError as error:
            # Its rows stay and are sent again: nothing is settled by what cannot be read.
            log.error("receipt_unreadable", problems=error.error_count())
            return
        if receipt.gateway_id != self._gateway_id or receipt.epoch != self._outbox.epoch:
            log.error("receipt_not_ours")
            return
        settled = self._outbox.settle(receipt, now=now)
        held = [item.seq for item in receipt.quarantined]
        log.info("receipted", rows=settled, unassigned=len(receipt.unassigned), quarantined=held[:10])
        self.state.last_receipt_at = now
        self._on_change()
