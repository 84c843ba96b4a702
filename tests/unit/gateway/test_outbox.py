"""The outbox's verbs, one at a time: what is kept, what travels, what settles, and what goes when there is no room."""

import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.errors import OutboxRefused
from gateway.outbox import Outbox, room
from schemas.messages import Event, QuarantinedItem, Receipt
from tests.unit.gateway.frames import (
    CUFF,
    FACTS,
    GATEWAY,
    MEGABYTE,
    NOON,
    both_forms,
    frame,
    open_outbox,
    peek,
    put,
    row,
)

__all__ = ["both_forms"]

pytestmark = pytest.mark.usefixtures("both_forms")

SOON = NOON + timedelta(seconds=5)
LATER = NOON + timedelta(minutes=1)


def receipt(outbox: Outbox, **lists: object) -> Receipt:
    return Receipt.model_validate({"gateway_id": GATEWAY, "epoch": outbox.epoch, **lists})


def send_all(outbox: Outbox) -> list[int]:
    seqs = [row.seq for row in outbox.due(now=NOON, limit=1000)]
    outbox.mark_sent([(seq, SOON) for seq in seqs], now=NOON)
    return seqs


def test_a_frame_is_on_the_disk_when_keep_returns(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    session = outbox.begin_session(address=CUFF, facts=FACTS, now=NOON)
    outbox.keep(session, frame(1))
    # Another connection, as another process would see it, without the first one's co-operation.
    other = peek(tmp_path)
    assert other.execute("select count(*) from frame").fetchone() == (1,)
    assert other.execute("pragma journal_mode").fetchone() == ("wal",)
    other.close()
    outbox.close()
    again = open_outbox(tmp_path)
    (left,) = again.unfinished()
    assert left.frames == (frame(1),)
    assert (left.address, left.facts, left.opened_at) == (CUFF, FACTS, NOON)


def test_every_commit_waits_for_the_disk(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    full = 2
    assert outbox._connection.execute("pragma synchronous").fetchone() == (full,)


def test_a_session_becomes_rows_and_its_frames_go(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1, 2)
    stats = outbox.stats(now=NOON + timedelta(seconds=31))
    assert (stats.depth, stats.frames, stats.ring) == (2, 0, 0)
    assert stats.oldest_age_s == pytest.approx(30.0)


def test_a_device_that_repeats_itself_adds_nothing_but_a_later_context_does(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1)
    put(outbox, 1)
    assert outbox.stats(now=NOON).depth == 1
    assert outbox.stats(now=NOON).repeated == 1
    session = outbox.begin_session(address=CUFF, facts=FACTS, now=NOON)
    outbox.finish_session(session, [replace(row(1), context="03"), row(1)], now=NOON)
    assert outbox.stats(now=NOON).depth == 2
    assert outbox.stats(now=NOON).repeated == 2


def test_the_newest_row_goes_first(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1, 2, 3)
    put(outbox, 4)
    assert [row.seq for row in outbox.due(now=NOON, limit=3)] == [4, 3, 2]


def test_only_a_receipt_settles_a_row(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1, 2, 3, 4, 5)
    first, second, third, fourth, _fifth = sorted(send_all(outbox))
    assert outbox.due(now=NOON, limit=10) == []
    assert outbox.in_flight(now=NOON) == 5
    named = receipt(
        outbox,
        stored=[first],
        duplicate=[second],
        unassigned=[third],
        quarantined=[QuarantinedItem(seq=fourth, reason="implausible")],
    )
    assert outbox.settle(named, now=SOON) == 4
    assert outbox.settle(named, now=SOON) == 0
    assert [row.attempts for row in outbox.due(now=LATER, limit=10)] == [1]
    assert outbox.stats(now=LATER).ring == 4


def test_a_receipt_for_a_row_never_sent_settles_nothing(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1)
    assert outbox.settle(receipt(outbox, stored=[1, 99]), now=NOON) == 0
    assert outbox.stats(now=NOON).depth == 1


def test_a_send_nobody_heard_is_not_a_try(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1)
    outbox.unsend(send_all(outbox), now=NOON)
    (again,) = outbox.due(now=NOON, limit=10)
    assert again.attempts == 0


def test_a_clock_that_went_back_does_not_hide_a_row(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1)
    future = NOON + timedelta(days=400)
    outbox.mark_sent([(1, future + timedelta(seconds=5))], now=future)
    assert [row.seq for row in outbox.due(now=NOON, limit=10)] == [1]


def test_after_an_outage_no_row_waits_out_its_back_off(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1)
    outbox.mark_sent([(1, NOON + timedelta(minutes=5))], now=NOON)
    outbox.hasten(now=NOON, within_s=5)
    assert outbox.next_due_s(now=NOON) == pytest.approx(5)


def test_the_ring_is_kept_for_a_replay_and_then_purged(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1, 2, 3)
    outbox.settle(receipt(outbox, stored=send_all(outbox)), now=NOON)
    assert outbox.replay("request 1", from_seq=2, now=NOON) == 2
    assert [row.seq for row in outbox.due(now=NOON, limit=10)] == [3, 2]
    week = timedelta(days=7)
    assert outbox.purge(now=NOON + week - timedelta(seconds=1), ring=week) == 0
    assert outbox.purge(now=NOON + week + timedelta(seconds=1), ring=week) == 1
    assert outbox.stats(now=NOON).depth == 2, "rows without a receipt are never purged"


def test_a_replay_asked_twice_is_done_once(tmp_path: Path) -> None:
    """Also by the next process, and also when its rows have been receipted meanwhile."""
    outbox = open_outbox(tmp_path)
    put(outbox, 1, 2, 3)
    outbox.settle(receipt(outbox, stored=send_all(outbox)), now=NOON)
    assert outbox.replay("request 1", from_seq=1, to_seq=2, now=NOON) == 2
    outbox.settle(receipt(outbox, stored=send_all(outbox)), now=NOON)
    outbox.close()
    again = open_outbox(tmp_path)
    assert again.replay("request 1", from_seq=1, to_seq=2, now=LATER) == 2, "the same answer"
    assert again.due(now=LATER, limit=10) == [], "and nothing is sent for it"
    assert again.replay("request 2", from_seq=1, to_seq=2, now=LATER) == 2


def test_numbers_are_never_used_twice_and_a_new_file_is_a_new_epoch(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, 1)
    outbox.settle(receipt(outbox, stored=send_all(outbox)), now=NOON)
    outbox.purge(now=NOON + timedelta(days=30), ring=timedelta(days=7))
    put(outbox, 2)
    assert [row.seq for row in outbox.due(now=NOON, limit=10)] == [2]
    epoch = outbox.epoch
    outbox.close()
    assert open_outbox(tmp_path).epoch == epoch
    other = tmp_path / "other"
    assert open_outbox(other).epoch != epoch


def test_at_the_cap_the_ring_goes_first_then_telemetry_then_the_oldest_readings(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, bytes_max=MEGABYTE)
    for number in range(100):
        put(outbox, number, body_bytes=1000)
    outbox.settle(receipt(outbox, stored=send_all(outbox)), now=NOON)
    for number in range(100):
        outbox.add_event(Event(gateway_id=GATEWAY, at=NOON, name="signal", value=float(number)))
    number = 1000
    seen: list[tuple[int, int, int]] = []
    while not outbox.gaps():
        assert number < 3000, "more than the file can hold, and nothing of it was said to be dropped"
        put(outbox, number, body_bytes=1000)
        number += 1
        stats = outbox.stats(now=NOON)
        seen.append((stats.ring, stats.events, stats.dropped))
    assert all(dropped == 0 for ring, events, dropped in seen if ring or events > 1)
    assert any(ring == 0 and events == 100 for ring, events, _ in seen), "the ring went while all telemetry was here"
    stats = outbox.stats(now=NOON)
    (gap,) = outbox.gaps()
    assert gap.readings == stats.dropped == room.EVICT_ROWS
    # The first hundred were the ring: what waited longest is gone, and nothing newer.
    assert (gap.first_seq, gap.last_seq) == (101, 100 + room.EVICT_ROWS)
    assert "64 readings dropped" in outbox.events(limit=1)[0].body
    assert stats.used <= room.FULL_AT + 0.02


def test_nothing_goes_uncounted_at_the_cap(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path, bytes_max=MEGABYTE)
    for number in range(0, 1500, 10):
        put(outbox, *range(number, number + 10), body_bytes=1000)
    stats = outbox.stats(now=NOON)
    assert stats.dropped > 0
    assert stats.depth + stats.dropped == 1500
    assert sum(gap.readings for gap in outbox.gaps()) == stats.dropped
    assert (tmp_path / "outbox.sqlite3").stat().st_size <= MEGABYTE
    assert (tmp_path / "outbox.sqlite3-wal").stat().st_size <= 2 * MEGABYTE


def test_telemetry_is_bounded_and_what_goes_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.outbox.outbox.EVENTS_MAX", 5)
    outbox = open_outbox(tmp_path)
    for number in range(8):
        outbox.add_event(Event(gateway_id=GATEWAY, at=NOON, name="signal", value=float(number)))
    assert [Event.model_validate_json(event.body).value for event in outbox.events(limit=10)] == [3, 4, 5, 6, 7]
    assert outbox.stats(now=NOON).dropped_events == 3


def test_two_gateways_never_share_an_outbox(tmp_path: Path, both_forms: bytes | None) -> None:
    outbox = open_outbox(tmp_path)
    with pytest.raises(OutboxRefused, match="another rpm-gateway uses"):
        open_outbox(tmp_path)
    reader = Outbox.read_only(tmp_path / "outbox.sqlite3", bytes_max=MEGABYTE, gateway_id=GATEWAY, key=both_forms)
    assert reader.epoch == outbox.epoch
    assert 0.01 < reader.stats(now=NOON).used < 0.1
    reader.close()
    outbox.close()
    open_outbox(tmp_path).close()


def test_a_file_that_is_no_outbox_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3"
    path.write_text("shopping list: milk, eggs, more milk, more eggs\n" * 40)
    with pytest.raises(OutboxRefused, match="is not an outbox"):
        open_outbox(tmp_path)
    assert path.read_text().startswith("shopping list")
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("create table mine(x)")
    other.commit()
    other.close()
    with pytest.raises(OutboxRefused, match="another program"):
        open_outbox(tmp_path)


def test_a_newer_outbox_is_refused(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    outbox._connection.execute("pragma user_version = 99")
    outbox.close()
    with pytest.raises(OutboxRefused, match="newer rpm-gateway"):
        open_outbox(tmp_path)


def test_a_damaged_outbox_is_moved_aside_told_and_begun_anew(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    put(outbox, *range(200))
    epoch = outbox.epoch
    outbox.close()
    path = tmp_path / "outbox.sqlite3"
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    again = open_outbox(tmp_path)
    assert again.epoch != epoch
    again.tell_set_aside(now=NOON)
    assert "outbox_damaged" in again.events(limit=1)[0].body
    assert [found.stat().st_size > 8192 for found in tmp_path.glob("*.damaged-*[0-9]")] == [True]


def test_looking_into_an_outbox_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(OutboxRefused, match="there is no outbox"):
        Outbox.read_only(tmp_path / "outbox.sqlite3", bytes_max=MEGABYTE, gateway_id=GATEWAY)


def test_a_clock_that_goes_back_holds_nothing_up(tmp_path: Path) -> None:
    """What was sent before it went back is due, and does not count as under way: else a full window would wait a day."""
    outbox = open_outbox(tmp_path)
    put(outbox, *range(5))
    assert len(send_all(outbox)) == 5
    earlier = NOON - timedelta(days=1)
    assert outbox.in_flight(now=earlier) == 0
    assert len(outbox.due(now=earlier, limit=10)) == 5
