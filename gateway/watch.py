"""All day long: hear a device of this home, connect on sight, have its readings, let go of it.

A cuff advertises for about a minute after a measurement and hangs up when it has spoken, so there is no schedule: the
scan goes on, and whoever is heard is spoken to at once. Only enrolled devices are; one session at a time each.
"""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from devices.catalogue import find
from devices.consent import in_turn
from devices.gatt import AttError, LinkLost
from devices.inbox import NotKept
from devices.procedures import SESSION_S_MAX, Answer, Ending, collect, introduce
from gateway.acquaintance import Acquaintances
from gateway.backoff import delay_s
from gateway.bonds import KnownDevices
from gateway.enrolment import Enrolled, Enrolment
from gateway.errors import OutboxFailed
from gateway.intake import Dater, Fresh, facts_text, settle_session
from gateway.ladder import CONNECTS_FAILED_MAX, SILENT_S, Trouble
from gateway.outbox import Kept, Outbox
from gateway.radio import Heard, Radio
from gateway.radio_faults import AdapterAbsent, NotConnectable, PairingFailed, RadioFault
from gateway.recovery import Recovery
from gateway.reluctant import Reluctant
from gateway.turns import WAIT_S_MAX, Part, Turns
from schemas.messages import Event, EventName

log = structlog.get_logger()

#: How the heartbeat names a radio without an adapter.
ABSENT: Final = "no adapter, "
#: Connections at one time: what a common adapter carries beside its scan.
SESSIONS_MAX: Final = 3
SCAN_RETRY_FIRST_S: Final = 1.0
SCAN_RETRY_MAX_S: Final = 10.0
#: After a session that failed or brought nothing: a cuff that is in the air for a minute must still be met.
AGAIN_FIRST_S: Final = 1.0
AGAIN_MAX_S: Final = 20.0
SPREAD: Final = 0.25
#: A session that lasts longer hangs: connecting, reading who it is, and forgetting a bond come to less beside its own bound.
SESSION_TURN_S_MAX: Final = SESSION_S_MAX + 120.0


class Watch:
    """Listens for the devices of one home. `on_change` is told when anything was kept or a session began or ended."""

    def __init__(
        self,
        *,
        gateway_id: str,
        radio: Radio,
        enrolment: Enrolment,
        outbox: Outbox,
        recovery: Recovery,
        zone: ZoneInfo,
        utc_now: Callable[[], datetime],
        on_change: Callable[[], None],
        on_fresh: Callable[[tuple[Fresh, ...]], None] = lambda _readings: None,
        when: Dater = lambda _stamp: None,
        clock_right: Callable[[], bool] = lambda: True,
        known: KnownDevices | None = None,
        turns: Turns | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self.scanning = self._absent = False
        self._turns = turns or Turns()
        self._gateway_id = gateway_id
        self._radio = radio
        self._enrolment = enrolment
        self._outbox = outbox
        self._recovery = recovery
        self._on_fresh = on_fresh
        self._reluctant = Reluctant(radio, self._tell)
        self._acquaintances = Acquaintances()
        self._when = when
        self._clock_right = clock_right
        self._known = known
        self._zone = zone
        self._utc_now = utc_now
        self._on_change = on_change
        self._chance = chance or random.SystemRandom()
        #: Sessions whose frames are still coming: their rows are this object's to make.
        self.listening: set[int] = set()
        self._sessions: dict[int, asyncio.Task[None]] = {}
        self._room = asyncio.Semaphore(SESSIONS_MAX)
        self._fruitless: dict[int, int] = {}
        #: When each enrolled device was last heard, on the loop's clock, and how strongly, in dBm.
        self.sightings: dict[int, tuple[float, int]] = {}
        self._not_before: dict[int, float] = {}
        #: The user whose consent was answered last, by the device's slot; and what was last answered to each.
        self._consented_last: dict[int, int] = {}
        self._consents_told: dict[tuple[int, int], Answer] = {}
        self._heard_at = 0.0

    @property
    def sessions(self) -> int:
        """How many devices are being listened to."""
        return len(self._sessions)

    @property
    def adapter(self) -> str:
        """The radio in one phrase, for the heartbeat."""
        return self._radio.name if self.scanning else f"{self._radio.name}: {ABSENT * self._absent}not scanning"

    @property
    def rssi_dbm(self) -> int | None:
        """How strongly the weakest of this home's devices was last heard."""
        return min((rssi for _, rssi in self.sightings.values()), default=None)

    async def run(self, stop: asyncio.Event) -> None:
        """Scan until `stop` is set; then end every session, each with its disconnect.

        RestartWanted where the radio cannot be had back from within this process.
        """
        faults = 0
        try:
            if self._recovery.resuming:
                await self._recovery.act(Trouble.SCAN_FAILS)
            while not stop.is_set():
                self._turns.turn(Part.WATCH)
                try:
                    async with self._radio.scanning(self._seen):
                        self._set_scanning(on=True)
                        faults = 0
                        trouble = await self._until_trouble(stop)
                except RadioFault as error:
                    trouble = self._scan_failed(error, faults)
                    faults += 1
                if trouble is not None and not stop.is_set():
                    self._turns.turn(Part.WATCH)
                    await self._recovery.act(trouble)
                if faults:
                    await self._turns.rest(Part.WATCH, self._rest_s(faults - 1), stop)
        finally:
            # Also where the radio wants another process: whatever hangs now must not keep this one.
            self._turns.ending()
            self._set_scanning(on=False)
            for session in self._sessions.values():
                session.cancel()
            await asyncio.gather(*self._sessions.values(), return_exceptions=True)

    def _set_scanning(self, *, on: bool, absent: bool = False) -> None:
        if (self.scanning, self._absent) != (on, absent):
            self.scanning, self._absent = on, absent
            self._on_change()

    def _scan_failed(self, error: RadioFault, attempt: int) -> Trouble:
        absent = isinstance(error, AdapterAbsent)
        if not absent or not self._absent:  # a stick that was pulled out may stay out for days: said once
            log.error("scan_failed", reason=str(error), attempt=attempt)
        self._set_scanning(on=False, absent=absent)
        return Trouble.ABSENT if absent else Trouble.SCAN_FAILS

    async def _until_trouble(self, stop: asyncio.Event) -> Trouble | None:
        """Wait for silence, or for connections that fail one after the other; None where `stop` was set or the scan ended."""
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        while (quiet_s := loop.time() - self._heard_at) < SILENT_S:
            self._turns.turn(Part.WATCH)
            ends = (stop, self._reluctant.failing, self._radio.scan_ended)
            waits = [asyncio.ensure_future(event.wait()) for event in ends]
            try:
                await asyncio.wait(
                    waits, timeout=min(SILENT_S - quiet_s, WAIT_S_MAX), return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                for wait in waits:
                    wait.cancel()
            if stop.is_set() or self._radio.scan_ended.is_set():
                return None
            if self._reluctant.failing.is_set():
                self._reluctant.failing.clear()
                return Trouble.CONNECTS_FAIL
        return Trouble.SILENT

    def _rest_s(self, faults: int) -> float:
        return delay_s(
            faults, first_s=SCAN_RETRY_FIRST_S, max_s=SCAN_RETRY_MAX_S, spread=SPREAD, draw=self._chance.random()
        )

    def _seen(self, heard: Heard) -> None:
        loop = asyncio.get_running_loop()
        self._heard_at = loop.time()
        if self._reluctant.failures < CONNECTS_FAILED_MAX:
            self._recovery.well()
        enrolled = self._enrolment.find(heard.address)
        if enrolled is not None:
            self.sightings[enrolled.slot] = loop.time(), heard.rssi_dbm
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
        kept, rest_s = Kept(0, 0), 0.0
        part = f"device {enrolled.slot}"
        try:
            async with self._room:
                self._turns.turn(part, within_s=SESSION_TURN_S_MAX)
                kept = await self._listen(enrolled, heard)
        except PairingFailed as error:
            log.warning("not_paired", device=enrolled.slot, reason=str(error))
            rest_s = await self._reluctant.pairing_failed(enrolled)
        except NotConnectable as error:
            log.warning("not_connected", device=enrolled.slot, reason=str(error))
            await self._reluctant.connect_failed(enrolled)
        except (RadioFault, LinkLost, AttError) as error:
            log.warning("session_failed", device=enrolled.slot, error=type(error).__name__, reason=str(error))
        except (NotKept, OutboxFailed) as error:
            # The device believes it was heard. Nothing can be kept of that, so it is at least said loudly.
            log.critical("reading_not_kept", device=enrolled.slot, error=type(error).__name__)
        except Exception as error:  # noqa: BLE001 - the edge of a session: one device's trouble is not another's
            log.error("session_broke", device=enrolled.slot, error=type(error).__name__)
        finally:
            self._turns.ended(part)
            self._again(enrolled, fruitful=kept.new > 0, rest_s=rest_s)
            del self._sessions[enrolled.slot]
            self._on_change()

    def _again(self, enrolled: Enrolled, *, fruitful: bool, rest_s: float = 0.0) -> None:
        fruitless = 0 if fruitful else self._fruitless.get(enrolled.slot, 0) + 1
        self._fruitless[enrolled.slot] = fruitless
        wait_s = 0.0
        if fruitless:
            wait_s = delay_s(
                fruitless - 1, first_s=AGAIN_FIRST_S, max_s=AGAIN_MAX_S, spread=SPREAD, draw=self._chance.random()
            )
        self._not_before[enrolled.slot] = asyncio.get_running_loop().time() + max(wait_s, rest_s)

    async def _listen(self, enrolled: Enrolled, heard: Heard) -> Kept:
        pair = enrolled.passkey is not None or find(None, None, heard.name).pairs_first
        async with self._radio.connected(heard, pair=pair) as link:
            self._recovery.well()
            self._reluctant.connected(enrolled)
            facts = await introduce(
                link, utc_now=self._utc_now, zone=self._zone, name=heard.name, set_clock=self._clock_right()
            )
            another = self._known is not None and self._known.is_another(enrolled.address, facts.serial)
            if another:
                log.warning("device_changed", device=enrolled.slot)
                self._tell(EventName.DEVICE_CHANGED, enrolled)
            elif self._known is not None and self._known.has_new_firmware(enrolled.address, facts.firmware):
                log.warning("device_firmware", device=enrolled.slot, firmware=facts.firmware)
                self._tell(EventName.DEVICE_FIRMWARE, enrolled, facts.firmware)
            for news in self._acquaintances.news(
                enrolled.slot,
                facts,
                services=link.services,
                characteristics=link.characteristics,
                company_ids=heard.company_ids,
                now_s=asyncio.get_running_loop().time() if self._clock_right() else None,
            ):
                log.info(news.name, device=enrolled.slot, value=news.value)
                self._tell(news.name, enrolled, news.value)
            number = self._outbox.begin_session(address=enrolled.address, facts=facts_text(facts), now=self._utc_now())
            ending: Ending | None = None
            # Another meter counts its records by itself.
            last_sequence = None if another else self._outbox.last_sequence(enrolled.address)
            self.listening.add(number)
            try:
                ending = await collect(
                    link,
                    keep=partial(self._outbox.keep, number),
                    utc_now=self._utc_now,
                    last_sequence=last_sequence,
                    is_last=self._known and self._known.is_last(enrolled.address, last_sequence),
                    model=facts.catalogued,
                    zone=self._zone,
                    consents=in_turn(enrolled.consents, self._consented_last.get(enrolled.slot)),
                    on_consent=partial(self._consented, enrolled),
                    set_clock=self._clock_right(),
                )
            finally:
                # Also when the session broke off, or the program is told to stop: what was kept travels.
                self.listening.discard(number)
                settled = settle_session(
                    self._outbox, number, zone=self._zone, now=self._utc_now(), ending=ending, when=self._when
                )
                if settled.last is not None and self._known is not None:
                    self._known.remember_last(enrolled.address, *settled.last)
                if settled.missing:
                    log.warning("records_missing", device=enrolled.slot, numbers=settled.missing)
                if settled.fresh:
                    self._on_fresh(settled.fresh)
            kept = settled.kept
            self._reluctant.talked(enrolled)
            log.info("session_ended", device=enrolled.slot, ending=ending, new=kept.new, repeated=kept.repeated)
        return kept

    def _consented(self, enrolled: Enrolled, user: int, answer: Answer) -> None:
        level = log.info if answer is Answer.GIVEN else log.warning
        level("consent", device=enrolled.slot, user=user, answer=answer)
        self._consented_last[enrolled.slot] = user
        before = self._consents_told.get((enrolled.slot, user), Answer.GIVEN)
        self._consents_told[enrolled.slot, user] = answer
        if answer is not before and answer is not Answer.GIVEN:
            self._tell(EventName.DEVICE_CONSENT, enrolled, f"user {user}: {answer}")

    def _tell(self, name: EventName, enrolled: Enrolled, value: float | str | None = None) -> None:
        at = self._utc_now()
        self._outbox.add_event(
            Event(gateway_id=self._gateway_id, at=at, name=name, address=enrolled.address, value=value)
        )
