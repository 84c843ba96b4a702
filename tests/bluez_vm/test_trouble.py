"""BlueZ's own troubles: links that drop, adapters that go off and away, a daemon that dies, devices that say nothing."""

import asyncio
from dataclasses import replace

import pytest
from bumble.device import Connection

from devices import gatt
from devices.gatt import LinkLost
from devices.virtual.make import Habits
from devices.virtual.peripheral import Peripheral
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from gateway.radio import Heard, Radio
from gateway.settings import Radio as RadioSettings
from tests.bluez_vm.bluetoothd import powered, switch, until
from tests.bluez_vm.conftest import Figure
from tests.bluez_vm.home import EAGER, READ_S_MAX, Home

BONDED = replace(EAGER, bonded=True)
#: F10: an unattended box is well again in under five minutes.
WELL_AGAIN_S_MAX = 180.0
SEEN_S_MAX = 20.0


def hush_at_the_first_question(device: Peripheral, seconds: float) -> None:
    """It goes out of range while it is asked who it is; once."""
    asked = device._asked

    def hush(connection: Connection) -> None:
        device._asked = asked
        device.fall_silent(seconds)
        asked(connection)

    device._asked = hush


async def seen(radio: Radio, device: Peripheral) -> Heard:
    found: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

    def on_seen(heard: Heard) -> None:
        if heard.address == device.identity.address and not found.done():
            found.set_result(heard)

    async with radio.scanning(on_seen):
        return await asyncio.wait_for(found, SEEN_S_MAX)


async def test_a_drop_in_the_middle_of_a_read_is_a_lost_link_and_the_reading_comes(home: Home) -> None:
    """BlueZ calls it ATT error 0x0E, Unlikely: not the device's refusal of that one characteristic."""
    cuff = await home.add(BloodPressureCuff, "blood_pressure")
    cuff.measure(121, 80)
    radio = Radio.from_settings(RadioSettings())
    async with radio.connected(await seen(radio, cuff)) as link:
        hush_at_the_first_question(cuff, 2.0)
        with pytest.raises(LinkLost):
            await asyncio.wait_for(link.read(gatt.MANUFACTURER_NAME), SEEN_S_MAX)
    hush_at_the_first_question(cuff, 2.0)
    async with home.gateway():
        await home.kept(cuff, 1)
    assert home.lost() == []


async def test_an_adapter_that_is_switched_off_is_switched_on_again(home: Home, figure: Figure) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure")
    async with home.gateway():
        await switch(on=False)
        cuff.measure(121, 80)
        took_s = await home.kept(cuff, 1, within_s=WELL_AGAIN_S_MAX)
        assert await powered()
    figure(f"an adapter that was switched off reads again after {took_s:.0f} s")


async def test_an_adapter_that_is_pulled_out_is_waited_for(home: Home, figure: Figure) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure")
    cuff.measure(121, 80)
    async with home.gateway():
        await home.kept(cuff, 1)
        await home.adapter.pull_out()
        cuff.measure(122, 80)
        await asyncio.sleep(10)
        await home.adapter.plug_in()
        took_s = await home.kept(cuff, 2, within_s=WELL_AGAIN_S_MAX)
    figure(f"an adapter that came back after 10 s reads again after {took_s:.0f} s")
    assert home.lost() == []


@pytest.mark.parametrize("habits", [EAGER, BONDED], ids=["no bond", "bonded"])
async def test_a_bluetoothd_that_died_is_waited_for(home: Home, figure: Figure, habits: Habits) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure", habits=habits)
    cuff.measure(121, 80)
    async with home.gateway():
        await home.kept(cuff, 1)
        await home.daemon.kill()
        cuff.measure(122, 80)
        await asyncio.sleep(3)
        await home.daemon.start()
        took_s = await home.kept(cuff, 2, within_s=WELL_AGAIN_S_MAX)
        # And what was measured while it spoke with somebody.
        cuff.measure(123, 80)
        await home.kept(cuff, 3)
    kind = "with a bond" if habits.bonded else "without a bond"
    figure(f"a bluetoothd that was killed, a cuff {kind}: reads again {took_s:.0f} s after its start")
    assert home.lost() == []


async def test_a_bluetoothd_that_dies_in_the_middle_of_a_session_loses_nothing_that_was_kept(home: Home) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure", habits=replace(EAGER, gap_s=1.0))
    for systolic in range(121, 127):
        cuff.measure(systolic, 80)
    async with home.gateway():
        await until(lambda: cuff.confirmed >= 2, within_s=READ_S_MAX)
        await home.daemon.kill()
        await asyncio.sleep(3)
        await home.daemon.start()
        await until(lambda: cuff.pending == 0, within_s=WELL_AGAIN_S_MAX)
        await asyncio.sleep(3)
    # The one whose confirmation went out as the daemon died.
    assert len(home.lost()) <= 1, f"lost {len(home.lost())} of 6"


async def test_a_device_that_connects_and_says_nothing_holds_up_nobody(home: Home, figure: Figure) -> None:
    dumb = await home.add(BloodPressureCuff, "blood_pressure")
    scale = await home.add(WeightScale, "body_weight")
    home.link.supervision_s = 60.0

    says_nothing = True

    def hush(_connection: Connection) -> None:
        if says_nothing:
            dumb.controller.radio_silence()

    dumb.device.on("connection", hush)
    dumb.measure(121, 80)
    async with home.gateway():
        await until(lambda: dumb.connections > 0, within_s=READ_S_MAX)
        scale.weigh(kg=80)
        took_s = await home.kept(scale, 1)
        says_nothing = False
        home.link.supervision_s = 0.42
        dumb.controller.back_in_range()
        again_s = await home.kept(dumb, 1, within_s=WELL_AGAIN_S_MAX)
    figure(
        f"beside a device that says nothing a scale is read after {took_s:.0f} s, and that device after {again_s:.0f} s"
    )
