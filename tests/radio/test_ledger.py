"""The ledger and the meter's control point: what a device says it delivered, and when it says so.

Goal: the oracle of the chaos tests may believe every line. Method: count the lines at the moment a frame is heard.
"""

import json

import pytest

from devices import gatt
from devices.gatt import AttError
from devices.racp import Opcode, Operator, RecordAccess, Result
from devices.virtual.glucometer import Glucometer
from devices.virtual.peripherals import BloodPressureCuff
from tests.radio.household import Household, until


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
