"""Every kind of device is read on BlueZ's own stack, and nobody's but this home's.

Goal: what the virtual radio of `tests/radio` shows holds on the stack a Raspberry Pi runs. Method: the whole gateway on
bleak's stock backend, bluetoothd, the kernel's HCI; judged by the devices' own ledgers and memories.
"""

import asyncio

from devices.virtual.glucometer import Glucometer
from devices.virtual.oximeter import PulseOximeter
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from devices.virtual.thermometer import Thermometer
from tests.bluez_vm.bluetoothd import connections_to_the_bus
from tests.bluez_vm.home import Home

SESSIONS = 22


async def test_a_cuff_a_scale_a_meter_an_oximeter_and_a_thermometer_are_read(home: Home) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure")
    scale = await home.add(WeightScale, "body_weight")
    meter = await home.add(Glucometer, "glucose")
    oximeter = await home.add(PulseOximeter, "oxygen_saturation")
    thermometer = await home.add(Thermometer, "body_temperature")
    for systolic in (121, 122, 123):
        cuff.measure(systolic, 80)
    scale.weigh(kg=80)
    for number in range(12):
        meter.prick(mg_dl=90 + number, meal="fasting")
    oximeter.clip(97, 61)
    thermometer.take(celsius=36.6)

    async with home.gateway():
        for device, count in ((cuff, 3), (scale, 1), (meter, 12), (oximeter, 1), (thermometer, 1)):
            await home.kept(device, count)

    said = {
        device.label: [next(iter(row["quantities"].values()))["value"] for row in home.rows(device)]
        for device in (cuff, scale, meter, oximeter, thermometer)
    }
    assert said == {
        cuff.label: [121, 122, 123],
        scale.label: [80],
        meter.label: list(range(90, 102)),
        oximeter.label: [97],
        thermometer.label: [36.6],
    }
    assert [row["context"]["meal"] for row in home.rows(meter)] == ["fasting"] * 12
    assert [device.pending for device in (cuff, scale, meter, oximeter, thermometer)] == [0] * 5
    assert home.lost() == []


async def test_two_cuffs_of_one_name_are_told_apart_and_the_neighbours_is_left_alone(home: Home) -> None:
    hers = await home.add(BloodPressureCuff, "blood_pressure", name="BP cuff")
    his = await home.add(BloodPressureCuff, "blood_pressure", name="BP cuff")
    neighbours = await home.add(BloodPressureCuff, None, name="BP cuff")
    hers.measure(121, 80)
    his.measure(151, 90)
    neighbours.measure(181, 99)

    async with home.gateway():
        await home.kept(hers, 1)
        await home.kept(his, 1)
        # Long enough for whoever wanted to connect to it.
        await asyncio.sleep(5)
        assert neighbours.device.is_advertising

    systolic = {
        cuff.identity.address: [row["quantities"]["systolic"]["value"] for row in home.rows(cuff)]
        for cuff in (hers, his)
    }
    assert systolic == {hers.identity.address: [121], his.identity.address: [151]}
    assert len(home.rows()) == 2
    assert (neighbours.connections, neighbours.pending) == (0, 1)


async def test_sessions_all_day_leave_no_connection_to_the_message_bus_behind(home: Home) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure")
    before = await connections_to_the_bus()
    at_work: list[int] = []
    async with home.gateway() as gateway:
        for number in range(SESSIONS):
            cuff.measure(100 + number, 80)
            await home.kept(cuff, number + 1)
            while gateway.watch.sessions:
                await asyncio.sleep(0.05)
            at_work.append(await connections_to_the_bus())
    assert len(set(at_work)) == 1, f"connections to the bus after each session: {at_work}"
    assert await connections_to_the_bus() - before <= 1, "bleak's own, which it keeps for the next scan"
    assert cuff.connections == SESSIONS
    assert home.lost() == []
