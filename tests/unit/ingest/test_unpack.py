"""Bytes → rows: every item of a message, good or bad, becomes a row of its own; nothing is dropped, nothing raises."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.ingest.reasons import Reason
from rpm.ingest.receipts import RECEIPT_ROWS_MAX, Outcome, Settlement, receipts
from rpm.ingest.unpack import Message, Row, as_json, unpack
from schemas.messages import (
    MESSAGE_BYTES_MAX,
    Channel,
    Event,
    ReadingBatch,
    ReadingItem,
    Status,
    StatusKind,
    UndecodedItem,
    topic,
)
from schemas.reading import Reading
from tests.support.readings import CUFF, EPOCH, a_reading, batch, pressure

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
GATEWAY = "gw-home-a"
GOOD = pressure(128, 79, NOW)


def _rows(payload: bytes, name: str | None = None) -> tuple[Row, ...]:
    return unpack(Message(name or topic(GATEWAY, Channel.READINGS), payload)).rows


def _changed(**change: Any) -> bytes:
    """An ordinary batch of one with some of its fields replaced."""
    return json.dumps({**json.loads(batch(GATEWAY, GOOD)[1]), **change}).encode()


def test_a_good_batch_is_its_readings() -> None:
    rows = _rows(batch(GATEWAY, GOOD, pressure(130, 80, NOW), first_seq=5)[1])
    assert [(row.gateway_id, row.epoch, row.seq, row.reason) for row in rows] == [
        (GATEWAY, EPOCH, 5, None),
        (GATEWAY, EPOCH, 6, None),
    ]
    assert as_json(rows[0].item) == ReadingItem(seq=5, reading=GOOD).model_dump_json()


def test_one_bad_item_is_alone() -> None:
    items = json.loads(batch(GATEWAY, GOOD, GOOD, GOOD)[1])["items"]
    del items[1]["reading"]["quantities"]["systolic"]["unit"]
    rows = _rows(_changed(items=items))
    assert [row.reason for row in rows] == [None, Reason.NOT_A_READING, None]
    assert rows[1].seq == 2
    assert rows[1].pointer == "/reading/quantities/systolic/unit"
    assert rows[1].item == items[1]


def test_an_unknown_version_is_held_row_by_row() -> None:
    (row,) = _rows(_changed(v=2))
    assert (row.seq, row.reason, row.pointer) == (1, Reason.UNKNOWN_VERSION, "/v")


def test_a_topic_that_does_not_match_the_payload_is_held() -> None:
    (row,) = _rows(batch("gw-home-b", GOOD)[1])
    assert (row.gateway_id, row.reason, row.pointer) == (GATEWAY, Reason.GATEWAY_MISMATCH, "/gateway_id")


def test_a_frame_nobody_could_decode_is_held_with_its_bytes() -> None:
    undecoded = UndecodedItem(
        seq=9, address=CUFF, characteristic="2A35", raw="0aff", received_at=NOW, reason="byte 1: too short"
    )
    message = ReadingBatch(gateway_id=GATEWAY, epoch=EPOCH, undecoded=(undecoded,))
    (row,) = _rows(message.model_dump_json().encode())
    assert (row.seq, row.reason, row.raw) == (9, Reason.FRAME_UNDECODED, b"\x0a\xff")
    assert json.loads(as_json(row.item) or "")["reason"] == "byte 1: too short"


def test_text_that_the_database_refuses_is_held_as_bytes_and_its_values_stay_readable() -> None:
    poison = GOOD.model_copy(update={"context": {"meal": "\0"}})
    bad, good = _rows(batch(GATEWAY, poison, GOOD)[1])
    assert (bad.reason, bad.reading, good.reason) == (Reason.NOT_STORABLE, None, None)
    assert bad.raw is not None
    assert b"\\u0000" in bad.raw
    shown = json.loads(as_json(bad.item) or "")["reading"]
    assert shown["quantities"] == GOOD.model_dump(mode="json")["quantities"]
    assert shown["context"] == {"meal": "\ufffd"}


@pytest.mark.parametrize("epoch", [f"{EPOCH}\n", f"{EPOCH}0", EPOCH[1:], EPOCH.upper(), f" {EPOCH}"])
def test_an_epoch_that_no_receipt_can_name_makes_no_row(epoch: str) -> None:
    """A row that is committed and cannot be receipted would end every worker it is sent to, again and again."""
    item: dict[str, Any] = json.loads(batch(GATEWAY, GOOD)[1])["items"][0]
    spoilt: dict[str, Any] = {**item, "reading": {}}
    for each in (item, spoilt):
        (row,) = _rows(json.dumps({"v": 1, "gateway_id": GATEWAY, "epoch": epoch, "items": [each]}).encode())
        assert (row.reason, row.epoch, row.seq) == (Reason.UNREADABLE, None, None)


def test_a_gateway_that_no_receipt_can_name_makes_no_row() -> None:
    payload = batch(GATEWAY, GOOD)[1]
    (row,) = _rows(payload, f"rpm/v1/gateways/{GATEWAY}\n/readings")
    assert (row.reason, row.gateway_id, row.raw) == (Reason.UNREADABLE, None, payload)


def test_frames_and_broken_items_have_names_of_their_own() -> None:
    """Two boxes with a copy of one outbox use one number twice: only by its name is the second thing seen as another."""
    frames = [
        UndecodedItem(seq=9, address=CUFF, characteristic="2A35", raw=raw, received_at=NOW, reason="too short")
        for raw in ("0aff", "0afe", "0aff")
    ]
    names = [
        _rows(ReadingBatch(gateway_id=GATEWAY, epoch=EPOCH, undecoded=(frame,)).model_dump_json().encode())[
            0
        ].reading_id
        for frame in frames
    ]
    assert names[0] == names[2] != names[1]
    assert None not in names
    broken = [{"seq": 9, "reading": {"kind": 1}}, {"seq": 9, "reading": {"kind": 2}}, "a", "b"]
    rows = _rows(json.dumps({"v": 1, "gateway_id": GATEWAY, "epoch": EPOCH, "items": broken}).encode())
    assert len({row.reading_id for row in rows} - {None}) == 4


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"[]", b"7", b'{"epoch":"x"}', b'{"epoch":"00c0ffee00c0ffee","items":[]}', b'{"items":[{}]}'],
)
def test_what_cannot_be_read_at_all_is_kept_whole(payload: bytes) -> None:
    (row,) = _rows(payload)
    assert (row.seq, row.reason, row.raw) == (None, Reason.UNREADABLE, payload)
    (again,) = _rows(payload)
    assert row.reading_id == again.reading_id


@pytest.mark.parametrize("name", ["", "elsewhere", "rpm/v1/gateways/gw-home-a/other", "rpm/v1/gateways/GW/readings"])
def test_topics_that_are_none_of_ours(name: str) -> None:
    (row,) = _rows(b"{}", name)
    assert row.reason is Reason.UNREADABLE


def test_status_and_event() -> None:
    status = Status(gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, outbox_depth=3)
    event = Event(gateway_id=GATEWAY, at=NOW, name="battery", value=12.0)
    assert unpack(Message(topic(GATEWAY, Channel.STATUS), status.model_dump_json().encode())).status == status
    assert unpack(Message(topic(GATEWAY, Channel.EVENTS), event.model_dump_json().encode())).event == event
    (row,) = _rows(status.model_dump_json().encode(), topic("gw-home-b", Channel.STATUS))
    assert row.reason is Reason.GATEWAY_MISMATCH


@given(st.lists(a_reading(), min_size=1, max_size=4))
def test_readings_come_back_whole(readings: list[Reading]) -> None:
    rows = _rows(batch(GATEWAY, *readings)[1])
    assert [row.seq for row in rows] == list(range(1, len(readings) + 1))
    for row, reading in zip(rows, readings, strict=True):
        assert row.reading is None or row.reading.reading_id == reading.reading_id


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


_item: dict[str, st.SearchStrategy[Any]] = {"seq": _json, "reading": _json}
_message: dict[str, st.SearchStrategy[Any]] = {
    "v": _json,
    "gateway_id": st.just(GATEWAY) | _json,
    "epoch": st.just(EPOCH) | _json,
    "items": st.lists(st.fixed_dictionaries({}, optional=_item)) | _json,
    "undecoded": _json,
}


@given(st.fixed_dictionaries({}, optional=_message))
def test_any_json_becomes_rows(message: dict[str, Any]) -> None:
    rows = _rows(json.dumps(message).encode())
    assert rows
    for row in rows:
        assert row.reason is not None
        assert row.raw is not None or as_json(row.item) is not None


@given(st.binary(max_size=200))
def test_any_bytes_become_rows(payload: bytes) -> None:
    assert _rows(payload)


def test_a_receipt_names_every_row_and_stays_small_enough_to_send() -> None:
    longest = max(Reason, key=len)
    rows = [Settlement(GATEWAY, EPOCH, 2**63 - n, Outcome.QUARANTINED, longest) for n in range(1, 2 * RECEIPT_ROWS_MAX)]
    rows += [
        Settlement("gw-home-b", EPOCH, n, Outcome(outcome)) for n, outcome in enumerate(["stored", "unassigned"], 1)
    ]
    sent = receipts(rows)
    assert sorted((each.gateway_id, seq) for each in sent for seq in each.seqs()) == sorted(
        (row.gateway_id, row.seq) for row in rows
    )
    assert all(len(each.model_dump_json()) < MESSAGE_BYTES_MAX for each in sent)
