"""Devices that want a bond before they talk, and what happens when either side has lost it.

Method: LE Secure Connections between two bumble hosts, Just Works or with the code on the device; the values and the CCCDs
of a bonded device need an encrypted link.
"""

import asyncio

import pytest
from bleak import BleakClient
from bleak.exc import BleakError

from devices.virtual.bleak_backend import BumbleClientBackend
from devices.virtual.make import Habits
from devices.virtual.peripherals import BloodPressureCuff
from tests.radio.household import Household, client_of, found

BONDED = Habits(advertise_every_s=0.02, bonded=True)


async def test_a_device_that_wants_a_bond_gets_one_by_itself_and_keeps_it(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=BONDED)
    assert home.adapter.device.keystore is not None
    for _ in range(2):
        cuff.measure(120, 80)
        assert len((await home.session(cuff)).measurements) == 1
        assert len(await home.adapter.device.keystore.get_all()) == 1


async def test_pairing_on_request_and_unpairing(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=BONDED)
    cuff.measure(120, 80)
    assert home.adapter.device.keystore is not None
    client = BleakClient(await found(cuff), backend=BumbleClientBackend, pair=True)
    await client.connect()
    assert len(await home.adapter.device.keystore.get_all()) == 1
    await client.unpair()
    assert not await home.adapter.device.keystore.get_all()


@pytest.mark.parametrize("typed", ["123456", "000001", None])
async def test_the_code_on_the_device_has_to_be_the_right_one(home: Household, typed: str | None) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, bonded=True, passkey=123456))

    home.adapter.passkey_of = {cuff.identity.address: typed}.get
    cuff.measure(120, 80)
    client = BleakClient(await found(cuff), backend=BumbleClientBackend, pair=True)
    try:
        if typed == "123456":
            await client.connect()
            assert client.is_connected
        else:
            with pytest.raises(BleakError, match="pairing failed"):
                await client.connect()
    finally:
        await client.disconnect()


async def test_a_device_that_lost_its_bond_is_told_apart_from_one_out_of_range(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=BONDED)
    cuff.measure(120, 80)
    await home.session(cuff)
    assert cuff.device.keystore is not None
    await cuff.device.keystore.delete_all()
    cuff.measure(121, 80)
    client = client_of(await found(cuff))
    with pytest.raises(BleakError):
        await asyncio.wait_for(client.connect(), 5)
    await client.unpair()  # the remedy: forget the bond, pair anew
    assert len((await home.session(cuff)).measurements) == 1


async def test_a_gateway_that_lost_its_bond_pairs_again(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=BONDED)
    cuff.measure(120, 80)
    await home.session(cuff)
    assert home.adapter.device.keystore is not None
    await home.adapter.device.keystore.delete_all()
    cuff.measure(121, 80)
    assert len((await home.session(cuff)).measurements) == 1
