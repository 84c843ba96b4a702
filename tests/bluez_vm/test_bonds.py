"""Devices that want a bond, on BlueZ: who is asked, what is kept, and what happens when either side has lost its own.

Method: LE Secure Connections between the kernel's SMP and a virtual device, the gateway's agent answering bluetoothd.
"""

import asyncio
from dataclasses import replace

import pytest
from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from devices.virtual.faults import ForgetBond, make_fault
from devices.virtual.glucometer import Glucometer
from devices.virtual.peripherals import BloodPressureCuff
from gateway.bluez import BluezControl
from tests.bluez_vm.bluetoothd import device_of, until
from tests.bluez_vm.conftest import Figure
from tests.bluez_vm.home import EAGER, Home

BONDED = replace(EAGER, bonded=True)
LABELLED = replace(BONDED, passkey=123456)
#: What a person would wait for a cuff's reading to be seen.
LOST_BOND_S_MAX = 60.0
#: Three tries of three, the one that pairs, and some for a busy machine. bleak alone made 115.
CONNECTIONS_MAX = 20
#: BlueZ gives up on a device by itself after a while; ours has to be quicker than a person.
NOT_PAIRED_S_MAX = 90.0


async def paired(address: str) -> bool:
    known = await device_of(address)
    return known is not None and known["Paired"]


async def test_a_cuff_that_wants_a_bond_gets_one_and_keeps_it(home: Home) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure", habits=BONDED)
    cuff.measure(121, 80)
    async with home.gateway():
        await home.kept(cuff, 1)
        assert await paired(cuff.identity.address)
        connections = cuff.connections
        cuff.measure(122, 80)
        await home.kept(cuff, 2)
    assert cuff.connections == connections + 1, "with the bond one connection is enough"
    assert home.lost() == []


async def test_the_passkey_on_a_meters_label_is_typed_by_the_gateways_agent(home: Home) -> None:
    meter = await home.add(Glucometer, "glucose", habits=LABELLED, passkey="123456")
    for number in range(3):
        meter.prick(mg_dl=90 + number)
    async with home.gateway():
        await home.kept(meter, 3)
        assert await paired(meter.identity.address)
        meter.prick(mg_dl=93)
        await home.kept(meter, 4)
    assert [row["sequence_number"] for row in home.rows(meter)] == [1, 2, 3, 4]


async def test_a_wrong_passkey_is_told_and_not_tried_for_ever(home: Home, figure: Figure) -> None:
    meter = await home.add(Glucometer, "glucose", habits=LABELLED, passkey="000001")
    meter.prick(mg_dl=90)
    async with home.gateway():
        took_s = await until(lambda: "device_not_paired" in home.events(), within_s=NOT_PAIRED_S_MAX)
        connections = meter.connections
        await asyncio.sleep(10)
        assert meter.connections == connections, "it is let alone: each try wakes it"
    figure(f"a wrong passkey is told after {took_s:.0f} s and {connections} connections")
    assert home.rows() == []
    assert meter.pending == 1


async def test_a_strangers_meter_that_asks_for_a_passkey_is_refused_by_our_agent(home: Home) -> None:
    """Another program on this machine wants to pair; BlueZ asks the agent, and that is ours. (For Just Works it asks nobody.)"""
    stranger = await home.add(Glucometer, None, habits=LABELLED)
    stranger.prick(mg_dl=90)
    # Before the gateway scans: bleak has one scan a process.
    device = await BleakScanner.find_device_by_address(stranger.identity.address, 10)
    assert device is not None
    async with home.gateway():
        client = BleakClient(device, pair=True, timeout=15)
        try:
            with pytest.raises(BleakError, match=r"org\.bluez\.Error\.Authentication"):
                await client.connect()
        finally:
            await client.disconnect()
        assert not await paired(stranger.identity.address)


async def test_a_cuff_that_lost_its_bond_is_paired_with_anew(home: Home, figure: Figure) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure", habits=BONDED)
    cuff.measure(121, 80)
    async with home.gateway():
        await home.kept(cuff, 1)
        before = cuff.connections
        make_fault(cuff, ForgetBond(do="forget_bond"))
        cuff.measure(122, 80)
        took_s = await home.kept(cuff, 2, within_s=LOST_BOND_S_MAX)
    connections = cuff.connections - before
    assert connections <= CONNECTIONS_MAX
    figure(f"a cuff that lost its bond is read after {took_s:.0f} s and {connections} connections")
    assert await paired(cuff.identity.address)
    assert home.lost() == []


async def test_a_gateway_that_lost_its_bond_pairs_anew(home: Home) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure", habits=BONDED)
    cuff.measure(121, 80)
    async with home.gateway():
        await home.kept(cuff, 1)
        await BluezControl().forget(cuff.identity.address)
        assert await device_of(cuff.identity.address) is None
        cuff.measure(122, 80)
        await home.kept(cuff, 2)
        assert await paired(cuff.identity.address)
    assert home.lost() == []
