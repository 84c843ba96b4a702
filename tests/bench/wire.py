"""How often a reading is sent on the wire: the gateway's own uplink to a real broker, over a line with faults and one without.

Method: readings are kept one by one at a steady rate, as a home with many devices has them, and a worker receipts each that
reaches it. The line is a forwarder in between; what it does, and for how long, is drawn from one seed: it resets connections,
delays every byte, or swallows everything for some seconds and resets then, as a router does that begins anew. A sending
counts when it is handed to the connection, whether or not it arrives. Nothing of the uplink's patience is shortened.
"""

import asyncio
import random
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import structlog
from typing_extensions import override

from devices.procedures import Ending, SessionFacts
from gateway.health import status
from gateway.intake import facts_text, settle_session
from gateway.outbox import Outbox
from gateway.settings import Broker as BrokerSettings
from gateway.uplink import Uplink
from gateway.uplink.door import OneDoor
from rpm.load.messages import address, gateway_id
from tests.bench.ground import BenchFailed, Ground, utc_now
from tests.bench.outbox import CAP_BYTES, ZONE, pressure_frame
from tests.bench.results import Result
from tests.support.fake_worker import FakeWorker, stored
from tests.support.forwarder import Forwarder

SEED: Final = 20261128
EVERY_S: Final = 0.1
#: What the line does, and for how long at least and at most: a reset takes no time.
FAULTS: Final[dict[str, tuple[float, float]]] = {"reset": (0.0, 0.0), "delay": (1.0, 3.0), "cut": (2.0, 5.0)}
DELAY_S: Final = (0.1, 0.8)
#: How long the line is whole before a fault, counted from when the gateway is connected: one that is away notices none.
WHOLE_S: Final = (0.5, 1.5)
#: How long readings are kept where there is no fault.
SOUND_S: Final = 4.0
#: A run takes 10 s for each fault at the most, and its last sendings a few times that.
RUN_S_MAX: Final = 120.0
LOOK_S: Final = 0.05


class _CountingOutbox(Outbox):
    """The gateway's outbox, which also counts how often rows were handed to a connection."""

    sendings = 0

    @override
    def mark_sent(self, next_tries: Iterable[tuple[int, datetime]], *, now: datetime) -> None:
        tries = list(next_tries)
        self.sendings += len(tries)
        super().mark_sent(tries, now=now)


def measure(ground: Ground, folder: Path, *, faults: int) -> list[Result]:
    """Sendings per reading: over a line without faults, and over one with so many, each kind as often as any other."""
    whole = Result("wire: sendings per reading, no faults", "×")
    faulty = Result(f"wire: sendings per reading, {faults} faults", "×")
    for result, bites in ((whole, 0), (faulty, faults)):
        _add(result, ground, folder / f"wire-{bites}.sqlite3", bites)
    faulty.compare(whole, name="no faults")
    return [whole, faulty]


def _add(result: Result, ground: Ground, path: Path, faults: int) -> None:
    outbox = _CountingOutbox.open(path, bytes_max=CAP_BYTES, gateway_id=gateway_id(0))
    worker = FakeWorker(ground.broker, stored).join()
    listening = socket.create_server(("127.0.0.1", 0))
    uplink = _uplink(ground, listening.getsockname()[1], outbox)
    try:
        with (
            structlog.testing.capture_logs(),
            ground.meter() as meter,
            Forwarder(listening, ground.broker.port) as line,
        ):
            run = asyncio.run(_run(line, uplink, outbox, faults))
    finally:
        worker.leave()
        outbox.close()
    lost = run.kept - len({item.reading.reading_id for batch in worker.batches for item in batch.items})
    result.add(round(outbox.sendings / run.kept, 3), meter.cpus, {"sent": run.kept, "lost": lost, "duplicates": 0})
    result.detail = {
        "faults": run.faults,
        "seed": SEED,
        "arrivals_per_reading": round(len(worker.seqs) / run.kept, 3),
        "bytes_up_per_reading": round(line.up / run.kept),
        "connections": line.connections,
        "until_empty_s": round(run.drained_s, 1),
    }


@dataclass(slots=True)
class _Run:
    """What was done: readings kept, faults by kind, and how long after the last one everything was receipted."""

    kept: int = 0
    faults: dict[str, int] = field(default_factory=lambda: dict.fromkeys(FAULTS, 0))
    drained_s: float = 0.0


async def _run(line: Forwarder, uplink: Uplink, outbox: Outbox, faults: int) -> _Run:
    """Keep readings for as long as the line does what it does; then wait until all of them are receipted."""
    stop, run = asyncio.Event(), _Run()
    running = asyncio.create_task(uplink.run(stop))
    lasting = asyncio.create_task(_misbehave(line, uplink, faults, run.faults) if faults else asyncio.sleep(SOUND_S))
    try:
        async with asyncio.timeout(RUN_S_MAX):
            while not lasting.done():
                _keep(outbox, run.kept)
                run.kept += 1
                uplink.wake()
                await asyncio.sleep(EVERY_S)
            await lasting
            began = time.monotonic()
            while outbox.next_due_s(now=utc_now()) is not None:
                await asyncio.sleep(LOOK_S)
            run.drained_s = time.monotonic() - began
    except TimeoutError:
        raise BenchFailed(f"the outbox was not empty after {RUN_S_MAX:.0f} s, the last fault long gone") from None
    finally:
        lasting.cancel()
        stop.set()
        await running
    return run


async def _misbehave(line: Forwarder, uplink: Uplink, faults: int, done: dict[str, int]) -> None:
    """One fault after the other, each on a line that works; at the end it does."""
    chance = random.Random(SEED)
    # None at first: the gateway has yet to come.
    reset_at = 0
    rounds = -(-faults // len(FAULTS))
    kinds = [fault for _ in range(rounds) for fault in chance.sample(list(FAULTS), len(FAULTS))]
    for fault in kinds[:faults]:
        await _working(line, uplink, reset_at)
        await asyncio.sleep(chance.uniform(*WHOLE_S))
        line.faults.delay_s = chance.uniform(*DELAY_S) if fault == "delay" else 0.0
        line.faults.swallow = fault == "cut"
        done[fault] += 1
        await asyncio.sleep(chance.uniform(*FAULTS[fault]))
        if fault != "delay":
            reset_at = line.connections
            line.reset()
        line.faults.delay_s, line.faults.swallow = 0.0, False
    await _working(line, uplink, reset_at)


async def _working(line: Forwarder, uplink: Uplink, reset_at: int) -> None:
    """Wait until the gateway has a connection, made after the first so many: the last fault is over."""
    while line.connections == reset_at or not uplink.state.connected:
        await asyncio.sleep(LOOK_S)


def _keep(outbox: Outbox, number: int) -> None:
    session = outbox.begin_session(address=address(0), facts=facts_text(SessionFacts()), now=utc_now())
    outbox.keep(session, pressure_frame(number))
    settle_session(outbox, session, zone=ZONE, now=utc_now(), ending=Ending.HUNG_UP)


def _uplink(ground: Ground, port: int, outbox: Outbox) -> Uplink:
    me = gateway_id(0)
    return Uplink(
        gateway_id=me,
        doors=OneDoor(
            BrokerSettings.model_validate({"url": f"mqtt://127.0.0.1:{port}", "password": ground.broker.passwords[me]})
        ),
        outbox=outbox,
        status=lambda kind, now: status(
            kind, gateway_id=me, adapter="bench", stats=outbox.stats(now=now), uptime_s=0.0, now=now
        ),
        heartbeat_s=60.0,
        utc_now=utc_now,
    )
