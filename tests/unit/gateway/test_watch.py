"""The watch over a fake radio: who is connected to, who never is, and what happens when the radio or the disk fails."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import structlog

from gateway.enrolment import Enrolment
from gateway.errors import OutboxFailed
from gateway.ladder import CONNECTS_FAILED_MAX
from gateway.outbox import Outbox
from gateway.radio import Radio
from gateway.recovery import Recovery, RestartWanted
from gateway.settings import Device
from gateway.watch import Watch
from schemas.codes import Kind
from tests.unit.gateway.fake_bleak import FakeScanner, Peripheral, radio
from tests.unit.gateway.frames import CUFF, GATEWAY, PLAIN_PRESSURE, open_outbox

NEIGHBOUR = "C0:00:00:00:99:99"
WAIT_S_MAX = 30.0


def watch_of(outbox: Outbox, air: Radio, recovery: Recovery) -> Watch:
    return Watch(
        gateway_id=GATEWAY,
        radio=air,
        recovery=recovery,
        enrolment=Enrolment([Device(address=CUFF, kind=Kind.BLOOD_PRESSURE, label="cuff")]),
        outbox=outbox,
        zone=ZoneInfo("America/New_York"),
        utc_now=lambda: datetime.now(UTC),
        on_change=lambda: None,
    )


@contextlib.asynccontextmanager
async def watching(outbox: Outbox, air: Radio, memory: Path = Path("/nonexistent/radio.json")) -> AsyncGenerator[Watch]:
    recovery = Recovery(control=air.control, memory_file=memory, tell=lambda _step: None, may_restart=False)
    watch = watch_of(outbox, air, recovery)
    stop = asyncio.Event()
    task = asyncio.create_task(watch.run(stop))
    yield watch
    stop.set()
    await asyncio.wait_for(task, WAIT_S_MAX)


async def until(holds: Callable[[], bool]) -> None:
    deadline = asyncio.get_running_loop().time() + WAIT_S_MAX
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it never came to hold"
        await asyncio.sleep(0.01)


def depth(outbox: Outbox) -> int:
    return outbox.stats(now=datetime.now(UTC)).depth


async def test_a_device_of_this_home_is_heard_and_a_neighbours_is_left_alone(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    cuff = Peripheral(CUFF, says=[PLAIN_PRESSURE, PLAIN_PRESSURE])
    neighbour = Peripheral(NEIGHBOUR, says=[PLAIN_PRESSURE])
    async with watching(outbox, radio(cuff, neighbour)):
        await until(lambda: depth(outbox) == 2)
        await until(lambda: cuff.connections >= 2)
    assert neighbour.connections == 0
    assert neighbour.says == [PLAIN_PRESSURE]
    assert cuff.disconnects == cuff.connections


async def test_what_a_device_offers_and_nobody_reads_is_named_in_the_log(tmp_path: Path) -> None:
    sensor = Peripheral(CUFF, values={"2AA7": b"", "2A2B": b"", "2B8B": b""}, says=[PLAIN_PRESSURE])
    with structlog.testing.capture_logs() as logged:
        outbox = open_outbox(tmp_path)
        async with watching(outbox, radio(sensor)):
            await until(lambda: depth(outbox) == 1)
    named = [line["value"] for line in logged if line["event"] == "not_decoded"]
    assert named == ["CGM Measurement, Live Health Observations"]


async def test_a_device_with_nothing_to_say_is_not_pestered(tmp_path: Path) -> None:
    cuff = Peripheral(CUFF)
    async with watching(open_outbox(tmp_path), radio(cuff)):
        await asyncio.sleep(1.2)
    assert 1 <= cuff.connections <= 2


async def test_a_connection_that_failed_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.watch.AGAIN_FIRST_S", 0.05)
    outbox = open_outbox(tmp_path)
    cuff = Peripheral(CUFF, says=[PLAIN_PRESSURE], refuses_connection=2)
    async with watching(outbox, radio(cuff)):
        await until(lambda: depth(outbox) == 1)
    assert cuff.connections >= 3


async def test_a_radio_that_hangs_is_scanned_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.watch.SCAN_RETRY_FIRST_S", 0.05)
    outbox = open_outbox(tmp_path)
    cuff = Peripheral(CUFF, says=[PLAIN_PRESSURE])
    air = radio(cuff)
    FakeScanner.faults = 3
    async with watching(outbox, air) as watch:
        assert watch.adapter == "fake: not scanning"
        await until(lambda: depth(outbox) == 1)
        assert watch.adapter == "fake"
    assert FakeScanner.starts == 4


async def test_an_adapter_gone_silent_is_scanned_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.watch.SILENT_S", 0.1)
    async with watching(open_outbox(tmp_path), radio()):
        await until(lambda: FakeScanner.starts >= 3)


async def test_a_scan_that_ended_is_begun_anew_at_once(tmp_path: Path) -> None:
    """bluetoothd was started again, or the adapter switched off: without a word from bleak it would be deaf for a minute."""
    air = radio()
    async with watching(open_outbox(tmp_path), air):
        await until(lambda: FakeScanner.starts == 1)
        air.scan_ended.set()
        await until(lambda: FakeScanner.starts == 2)
        await asyncio.sleep(0.1)
    assert FakeScanner.starts == 2, "once is enough"


async def test_a_disk_that_refuses_ends_the_session_before_more_is_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = open_outbox(tmp_path)
    cuff = Peripheral(CUFF, says=[PLAIN_PRESSURE], hangs_up=False)

    def refuse(*_: object) -> None:
        raise OutboxFailed("the outbox cannot be written: database or disk is full")

    monkeypatch.setattr(Outbox, "keep", refuse)
    async with watching(outbox, radio(cuff)) as watch:
        await until(lambda: cuff.disconnects >= 1)
        monkeypatch.undo()
        cuff.says.append(PLAIN_PRESSURE)
        cuff.hangs_up = True
        await until(lambda: depth(outbox) == 1)
        assert watch.scanning


async def test_a_stop_in_the_middle_of_a_session_keeps_what_was_heard(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    cuff = Peripheral(CUFF, says=[PLAIN_PRESSURE], hangs_up=False)
    async with watching(outbox, radio(cuff)):
        await until(lambda: outbox.stats(now=datetime.now(UTC)).frames == 1)
    assert (depth(outbox), cuff.disconnects) == (1, 1)


class Control:
    """An adapter that can be switched off and on: that mends it. A bond can be forgotten: that lets the cuff in."""

    def __init__(self, cuff: Peripheral | None = None) -> None:
        self.cycles, self.forgotten, self._cuff = 0, list[str](), cuff

    async def power_cycle(self) -> None:
        self.cycles += 1
        FakeScanner.faults = 0
        FakeScanner.hangs = False

    async def forget(self, address: str) -> None:
        self.forgotten.append(address)
        if self._cuff is not None:
            self._cuff.refuses_connection = 0


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits of an hour in a second; the ladder's own are tested in test_ladder."""
    for name in ("SCAN_RETRY_FIRST_S", "AGAIN_FIRST_S", "AGAIN_MAX_S"):
        monkeypatch.setattr(f"gateway.watch.{name}", 0.02)
    monkeypatch.setattr("gateway.ladder.CYCLE_AFTER_S", 0.1)


async def test_a_radio_that_refuses_to_scan_is_switched_off_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BlueZ's "InProgress" that lasts: scanning anew does not end it (F10)."""
    quick(monkeypatch)
    outbox = open_outbox(tmp_path)
    air = radio(Peripheral(CUFF, says=[PLAIN_PRESSURE]))
    air.control = control = Control()
    FakeScanner.faults = 1_000_000
    async with watching(outbox, air):
        await until(lambda: depth(outbox) == 1)
    assert control.cycles == 1


async def test_a_scan_whose_start_never_returns_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quick(monkeypatch)
    monkeypatch.setattr("gateway.radio.SCAN_START_S_MAX", 0.05)
    outbox = open_outbox(tmp_path)
    air = radio(Peripheral(CUFF, says=[PLAIN_PRESSURE]))
    air.control = control = Control()
    FakeScanner.hangs = True
    async with watching(outbox, air):
        await until(lambda: depth(outbox) == 1)
    assert control.cycles >= 1


async def test_a_radio_that_hears_and_cannot_connect_is_switched_off_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick(monkeypatch)
    monkeypatch.setattr("gateway.reluctant.FORGET_AFTER_FAILURES", 1_000_000)
    cuff = Peripheral(CUFF, refuses_connection=1_000_000)
    air = radio(cuff)
    air.control = control = Control()
    async with watching(open_outbox(tmp_path), air):
        await until(lambda: control.cycles > 0)
    assert cuff.connections >= CONNECTS_FAILED_MAX


async def test_a_device_that_lost_its_bond_is_forgotten_and_paired_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Time-outs are all that BlueZ shows of it; once in six hours, for a device out of reach looks the same."""
    quick(monkeypatch)
    outbox = open_outbox(tmp_path)
    cuff = Peripheral(CUFF, says=[PLAIN_PRESSURE], refuses_connection=1_000_000)
    air = radio(cuff)
    air.control = control = Control(cuff)
    async with watching(outbox, air):
        await until(lambda: depth(outbox) == 1)
        names = [json.loads(event.body)["name"] for event in outbox.events(limit=10)]
        assert "device_paired" in names
        cuff.refuses_connection = 1_000_000
        before = cuff.connections
        await until(lambda: cuff.connections >= before + 5)
    assert control.forgotten == [CUFF]


async def test_the_weakest_signal_of_this_home_is_told(tmp_path: Path) -> None:
    async with watching(open_outbox(tmp_path), radio(Peripheral(CUFF), Peripheral(NEIGHBOUR))) as watch:
        await until(lambda: watch.rssi_dbm == -60)


class Worn:
    """An adapter that no power-cycle helps."""

    async def power_cycle(self) -> None:
        FakeScanner.faults = 1_000_000

    async def forget(self, address: str) -> None:
        raise AssertionError(address)


@pytest.mark.parametrize("way", ["too long", "read never returns", "outbox refuses", "stop", "restart"])
async def test_however_a_session_ends_the_device_is_disconnected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A client that skips it makes the *next* readings vanish on BlueZ (9 of 10)."""
    cuff = Peripheral(CUFF, says=[PLAIN_PRESSURE], hangs_up=False)
    air = radio(cuff)
    air.control = Worn()
    outbox = open_outbox(tmp_path)
    if way == "too long":
        monkeypatch.setattr("devices.procedures.SESSION_S_MAX", 0.1)
    elif way == "read never returns":
        monkeypatch.setattr("devices.procedures.READ_S_MAX", 0.05)
        cuff.values = {"2A29": b""}
        cuff.read_hangs = True
        monkeypatch.setattr("devices.procedures.FIRST_VALUE_S_MAX", 0.1)
        monkeypatch.setattr("devices.procedures.QUIET_S_MAX", 0.1)
    elif way == "outbox refuses":

        def refuse(*_: object) -> None:
            raise OutboxFailed("the outbox cannot be written: database or disk is full")

        monkeypatch.setattr(Outbox, "keep", refuse)
    elif way == "restart":
        for name, seconds in (("CYCLE_AFTER_S", 0.05), ("CYCLE_AGAIN_S", 0.05), ("RESTART_AFTER_S", 0.1)):
            monkeypatch.setattr(f"gateway.ladder.{name}", seconds)
        monkeypatch.setattr("gateway.watch.SCAN_RETRY_FIRST_S", 0.02)
        monkeypatch.setattr("gateway.watch.SCAN_RETRY_MAX_S", 0.02)
    recovery = Recovery(
        control=air.control, memory_file=tmp_path / "radio.json", tell=lambda _step: None, may_restart=True
    )
    stop = asyncio.Event()
    running = asyncio.create_task(watch_of(outbox, air, recovery).run(stop))
    await until(lambda: cuff.connections >= 1)
    if way == "restart":
        FakeScanner.faults = 1_000_000
        air.scan_ended.set()
        with pytest.raises(RestartWanted):
            await asyncio.wait_for(running, WAIT_S_MAX)
    elif way == "stop":
        stop.set()
    else:
        await until(lambda: cuff.disconnects >= 1)
        stop.set()
    if way != "restart":
        await asyncio.wait_for(running, WAIT_S_MAX)
    assert cuff.disconnects == cuff.connections >= 1
