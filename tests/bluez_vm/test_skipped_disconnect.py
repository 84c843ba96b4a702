"""The loss that made `gateway.radio` disconnect always: a client that does not, after the device hung up.

    if client.is_connected:            # "it hung up by itself, there is nothing to disconnect"
        await client.disconnect()

On BlueZ 5.66 that client's connection to the message bus stays open and subscribed. At the device's next connection BlueZ
subscribes again on its behalf, the device gets its confirmation from BlueZ, forgets the reading, and hangs up; whoever
connected sees nothing.
"""

import asyncio
import contextlib

from bleak import BleakClient, BleakScanner
from bleak.exc import BleakError

from devices.gatt import BLOOD_PRESSURE_MEASUREMENT, long_uuid
from devices.virtual.peripherals import BloodPressureCuff
from tests.bluez_vm.bluetoothd import until
from tests.bluez_vm.conftest import Figure
from tests.bluez_vm.home import Home

READINGS = 10
#: A device that is away for so long is not coming.
SEEN_S_MAX = 20.0
CONNECT_S_MAX = 15.0
HANGS_UP_S_MAX = 8.0


async def read_untidily(address: str) -> list[bytes]:
    """One session as many programs have it: connect, listen until it hangs up, and think that this was it."""
    device = await BleakScanner.find_device_by_address(address, SEEN_S_MAX)
    assert device is not None
    came: list[bytes] = []
    gone = asyncio.Event()
    client = BleakClient(device, lambda _client: gone.set(), timeout=CONNECT_S_MAX)
    with contextlib.suppress(BleakError, TimeoutError):
        await client.connect()
        await client.start_notify(long_uuid(BLOOD_PRESSURE_MEASUREMENT), lambda _sender, data: came.append(bytes(data)))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(gone.wait(), HANGS_UP_S_MAX)
    if client.is_connected:
        await client.disconnect()
    return came


async def test_a_client_that_skips_its_disconnect_loses_nearly_every_reading(home: Home, figure: Figure) -> None:
    """Not ours: so that it shows when BlueZ or bleak have mended it, and our rule has lost its reason."""
    cuff = await home.add(BloodPressureCuff, None)
    came: list[int] = []
    for number in range(READINGS):
        cuff.measure(100 + number, 80)
        came.append(len(await read_untidily(cuff.identity.address)))
        await until(lambda: cuff.connection is None, within_s=CONNECT_S_MAX)
    assert cuff.confirmed == READINGS, "the cuff was told that all of them are safe"
    lost = READINGS - sum(came)
    figure(f"a client that skips its disconnect lost {lost} of {READINGS} readings")
    assert lost >= READINGS - 2, f"readings that came, session by session: {came}"


async def test_the_gateway_loses_none(home: Home) -> None:
    cuff = await home.add(BloodPressureCuff, "blood_pressure")
    async with home.gateway():
        for number in range(READINGS):
            cuff.measure(100 + number, 80)
            await home.kept(cuff, number + 1)
    assert [row["quantities"]["systolic"]["value"] for row in home.rows(cuff)] == list(range(100, 110))
    assert (cuff.confirmed, cuff.pending) == (READINGS, 0)
    assert home.lost() == []
