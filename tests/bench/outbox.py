"""A home's outbox: how long a frame takes to the disk, how fast a backlog drains, what a reading writes to an SD card.

Beside the product, in the same run and folder: a bare SQLite insert with the same promises, a bare append with fsync; and
paho alone publishing the same messages.
"""

import asyncio
import os
import sqlite3
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from devices.procedures import Ending, Frame, SessionFacts
from gateway.health import status
from gateway.intake import facts_text, rows_of, settle_session
from gateway.outbox import KeptSession, NewRow, Outbox
from gateway.settings import Broker as BrokerSettings
from gateway.uplink import Uplink
from gateway.uplink.batches import next_batch, render
from gateway.uplink.door import OneDoor
from rpm.load.messages import address, gateway_id
from schemas.messages import QOS, Channel, Receipt, topic
from tests.bench.ground import BenchFailed, Ground, utc_now
from tests.bench.machine import Meter
from tests.bench.results import Result
from tests.support.fake_worker import FakeWorker, stored

ZONE: Final = ZoneInfo("America/New_York")
CAP_BYTES: Final = 256 << 20
#: 120/80 mmHg, mean 93, pulse 72 at a time (flags 06; layout: GSS, blood_pressure): as long as a cuff's frame.
FRAME: Final = bytes.fromhex("06780050005d00ea07061c0800004800")
DRAIN_S_MAX: Final = 120.0
#: The 99th of a hundred.
P99: Final = 99


def puts(folder: Path, frames: int, reps: int) -> list[Result]:
    """Milliseconds to a frame's durability, the 99th percentile; and what the readings wrote."""
    kept, inserted, appended = (
        Result(name, "ms, p99")
        for name in ("outbox: keep a frame", "SQLite insert alone, synchronous", "append and fsync alone")
    )
    written = Result("outbox: written per reading, frame to receipt", "bytes")
    for rep in range(reps):
        with Meter({}) as meter:
            outbox = _outbox(folder / f"outbox-{rep}.sqlite3")
            before = _written()
            took = _keep(outbox, frames)
            _receipt_all(outbox)
            outbox.close()
            bytes_each = (_written() - before) / frames
        _add(kept, took, meter)
        written.add(round(bytes_each), meter.cpus)
        for result, bare in ((inserted, _bare_inserts), (appended, _bare_appends)):
            with Meter({}) as meter:
                took = bare(folder / f"bare-{rep}-{result.name[:6].strip()}", frames)
            _add(result, took, meter)
    kept.compare(inserted, name="SQLite")
    kept.compare(appended, name="append")
    return [kept, inserted, appended, written]


def drain(ground: Ground, folder: Path, rows: int, reps: int) -> list[Result]:
    """Readings per second from a backlog to receipted, over the broker; and paho alone with the same messages."""
    drained = Result(f"outbox: drain a backlog of {rows:,}", "readings/s")
    alone = Result("paho alone, the same messages", "readings/s")
    for rep in range(reps):
        outbox = _outbox(folder / f"backlog-{rep}.sqlite3")
        _fill(outbox, rows)
        payloads = _payloads(outbox, rows)
        with ground.meter() as meter:
            began = time.monotonic()
            _publish_alone(ground, payloads)
            taken_s = time.monotonic() - began
        alone.add(round(rows / taken_s), meter.cpus)
        worker = FakeWorker(ground.broker, stored).join()
        try:
            with ground.meter() as meter:
                began = time.monotonic()
                asyncio.run(_drain(ground, outbox))
                taken_s = time.monotonic() - began
        finally:
            worker.leave()
        lost = rows - len(set(worker.seqs))
        drained.add(round(rows / taken_s), meter.cpus, {"sent": rows, "lost": lost, "duplicates": 0})
        drained.detail["sent_each"] = round(len(worker.seqs) / rows, 2)
        outbox.close()
    drained.compare(alone, name="paho")
    return [drained, alone]


def _outbox(path: Path) -> Outbox:
    return Outbox.open(path, bytes_max=CAP_BYTES, gateway_id=gateway_id(0))


def pressure_frame(number: int) -> Frame:
    stamped = bytearray(FRAME)
    # A minute and a second of its own: no two are one reading.
    stamped[11:14] = bytes([number // 3600 % 24, number // 60 % 60, number % 60])
    return Frame("2A35", bytes(stamped), utc_now())


def _keep(outbox: Outbox, frames: int) -> list[float]:
    """Seconds each keep() took, one reading to a session, as most cuffs have it."""
    took: list[float] = []
    facts = facts_text(SessionFacts(manufacturer="Northlight", model="Cuff 2", clock_offset_s=0.0))
    for number in range(frames):
        session = outbox.begin_session(address=address(0), facts=facts, now=utc_now())
        frame = pressure_frame(number)
        began = time.perf_counter()
        outbox.keep(session, frame)
        took.append(time.perf_counter() - began)
        settle_session(outbox, session, zone=ZONE, now=utc_now(), ending=Ending.HUNG_UP)
    return took


def _receipt_all(outbox: Outbox) -> None:
    """Each reading travels and is receipted by itself, as at home: it is not a backlog."""
    for row in outbox.due(now=utc_now(), limit=1 << 20):
        outbox.mark_sent([(row.seq, utc_now() + timedelta(seconds=5))], now=utc_now())
        outbox.settle(Receipt(gateway_id=gateway_id(0), epoch=outbox.epoch, stored=(row.seq,)), now=utc_now())


def _bare_inserts(path: Path, count: int) -> list[float]:
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in ("pragma journal_mode = wal", "pragma synchronous = full", "create table frame(raw blob)"):
        connection.execute(statement)
    took = _timed(count, lambda: connection.execute("insert into frame values (?)", (FRAME,)))
    connection.close()
    return took


def _bare_appends(path: Path, count: int) -> list[float]:
    with path.open("ab", buffering=0) as file:

        def append() -> None:
            file.write(FRAME)
            os.fsync(file.fileno())

        return _timed(count, append)


def _timed(count: int, act: Callable[[], object]) -> list[float]:
    took: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        act()
        took.append(time.perf_counter() - began)
    return took


def _add(result: Result, took: list[float], meter: Meter) -> None:
    cuts = statistics.quantiles(took, n=P99 + 1)
    result.add(round(cuts[P99 - 1] * 1000, 3), meter.cpus)
    result.detail.setdefault("median_ms", []).append(round(statistics.median(took) * 1000, 3))


def _written() -> int:
    """Bytes this process has handed to the kernel to write."""
    lines = Path("/proc/self/io").read_text("ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["wchar"])


def _fill(outbox: Outbox, rows: int) -> None:
    """A backlog of real readings, quickly: one is assembled, the others are it under other names."""
    session = outbox.begin_session(address=address(0), facts=facts_text(SessionFacts()), now=utc_now())
    kept = KeptSession(session, address(0), facts_text(SessionFacts()), utc_now(), (pressure_frame(0),))
    (one,), _ = rows_of(kept, zone=ZONE)
    outbox.finish_session(session, [_under_another_name(one, number) for number in range(rows)], now=utc_now())


def _under_another_name(row: NewRow, number: int) -> NewRow:
    name = f"00000000-0000-5000-8000-{number:012}"
    return replace(row, name=name, body=row.body.replace(row.name, name))


def _payloads(outbox: Outbox, rows: int) -> list[bytes]:
    """The messages the uplink will make of the backlog."""
    due = outbox.due(now=utc_now(), limit=rows)
    payloads: list[bytes] = []
    while due:
        batch = next_batch(due[:500])
        payloads.append(render(batch, gateway_id=gateway_id(0), epoch=outbox.epoch))
        due = due[len(batch) :]
    return payloads


def _publish_alone(ground: Ground, payloads: list[bytes]) -> None:
    """paho with its own window; until the last PUBACK."""
    client = Client(CallbackAPIVersion.VERSION2, client_id=gateway_id(0), protocol=MQTTProtocolVersion.MQTTv5)
    client.username_pw_set(gateway_id(0), ground.broker.passwords[gateway_id(0)])
    client.connect("127.0.0.1", ground.broker.port)
    client.loop_start()
    try:
        for sent in [client.publish(topic(gateway_id(0), Channel.READINGS), payload, qos=QOS) for payload in payloads]:
            sent.wait_for_publish(DRAIN_S_MAX)
    finally:
        client.disconnect()
        client.loop_stop()


async def _drain(ground: Ground, outbox: Outbox) -> None:
    stop = asyncio.Event()
    uplink = Uplink(
        gateway_id=gateway_id(0),
        doors=OneDoor(
            BrokerSettings.model_validate(
                {
                    "url": f"mqtt://127.0.0.1:{ground.broker.port}",
                    "password": ground.broker.passwords[gateway_id(0)],
                }
            )
        ),
        outbox=outbox,
        status=lambda kind, now: status(
            kind, gateway_id=gateway_id(0), adapter="bench", stats=outbox.stats(now=now), uptime_s=0.0, now=now
        ),
        heartbeat_s=60.0,
        utc_now=utc_now,
        on_change=lambda: stop.set() if outbox.next_due_s(now=utc_now()) is None else None,
    )
    try:
        async with asyncio.timeout(DRAIN_S_MAX):
            await uplink.run(stop)
    except TimeoutError:
        raise BenchFailed(f"the outbox was not empty within {DRAIN_S_MAX:.0f} s") from None
