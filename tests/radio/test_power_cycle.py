"""A controller that answers nothing any more: told within a bound, and had back by a power-cycle.

Method: the air is a process of its own; between it and the radio stands a forwarder that swallows every HCI packet, as a
controller does whose firmware hangs. The gateway's own radio is on this side.
"""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from socket import create_server

import pytest
import pytest_asyncio

from devices.virtual import bleak_backend
from gateway.radio import Heard, Radio, RadioFault
from gateway.settings import Backend
from gateway.settings import Radio as RadioSettings
from tests.radio.air_process import AirProcess, air_process
from tests.support.forwarder import Forwarder

SCENARIO = """
[[home]]
name = "a"
[[home.device]]
name = "cuff"
model = "cuff"
address = "C0:00:00:00:10:01"
"""
HEARD_S_MAX = 10.0


@pytest_asyncio.fixture
async def air(tmp_path: Path) -> AsyncGenerator[AirProcess]:
    async with air_process(SCENARIO, tmp_path) as running:
        yield running


async def hears(radio: Radio) -> str:
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def on_seen(heard: Heard) -> None:
        assert heard.rssi_dbm < 0
        if not found.done():
            found.set_result(heard.address)

    async with radio.scanning(on_seen):
        return await asyncio.wait_for(found, HEARD_S_MAX)


async def test_a_controller_that_hangs_is_given_up_and_had_back(
    air: AirProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.radio.SCAN_START_S_MAX", 0.5)
    monkeypatch.setattr("devices.virtual.adapter.POWER_ON_S_MAX", 0.5)
    await air.do("cuff", "measure", systolic=120, diastolic=80)
    listening = create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    port = listening.getsockname()[1]
    with Forwarder(listening, air.hci_port) as wire:
        radio = Radio.from_settings(RadioSettings(backend=Backend.BUMBLE, hci=f"tcp-client:127.0.0.1:{port}"))
        assert radio.control is not None
        assert await hears(radio) == air.address("cuff")
        wire.faults.swallow = True
        with pytest.raises(RadioFault, match="cannot scan: TimeoutError"):
            await hears(radio)
        with pytest.raises(RadioFault, match="the virtual radio"):
            await radio.control.power_cycle()
        wire.faults.swallow = False
        await radio.control.power_cycle()
        assert await hears(radio) == air.address("cuff")
        await bleak_backend.close_adapter()


async def test_a_bond_that_was_never_made_is_forgotten_without_a_word(air: AirProcess) -> None:
    settings = RadioSettings(backend=Backend.BUMBLE, hci=f"tcp-client:127.0.0.1:{air.hci_port}")
    control = Radio.from_settings(settings).control
    assert control is not None
    await control.forget(air.address("cuff"))
    await bleak_backend.close_adapter()
