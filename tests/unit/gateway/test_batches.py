"""What travels in one message, and when it goes again: pure decisions, so they are asked directly."""

import random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.procedures import Frame, SessionFacts
from gateway.backoff import delay_s
from gateway.intake import facts_text, rows_of
from gateway.outbox import Form, KeptSession, Row
from gateway.uplink.batches import BATCH_BYTES_MAX, Verdict, next_batch, next_try, render, verdict
from schemas.messages import BATCH_ITEMS_MAX, ReadingBatch
from tests.unit.gateway.frames import CUFF, GATEWAY, NOON, PLAIN_PRESSURE, frame


def waiting(*attempts: int, body_bytes: int = 100) -> list[Row]:
    return [Row(1000 - i, Form.READING, tried, "x" * body_bytes) for i, tried in enumerate(attempts)]


def test_fresh_rows_travel_together() -> None:
    assert len(next_batch(waiting(*[0] * 700, body_bytes=20))) == BATCH_ITEMS_MAX


def test_a_row_sent_in_vain_twice_travels_alone() -> None:
    assert [row.seq for row in next_batch(waiting(2, 0, 0))] == [1000]
    assert [row.seq for row in next_batch(waiting(0, 0, 2, 0))] == [1000, 999]
    assert len(next_batch(waiting(*[1] * 200))) == 50


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(10, 60_000)), max_size=60))
def test_every_batch_is_bounded_and_takes_the_front(rows: list[tuple[int, int]]) -> None:
    due = [Row(i + 1, Form.READING, tried, "x" * size) for i, (tried, size) in enumerate(rows)]
    batch = next_batch(due)
    assert list(batch) == due[: len(batch)]
    assert bool(batch) == bool(due)
    if len(batch) > 1:
        assert len(render(batch, gateway_id=GATEWAY, epoch="0" * 16)) <= BATCH_BYTES_MAX


def test_what_is_rendered_is_what_the_schema_says() -> None:
    kept = KeptSession(1, CUFF, facts_text(SessionFacts()), NOON, (frame(1), Frame("2A35", b"\x00", NOON)))
    rows, _ = rows_of(kept, zone=ZoneInfo("America/New_York"))
    sent = [Row(seq, row.form, 0, row.body) for seq, row in enumerate(rows, start=7)]
    batch = ReadingBatch.model_validate_json(render(sent, gateway_id=GATEWAY, epoch="0123456789abcdef"))
    assert (batch.gateway_id, batch.epoch) == (GATEWAY, "0123456789abcdef")
    assert [item.seq for item in batch.items] == [7]
    assert batch.items[0].reading.raw == PLAIN_PRESSURE.hex()
    assert batch.items[0].reading.reading_id == batch.items[0].reading.derived_id()
    assert [(item.seq, item.raw) for item in batch.undecoded] == [(8, "00")]


def test_rows_are_sent_again_later_and_later_but_at_most_five_minutes_and_a_half() -> None:
    waits = [(next_try(row, now=NOON, draw=0.0) - NOON).total_seconds() for row in waiting(0, 1, 2, 3, 4, 5, 6, 7, 60)]
    assert waits == [5, 10, 20, 40, 80, 160, 300, 300, 300]
    assert (next_try(waiting(9)[0], now=NOON, draw=0.999999) - NOON).total_seconds() <= 450


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_every_wait_is_bounded(attempt: int, draw: float) -> None:
    assert 1 <= delay_s(attempt, first_s=1, max_s=24, spread=4, draw=draw) <= 120


def test_gateways_that_fell_at_one_instant_do_not_come_back_at_one_instant() -> None:
    chance = random.Random(7)
    waits = sorted(delay_s(0, first_s=1, max_s=24, spread=4, draw=chance.random()) for _ in range(10_000))
    busiest = max(sum(low <= wait < low + 0.1 for wait in waits) for low in (1.0, 2.0, 3.0, 4.0, 4.9))
    assert busiest < 10_000 * 0.03, "of 4 s, a tenth of a second gets about a fortieth of the herd"


@pytest.mark.parametrize(
    "code, meaning",
    # Reason codes: MQTT 5, 3.4.2.1, table 3-4.
    [
        (0x00, Verdict.IN_TRANSIT),
        (0x10, Verdict.NOBODY_LISTENING),
        (0x80, Verdict.GATEWAY_REFUSED),
        (0x87, Verdict.GATEWAY_REFUSED),
        (0x97, Verdict.GATEWAY_REFUSED),
        (0x95, Verdict.MESSAGE_REFUSED),
        (0x99, Verdict.MESSAGE_REFUSED),
    ],
)
def test_what_a_puback_means(code: int, meaning: Verdict) -> None:
    assert verdict(code) is meaning
