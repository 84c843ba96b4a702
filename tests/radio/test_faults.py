"""What goes wrong between a device and its reader, and that no reading is lost or doubled by it.

Goal: the store-and-forward promise of each device kind, under every fault that can be had on a virtual radio. Method: one
process, the product's own radio and procedures, faults made in the air (silence) or in the device.
"""

import asyncio
from dataclasses import replace

import pytest
from bleak import BleakClient
from bleak.exc import BleakGATTProtocolError
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue

from devices import gatt
from devices.gatt import LinkLost, long_uuid
from devices.procedures import Ending
from devices.virtual.bleak_backend import BumbleClientBackend
from devices.virtual.glucometer import Glucometer
from devices.virtual.make import Habits
from devices.virtual.peripheral import Properties, service
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from tests.radio.household import Household, client_of, found, until

# Drops -----------------------------------------------------------------------------------------------------------------


async def test_an_indication_that_was_not_confirmed_is_kept_and_sent_again(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    for systolic in (121, 122, 123):
        cuff.measure(systolic, 80)
    # The second indication arrives; its confirmation is lost in the air.
    first = await home.session(cuff, on_frame=lambda frames: cuff.fall_silent(0.1) if len(frames) == 2 else None)
    assert len(first.frames) == 2
    assert (cuff.confirmed, cuff.pending) == (1, 2)

    second = await home.session(cuff)

    assert second.data[0] == first.data[1], "sent again, the same bytes, so it bears the same name"
    assert len({*first.data, *second.data}) == 3
    assert (cuff.confirmed, cuff.pending) == (3, 0)


async def test_an_indication_lost_in_the_air_is_sent_again(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    for systolic in (121, 122, 123):
        cuff.measure(systolic, 80)
    cuff.fall_silent(0.1, after_frames=2)

    first = await home.session(cuff)
    second = await home.session(cuff)

    assert (len(first.frames), len(second.frames)) == (1, 2)
    assert len({*first.data, *second.data}) == 3


async def test_a_drop_in_the_middle_of_a_report_loses_and_doubles_nothing(home: Household) -> None:
    meter = await home.add(Glucometer)
    for number in range(12):
        meter.prick(mg_dl=90 + number)
    meter.fall_silent(0.1, after_frames=6)

    first = await home.session(meter)
    got = [entry.measurement.sequence_number or 0 for entry in first.measurements]
    assert first.ending is Ending.HUNG_UP
    assert got == list(range(1, len(got) + 1))
    assert 0 < len(got) < 12
    assert meter.confirmed == 0, "no report was completed"

    second = await home.session(meter, last_sequence=got[-1])

    rest = [entry.measurement.sequence_number for entry in second.measurements]
    assert got + rest == list(range(1, 13))
    assert (meter.confirmed, meter.pending) == (12, 0), "asking for the rest says that the beginning was kept"


async def test_a_drop_after_the_last_record_is_made_good_by_asking_once_more(home: Household) -> None:
    meter = await home.add(Glucometer)
    for number in range(3):
        meter.prick(mg_dl=90 + number)
    # The answer is on its way when the third record is heard, and is lost.
    first = await home.session(meter, on_frame=lambda frames: meter.fall_silent(0.1) if len(frames) == 3 else None)
    assert (first.ending, len(first.frames)) == (Ending.HUNG_UP, 3)
    assert meter.confirmed == 0
    second = await home.session(meter, last_sequence=3)

    assert second.ending is Ending.NO_RECORDS
    assert (meter.confirmed, meter.pending) == (3, 0)


async def test_a_drop_in_the_middle_of_a_read_is_a_lost_link(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)

    async def silence(_connection: Connection) -> bytes:
        cuff.fall_silent(0.2)
        await asyncio.sleep(1)
        return b""

    slow = Characteristic("2B00", Properties.READ, Characteristic.READABLE, CharacteristicValue(read=silence))
    cuff.device.add_service(service("18F0", [slow]))
    cuff.measure(120, 80)
    async with home.connected(cuff) as link:
        with pytest.raises(LinkLost):
            await asyncio.wait_for(link.read("2B00"), 30)
        assert link.gone.is_set()
        with pytest.raises(LinkLost):
            await link.read("2B00")


async def test_our_own_cancellation_is_not_taken_for_a_drop(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)

    async def slow(_connection: Connection) -> bytes:
        await asyncio.sleep(0.5)
        return b""

    characteristic = Characteristic("2B00", Properties.READ, Characteristic.READABLE, CharacteristicValue(read=slow))
    cuff.device.add_service(service("18F0", [characteristic]))
    cuff.measure(120, 80)
    async with home.connected(cuff) as link:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(link.read("2B00"), 0.1)
        assert not link.gone.is_set()


# Manners ---------------------------------------------------------------------------------------------------------------


async def test_a_cuff_hangs_up_after_its_last_indication_and_falls_silent(home: Household) -> None:
    scale = await home.add(WeightScale)
    scale.weigh(kg=80)
    async with home.connected(scale) as link:
        came: list[bytes] = []
        await link.subscribe(gatt.WEIGHT_MEASUREMENT, came.append)
        await asyncio.wait_for(link.gone.wait(), 30)
    assert len(came) == 1
    assert not scale.device.is_advertising


async def test_a_value_that_came_with_the_hang_up_is_handed_over_before_it(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, linger_s=0))
    cuff.measure(120, 80)
    told: list[str] = []
    client = BleakClient(await found(cuff), lambda _client: told.append("gone"), backend=BumbleClientBackend)
    await client.connect()
    await client.start_notify(long_uuid("2A35"), lambda _sender, _data: told.append("value"))
    await until(lambda: "gone" in told)
    await client.disconnect()
    assert told == ["value", "gone"]


async def test_a_device_that_accepts_everything_and_says_nothing_is_let_go(
    home: Household, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devices.procedures.FIRST_VALUE_S_MAX", 0.3)
    cuff = await home.add(BloodPressureCuff)
    cuff.mute = True
    cuff.measure(120, 80)

    session = await home.session(cuff)

    assert (session.ending, session.frames) == (Ending.QUIET, [])
    await until(lambda: cuff.connection is None)
    assert cuff.pending == 1
    cuff.mute = False
    assert len((await home.session(cuff)).measurements) == 1


async def test_a_meter_that_never_answers_is_let_go(home: Household, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devices.records.RECORD_S_MAX", 0.3)
    monkeypatch.setattr("devices.records.ABORT_S_MAX", 0.1)
    meter = await home.add(Glucometer)
    meter.mute = True
    meter.prick(mg_dl=100)

    assert (await home.session(meter)).ending is Ending.QUIET
    assert meter.pending == 1


async def test_a_device_hangs_up_on_a_reader_who_wants_nothing(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, patience_s=0.2))
    cuff.measure(120, 80)
    async with home.connected(cuff) as link:
        await asyncio.wait_for(link.gone.wait(), 30)
    assert (cuff.confirmed, cuff.pending) == (0, 1)


async def test_a_cuff_keeps_what_is_left_when_its_reader_no_longer_wants_it(home: Household) -> None:
    """As when a program is killed: BlueZ ends its subscription and keeps the link, and whoever comes next has the rest."""
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, gap_s=1.0))
    for systolic in (121, 122, 123):
        cuff.measure(systolic, 80)
    client = client_of(await found(cuff))
    await client.connect()
    try:
        came: list[bytes] = []
        await client.start_notify(long_uuid("2A35"), lambda _sender, data: came.append(bytes(data)))
        await until(lambda: cuff.confirmed == 1)
        await client.stop_notify(long_uuid("2A35"))
        await asyncio.sleep(1.5)
        assert (len(came), cuff.pending) == (1, 2)
        await client.start_notify(long_uuid("2A35"), lambda _sender, data: came.append(bytes(data)))
        await until(lambda: cuff.pending == 0)
        assert len(came) == 3
    finally:
        await client.disconnect()


async def test_a_device_that_was_not_heard_in_time_keeps_its_reading_for_the_next_one(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, advertise_s=0.4))
    cuff.measure(121, 80)
    await until(lambda: cuff.device.is_advertising)
    await until(lambda: not cuff.device.is_advertising)
    # This time it is in the air for as long as it takes to be heard.
    cuff.habits = replace(cuff.habits, advertise_s=60.0)
    cuff.measure(122, 80)

    session = await home.session(cuff)

    systolic = [entry.measurement.quantities["systolic"].value for entry in session.measurements]
    assert systolic == [121, 122]


async def test_three_devices_at_once(home: Household) -> None:
    cuff, scale, meter = await home.add(BloodPressureCuff), await home.add(WeightScale), await home.add(Glucometer)
    cuff.measure(120, 80)
    scale.weigh(kg=80)
    for number in range(10):
        meter.prick(mg_dl=90 + number)

    sessions = await asyncio.gather(*(home.session(device) for device in (cuff, scale, meter)))

    assert [len(session.measurements) for session in sessions] == [1, 1, 10]


async def test_a_device_is_found_by_its_address_alone(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(120, 80)
    async with client_of(cuff.identity.address) as client:
        assert client.is_connected
        assert client.name == "device 1"


async def test_a_refusal_keeps_its_error_code(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(120, 80)
    async with client_of(await found(cuff)) as client:
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_char(long_uuid(gatt.DATE_TIME), bytes(7), response=True)
    assert refused.value.code == 0xFF, "Out of Range: no such date"


async def test_a_meter_that_forgot_the_subscription_is_heard_once_and_not_twice(home: Household) -> None:
    """ATT 0xFD: subscribed to again, the driver holds two callbacks for each record (devices.md 4.5)."""
    meter = await home.add(Glucometer)
    for number in range(3):
        meter.prick(mg_dl=90 + number)
    meter.refusals.append(gatt.CCCD_IMPROPERLY_CONFIGURED)

    session = await home.session(meter)

    assert session.ending is Ending.COMPLETE
    assert len(session.frames) == 3, "each record was handed over once"
    assert not meter.refusals
