"""A meter's records: only the new ones, none lost and none doubled wherever the link drops, whatever the meter answers."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import gatt, records
from devices.date_time import DateTime
from devices.glucose import GlucoseContext, GlucoseMeasurement
from devices.inbox import Inbox
from devices.procedures import Assembled, Ending, Frame, Malformed, assemble, collect
from devices.racp import Opcode, Operator, RecordAccess, Result
from tests.unit.devices.peripheral import Meter

NOW = datetime(2026, 11, 22, 13, 1, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD_S_MAX", 0.05)
    monkeypatch.setattr(records, "ABORT_S_MAX", 0.02)
    monkeypatch.setattr(records, "RETRY_S", 0.001)


def record(sequence_number: int, *, context: bool = True, mg_dl: int = 104) -> tuple[int, bytes, bytes | None]:
    measured = GlucoseMeasurement(
        sequence_number=sequence_number,
        base_time=DateTime(2026, 11, 22, 8, sequence_number % 60),
        concentration=Decimal(f"{mg_dl}e-5"),
        sample_type=1,
        location=1,
        context_follows=context,
    )
    return sequence_number, bytes(measured), bytes(GlucoseContext(sequence_number, meal=1)) if context else None


def asked_for(meter: Meter) -> list[bytes]:
    return [bytes(request) for request in meter.requests]


async def session(meter: Meter, last_sequence: int | None = None) -> tuple[list[Frame], Ending]:
    kept: list[Frame] = []
    ending = await collect(meter, keep=kept.append, utc_now=lambda: NOW, last_sequence=last_sequence)
    return kept, ending


def sequences(frames: Sequence[Frame]) -> list[int | None]:
    return [entry.measurement.sequence_number for entry in assemble(frames) if isinstance(entry, Assembled)]


async def test_a_new_meter_is_asked_for_everything() -> None:
    meter = Meter(records=[record(1), record(2, context=False)])
    kept, ending = await session(meter)
    assert ending is Ending.COMPLETE
    assert asked_for(meter) == [bytes.fromhex("0101")]
    assert meter.log == ["subscribe 2A18", "subscribe 2A34", "subscribe 2A52", "write 2A52"]
    with_context, without = assemble(kept)
    assert isinstance(with_context, Assembled)
    assert isinstance(without, Assembled)
    assert with_context.measurement.context["meal"] == "preprandial"
    assert with_context.raw_context == record(1)[2]
    assert (without.raw_context, without.awaits_context) == (None, False)


async def test_a_known_meter_is_asked_for_what_is_new() -> None:
    meter = Meter(records=[record(n) for n in range(1, 6)])
    kept, ending = await session(meter, last_sequence=3)
    assert (sequences(kept), ending) == ([4, 5], Ending.COMPLETE)
    assert asked_for(meter) == [bytes.fromhex("0103010400")]


async def test_nothing_new_is_a_normal_end() -> None:
    kept, ending = await session(Meter(records=[record(1), record(2)]), last_sequence=2)
    assert ending is Ending.NO_RECORDS
    assert sequences(kept) == [2]  # the newest, once more, to be sure that the meter was not reset


async def test_a_meter_that_was_reset_is_read_from_the_start() -> None:
    meter = Meter(records=[record(1), record(2)])
    kept, ending = await session(meter, last_sequence=417)
    assert ending is Ending.COMPLETE
    assert sequences(kept) == [2, 1, 2]
    assert [request.operator for request in meter.requests] == [
        Operator.GREATER_OR_EQUAL,
        Operator.LAST,
        Operator.ALL,
    ]


async def test_an_empty_meter_has_no_records() -> None:
    assert await session(Meter(), last_sequence=7) == ([], Ending.NO_RECORDS)


async def test_after_the_last_sequence_number_everything_is_asked_for() -> None:
    meter = Meter(records=[record(65535)])
    await session(meter, last_sequence=65535)
    assert asked_for(meter) == [bytes.fromhex("0101")]


@pytest.mark.parametrize("errors, results", [(3, 0), (0, 3), (1, 2)])
async def test_a_busy_meter_is_asked_again(errors: int, results: int) -> None:
    kept, ending = await session(Meter(records=[record(1)], busy_errors=errors, busy_results=results))
    assert (sequences(kept), ending) == ([1], Ending.COMPLETE)


@pytest.mark.parametrize("errors, results", [(1000, 0), (0, 1000)])
async def test_a_meter_that_stays_busy_is_left_alone(errors: int, results: int) -> None:
    meter = Meter(records=[record(1)], busy_errors=errors, busy_results=results)
    assert await session(meter) == ([], Ending.BUSY)
    abort = 1 if errors else 0  # a procedure that was left running by a reader before us
    assert meter.log.count("write 2A52") == records.ATTEMPTS_MAX + abort


async def test_the_pause_before_each_further_question_doubles(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    async def pause(_inbox: Inbox, seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(Inbox, "pause", pause)
    await session(Meter(records=[record(1)], busy_errors=1000))
    assert pauses == [records.RETRY_S, 2 * records.RETRY_S, 4 * records.RETRY_S]


async def test_a_meter_that_falls_silent_is_told_to_stop() -> None:
    meter = Meter(records=[record(1)], silent=True)
    kept, ending = await session(meter)
    assert (sequences(kept), ending) == ([1], Ending.QUIET)
    assert meter.requests[-1].opcode == Opcode.ABORT


async def test_a_meter_that_only_knows_all_is_asked_for_all() -> None:
    kept, ending = await session(Meter(records=[record(1), record(2)], understands=(Operator.ALL,)), last_sequence=1)
    assert (sequences(kept), ending) == ([1, 2], Ending.COMPLETE)


async def test_a_meter_that_knows_nothing_refuses() -> None:
    assert await session(Meter(records=[record(1)], understands=())) == ([], Ending.REFUSED)


async def test_another_att_error_is_told_to_the_caller() -> None:
    meter = Meter(refuses={gatt.RECORD_ACCESS_CONTROL_POINT: 0x05})
    with pytest.raises(gatt.AttError):
        await session(meter)


@given(
    numbers=st.lists(st.integers(0, 65535), unique=True, min_size=1, max_size=12).map(sorted),
    newest_first=st.booleans(),
    contexts=st.booleans(),
    drops=st.lists(st.integers(0, 30), max_size=4),
    had=st.integers(0, 12),
)
def test_wherever_the_link_drops_no_record_is_lost_and_none_is_doubled(
    *, numbers: list[int], newest_first: bool, contexts: bool, drops: list[int], had: int
) -> None:
    """The reader's mark moves on a complete answer only; what came twice bears the same raw bytes, so the same name."""
    stored = [record(number, context=contexts) for number in numbers]
    mark = numbers[had - 1] if 0 < had <= len(numbers) else None
    wanted = {measurement for number, measurement, _ in stored if mark is None or number > mark}
    kept: list[Frame] = []

    async def until_complete() -> None:
        for drop in [*drops, None]:
            meter = Meter(records=stored[::-1] if newest_first else stored, values_until_lost=drop)
            got, ending = await session(meter, last_sequence=mark)
            kept.extend(got)
            if ending in {Ending.COMPLETE, Ending.NO_RECORDS}:
                return
            assert ending is Ending.HUNG_UP

    asyncio.run(until_complete())
    entries = assemble(kept)
    found = {entry.raw: entry for entry in entries if isinstance(entry, Assembled)}
    assert wanted <= found.keys() <= {measurement for _, measurement, _ in stored}
    assert not any(found[raw].awaits_context for raw in wanted)
    assert not any(isinstance(entry, Malformed) for entry in entries)


def test_a_context_goes_to_the_record_it_follows_or_else_to_the_next() -> None:
    old, new = record(7, mg_dl=50), record(7, mg_dl=300)
    context = bytes(GlucoseContext(7, meal=3))

    def entries(*frames: tuple[str, bytes]) -> list[Assembled | Malformed]:
        return assemble([Frame(characteristic, data, NOW) for characteristic, data in frames])

    first, second = entries(("2A18", old[1]), ("2A18", new[1]), ("2A34", context))
    assert isinstance(first, Assembled)
    assert isinstance(second, Assembled)
    assert (first.raw_context, second.raw_context) == (None, context)
    assert (first.awaits_context, second.awaits_context) == (True, False)
    (early,) = entries(("2A34", context), ("2A18", old[1]))
    assert isinstance(early, Assembled)
    assert early.raw_context == context
    once, again = entries(("2A18", old[1]), ("2A34", context), ("2A18", old[1]))
    assert isinstance(once, Assembled)
    assert isinstance(again, Assembled)
    assert once.raw_context == again.raw_context == context


def test_frames_nothing_is_made_of_say_why() -> None:
    frames = [
        Frame("2A34", bytes(GlucoseContext(7, meal=3)), NOW),
        Frame("2A37", b"\x00\x48", NOW),
        Frame("2A18", b"\x00", NOW),
    ]
    assert assemble(frames) == [
        Malformed(0, "glucose context: no measurement of the same sequence number came with it"),
        Malformed(1, "2A37: no measurement is made of this characteristic"),
        Malformed(2, "glucose measurement: at byte 1, sequence number needs 2 bytes and the frame has 0 left"),
    ]


async def test_an_unreadable_or_foreign_answer_is_waited_past() -> None:
    meter = Meter(
        records=[record(1)], noise=(b"\x06", bytes(RecordAccess.response(Opcode.ABORT, Result.ABORT_UNSUCCESSFUL)))
    )
    kept, ending = await session(meter)
    assert (sequences(kept), ending) == ([1], Ending.COMPLETE)
