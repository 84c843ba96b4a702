"""The gaps of the stock virtual controller stay closed: each would let a gateway pass here that fails at a real home.

Method: provoke each gap of devices.virtual.ether's list on the product's own air and see the answer a real controller
gives.
"""

import asyncio
import time
from itertools import pairwise

import pytest
from bleak import BleakScanner
from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Advertisement, Device, Peer

from devices.virtual.bleak_backend import BumbleScannerBackend
from devices.virtual.ether import EtherController, EtherLink
from devices.virtual.hci_port import serve_hci
from devices.virtual.make import Habits
from devices.virtual.peripherals import BloodPressureCuff
from gateway.radio import RadioFault
from tests.radio.household import SUPERVISION_S, Household, gateway_device, until

PHONE = "F0:00:00:00:00:02"


async def test_a_connect_to_a_silent_device_gives_up_and_the_next_one_works(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.radio.CONNECT_S_MAX", 0.3)
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(120, 80)
    heard = await home.seen(cuff)
    cuff.fall_silent(0.6)
    began_s = time.monotonic()
    with pytest.raises(RadioFault):
        async with home.radio.connected(heard):
            pass
    assert time.monotonic() - began_s < 10.0, "not the fifteen seconds that it may take otherwise"

    monkeypatch.setattr("gateway.radio.CONNECT_S_MAX", 15.0)
    assert len((await home.session(cuff)).measurements) == 1


async def test_a_name_in_the_scan_response_is_heard(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, name_in_scan_response=True))
    cuff.measure(120, 80)

    found = await BleakScanner.discover(0.3, return_adv=True, backend=BumbleScannerBackend)

    ((device, advertisement),) = found.values()
    assert (device.name, advertisement.local_name) == ("device 1", "device 1")
    assert advertisement.service_uuids == ["00001810-0000-1000-8000-00805f9b34fb"]


async def test_a_peripheral_with_a_public_address_hears_its_reader(home: Household) -> None:
    address = "00:11:22:33:44:55"
    controller, peripheral = gateway_device(home.link, PHONE, public_address=address)
    await peripheral.power_on()
    await peripheral.start_advertising(own_address_type=hci.OwnAddressType.PUBLIC)

    public = hci.Address(address, hci.Address.PUBLIC_DEVICE_ADDRESS)
    connection = await asyncio.wait_for(home.adapter.device.connect(public), 5)

    assert await asyncio.wait_for(Peer(connection).discover_services(), 2)
    controller.vanish()


async def test_a_reset_ends_links_and_scans_and_the_peer_notices(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(120, 80)
    async with home.connected(cuff):
        assert cuff.connection is not None
        await home.adapter.device.host.reset()  # pyright: ignore[reportUnknownMemberType] - bumble leaves it untyped
        assert not home.controller.le_connections
        await until(lambda: cuff.connection is None)
    await until(lambda: cuff.device.is_advertising)
    assert cuff.pending == 1


async def test_silence_ends_a_link_at_both_ends_after_the_supervision_time(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(120, 80)
    async with home.connected(cuff) as link:
        began_s = time.monotonic()
        cuff.fall_silent(0.2)
        await asyncio.wait_for(link.gone.wait(), 30)
        assert time.monotonic() - began_s >= SUPERVISION_S
        assert cuff.connection is None


async def test_words_to_a_peer_that_vanished_are_lost_without_an_error(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(120, 80)
    async with home.connected(cuff) as link:
        cuff.controller.vanish()
        await asyncio.wait_for(link.gone.wait(), 30)
        home.link.add_controller(cuff.controller)


async def test_the_advertising_interval_is_counted_in_slots(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.1))
    heard_s: list[float] = []

    def on_advertisement(_advertisement: Advertisement) -> None:
        heard_s.append(time.monotonic())

    home.adapter.device.on(Device.EVENT_ADVERTISEMENT, on_advertisement)
    cuff.measure(120, 80)
    async with home.radio.scanning(lambda _heard: None):
        await until(lambda: len(heard_s) >= 12)

    # Slept in milliseconds instead of slots, 100 ms would have become 160 ms. A busy machine makes a gap longer, and the next one shorter.
    gaps_s = [later - earlier for earlier, later in pairwise(heard_s)]
    assert sum(gaps_s) >= 0.095 * len(gaps_s)
    assert sorted(gaps_s)[len(gaps_s) // 4] < 0.13


async def test_of_two_readers_at_once_one_is_told_that_it_failed(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    controller, phone = gateway_device(home.link, PHONE)
    await phone.power_on()
    address = hci.Address(cuff.identity.address)
    readers = [asyncio.ensure_future(device.connect(address)) for device in (home.adapter.device, phone)]
    await asyncio.sleep(0.05)
    cuff.measure(120, 80)

    await until(lambda: cuff.connections == 1)
    await asyncio.sleep(0.1)

    assert cuff.connection is not None
    linked = [c for c in (home.controller, controller) if c.le_connections]
    assert len(linked) == 1, "one link, known at both ends"
    for reader in readers:
        reader.cancel()
    await asyncio.gather(*readers, return_exceptions=True)
    controller.vanish()


async def test_every_client_of_the_port_finds_a_fresh_controller() -> None:
    link = EtherLink()
    server, port = await serve_hci(link)
    for _ in range(2):
        _reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await until(lambda: len(link.controllers) == 1)
        (controller,) = link.controllers
        assert isinstance(controller, EtherController)
        assert not controller.le_scan_enable
        controller.le_scan_enable = True
        writer.close()
        await writer.wait_closed()
        await until(lambda: not link.controllers)
    server.close()


async def test_a_client_that_does_not_speak_hci_is_shown_the_door() -> None:
    server, port = await serve_hci(EtherLink())
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 30)
    writer.close()
    server.close()


async def test_bumble_says_so_when_it_may_not_connect(home: Household) -> None:
    """The tests above rest on this: a failed connection is an exception, not a silence."""
    with pytest.raises((BaseBumbleError, TimeoutError)):
        await home.adapter.device.connect(hci.Address("C0:00:00:00:99:99"), timeout=0.1)
