"""What is said to a connected peripheral, in order: who are you, what time is it there, what have you measured.

    facts = await introduce(link, utc_now=…, zone=…)        # before any subscription: the clock as it was
    ending = await collect(link, keep=…, utc_now=…, last_sequence=…, model=facts.catalogued)
    entries = assemble(frames, model=facts.catalogued)      # afterwards, from what was kept

Pure over `gatt.Link`: no radio library, no disk. Connecting, and *always* disconnecting, is the caller's.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from devices import gatt, records
from devices.assemble import PUSHED, Assembled, Frame, Malformed, assemble
from devices.catalogue import STANDARD, Model, find
from devices.date_time import DATE_TIME_BYTES, DateTime
from devices.inbox import Ending, Inbox

__all__ = ["Assembled", "Ending", "Frame", "Malformed", "SessionFacts", "assemble", "collect", "introduce"]

#: One answer to a read. A cuff may give the whole session five seconds (A&D UA-651BLE), so a silent one is not waited for.
READ_S_MAX: Final = 2.0
#: A right clock is left alone: writing it gains nothing, and the offset corrects the rest.
CLOCK_OFFSET_S_MAX: Final = 600.0
#: After the subscription a cuff may pair, wake its memory, or wait for the person to finish.
FIRST_VALUE_S_MAX: Final = 8.0
#: Between two values; stored readings follow one another at once.
QUIET_S_MAX: Final = 1.5
#: However much a peripheral has to say, others wait for the radio.
SESSION_S_MAX: Final = 300.0

#: `schemas` allows this much for a name.
_TEXT_CHARACTERS_MAX: Final = 64
_CURRENT_TIME_FRACTION: Final = 8
#: Current Time, adjust reason bit 1: "external reference time update".
_EXTERNAL_REFERENCE: Final = 0x02


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What a peripheral says of itself, and how far its clock is off.

    `clock_offset_s` = gateway's local wall time − device's wall time, seconds, both read in this connection and *before*
    the clock was set: it corrects the readings this connection delivers. None where the device has no readable clock,
    or it was never set. `clock_source` is the characteristic the clock was read from.
    """

    system_id: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    serial: str | None = None
    firmware: str | None = None
    clock_offset_s: float | None = None
    clock_source: str | None = None
    clock_was_set: bool = False

    @property
    def catalogued(self) -> Model:
        """The catalogue's row of this device."""
        return find(self.manufacturer, self.model)


async def introduce(link: gatt.Link, *, utc_now: Callable[[], datetime], zone: tzinfo) -> SessionFacts:
    """Read who this is and its clock; set the clock where the catalogue allows and it is wrong. LinkLost if it hangs up.

    What a peripheral does not offer, refuses or does not answer is None: identity never stops a reading.
    """
    manufacturer = await _text(link, gatt.MANUFACTURER_NAME)
    model = await _text(link, gatt.MODEL_NUMBER)
    source = next((uuid for uuid in (gatt.CURRENT_TIME, gatt.DATE_TIME) if uuid in link.characteristics), None)
    offset_s, was_set = None, False
    if source is not None:
        shown = await _read(link, source)
        offset_s = _offset_s(shown or b"", local=utc_now().astimezone(zone))
        wrong = offset_s is None or abs(offset_s) > CLOCK_OFFSET_S_MAX
        if shown is not None and wrong and find(manufacturer, model).may_set_clock:
            was_set = await _set_clock(link, source, local=utc_now().astimezone(zone))
    system_id = await _read(link, gatt.SYSTEM_ID)
    return SessionFacts(
        system_id=system_id.hex() if system_id else None,
        manufacturer=manufacturer,
        model=model,
        serial=await _text(link, gatt.SERIAL_NUMBER),
        firmware=await _text(link, gatt.FIRMWARE_REVISION),
        clock_offset_s=offset_s,
        clock_source=source,
        clock_was_set=was_set,
    )


async def collect(
    link: gatt.Link,
    *,
    keep: Callable[[Frame], None],
    utc_now: Callable[[], datetime],
    last_sequence: int | None,
    model: Model = STANDARD,
) -> Ending:
    """Have every measurement the peripheral holds, and say how the session ended.

    `keep` is called inside the notification callback and must be durable when it returns: the ATT confirmation may have
    gone already, and the peripheral may forget. Where it raises, the session ends with NotKept. `last_sequence` is the
    highest glucose record already had *completely* (see `Assembled.awaits_context`); None asks for all. A peripheral
    that hangs up ends the session normally, with what was kept. AttError where it refuses a subscription.
    """
    inbox = Inbox(keep=keep, utc_now=utc_now, gone=link.gone)
    session = asyncio.timeout(SESSION_S_MAX)
    try:
        async with session:
            return await _collect(link, inbox, last_sequence=last_sequence, settle_s=model.settle_s)
    except gatt.LinkLost:
        return Ending.HUNG_UP
    except TimeoutError:
        if not session.expired():
            raise
        return Ending.TOO_LONG


async def _collect(link: gatt.Link, inbox: Inbox, *, last_sequence: int | None, settle_s: float) -> Ending:
    ending = Ending.NOTHING_OFFERED
    if settle_s:
        await inbox.pause(settle_s)
    pushed = [uuid for uuid in PUSHED if uuid in link.characteristics]
    for uuid in pushed:
        try:
            await link.subscribe(uuid, inbox.taker(uuid))
        except gatt.AttError:
            # Some scales want a consent first; the weight itself comes without.
            if uuid != gatt.BODY_COMPOSITION or len(pushed) == 1:
                raise
    if {gatt.GLUCOSE_MEASUREMENT, gatt.RECORD_ACCESS_CONTROL_POINT} <= link.characteristics:
        ending = await records.synchronise(link, inbox, last_sequence=last_sequence)
    if pushed:
        wait_s = FIRST_VALUE_S_MAX
        while await inbox.something(wait_s):
            wait_s = QUIET_S_MAX
        ending = Ending.QUIET
    return ending


async def _read(link: gatt.Link, uuid: str) -> bytes | None:
    if uuid not in link.characteristics:
        return None
    try:
        async with asyncio.timeout(READ_S_MAX):
            return await link.read(uuid)
    except (gatt.AttError, TimeoutError):
        return None


async def _text(link: gatt.Link, uuid: str) -> str | None:
    data = await _read(link, uuid)
    text = (data or b"").decode("utf-8", "replace").replace("\0", "").strip()
    return text[:_TEXT_CHARACTERS_MAX] or None


def _offset_s(shown: bytes, *, local: datetime) -> float | None:
    """How far a clock that showed these bytes (Date Time or Current Time) is behind `local`, in wall time."""
    if len(shown) < DATE_TIME_BYTES:
        return None
    wall = DateTime.from_bytes(shown[:DATE_TIME_BYTES]).wall()
    if wall is None:
        return None
    fraction = shown[_CURRENT_TIME_FRACTION] / 256 if len(shown) > _CURRENT_TIME_FRACTION else 0.0
    return (local.replace(tzinfo=None) - wall).total_seconds() - fraction


async def _set_clock(link: gatt.Link, uuid: str, *, local: datetime) -> bool:
    data = bytes(DateTime.of(local))
    if uuid == gatt.CURRENT_TIME:
        data += bytes([local.isoweekday(), local.microsecond * 256 // 1_000_000, _EXTERNAL_REFERENCE])
    try:
        async with asyncio.timeout(READ_S_MAX):
            await link.write(uuid, data)
    except (gatt.AttError, TimeoutError):
        return False
    return True
