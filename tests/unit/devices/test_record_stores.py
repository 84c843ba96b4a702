"""Stored records of meters, oximeters and enhanced cuffs: no record lost and none doubled, whatever the control point does.

Method: the real procedure over a link in memory, which drops, refuses, is busy, forgets, and mangles as it is told; the oracle
is the store itself. What is doubled is told by the name a reading bears, as the outbox does.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import gatt, procedures, records
from devices.blood_pressure_record import BloodPressureRecord, crc
from devices.procedures import Assembled, Ending, Frame, Malformed, SessionFacts, assemble, collect
from devices.racp import Opcode, Operator, Result
from gateway.intake import next_sequence
from gateway.registry import reading
from tests.unit.devices.record_store import Record, Store, glucose, spot, squeeze, stored

NOW = datetime(2026, 11, 22, 13, 1, 30, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")
GLUCOSE = (gatt.GLUCOSE_MEASUREMENT, gatt.GLUCOSE_CONTEXT)
SPOT = (gatt.OXIMETER_SPOT,)
PRESSURE = (gatt.BLOOD_PRESSURE_RECORD,)
BUSY, UNSUBSCRIBED = gatt.PROCEDURE_ALREADY_IN_PROGRESS, gatt.CCCD_IMPROPERLY_CONFIGURED


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_S_MAX", 0.05)
    monkeypatch.setattr(records, "ABORT_S_MAX", 0.02)
    monkeypatch.setattr(records, "RETRY_S", 0.001)
    monkeypatch.setattr(procedures, "FIRST_VALUE_S_MAX", 0.02)


async def session(
    store: Store, last: int | None = None, is_last: records.IsLast | None = None
) -> tuple[list[Frame], Ending]:
    kept: list[Frame] = []
    ending = await collect(store, keep=kept.append, utc_now=lambda: NOW, last_sequence=last, is_last=is_last)
    return kept, ending


def names(frames: Sequence[Frame]) -> list[str]:
    """What the outbox would know the readings by, in their order."""
    return [
        str(
            reading(
                entry, address="C0:00:00:00:10:01", facts=SessionFacts(), clock_read_at=NOW, zone=NEW_YORK
            ).reading_id
        )
        for entry in assemble(frames)
        if isinstance(entry, Assembled)
    ]


def reasons(frames: Sequence[Frame]) -> list[str]:
    return [entry.reason for entry in assemble(frames) if isinstance(entry, Malformed)]


# Oximeters -------------------------------------------------------------------------------------------------------------


async def test_an_oximeter_is_asked_how_many_records_it_has_and_then_for_all() -> None:
    store = Store(kind=SPOT, records=[spot(1), spot(2), spot(3)])
    kept, ending = await session(store)
    assert (len(names(kept)), ending) == (3, Ending.COMPLETE)
    assert [bytes(request).hex() for request in store.requests] == ["0401", "0101"]
    again, _ = await session(Store(kind=SPOT, records=[spot(1), spot(2), spot(3)]))
    assert names(again) == names(kept), "the same records bear the same names"


async def test_an_empty_oximeter_is_asked_once() -> None:
    store = Store(kind=SPOT)
    assert await session(store) == ([], Ending.NO_RECORDS)
    assert [request.opcode for request in store.requests] == [Opcode.REPORT_COUNT]


async def test_an_oximeter_that_cannot_count_is_asked_for_all() -> None:
    kept, ending = await session(Store(kind=SPOT, records=[spot(1)], counts=False))
    assert (len(names(kept)), ending) == (1, Ending.COMPLETE)


async def test_fewer_records_than_were_counted_are_asked_for_again() -> None:
    store = Store(kind=SPOT, records=[spot(1), spot(2), spot(3)], mangle=[[0, 2], [0, 1]])
    kept, ending = await session(store)
    assert (len(set(names(kept))), ending) == (3, Ending.COMPLETE)
    assert len(store.requests) == 4


async def test_an_oximeter_that_never_tells_all_it_counted_is_asked_no_more_than_so_often() -> None:
    store = Store(kind=SPOT, records=[spot(1), spot(2)], mangle=[[0]] * 10)
    await session(store)
    assert len(store.requests) == 2 + records.ASK_AGAIN_MAX


async def test_an_oximeters_continuous_values_are_never_subscribed_to() -> None:
    store = Store(kind=SPOT, values={gatt.OXIMETER_CONTINUOUS: b""}, records=[spot(1)])
    await session(store)
    assert gatt.OXIMETER_CONTINUOUS not in store.subscribed


# Enhanced cuffs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("checked", [True, False])
@pytest.mark.parametrize("size", [1, 2, 5, 6, 7, 15, 40])
async def test_a_record_in_segments_is_the_squeeze_it_was(size: int, *, checked: bool) -> None:
    cuff = Store(kind=PRESSURE, records=[stored(7, squeeze(7), size=size, checked=checked, counter=60)])
    kept, ending = await session(cuff)
    (entry,) = assemble(kept)
    assert isinstance(entry, Assembled)
    assert ending is Ending.COMPLETE
    assert entry.measurement.quantities["systolic"].value == 124
    assert entry.measurement.device_time == "2026-11-22T12:07:00"
    assert (entry.characteristic, entry.raw) == ("2A35", bytes(squeeze(7).plain))
    assert entry.raw_context == b"".join(frame.data for frame in kept), "as it came, byte for byte"
    assert entry.record_number == 7


def test_a_stored_squeeze_bears_the_name_of_the_one_that_came_by_itself() -> None:
    live = [Frame(gatt.BLOOD_PRESSURE_MEASUREMENT, bytes(squeeze(7).plain), NOW)]
    for recorded in (squeeze(7), squeeze(7).plain):
        assert names([Frame(uuid, data, NOW) for uuid, data in stored(7, recorded).parts]) == names(live)


def test_a_record_without_a_time_is_named_by_its_number() -> None:
    def named(number: int) -> list[str]:
        return names([Frame(uuid, data, NOW) for uuid, data in stored(number, squeeze(1, dated=False)).parts])

    assert named(3) == named(3) != named(4)


def test_records_numbered_for_each_user_are_never_asked_for_by_number() -> None:
    """Two people's records of one number: "after the last" of one would leave out the other's."""
    parts = [part for user in (1, 2) for part in stored(5, squeeze(user, user=user)).parts]
    entries = assemble([Frame(uuid, data, NOW) for uuid, data in parts])
    assert len(entries) == 2
    assert next_sequence(None, entries) is None


def test_the_crc_is_the_one_of_the_health_services() -> None:
    """CRC-16/MCRF4XX: its published check value."""
    assert crc(b"123456789") == 0x6F91


MANGLED = [
    ([0, 2], "a segment is missing, or out of order"),
    ([0, 2, 1], "a segment is missing, or out of order"),
    ([0, 1, 1, 2], "a segment came twice"),
    ([1, 2], "its first segment did not come"),
    ([0, 1], "its last segment did not come"),
    ([0, 1, 0, 1], "its last segment did not come"),
]


@pytest.mark.parametrize("order, reason", MANGLED)
async def test_a_record_in_pieces_is_refused_by_name_and_asked_for_again(order: list[int], reason: str) -> None:
    record = stored(7, squeeze(7))
    assert len(record.parts) == 3
    broken = [Frame(*record.parts[place], NOW) for place in order]
    assert set(reasons(broken)) == {f"blood pressure record: {reason}"}
    assert not names(broken)

    cuff = Store(
        kind=PRESSURE, records=[stored(6, squeeze(6)), record], mangle=[[0, 1, 2, *(3 + place for place in order)]]
    )
    kept, ending = await session(cuff)
    assert (len(names(kept)), reasons(kept), ending) == (2, [], Ending.COMPLETE)
    assert [request.operator for request in cuff.requests] == [Operator.ALL, Operator.WITHIN_RANGE]


async def test_a_record_that_stays_broken_goes_to_people_with_its_bytes_and_no_further_questions() -> None:
    cuff = Store(kind=PRESSURE, records=[stored(7, squeeze(7))], mangle=[[0, 2]] * 10)
    kept, ending = await session(cuff)
    assert ending is Ending.COMPLETE
    assert not names(kept)
    assert len(reasons(kept)) == len(kept) == 2 * (1 + records.ASK_AGAIN_MAX)
    assert len(cuff.requests) == 1 + records.ASK_AGAIN_MAX


async def test_a_cuff_that_knows_no_range_is_asked_for_all_again() -> None:
    cuff = Store(
        kind=PRESSURE, records=[stored(7, squeeze(7))], mangle=[[0, 2]], understands=(Operator.ALL, Operator.LAST)
    )
    kept, _ = await session(cuff)
    assert len(names(kept)) == 1


def test_segments_of_two_records_are_not_put_together() -> None:
    one, two = stored(7, squeeze(7)), stored(8, squeeze(8))
    mixed = [Frame(*one.parts[0], NOW), Frame(*two.parts[1], NOW), Frame(*one.parts[2], NOW)]
    assert set(reasons(mixed)) == {"blood pressure record: segments of two records came mixed"}


def test_a_wrong_crc_is_refused() -> None:
    *parts, (uuid, last) = stored(7, squeeze(7)).parts
    frames = [Frame(*part, NOW) for part in parts] + [Frame(uuid, last[:-1] + bytes([last[-1] ^ 1]), NOW)]
    assert set(reasons(frames)) == {"blood pressure record: its CRC does not match"}


def test_other_stored_characteristics_are_no_reading() -> None:
    frame = Frame(gatt.BLOOD_PRESSURE_RECORD, bytes(BloodPressureRecord(1, "2B35", b"\0\x7c\0")), NOW)
    assert reasons([frame]) == ["blood pressure record: no reading is made of a stored 2B35"]


# The control point -----------------------------------------------------------------------------------------------------


async def test_a_device_that_forgot_the_subscriptions_is_subscribed_to_again() -> None:
    meter = Store(records=[glucose(1)], att_errors=[UNSUBSCRIBED])
    kept, ending = await session(meter)
    assert (len(names(kept)), ending) == (1, Ending.COMPLETE)
    assert meter.log.count("subscribe 2A52") == 2


async def test_a_procedure_left_running_is_aborted_before_the_last_question() -> None:
    meter = Store(records=[glucose(1)], att_errors=[BUSY] * 3)
    kept, ending = await session(meter)
    assert (len(names(kept)), ending) == (1, Ending.COMPLETE)
    assert [request.opcode for request in meter.requests] == [Opcode.ABORT, Opcode.REPORT_RECORDS]


async def test_a_meter_that_knows_neither_from_nor_last_is_asked_for_all() -> None:
    """A reset would else go unnoticed for ever."""
    meter = Store(records=[glucose(1)], understands=(Operator.ALL, Operator.GREATER_OR_EQUAL))
    kept, ending = await session(meter, last=7)
    assert (len(names(kept)), ending) == (1, Ending.COMPLETE)


async def test_a_meter_reset_that_has_counted_past_the_last_number_is_read_from_the_start() -> None:
    """Without the comparison, records 1 to 5 of the second life would never be asked for."""
    before = glucose(5, mg_dl=90).parts[0][1]
    meter = Store(records=[glucose(number, mg_dl=200) for number in range(1, 8)])
    kept, ending = await session(meter, last=5, is_last=lambda data: data == before)
    assert (len(set(names(kept))), ending) == (7, Ending.COMPLETE)
    blind, _ = await session(Store(records=meter.records), last=5)
    assert len(names(blind)) == 2


async def test_with_nothing_new_the_last_record_is_looked_at_and_no_more() -> None:
    meter = Store(records=[glucose(number) for number in range(1, 6)])
    kept, ending = await session(meter, last=5, is_last=lambda data: data == glucose(5).parts[0][1])
    assert (len(names(kept)), ending) == (1, Ending.NO_RECORDS)
    assert [bytes(request).hex() for request in meter.requests] == ["0103010500"]


# Whatever happens ------------------------------------------------------------------------------------------------------

_MAKE: dict[tuple[str, ...], Callable[[int], Record]] = {
    GLUCOSE: glucose,
    SPOT: spot,
    PRESSURE: lambda number: stored(number, squeeze(number)),
}


@given(
    kind=st.sampled_from([GLUCOSE, SPOT, PRESSURE]),
    numbers=st.lists(st.integers(0, 3000), unique=True, min_size=1, max_size=8),
    order=st.sampled_from(["as they come", "oldest first", "newest first"]),
    drops=st.lists(st.integers(0, 20), max_size=3),
    att_errors=st.lists(st.sampled_from([0, BUSY, UNSUBSCRIBED]), max_size=6),
    results=st.lists(st.sampled_from([0, Result.SERVER_BUSY]), max_size=6),
    understands=st.sampled_from([tuple(Operator), (Operator.ALL,), (Operator.ALL, Operator.GREATER_OR_EQUAL)]),
    had=st.integers(0, 8),
)
def test_no_record_is_lost_or_doubled(
    *,
    kind: tuple[str, ...],
    numbers: list[int],
    order: str,
    drops: list[int],
    att_errors: list[int],
    results: list[int],
    understands: tuple[int, ...],
    had: int,
) -> None:
    """Sessions go on until one is complete, as the watch does; the mark moves as the intake moves it."""
    made: list[Record] = [_MAKE[kind](number) for number in numbers]
    if order != "as they come":
        made.sort(key=lambda record: record.number, reverse=order == "newest first")
    numbered = kind != SPOT
    known = sorted(numbers)[:had] if numbered else []
    mark = known[-1] if known else None
    kept: list[Frame] = []

    async def until_complete() -> None:
        att, busy = list(att_errors), list(results)
        for drop in [*drops, *[None] * 8]:
            store = Store(
                kind=kind,
                records=made,
                values_until_lost=drop,
                att_errors=att,
                results=busy,
                understands=understands,
            )
            got, ending = await session(store, last=mark)
            kept.extend(got)
            if ending in {Ending.COMPLETE, Ending.NO_RECORDS}:
                return
            assert ending in {Ending.HUNG_UP, Ending.BUSY}
        raise AssertionError("it never came to an end")

    asyncio.run(until_complete())
    wanted = {record.number for record in made if record.number not in known}
    every = {record.number: set(names([Frame(*part, NOW) for part in record.parts])) for record in made}
    found = set(names(kept))
    assert all(every[number] <= found for number in wanted), "none is lost"
    assert found <= set().union(*every.values()), "none is made up, or named twice"
    torn = [reason for reason in reasons(kept) if "its last segment did not come" not in reason]
    assert not torn
