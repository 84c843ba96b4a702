"""The air and the reader as two processes, HCI over TCP between them, and kill -9 in the middle of a session.

Goal: what a killed reader had not kept is not lost, and what it had kept is not lost either; the one window in which a
reading can be lost is the one BlueZ has too, and it is as wide here. Method: a reader that stops inside its callback, so
that the kill falls where the test says.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio
from bleak import BleakClient
from bleak.backends.device import BLEDevice
from bleak.exc import BleakBluetoothNotAvailableError, BleakError
from bumble import hci

from devices.gatt import long_uuid
from devices.virtual import bleak_backend
from tests.radio.air_process import AirProcess, air_process, reader_process, said
from tests.radio.household import until

SCENARIO = """
[[home]]
name = "a"
[[home.device]]
name = "cuff"
model = "cuff"
address = "C0:00:00:00:10:01"
[[home.device]]
name = "scale"
model = "scale"
address = "C0:00:00:00:10:02"
clock = "wrong"
[[home.device]]
name = "meter"
model = "meter"
address = "C0:00:00:00:10:03"
[[home.device]]
name = "captured"
model = "captures"
address = "C0:00:00:00:10:04"
clock = "none"
capture = "scale"

[[home]]
name = "b"
[[home.device]]
name = "cuff"
model = "cuff"
address = "C0:00:00:00:20:01"
[[home.device.play]]
after_s = 0.1
command = {do = "measure", systolic = 120, diastolic = 80}
"""


@pytest_asyncio.fixture
async def air(tmp_path: Path) -> AsyncGenerator[AirProcess]:
    async with air_process(SCENARIO, tmp_path) as running:
        yield running


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "kept"


async def read_all(air: AirProcess, device: str, kept: Path, *options: str) -> str:
    """A whole session by a reader of its own; how it ended."""
    async with reader_process(air, device, kept, *options) as reader:
        ending = await said(reader)
        assert await asyncio.wait_for(reader.wait(), 30) == 0
    return ending


def frames(kept: Path) -> list[str]:
    return [line.split()[1] for line in kept.read_text().splitlines()]


async def test_every_device_is_read_over_tcp_and_the_ledger_says_the_same(air: AirProcess, kept: Path) -> None:
    assert (await air.do("cuff", "measure", systolic=192, diastolic=118, mean=143, pulse=88, user_slot=1)) == {
        "measurement": 1
    }
    await air.do("scale", "weigh", kg=72.35, user_slot=2)
    await air.do("meter", "prick", mg_dl=48, meal="preprandial")
    await air.do("meter", "prick", mg_dl=101)

    endings = [await read_all(air, device, kept) for device in ("cuff", "scale", "meter", "captured")]

    assert endings == ["hung_up", "hung_up", "complete", "hung_up"]
    assert (await air.ask(do="wait", confirmed=5, timeout_s=30))["ok"]
    ledger = air.ledger()
    sent = [line[raw] for line in ledger for raw in ("raw", "raw_context") if line[raw] is not None]
    assert sorted(frames(kept)) == sorted(sent)
    assert "0e205cea07070e1729200140018007" in sent, "the bytes of a real scale (devices/vectors/weight_scale.json)"
    assert [line["device"] for line in ledger] == ["cuff", "scale", "meter", "meter", "captured"]
    # Pressures as whole numbers, exponent 0, as cuffs send them: 192, 118, 143.
    assert ledger[0]["raw"].startswith("1ec00076008f00")
    assert ledger[0]["values"]["systolic"] == {"value": 192.0, "unit": "mm[Hg]"}


async def test_a_killed_reader_has_what_it_kept_and_the_next_one_gets_the_rest(air: AirProcess, kept: Path) -> None:
    for systolic in range(121, 126):
        await air.do("cuff", "measure", systolic=systolic, diastolic=80)
    async with reader_process(air, "cuff", kept, "--hold-after", "2") as reader:
        assert await said(reader) == "holding"
        reader.kill()
    assert len(frames(kept)) == 2
    assert [line["number"] for line in air.ledger()] == [1, 2]

    assert await read_all(air, "cuff", kept) == "hung_up"

    assert len(set(frames(kept))) == len(frames(kept)) == 5
    assert frames(kept) == [line["raw"] for line in air.ledger()]
    state = await air.do("cuff", "state")
    assert (state["taken"], state["confirmed"], state["pending"], state["connections"]) == (5, 5, 0, 2)


async def test_a_reader_killed_between_the_confirmation_and_its_disk_loses_that_one_frame(
    air: AirProcess, kept: Path
) -> None:
    """As on BlueZ: a backend that confirmed after the callback would hide this loss from every chaos test."""
    for systolic in (121, 122, 123):
        await air.do("cuff", "measure", systolic=systolic, diastolic=80)
    async with reader_process(air, "cuff", kept, "--hold-before", "2") as reader:
        assert await said(reader) == "holding"
        reader.kill()
    assert [line["number"] for line in air.ledger()] == [1, 2], "the device was told that its second reading arrived"

    await read_all(air, "cuff", kept)

    lost = {line["raw"] for line in air.ledger()} - set(frames(kept))
    assert len(lost) == 1


async def test_a_reader_killed_in_the_middle_of_a_report_loses_nothing(air: AirProcess, kept: Path) -> None:
    for mg_dl in range(91, 101):
        await air.do("meter", "prick", mg_dl=mg_dl)
    async with reader_process(air, "meter", kept, "--hold-before", "5") as reader:
        assert await said(reader) == "holding"
        reader.kill()
    assert len(frames(kept)) == 4
    # The meter may believe that all ten arrived: its "success" is confirmed before the reader has handled the records.
    await air.do("meter", "press")

    assert await read_all(air, "meter", kept, "--last-sequence", "4") == "complete"

    assert (await air.ask(do="wait", confirmed=10, timeout_s=30))["ok"]
    assert frames(kept) == [line["raw"] for line in air.ledger()]


async def test_silence_by_command_drops_the_link_and_the_rest_comes_later(air: AirProcess, kept: Path) -> None:
    for mg_dl in range(91, 101):
        await air.do("meter", "prick", mg_dl=mg_dl)
    await air.do("meter", "silence", seconds=0.6, after_frames=6)

    assert await read_all(air, "meter", kept) == "hung_up"
    had = len(frames(kept))
    assert await read_all(air, "meter", kept, "--last-sequence", str(had)) == "complete"

    assert len(set(frames(kept))) == len(frames(kept)) == 10


async def test_one_home_does_not_hear_another(air: AirProcess, kept: Path) -> None:
    """Home b's play has begun by itself; its cuff waits for its own gateway."""
    answer = await air.ask(home="b", device="cuff", do="wait", taken=1, timeout_s=30)
    assert answer == {"ok": True, "taken": 1, "confirmed": 0, "pending": 1}
    state = await air.ask(home="b", device="cuff", do="state")
    assert (state["taken"], state["pending"], state["connections"]) == (1, 1, 0)
    await air.do("cuff", "measure", systolic=130, diastolic=80)
    await read_all(air, "cuff", kept)
    state = await air.ask(home="b", device="cuff", do="state")
    assert (state["pending"], state["connections"]) == (1, 0)


async def test_a_reader_whose_radio_goes_away_is_told_at_once(air: AirProcess) -> None:
    bleak_backend.use_hci(f"tcp-client:127.0.0.1:{air.hci_port}")
    await air.do("cuff", "measure", systolic=120, diastolic=80)
    async with BleakClient(air.address("cuff"), backend=bleak_backend.BumbleClientBackend) as client:
        assert client.is_connected
        asleep = BLEDevice(air.address("scale"), "scale", hci.Address(air.address("scale")))
        connecting = asyncio.ensure_future(BleakClient(asleep, backend=bleak_backend.BumbleClientBackend).connect())
        await asyncio.sleep(0.1)
        air.process.kill()
        await until(lambda: not client.is_connected)
        with pytest.raises(BleakError):
            await asyncio.wait_for(client.read_gatt_char(long_uuid("2A24")), 10)
        with pytest.raises(BleakError, match="the radio went away"):
            await asyncio.wait_for(connecting, 10)
        await air.process.wait()
    with pytest.raises(BleakBluetoothNotAvailableError):
        await bleak_backend.running_adapter()


WRONG_REQUESTS: list[tuple[dict[str, object], str]] = [
    ({"home": "z", "device": "cuff", "do": "state"}, "there is no 'z' in this scenario"),
    ({"do": "state"}, "name one home and one device"),
    ({"home": "a", "device": "cuff", "do": "weigh", "kg": 80}, "cuff is not a scale"),
    ({"home": "a", "device": "scale", "do": "weigh"}, "a scale shows kg or lb, one of them"),
    ({"home": "a", "device": "cuff", "do": "measure", "systolic": "high", "diastolic": 80}, "measure.systolic"),
    ({"home": "a", "device": "cuff", "do": "dance"}, "does not match any of the expected tags"),
    ({"do": "wait", "confirmed": 1, "timeout_s": 0.05}, "not yet"),
    ({"do": "wait", "confirmed": "many"}, "confirmed: Input should be a valid integer"),
]


async def test_a_wrong_request_is_answered_with_what_is_wrong(air: AirProcess) -> None:
    for request, error in WRONG_REQUESTS:
        answer = await air.ask(**request)
        assert not answer["ok"]
        assert error in answer["error"]
