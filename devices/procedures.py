"""What is said to a connected peripheral, in order: who are you, what time is it there, what have you measured.

    facts = await introduce(link, utc_now=…, zone=…, name=…)   # before any subscription: the clock as it was
    ending = await collect(link, keep=…, utc_now=…, zone=…, last_sequence=…, model=facts.catalogued)
    entries = assemble(frames, model=facts.catalogued)         # afterwards, from what was kept

Pure over `gatt.Link`: no radio library, no disk. Connecting, pairing first where the model wants it, and *always*
disconnecting, is the caller's.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Final

from devices import clock, consent, gatt, records
from devices.assemble import PUSHED, Assembled, Dropped, Frame, Malformed, assemble, dropped
from devices.battery import BatteryLevel
from devices.catalogue import find
from devices.consent import Answer
from devices.encoding import MalformedFrame
from devices.inbox import Ending, Inbox
from devices.model import STANDARD, ClockRule, Model

__all__ = [
    "Answer",
    "Assembled",
    "Dropped",
    "Ending",
    "Frame",
    "Malformed",
    "SessionFacts",
    "assemble",
    "collect",
    "dropped",
    "introduce",
]

#: One answer to a read. A cuff may give the whole session five seconds (A&D UA-651BLE), so a silent one is not waited for.
READ_S_MAX: Final = 2.0
#: Of the time a model gives for the subscription, so much is not spent on asking who it is.
SUBSCRIBE_S: Final = 1.5
#: After the subscription a cuff may pair, wake its memory, or wait for the person to finish.
FIRST_VALUE_S_MAX: Final = 8.0
#: Between two values, where the catalogue does not know better; stored readings follow one another at once.
QUIET_S_MAX: Final = 1.5
#: However much a peripheral has to say, others wait for the radio.
SESSION_S_MAX: Final = 300.0

#: `schemas` allows this much for a name.
_TEXT_CHARACTERS_MAX: Final = 64
_PERCENT_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a peripheral says of itself, and how far its clock is off.

    `clock_offset_s` = gateway's local wall time − device's wall time, seconds, both read in this connection and *before*
    the clock was set: it corrects the readings this connection delivers. None where the device has no readable clock,
    or it was never set. `clock_source` is the characteristic the clock was read from. `name` is what it advertised.
    """

    system_id: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    name: str | None = None
    clock_offset_s: float | None = None
    clock_source: str | None = None
    clock_was_set: bool = False
    battery_percent: int | None = None

    @property
    def catalogued(self) -> Model:
        """The catalogue's row of this device."""
        return find(self.manufacturer, self.model, self.name)


async def introduce(
    link: gatt.Link,
    *,
    utc_now: Callable[[], datetime],
    zone: tzinfo,
    name: str | None = None,
    model: Model | None = None,
    set_clock: bool = True,
) -> SessionFacts:
    """Read who this is and its clock; set the clock where the catalogue allows and it is wrong. LinkLost if it hangs up.

    What a peripheral does not offer, refuses or does not answer is None: identity never stops a reading. Where a model
    hangs up on who does not subscribe in time, what was not asked by then is left. `model` overrides the catalogue.
    `set_clock`: False while `utc_now` itself is wrong.
    """
    now_s = asyncio.get_running_loop().time
    begun_s = now_s()
    facts = SessionFacts(
        manufacturer=await _text(link, gatt.MANUFACTURER_NAME), model=await _text(link, gatt.MODEL_NUMBER), name=name
    )
    row = model or facts.catalogued
    facts = await _clock(link, facts, row, utc_now=utc_now, zone=zone, may_set=set_clock)
    spare_s = row.subscribe_within_s - SUBSCRIBE_S - row.settle_s if row.subscribe_within_s else SESSION_S_MAX
    for uuid in (gatt.SYSTEM_ID, gatt.SERIAL_NUMBER, gatt.FIRMWARE_REVISION, gatt.BATTERY_LEVEL):
        within_s = min(READ_S_MAX, begun_s + spare_s - now_s())
        if within_s <= 0:
            break
        facts = _told(facts, uuid, await _read(link, uuid, within_s=within_s))
    return facts


async def collect(
    link: gatt.Link,
    *,
    keep: Callable[[Frame], None],
    utc_now: Callable[[], datetime],
    last_sequence: int | None,
    is_last: records.IsLast | None = None,
    model: Model = STANDARD,
    zone: tzinfo = UTC,
    consents: Sequence[tuple[int, int]] = (),
    on_consent: Callable[[int, Answer], None] = lambda _user, _answer: None,
    set_clock: bool = True,
) -> Ending:
    """Have every measurement the peripheral holds, and say how the session ended.

    `keep` is called inside the notification callback and must be durable when it returns: the ATT confirmation may have
    gone already, and the peripheral may forget. Where it raises, the session ends with NotKept. `last_sequence` is the
    highest record already had *completely* (see `Assembled.awaits_context`); None asks for all; `is_last` tells whether a
    record's frame is that very one (see `records.synchronise`). A peripheral that hangs up ends the session normally, with
    what was kept; where its stored records were had before, that ending stands. AttError where it refuses a subscription.

    `consents` are (user index, code) for a scale with a User Data Service, and `on_consent` hears how each was answered;
    `zone` is the home's, for a clock that can only be set during the session (`set_clock`: False while `utc_now` is wrong).
    """
    if model.misuses_standard:
        return Ending.NOTHING_OFFERED
    inbox = Inbox(keep=keep, utc_now=utc_now, gone=link.gone)
    session = asyncio.timeout(SESSION_S_MAX)
    try:
        async with session:
            if model.settle_s:
                await inbox.pause(model.settle_s)
            store = records.store_of(link.characteristics)
            pushing = _Pushing(
                link,
                inbox,
                model,
                consents,
                local=lambda: utc_now().astimezone(zone),
                store=store,
                set_clock=set_clock,
            )
            await pushing.subscribe()
            if store is None:
                return await pushing.hear(on_consent) if pushing.offered else Ending.NOTHING_OFFERED
            since = None if model.renumbers else last_sequence
            ending = await records.synchronise(link, inbox, store, last_sequence=since, is_last=is_last)
            if pushing.offered:
                with contextlib.suppress(gatt.LinkLost):
                    await pushing.hear(on_consent)
            return ending
    except gatt.LinkLost:
        return Ending.HUNG_UP
    except TimeoutError:
        if not session.expired():
            raise
        return Ending.TOO_LONG


class _Pushing:
    """A peripheral that sends what it has once it is subscribed to."""

    def __init__(
        self,
        link: gatt.Link,
        inbox: Inbox,
        model: Model,
        consents: Sequence[tuple[int, int]],
        *,
        local: Callable[[], datetime],
        store: records.Store | None,
        set_clock: bool,
    ) -> None:
        asked_for = () if store is None else store.characteristics
        self.offered = [uuid for uuid in PUSHED if uuid in link.characteristics and uuid not in asked_for]
        self._consents = consents if gatt.USER_CONTROL_POINT in link.characteristics else ()
        #: Characteristics whose subscription waits for a consent.
        self._refused: list[str] = []
        self._link = link
        self._inbox = inbox
        self._local = local
        self._quiet_s = model.quiet_s or QUIET_S_MAX
        self._clock_is_due = (
            set_clock and model.clock is ClockRule.ON_FIRST_TIME and gatt.CURRENT_TIME in link.characteristics
        )

    async def subscribe(self) -> None:
        """To all it measures, and then to its clock where that is set in between."""
        self._refused = await self._subscribe(self.offered)
        if self.offered and self._clock_is_due:
            await self._link.subscribe(gatt.CURRENT_TIME, lambda data: self._inbox.heard(gatt.CURRENT_TIME, data))

    async def hear(self, on_consent: Callable[[int, Answer], None]) -> Ending:
        """Everything it has; for each consent in turn where it wants one."""
        if not self._consents:
            await self._until_quiet(FIRST_VALUE_S_MAX)
            return Ending.QUIET
        control = consent.Control(self._link)
        await control.open()
        for user_index, code in self._consents:
            answer = await control.consent(user_index, code)
            on_consent(user_index, answer)
            if answer is Answer.GIVEN:
                self._refused = await self._subscribe(self._refused)
            await self._until_quiet(FIRST_VALUE_S_MAX if answer is Answer.GIVEN else self._quiet_s)
        return Ending.QUIET

    async def _subscribe(self, characteristics: Sequence[str]) -> list[str]:
        """Those of them that want a consent first. AttError where another is refused, or all are and there is none."""
        refused: list[str] = []
        for uuid in characteristics:
            try:
                await self._link.subscribe(uuid, self._inbox.taker(uuid))
            except gatt.AttError:
                # The weight itself mostly comes without.
                if not self._consents and (uuid != gatt.BODY_COMPOSITION or len(self.offered) == 1):
                    raise
                refused.append(uuid)
        return refused

    async def _until_quiet(self, first_s: float) -> None:
        wait_s = first_s
        while await self._inbox.something(wait_s):
            wait_s = self._quiet_s
            shown = self._inbox.latest.pop(gatt.CURRENT_TIME, None)
            if shown is not None and self._clock_is_due:
                self._clock_is_due = False
                local = self._local()
                if clock.is_wrong(clock.offset_s(shown, local=local)):
                    await _write(self._link, gatt.CURRENT_TIME, clock.to_write(gatt.CURRENT_TIME, local=local))


async def _clock(
    link: gatt.Link, facts: SessionFacts, row: Model, *, utc_now: Callable[[], datetime], zone: tzinfo, may_set: bool
) -> SessionFacts:
    source = next((uuid for uuid in (gatt.CURRENT_TIME, gatt.DATE_TIME) if uuid in link.characteristics), None)
    if source is None:
        return facts
    shown = await _read(link, source)
    offset_s = clock.offset_s(shown or b"", local=utc_now().astimezone(zone))
    was_set = False
    if may_set and shown is not None and clock.is_wrong(offset_s) and row.clock is ClockRule.BEFORE_SUBSCRIPTION:
        was_set = await _write(link, source, clock.to_write(source, local=utc_now().astimezone(zone)))
    return replace(facts, clock_offset_s=offset_s, clock_source=source, clock_was_set=was_set)


def _told(facts: SessionFacts, uuid: str, data: bytes | None) -> SessionFacts:
    """The facts, with what this characteristic says."""
    match uuid:
        case gatt.SYSTEM_ID:
            return replace(facts, system_id=data.hex() if data else None)
        case gatt.SERIAL_NUMBER:
            return replace(facts, serial=_words(data))
        case gatt.FIRMWARE_REVISION:
            return replace(facts, firmware=_words(data))
        case _:
            return replace(facts, battery_percent=_percent(data))


def _percent(data: bytes | None) -> int | None:
    try:
        percent = BatteryLevel.from_bytes(data or b"").percent
    except MalformedFrame:
        return None
    return percent if percent <= _PERCENT_MAX else None


async def _read(link: gatt.Link, uuid: str, *, within_s: float | None = None) -> bytes | None:
    if uuid not in link.characteristics:
        return None
    try:
        async with asyncio.timeout(READ_S_MAX if within_s is None else within_s):
            return await link.read(uuid)
    except (gatt.AttError, TimeoutError):
        return None


async def _write(link: gatt.Link, uuid: str, data: bytes) -> bool:
    """Whether it was taken."""
    try:
        async with asyncio.timeout(READ_S_MAX):
            await link.write(uuid, data)
    except (gatt.AttError, TimeoutError):
        return False
    return True


async def _text(link: gatt.Link, uuid: str) -> str | None:
    return _words(await _read(link, uuid))


def _words(data: bytes | None) -> str | None:
    text = (data or b"").decode("utf-8", "replace").replace("\0", "").strip()
    return text[:_TEXT_CHARACTERS_MAX] or None
