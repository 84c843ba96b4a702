"""What cannot be settled as it is: held with its bytes and its reason, alone, and nobody waits for it."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from rpm.ingest.admit import Decision, admit
from rpm.ingest.batch import settle
from rpm.ingest.reasons import Reason
from rpm.ingest.unpack import Message
from rpm.store.database import Database
from schemas.messages import Channel, ReadingBatch, Status, StatusKind, UndecodedItem, topic
from schemas.reading import Reading
from tests.services.settling import (
    GATEWAY,
    NOW,
    OTHER_GATEWAY,
    count_of,
    cuff_of,
    message_of,
    outcomes_of,
    rows_of,
    two_homes,
)
from tests.support.clinic import Clinic, Person
from tests.support.readings import EPOCH, batch, pressure


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def test_poison_in_a_batch_of_200_holds_nobody_up(database: Database, maria: Person) -> None:
    """Every 20th message is broken in its own way; all others are stored, and every row that can be read is receipted."""
    squeezes = [pressure(100 + n % 60, 70, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(200)]
    messages = [message_of(squeeze, first_seq=seq) for seq, squeeze in enumerate(squeezes, start=1)]
    readings = topic(GATEWAY, Channel.READINGS)

    def spoilt(seq: int, **change: Any) -> Message:
        return Message(readings, json.dumps({**json.loads(messages[seq - 1].payload), **change}).encode())

    item = json.loads(messages[59].payload)["items"][0]
    item["reading"]["quantities"]["systolic"] = {"value": 128}
    undecoded = UndecodedItem(
        seq=120, address=cuff_of(maria), characteristic="2A35", raw="00", received_at=NOW, reason="byte 1: too short"
    )
    frame = ReadingBatch(gateway_id=GATEWAY, epoch=EPOCH, undecoded=(undecoded,))
    forged = squeezes[139].model_copy(update={"user_slot": 1})
    nul = squeezes[159].model_copy(update={"context": {"meal": "\0"}})
    spoil = {
        20: Message(readings, b"\xff\xfe not json"),
        40: spoilt(40, v=9),
        60: spoilt(60, items=[item]),
        80: Message(readings, batch(OTHER_GATEWAY, squeezes[79], first_seq=80)[1]),
        100: Message(topic(GATEWAY, Channel.STATUS), b'{"v":1,"gateway_id":"gw-home-a","kind":"odd"}'),
        120: Message(readings, frame.model_dump_json().encode()),
        140: message_of(forged, first_seq=140),
        160: message_of(nul, first_seq=160),
        180: message_of(pressure(12, 8, NOW, address=cuff_of(maria)), first_seq=180),
        200: message_of(pressure(128, 79, NOW, address="C0:00:00:00:99:99"), first_seq=200),
    }
    for seq, message in spoil.items():
        messages[seq - 1] = message
    outcomes = outcomes_of(settle(database, messages, now=NOW))
    assert count_of(database, "reading") == 190
    expected = {seq: "stored" for seq in range(1, 201) if seq not in spoil}
    expected |= dict.fromkeys((40, 60, 80, 120, 140, 160, 180), "quarantined") | {200: "unassigned"}
    assert outcomes == expected
    held_for = Counter(row["reason"] for row in rows_of(database, "select reason from held"))
    assert held_for == {
        Reason.UNREADABLE: 2,
        Reason.UNKNOWN_VERSION: 1,
        Reason.NOT_A_READING: 1,
        Reason.GATEWAY_MISMATCH: 1,
        Reason.FRAME_UNDECODED: 1,
        Reason.ID_MISMATCH: 1,
        Reason.NOT_STORABLE: 1,
        Reason.VALUE_IMPOSSIBLE: 1,
        Reason.UNKNOWN_DEVICE: 1,
    }
    assert all(row["item"] or row["raw"] for row in rows_of(database, "select item, raw from held"))
    again = settle(database, messages, now=NOW)
    assert len(again) == len(outcomes)
    assert count_of(database, "held") == 10


def test_what_the_database_refuses_is_held_and_the_rest_goes_through(database: Database, maria: Person) -> None:
    """A number no column takes: found by trying, message by message."""
    status = Status(gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, outbox_depth=10**12)
    poison = Message(topic(GATEWAY, Channel.STATUS), status.model_dump_json().encode())
    good = [
        message_of(pressure(120, 80, NOW - timedelta(minutes=n), address=cuff_of(maria)), first_seq=n + 1)
        for n in range(9)
    ]
    outcomes = settle(database, [*good[:4], poison, *good[4:]], now=NOW)
    assert outcomes_of(outcomes) == dict.fromkeys(range(1, 10), "stored")
    (row,) = rows_of(database, "select * from held")
    assert (row["reason"], row["raw"], row["gateway_id"]) == (Reason.NOT_STORABLE, poison.payload, None)


def test_a_reading_that_shows_an_error_of_ours_takes_no_other_with_it(
    database: Database, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to 500 readings travel in one message: a fault that one of them provokes is that one's alone."""
    squeezes = [pressure(120 + n, 80, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(7)]
    odd = squeezes[4].reading_id

    def admit_or_fail(reading: Reading, **known: Any) -> Decision:
        if reading.reading_id == odd:
            raise ZeroDivisionError
        return admit(reading, **known)

    monkeypatch.setattr("rpm.ingest.plan.admit", admit_or_fail)
    status = Status(gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, outbox_depth=3)
    heartbeat = Message(topic(GATEWAY, Channel.STATUS), status.model_dump_json().encode())
    outcomes = settle(database, [heartbeat, message_of(*squeezes)], now=NOW)
    assert outcomes_of(outcomes) == {**dict.fromkeys((1, 2, 3, 4, 6, 7), "stored"), 5: "quarantined"}
    assert count_of(database, "gateway_status") == 1
    (row,) = rows_of(database, "select * from held")
    assert (row["reason"], row["seq"], row["item"]["reading"]["reading_id"]) == (Reason.NOT_STORABLE, 5, str(odd))
    again = settle(database, [message_of(*squeezes)], now=NOW)
    assert set(outcomes_of(again)) == set(range(1, 8))
    assert count_of(database, "held") == 1


def test_one_number_for_two_readings_is_quarantined(database: Database, maria: Person) -> None:
    first, second = (pressure(120 + n, 80, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(2))
    settle(database, [message_of(first)], now=NOW)
    assert outcomes_of(settle(database, [message_of(second)], now=NOW)) == {1: "quarantined"}
    again = settle(database, [message_of(second), message_of(first)], now=NOW)
    assert {each.outcome.value for each in again} == {"quarantined", "duplicate"}
    (row,) = rows_of(database, "select * from held")
    assert (row["reason"], row["reading_id"], row["patient_id"]) == (
        Reason.SEQUENCE_REUSED,
        second.reading_id,
        maria.id,
    )
    assert count_of(database, "reading") == 1


def test_one_number_for_a_frame_and_a_reading_keeps_both(database: Database, maria: Person) -> None:
    """Two boxes with a copy of one outbox: what the second brings is not the first, come again."""

    def frame(raw: str) -> Message:
        item = UndecodedItem(
            seq=1, address=cuff_of(maria), characteristic="2A35", raw=raw, received_at=NOW, reason="too short"
        )
        message = ReadingBatch(gateway_id=GATEWAY, epoch=EPOCH, undecoded=(item,))
        return Message(topic(GATEWAY, Channel.READINGS), message.model_dump_json().encode())

    squeeze = message_of(pressure(128, 79, NOW, address=cuff_of(maria)))
    for message in (frame("0aff"), squeeze, frame("0afe"), frame("0aff"), squeeze):
        assert outcomes_of(settle(database, [message], now=NOW)) == {1: "quarantined"}
    held_for = Counter(row["reason"] for row in rows_of(database, "select reason from held"))
    assert held_for == {Reason.FRAME_UNDECODED: 2, Reason.SEQUENCE_REUSED: 1}
