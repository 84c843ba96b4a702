"""All day long: hear a device of this home, connect on sight, have its readings, let go of it.

A cuff advertises for about a minute after a measurement and hangs up when it has spoken, so there is no schedule: the
scan goes on, and whoever is heard is spoken to at once. Only enrolled devices are; one session at a time each.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from devices import not_decoded
from devices.gatt import AttError, LinkLost
from devices.inbox import NotKept
from devices.procedures import Ending, SessionFacts, collect, introduce
from gateway.backoff import delay_s
from gateway.enrolment import Enrolled, Enrolment
from gateway.errors import OutboxFailed
from gateway.intake import facts_text, settle_session
from gateway.outbox import Kept, Outbox
from gateway.radio import Heard, Radio, RadioFault
from schemas.messages import Event

log = structlog.get_logger()

#: Connections at one time: what a common adapter carries beside its scan.
SESSIONS_MAX: Final = 3
#: An adapter that hears nothing at all for so long may have stopped scanning without saying so: scan anew (F10).
SCAN_SILENT_S: Final = 60.0
SCAN_RETRY_FIRST_S: Final = 1.0
SCAN_RETRY_MAX_S: Final = 30.0
#: After a session that failed or brought nothing: a cuff that is in the air for a minute must still be met.
AGAIN_FIRST_S: Final = 1.0
AGAIN_MAX_S: Final = 20.0
SPREAD: Final = 0.25


class Watch:
    """Listens for the devices of one home. `on_change` is told when anything was kept or a session began or ended."""

    def __init__(
        self,
        *,
        gateway_id: str,
        radio: Radio,
        enrolment: Enrolment,
        outbox: Outbox,
        zone: ZoneInfo,
        utc_now: Callable[[], datetime],
        on_change: Callable[[], None],
        chance: random.Random | None = None,
    ) -> None:
        self.scanning = False
        self._gateway_id = gateway_id
        self._radio = radio
        self._enrolment = enrolment
        self._outbox = outbox
        self._zone = zone
        self._utc_now = utc_now
        self._on_change = on_change
        self._chance = chance or random.SystemRandom()
        #: Sessions whose frames are still coming: their rows are this object's to make.
        self.listening: set[int] = set()
        self._sessions: dict[int, asyncio.Task[None]] = {}
        self._turn = asyncio.Semaphore(SESSIONS_MAX)
        self._fruitless: dict[int, int] = {}
        self._not_before: dict[int, float] = {}
        self._heard_at = 0.0

    @property
    def sessions(self) -> int:
        """How many devices are being listened to."""
        return len(self._sessions)

    @property
    def adapter(self) -> str:
        """The radio in one phrase, for the heartbeat."""
        return self._radio.name if self.scanning else f"{self._radio.name}: not scanning"

    async def run(self, stop: asyncio.Event) -> None:
        """Scan until `stop` is set; then end every session, each with its disconnect."""
        faults = 0
        try:
            while not stop.is_set():
                try:
                    async with self._radio.scanning(self._seen):
                        self._set_scanning(on=True)
                        faults = 0
                        await self._until_silent(stop)
                except RadioFault as error:
                    self._set_scanning(on=False)
                    log.error("scan_failed", reason=str(error), attempt=faults)
                    await self._rest(stop, faults)
                    faults += 1
        finally:
            self._set_scanning(on=False)
            for session in self._sessions.values():
                session.cancel()
            await asyncio.gather(*self._sessions.values(), return_exceptions=True)

    def _set_scanning(self, *, on: bool) -> None:
        if self.scanning != on:
            self.scanning = on
            self._on_change()

    async def _until_silent(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        while (quiet_s := loop.time() - self._heard_at) < SCAN_SILENT_S:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SCAN_SILENT_S - quiet_s)
            if stop.is_set():
                return
        log.debug("scan_restarted", quiet_s=SCAN_SILENT_S)

    async def _rest(self, stop: asyncio.Event, faults: int) -> None:
        wait_s = delay_s(
            faults, first_s=SCAN_RETRY_FIRST_S, max_s=SCAN_RETRY_MAX_S, spread=SPREAD, draw=self._chance.random()
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), wait_s)

    def _seen(self, heard: Heard) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        enrolled = self._enrolment.find(heard.address)
        if (
            enrolled is None
            or enrolled.slot in self._sessions
            or loop.time() < self._not_before.get(enrolled.slot, 0.0)
        ):
            return
        session = asyncio.create_task(self._session(enrolled, heard), name=f"device {enrolled.slot}")
        self._sessions[enrolled.slot] = session
        self._on_change()

    async def _session(self, enrolled: Enrolled, heard: Heard) -> None:
        """One connection, from sight to disconnect, and when the device may be connected to again."""
        kept = Kept(0, 0)
        try:
            async with self._turn:
                kept = await self._listen(enrolled, heard)
        except (RadioFault, LinkLost, AttError) as error:
            log.warning("session_failed", device=enrolled.slot, error=type(error).__name__, reason=str(error))
        except (NotKept, OutboxFailed) as error:
            # The device believes it was heard. Nothing can be kept of that, so it is at least said loudly.
            log.critical("reading_not_kept", device=enrolled.slot, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the edge of a session: one device's trouble is not another's
            log.error("session_broke", device=enrolled.slot, error=type(error).__name__)
        finally:
            self._again(enrolled, fruitful=kept.new > 0)
            del self._sessions[enrolled.slot]
            self._on_change()

    def _again(self, enrolled: Enrolled, *, fruitful: bool) -> None:
        fruitless = 0 if fruitful else self._fruitless.get(enrolled.slot, 0) + 1
        self._fruitless[enrolled.slot] = fruitless
        wait_s = 0.0
        if fruitless:
            wait_s = delay_s(
                fruitless - 1, first_s=AGAIN_FIRST_S, max_s=AGAIN_MAX_S, spread=SPREAD, draw=self._chance.random()
            )
        self._not_before[enrolled.slot] = asyncio.get_running_loop().time() + wait_s

    async def _listen(self, enrolled: Enrolled, heard: Heard) -> Kept:
        async with self._radio.connected(heard) as link:
            facts = await introduce(link, utc_now=self._utc_now, zone=self._zone)
            for uuid, name in not_decoded.offered(link.characteristics):
                log.info("not_decoded", device=enrolled.slot, characteristic=uuid, what=name)
            number = self._outbox.begin_session(address=enrolled.address, facts=facts_text(facts), now=self._utc_now())
            ending: Ending | None = None
            self.listening.add(number)
            try:
                ending = await collect(
                    link,
                    keep=partial(self._outbox.keep, number),
                    utc_now=self._utc_now,
                    last_sequence=self._outbox.last_sequence(enrolled.address),
                    model=facts.catalogued,
                )
            finally:
                # Also when the session broke off, or the program is told to stop: what was kept travels.
                self.listening.discard(number)
                kept = settle_session(self._outbox, number, zone=self._zone, now=self._utc_now(), ending=ending)
            log.info("session_ended", device=enrolled.slot, ending=ending, new=kept.new, repeated=kept.repeated)
            if kept.new:
                self._tell_clock(enrolled, facts)
        return kept

    def _tell_clock(self, enrolled: Enrolled, facts: SessionFacts) -> None:
        if facts.clock_offset_s is not None:
            self._outbox.add_event(
                Event(
                    gateway_id=self._gateway_id,
                    at=self._utc_now(),
                    name="device_clock",
                    address=enrolled.address,
                    value=round(facts.clock_offset_s, 1),
                )
            )
