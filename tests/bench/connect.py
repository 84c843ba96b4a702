"""From a cuff that is heard to its frame committed in the outbox: the gateway's own watch, radio and outbox, over the virtual radio.

Method: a cuff measures, and is in the air; once it is heard the clock begins, and it ends when the call that keeps the frame
has returned, which is after its commit. Then the cuff hangs up, and the next one measures. The air is in this process, or in
one of its own with HCI over TCP between the two. Beside it, in the same run and the same air: a bare bleak client that
connects, subscribes, and has the frame, and neither asks the cuff who it is nor keeps anything; and how much of the gateway's
time was spent in its outbox. The cuff is of no model the catalogue knows: a model that wants a rest before it is subscribed to
has that rest on top. There is no radio: what a real one takes (connection intervals, scan windows) is not in it.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import structlog
from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData
from typing_extensions import override

from devices.gatt import BLOOD_PRESSURE_MEASUREMENT, long_uuid
from devices.procedures import Frame
from devices.virtual import bleak_backend
from devices.virtual.make import Habits
from devices.virtual.peripherals import BloodPressureCuff
from gateway.enrolment import Enrolment
from gateway.outbox import Outbox
from gateway.radio import BleakLink, Heard, Radio
from gateway.recovery import Recovery
from gateway.settings import Device
from gateway.watch import Watch
from schemas.codes import Kind
from tests.bench.ground import BenchFailed, utc_now
from tests.bench.machine import Meter
from tests.bench.outbox import ZONE
from tests.bench.results import Result
from tests.radio.air_process import air_process
from tests.radio.household import household

PERCENTILES: Final = (50, 99)
#: Quick to be found, and to hang up.
HABITS: Final = Habits(advertise_every_s=0.02, linger_s=0.01)
#: The gateway and the bare client take turns: what else this machine does is borne by both.
ROUNDS: Final = 5
ADDRESS: Final = "C0:00:00:00:10:01"
SCENARIO: Final = f"""
[[home]]
name = "a"
[[home.device]]
name = "cuff"
model = "cuff"
address = "{ADDRESS}"
manufacturer = "Maker"
product = "Cuff"
habits = {{advertise_every_s = {HABITS.advertise_every_s}, linger_s = {HABITS.linger_s}}}
"""
OUTBOX_BYTES_MAX: Final = 8 << 20
#: A session that has not ended by then does not end.
SESSION_S_MAX: Final = 15.0

#: Has the cuff of this address measure once, as the Nth of all.
Measure = Callable[[int], Awaitable[None]]


@dataclass(slots=True)
class _Times:
    """Seconds of each session: to the commit, and of those in the outbox; and the bare client's, to the frame."""

    gateway: list[float] = field(default_factory=list[float])
    outbox: list[float] = field(default_factory=list[float])
    bare: list[float] = field(default_factory=list[float])


class _TimedRadio(Radio):
    """The gateway's radio; `began` is when the session it has now was begun, at the advertisement that began it."""

    began = 0.0

    @override
    @asynccontextmanager
    async def connected(self, heard: Heard, *, pair: bool = False) -> AsyncGenerator[BleakLink]:
        self.began = time.perf_counter()
        async with super().connected(heard, pair=pair) as link:
            yield link


class _TimedOutbox(Outbox):
    """The gateway's outbox; what its calls took since `spent_s` was last 0, and when a frame was last committed."""

    spent_s = committed = 0.0

    @override
    def begin_session(self, *, address: str, facts: str, now: datetime) -> int:
        began = time.perf_counter()
        session = super().begin_session(address=address, facts=facts, now=now)
        self.spent_s = time.perf_counter() - began
        return session

    @override
    def keep(self, session: int, frame: Frame) -> None:
        began = time.perf_counter()
        super().keep(session, frame)
        self.committed = time.perf_counter()
        self.spent_s += self.committed - began


def measure(folder: Path, *, sessions: int, step: Callable[[str], None]) -> list[Result]:
    """Milliseconds of so many sessions each, p50 and p99: in one process, and over two. A multiple of ROUNDS."""
    found: list[Result] = []
    for name, air in (("one process", _in_one_process), ("two processes", _in_two_processes)):
        step(f"connect → outbox, {name}")
        place = folder / name.replace(" ", "-")
        place.mkdir(parents=True)
        found += asyncio.run(_measure(place, name, sessions, air))
    return found


async def _measure(
    folder: Path, name: str, sessions: int, air: Callable[[Path], AbstractAsyncContextManager[Measure]]
) -> list[Result]:
    each = sessions // ROUNDS
    times = _Times()
    with structlog.testing.capture_logs(), Meter({}) as meter:
        async with air(folder) as measure_once:
            kept = 0
            for first in range(0, 2 * sessions, 2 * each):
                kept = await _by_the_gateway(folder, measure_once, range(first, first + each), times)
                await _by_a_bare_client(measure_once, range(first + each, first + 2 * each), times)
    made: list[Result] = []
    for percentile in PERCENTILES:
        whole, inside, bare = (
            Result(f"{what}, {name}, p{percentile}", "ms")
            for what in ("connect → outbox", "of it in the outbox", "bare bleak, connect → frame")
        )
        for result, took in ((whole, times.gateway), (inside, times.outbox), (bare, times.bare)):
            result.add(round(float(np.percentile(took, percentile)) * 1000, 3), meter.cpus)
        whole.counts = {"sent": sessions, "lost": sessions - kept, "duplicates": 0}
        whole.compare(bare, name="bare bleak")
        inside.compare(whole, name="all")
        made += [whole, inside, bare]
    return made


async def _by_the_gateway(folder: Path, measure_once: Measure, numbers: range, times: _Times) -> int:
    """Sessions of a watch at work; how many readings the outbox has then, with those of the rounds before."""
    radio = _TimedRadio(
        scanner_backend=bleak_backend.BumbleScannerBackend,
        client_backend=bleak_backend.BumbleClientBackend,
        name="bumble",
    )
    outbox = _TimedOutbox.open(folder / "outbox.sqlite3", bytes_max=OUTBOX_BYTES_MAX, gateway_id="gw-bench")
    changed = asyncio.Event()
    watch = Watch(
        gateway_id="gw-bench",
        radio=radio,
        enrolment=Enrolment([Device(address=ADDRESS, kind=Kind.BLOOD_PRESSURE, label="cuff")]),
        outbox=outbox,
        recovery=Recovery(control=None, memory_file=folder / "radio.json", tell=lambda _step: None, may_restart=False),
        zone=ZONE,
        utc_now=utc_now,
        on_change=changed.set,
    )
    stop = asyncio.Event()
    running = asyncio.create_task(watch.run(stop))
    try:
        for number in numbers:
            before = outbox.committed
            await measure_once(number)
            async with _in_time(f"session {number + 1} of the gateway"):
                while outbox.committed == before or watch.sessions:
                    changed.clear()
                    await changed.wait()
            times.gateway.append(outbox.committed - radio.began)
            times.outbox.append(outbox.spent_s)
    finally:
        stop.set()
        await running
        depth = outbox.stats(now=utc_now()).depth
        outbox.close()
    return depth


async def _by_a_bare_client(measure_once: Measure, numbers: range, times: _Times) -> None:
    """The same sessions by bleak alone: a scan that goes on, and at sight connect, subscribe, receive."""
    sightings: asyncio.Queue[BLEDevice] = asyncio.Queue()

    def heard(device: BLEDevice, _advertisement: AdvertisementData) -> None:
        if device.address == ADDRESS:
            sightings.put_nowait(device)

    async with BleakScanner(heard, backend=bleak_backend.BumbleScannerBackend):
        for number in numbers:
            while not sightings.empty():  # of the session before
                sightings.get_nowait()
            await measure_once(number)
            async with _in_time(f"session {number + 1}, of the bare client,"):
                times.bare.append(await _one_bare_session(await sightings.get()))


async def _one_bare_session(device: BLEDevice) -> float:
    """Seconds from sight to frame; returns once the cuff has hung up."""
    began = time.perf_counter()
    received, gone = asyncio.Event(), asyncio.Event()
    client = BleakClient(
        device, disconnected_callback=lambda _client: gone.set(), backend=bleak_backend.BumbleClientBackend
    )
    took_s = 0.0

    def frame(_sender: BleakGATTCharacteristic, _data: bytearray) -> None:
        nonlocal took_s
        took_s = time.perf_counter() - began
        received.set()

    try:
        await client.connect()
        await client.start_notify(long_uuid(BLOOD_PRESSURE_MEASUREMENT), frame)
        await received.wait()
        await gone.wait()
    finally:
        await client.disconnect()
    return took_s


@asynccontextmanager
async def _in_time(what: str) -> AsyncGenerator[None]:
    try:
        async with asyncio.timeout(SESSION_S_MAX):
            yield
    except TimeoutError:
        raise BenchFailed(f"{what} did not end within {SESSION_S_MAX:.0f} s") from None


def _pressures(number: int) -> tuple[int, int]:
    """No two that follow one another within a second are one reading."""
    return 110 + number % 80, 60 + number % 30


@asynccontextmanager
async def _in_one_process(folder: Path) -> AsyncGenerator[Measure]:
    """The air, the cuff and the radio on this process's loop."""
    async with household(folder) as home:
        cuff = await home.add(BloodPressureCuff, habits=HABITS)
        assert cuff.identity.address == ADDRESS

        async def measure_once(number: int) -> None:
            cuff.measure(*_pressures(number))

        yield measure_once


@asynccontextmanager
async def _in_two_processes(folder: Path) -> AsyncGenerator[Measure]:
    """The air and the cuff in a process of their own, HCI over TCP between it and this one."""
    async with air_process(SCENARIO, folder) as air:
        bleak_backend.use_hci(f"tcp-client:127.0.0.1:{air.hci_port}")

        async def measure_once(number: int) -> None:
            systolic, diastolic = _pressures(number)
            await air.do("cuff", "measure", systolic=systolic, diastolic=diastolic)

        try:
            yield measure_once
        finally:
            await bleak_backend.close_adapter()
