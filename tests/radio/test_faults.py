"""What goes wrong between a device and its reader, and that no reading is lost or doubled by it.

Goal: the store-and-forward promise of each device kind, under every fault that can be had on a virtual radio. Method: one
process, the product's own radio and procedures, faults made in the air (silence) or in the device.
"""

import asyncio
import json

import pytest
from bleak import BleakClient, BleakScanner
from bleak.backends.device import BLEDevice
from bleak.exc import BleakError, BleakGATTProtocolError
from bumble.device import Connection
from bumble.gatt import Characteristic, CharacteristicValue

from devices import gatt
from devices.gatt import AttError, LinkLost, long_uuid
from devices.procedures import Ending
from devices.racp import Opcode, Operator, RecordAccess, Result
from devices.virtual.bleak_backend import BumbleClientBackend, BumbleScannerBackend
from devices.virtual.glucometer import Glucometer
from devices.virtual.peripheral import Habits, Peripheral, Properties, service
from devices.virtual.peripherals import BloodPressureCuff, WeightScale
from tests.radio.household import Household, until


async def found(device: Peripheral) -> BLEDevice:
    heard = await BleakScanner.find_device_by_address(device.identity.address, 5, backend=BumbleScannerBackend)
    assert heard is not None
    return heard


def client_of(device: BLEDevice | str) -> BleakClient:
    return BleakClient(device, backend=BumbleClientBackend)


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
            await asyncio.wait_for(link.read("2B00"), 2)
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
        await asyncio.wait_for(link.gone.wait(), 2)
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
        await asyncio.wait_for(link.gone.wait(), 2)
    assert (cuff.confirmed, cuff.pending) == (0, 1)


async def test_a_device_that_was_not_heard_in_time_keeps_its_reading_for_the_next_one(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, advertise_s=0.4))
    cuff.measure(121, 80)
    await until(lambda: cuff.device.is_advertising)
    await until(lambda: not cuff.device.is_advertising)
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


# The Record Access Control Point ---------------------------------------------------------------------------------------


async def test_a_request_before_the_subscription_is_refused(home: Household) -> None:
    meter = await home.add(Glucometer)
    meter.prick(mg_dl=100)
    async with home.connected(meter) as link:
        with pytest.raises(AttError) as refused:
            await link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(RecordAccess.report_all()))
    assert refused.value.code == gatt.CCCD_IMPROPERLY_CONFIGURED


@pytest.mark.parametrize(
    "request_, answer",
    [
        (RecordAccess(Opcode.REPORT_COUNT, Operator.ALL), RecordAccess.count_response(3)),
        (
            RecordAccess(Opcode.DELETE_RECORDS, Operator.ALL),
            RecordAccess.response(Opcode.DELETE_RECORDS, Result.OPCODE_NOT_SUPPORTED),
        ),
        (
            RecordAccess(Opcode.REPORT_RECORDS, Operator.NULL),
            RecordAccess.response(Opcode.REPORT_RECORDS, Result.OPERATOR_NOT_SUPPORTED),
        ),
        (RecordAccess.report_from(4), RecordAccess.response(Opcode.REPORT_RECORDS, Result.NO_RECORDS_FOUND)),
        (RecordAccess.abort(), RecordAccess.response(Opcode.ABORT, Result.SUCCESS)),
    ],
)
async def test_a_meter_answers_every_request(home: Household, request_: RecordAccess, answer: RecordAccess) -> None:
    meter = await home.add(Glucometer)
    for number in range(3):
        meter.prick(mg_dl=90 + number)
    answers: list[bytes] = []
    async with home.connected(meter) as link:
        await link.subscribe(gatt.GLUCOSE_MEASUREMENT, lambda _data: None)
        await link.subscribe(gatt.RECORD_ACCESS_CONTROL_POINT, answers.append)
        await link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(request_))
        await until(lambda: bool(answers))
    assert answers == [bytes(answer)]
    assert meter.pending == 3, "none of these reported a record"


async def test_a_second_request_while_the_first_runs_is_refused(home: Household) -> None:
    meter = await home.add(Glucometer)
    for number in range(200):
        meter.prick(mg_dl=90 + number % 50)
    async with home.connected(meter) as link:
        await link.subscribe(gatt.GLUCOSE_MEASUREMENT, lambda _data: None)
        await link.subscribe(gatt.RECORD_ACCESS_CONTROL_POINT, lambda _data: None)
        await link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(RecordAccess.report_all()))
        with pytest.raises(AttError) as refused:
            await link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(RecordAccess.report_all()))
    assert refused.value.code == gatt.PROCEDURE_ALREADY_IN_PROGRESS


# The ledger ------------------------------------------------------------------------------------------------------------


async def test_the_ledger_is_written_after_the_confirmation_and_only_then(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(121, 80)
    cuff.measure(122, 80)
    lines_when_heard: list[int] = []

    def on_frame(_frames: object) -> None:
        lines_when_heard.append(len(home.ledger_folder.joinpath("ledger.jsonl").read_text().splitlines()))

    assert await home.ledger_lines() == []
    await home.session(cuff, on_frame=on_frame)

    assert lines_when_heard == [0, 1], "in this process a confirmation travels after the callback that it follows"
    lines = [json.loads(line) for line in await home.ledger_lines()]
    assert [line["values"]["systolic"] for line in lines] == [{"value": s, "unit": "mm[Hg]"} for s in (121, 122)]
    assert [line["number"] for line in lines] == [1, 2]
    assert {line["address"] for line in lines} == {cuff.identity.address}
    assert all(line["taken_at"] < line["confirmed_at"] for line in lines)


async def test_a_meters_records_are_in_the_ledger_once_its_success_was_confirmed(home: Household) -> None:
    meter = await home.add(Glucometer)
    meter.prick(mg_dl=48, meal="preprandial")
    lines_when_heard: list[int] = []

    async with home.connected(meter) as link:

        def count(_data: bytes) -> None:
            lines_when_heard.append(len(home.ledger_folder.joinpath("ledger.jsonl").read_text().splitlines()))

        for uuid in (gatt.GLUCOSE_MEASUREMENT, gatt.GLUCOSE_CONTEXT, gatt.RECORD_ACCESS_CONTROL_POINT):
            await link.subscribe(uuid, count)
        await link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(RecordAccess.report_all()))
        await until(lambda: meter.confirmed == 1)

    assert lines_when_heard == [0, 0, 0], "record, context, success: not before the last is confirmed"
    (line,) = [json.loads(text) for text in await home.ledger_lines()]
    assert line["values"] == {"glucose": {"value": 48.0, "unit": "mg/dL"}}
    assert (line["sequence_number"], line["raw_context"]) == (1, "02010001")


# Bonding ---------------------------------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("typed", [123456, 1])
async def test_the_code_on_the_device_has_to_be_the_right_one(home: Household, typed: int) -> None:
    cuff = await home.add(BloodPressureCuff, habits=Habits(advertise_every_s=0.02, bonded=True, passkey=123456))

    async def passkey() -> int:
        return typed

    home.adapter.passkey = passkey
    cuff.measure(120, 80)
    client = BleakClient(await found(cuff), backend=BumbleClientBackend, pair=True)
    try:
        if typed == 123456:
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


async def test_a_refusal_keeps_its_error_code(home: Household) -> None:
    cuff = await home.add(BloodPressureCuff)
    cuff.measure(120, 80)
    async with client_of(await found(cuff)) as client:
        with pytest.raises(BleakGATTProtocolError) as refused:
            await client.write_gatt_char(long_uuid(gatt.DATE_TIME), bytes(7), response=True)
    assert refused.value.code == 0xFF, "Out of Range: no such date"
