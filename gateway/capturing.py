"""One session with one device, taken down: what `rpm-gateway capture` does between the scan and the file."""

import asyncio
from collections.abc import Callable
from datetime import datetime, tzinfo
from typing import Final

from devices import anonymise, gatt
from devices.catalogue import find
from devices.procedures import Ending, Frame, SessionFacts, collect, introduce
from devices.recording import Advertised, Recording, Sent
from gateway.enrolment import Enrolled
from gateway.errors import UserError
from gateway.radio import BleakLink, Heard, Radio


class _Overheard:
    """A link that notes what is answered, at the first time it is asked."""

    def __init__(self, link: BleakLink) -> None:
        self._link = link
        self.answers: dict[str, bytes] = {}

    @property
    def characteristics(self) -> frozenset[str]:
        return self._link.characteristics

    @property
    def gone(self) -> asyncio.Event:
        return self._link.gone

    async def read(self, uuid: str) -> bytes:
        data = await self._link.read(uuid)
        self.answers.setdefault(uuid, data)
        return data

    async def write(self, uuid: str, data: bytes) -> None:
        await self._link.write(uuid, data)

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        await self._link.subscribe(uuid, on_value)


#: What a device is asked beside what every session asks, once it has said what it had to say.
_FEATURES: Final = tuple(sorted(anonymise.ANSWERS_KEPT))


async def hear(radio: Radio, address: str, *, within_s: float) -> Heard:
    """The device, once it is in the air. UserError where it is not within that time; RadioFault."""
    found: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

    def seen(heard: Heard) -> None:
        if heard.address.upper() == address and not found.done():
            found.set_result(heard)

    async with radio.scanning(seen):
        try:
            return await asyncio.wait_for(found, within_s)
        except TimeoutError:
            raise UserError(
                f"{address} was not heard in {within_s:.0f} s: take a measurement with it meanwhile"
            ) from None


async def capture(
    radio: Radio,
    heard: Heard,
    *,
    enrolled: Enrolled,
    real: bool,
    source: str,
    utc_now: Callable[[], datetime],
    zone: tzinfo,
    keep: Callable[[SessionFacts, Frame], None],
) -> tuple[Recording, tuple[int, ...]]:
    """The session, anonymised, and the places of frames that could not be: nobody knows where their dates are.

    `keep` is called for each frame inside the callback, and must be durable when it returns: the device may forget it.
    RadioFault, LinkLost or AttError where there was no session.
    """
    frames: list[Frame] = []
    row = find(None, None, heard.name)
    async with radio.connected(heard, pair=enrolled.passkey is not None or row.pairs_first) as link:
        begun_at = utc_now()
        overheard = _Overheard(link)
        facts = await introduce(overheard, utc_now=utc_now, zone=zone, name=heard.name)

        def note(frame: Frame) -> None:
            keep(facts, frame)
            frames.append(frame)

        ending = await collect(
            overheard,
            keep=note,
            utc_now=utc_now,
            last_sequence=None,
            model=facts.catalogued,
            zone=zone,
            consents=enrolled.consents,
        )
        await _ask_the_rest(overheard, ending)
    told = anonymise.moved(
        overheard.answers, frames, now=utc_now().astimezone(zone).replace(tzinfo=None), model=facts.catalogued
    )
    recording = Recording(
        real=real,
        source=source,
        advertised=Advertised(
            name=anonymise.name(heard.name),
            services=tuple(sorted(heard.services)),
            company_ids=tuple(sorted(heard.company_ids)),
        ),
        services=link.layout,
        values={uuid: data.hex() for uuid, data in sorted(told.answers.items())},
        frames=tuple(
            Sent(
                after_s=round(max((frame.received_at - begun_at).total_seconds(), 0), 3),
                characteristic=frame.characteristic,
                hex=frame.data.hex(),
            )
            for frame in told.frames
        ),
        ending=ending,
    )
    return recording.judged(), told.unread


async def _ask_the_rest(link: _Overheard, ending: Ending) -> None:
    if ending is Ending.HUNG_UP:
        return
    for uuid in _FEATURES:
        if uuid in link.characteristics and uuid not in link.answers:
            try:
                await link.read(uuid)
            except gatt.AttError:
                continue
            except gatt.LinkLost:
                return
