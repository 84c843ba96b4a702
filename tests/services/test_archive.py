"""The raw archive: no reading without its bytes, and the page leads from the one to the other (F39).

Method: messages are settled as a worker does it; each reading's place is then looked up with plain SQL and read out of the
bytes themselves, by JSON alone.
"""

import hashlib
import json
from datetime import timedelta
from typing import Any

import pytest

from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store import readings
from rpm.store.database import Database
from schemas.codes import Kind
from schemas.messages import Channel, Status, StatusKind, topic
from tests.services.settling import GATEWAY, NOW, count_of, cuff_of, message_of, rows_of, two_homes
from tests.support.clinic import Clinic, Person
from tests.support.readings import EPOCH, pressure, weight

_PLACES = """
select reading.reading_id, message.payload, message.sha256, message.received_at, message.practice_id, reading.item_place
from reading join message on message.settled_no = reading.settled_no and message.place = reading.message_place
order by reading.measured_at
"""


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def named_there(row: dict[str, Any]) -> str:
    """What the item is called at the place a row gives."""
    name: str = json.loads(row["payload"])["items"][row["item_place"]]["reading"]["reading_id"]
    return name


def test_each_reading_leads_to_its_item_in_the_bytes_as_they_came(
    database: Database, clinic: Clinic, maria: Person
) -> None:
    squeezes = [pressure(110 + n, 70, NOW - timedelta(minutes=20 - n), address=cuff_of(maria)) for n in range(6)]
    messages = [
        message_of(*squeezes[:3], first_seq=1),
        Message(topic(GATEWAY, Channel.STATUS), _status()),
        message_of(*squeezes[3:5], first_seq=4),
    ]
    settle(database, messages, now=NOW)
    settle(database, [message_of(squeezes[5], first_seq=6)], now=NOW + timedelta(seconds=3))
    found = rows_of(database, _PLACES)
    assert [str(row["reading_id"]) for row in found] == [str(squeeze.reading_id) for squeeze in squeezes]
    assert [named_there(row) for row in found] == [str(row["reading_id"]) for row in found]
    assert {bytes(row["payload"]) for row in found} == {
        messages[0].payload,
        messages[2].payload,
        message_of(squeezes[5], first_seq=6).payload,
    }
    assert all(hashlib.sha256(row["payload"]).digest() == row["sha256"] for row in found)
    assert {row["practice_id"] for row in found} == {clinic.practice_id}
    assert [row["received_at"] - NOW for row in found[-2:]] == [timedelta(0), timedelta(seconds=3)]
    assert count_of(database, "message") == 3, "what a gateway tells of itself is no measurement"


def test_what_is_held_and_claimed_later_leads_there_too(database: Database, maria: Person) -> None:
    unlikely = pressure(300, 90, NOW - timedelta(minutes=2), address=cuff_of(maria))
    known = weight(80, NOW - timedelta(minutes=1), address=maria.devices[Kind.BODY_WEIGHT][1])
    settle(database, [message_of(known, unlikely)], now=NOW)
    (held,) = rows_of(database, "select settled_no, message_place, item_place from held")
    (stored,) = rows_of(database, "select settled_no, message_place, item_place from reading")
    assert held == {**stored, "item_place": 1}


def test_a_message_that_is_settled_in_parts_is_kept_once(
    database: Database, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One row of it is refused by the database: the others are stored, and all of them stand in the same bytes."""
    squeezes = [pressure(110 + n, 70, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(4)]
    real = readings.claim

    def refuses_one(connection: Any, entries: Any) -> Any:
        if any(entry.reading.reading_id == squeezes[1].reading_id for entry in entries):
            raise readings.Unstorable
        return real(connection, entries)

    monkeypatch.setattr(readings, "claim", refuses_one)
    settle(database, [message_of(*squeezes)], now=NOW)
    assert count_of(database, "message") == 1
    found = rows_of(database, _PLACES)
    assert [named_there(row) for row in found] == [str(squeezes[n].reading_id) for n in (3, 2, 0)]
    (held,) = rows_of(database, "select message_place, item_place from held")
    assert held == {"message_place": 0, "item_place": 1}


def test_bytes_nobody_can_read_are_kept_with_what_is_held_of_them(database: Database) -> None:
    settle(database, [Message(topic(GATEWAY, Channel.READINGS), b"\xff\0 not json")], now=NOW)
    (found,) = rows_of(
        database,
        "select payload from message join held on held.settled_no = message.settled_no"
        " and held.message_place = message.place",
    )
    assert bytes(found["payload"]) == b"\xff\0 not json"


def test_long_messages_are_kept_compressed(database: Database, maria: Person) -> None:
    squeezes = [pressure(110 + n % 40, 70, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(100)]
    message = message_of(*squeezes)
    settle(database, [message], now=NOW)
    (row,) = rows_of(
        database, "select pg_column_compression(payload) as how, pg_column_size(payload) as size, payload from message"
    )
    assert bytes(row["payload"]) == message.payload
    assert row["how"] == "lz4"
    assert row["size"] * 3 < len(message.payload)


def _status() -> bytes:
    status = Status(
        gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, version="1", uptime_s=9, epoch=EPOCH,
        outbox_depth=0, outbox_oldest_s=0, outbox_dropped=0, adapter="hci0",
    )  # fmt: skip
    return status.model_dump_json().encode()
