"""Devices that speak their vendor's own protocol: named as unsupported, in the log and by an event, and left as they are.

Method: as in test_quirks_cuffs. None of them is made to hand over, and so to forget, what nobody here could read.
"""

import pytest

from devices.virtual.make import Identity
from devices.virtual.odd_devices import VendorDevice
from devices.virtual.oximeter import PulseOximeter
from schemas.codes import Kind
from schemas.messages import EventName
from tests.radio.household import Household
from tests.radio.listening import listening

#: Who they say they are, and the service they offer (sources: their rows in devices/catalogue_rows.py).
VERIO = Identity(
    "C0:00:00:00:23:01",
    "OneTouch Verio",
    "LifeScan",
    "OneTouch Verio Flex",
    "1",
    vendor_service="AF9DF7A1-E595-11E3-96B4-0002A5D5C51B",
)
IHEALTH = Identity(
    "C0:00:00:00:23:02",
    "KN-550BT",
    "iHealth",
    "KN-550BT",
    "2",
    vendor_service="636F6D2E-6A69-7561-6E2E-646576000000",
)
NONIN = Identity(
    "C0:00:00:00:23:03",
    "Nonin3230_503",
    "Nonin Medical, Inc.",
    "Model 3230",
    "3",
    vendor_service="46A970E0-0D5F-11E2-8B5E-0002A5D5C51B",
)


async def is_named_and_left_alone(home: Household, identity: Identity, called: str) -> None:
    device = await home.add(VendorDevice, identity=identity)
    device.say(b"\x01\x02")
    async with listening(home, device) as gateway:
        await gateway.until_sessions(2)
        assert gateway.told(EventName.DEVICE_UNSUPPORTED) == [called], "once, however often it is met"
        assert [line["value"] for line in gateway.log_of("device_unsupported")] == [called]
        assert (gateway.readings, gateway.held) == ([], [])
    assert device.pending == 1


async def test_lifescan_verio_is_named_and_left_alone(home: Household) -> None:
    await is_named_and_left_alone(home, VERIO, "LifeScan OneTouch Verio Flex")


async def test_ihealth_is_named_and_left_alone(home: Household) -> None:
    await is_named_and_left_alone(home, IHEALTH, "iHealth KN-550BT")


async def test_nonin_3230_is_named_where_it_has_its_own_service_only(home: Household) -> None:
    await is_named_and_left_alone(home, NONIN, "Nonin Medical, Inc. Model 3230")


async def test_nonin_3230_is_read_where_it_has_the_standards_service(home: Household) -> None:
    identity = Identity("C0:00:00:00:23:04", "Nonin3230_504", "Nonin Medical, Inc.", "Model 3230", "4")
    oximeter = await home.add(PulseOximeter, identity=identity)
    oximeter.clip(97, 64)
    async with listening(home, oximeter, kind=Kind.OXYGEN_SATURATION) as gateway:
        await gateway.until_kept(1)
        assert gateway.readings[0].quantities["oxygen_saturation"].value == pytest.approx(97)
        assert gateway.told(EventName.DEVICE_UNSUPPORTED) == []
