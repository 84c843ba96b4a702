"""Settling a batch against the real database: once each, whatever comes twice, late, out of order or in a race."""

import random
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import TupleRow

from rpm.ingest.batch import settle
from rpm.ingest.reasons import Reason
from rpm.ingest.receipts import Outcome, Settlement
from rpm.ingest.unpack import Message
from rpm.store import deliveries
from rpm.store.database import Connection, Database, DatabaseUnavailable
from rpm.store.deliveries import OutboxRow, Settled
from schemas.codes import BY_NAME, Kind
from schemas.messages import Channel, ReadingBatch, UndecodedItem, topic
from schemas.quantity import Absent
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
from tests.support.readings import EPOCH, glucose, pressure, weight

SYSTOLIC = BY_NAME["systolic"].number


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def test_a_squeeze_is_stored_once_with_everything_it_brings(database: Database, maria: Person) -> None:
    squeeze = pressure(128, 79, NOW + timedelta(minutes=1), pulse=64, address=cuff_of(maria))
    later = NOW + timedelta(minutes=2)
    assert outcomes_of(settle(database, [message_of(squeeze)], now=later)) == {1: "stored"}
    (reading,) = rows_of(database, "select * from reading")
    assert reading["reading_id"] == squeeze.reading_id
    assert reading["patient_id"] == maria.id
    assert reading["raw"].hex() == squeeze.raw
    assert (reading["gateway_id"], reading["epoch"], reading["seq"]) == (GATEWAY, EPOCH, 1)
    assert reading["admitted_at"] == later
    values = {row["code"]: (row["value"], row["patient_id"]) for row in rows_of(database, "select * from observation")}
    assert values[SYSTOLIC] == (128, maria.id)
    assert len(values) == 4
    assert {row["code"] for row in rows_of(database, "select code from latest")} == set(values)
    (news,) = rows_of(database, "select * from patient_news")
    assert (news["patient_id"], news["count"]) == (maria.id, 1)
    (device,) = rows_of(database, "select * from device where address = %s", cuff_of(maria))
    assert device["seen_at"] == squeeze.received_at


def test_the_same_reading_five_times_is_stored_once(database: Database, maria: Person) -> None:
    squeeze = pressure(128, 79, NOW, address=cuff_of(maria))
    # Its time was corrected otherwise on the way: still the same squeeze.
    shifted = squeeze.model_copy(update={"measured_at": NOW - timedelta(seconds=30)})
    outcomes = [
        settle(database, [message_of(squeeze), message_of(squeeze)], now=NOW),
        settle(database, [message_of(shifted, first_seq=9)], now=NOW),
        settle(database, [message_of(squeeze)], now=NOW),
        settle(database, [message_of(squeeze, first_seq=7)], now=NOW),
        settle(database, [message_of(squeeze, gateway_id=OTHER_GATEWAY)], now=NOW),
    ]
    assert Counter(each.outcome for part in outcomes for each in part) == {Outcome.STORED: 1, Outcome.DUPLICATE: 5}
    assert count_of(database, "reading") == 1
    assert count_of(database, "observation") == 4
    assert count_of(database, "delivery") == 4


def test_any_order_leaves_the_same_readings_and_the_newest_latest(database: Database, maria: Person) -> None:
    squeezes = [pressure(120 + n, 80, NOW - timedelta(hours=n), address=cuff_of(maria)) for n in range(12)]
    random.Random(7).shuffle(squeezes)
    for seq, squeeze in enumerate(squeezes, start=1):
        settle(database, [message_of(squeeze, first_seq=seq)], now=NOW)
    (latest,) = rows_of(database, "select * from latest where code = %s", SYSTOLIC)
    assert (latest["value"], latest["measured_at"]) == (120, NOW)
    assert count_of(database, "reading") == 12
    late = {row["measured_at"] for row in rows_of(database, "select * from reading where late")}
    assert late == {NOW - timedelta(hours=n) for n in range(2, 12)}


def test_moving_a_cuff_moves_no_old_reading(database: Database, clinic: Clinic, maria: Person) -> None:
    tom = clinic.patient("Tom", "Weiss", measures=False)
    moved = NOW - timedelta(days=1)
    device_id, address = maria.devices[Kind.BLOOD_PRESSURE]
    with database.transaction() as connection:
        connection.execute(
            "update device_assignment set during = tstzrange(lower(during), %s) where device_id = %s",
            [moved, device_id],
        )
        connection.execute(
            "insert into device_assignment (practice_id, device_id, patient_id, during)"
            " values (%s, %s, %s, tstzrange(%s, null))",
            [clinic.practice_id, device_id, tom.id, moved],
        )
    before, between, after = (
        pressure(120 + n, 80, moved + offset, address=address)
        for n, offset in enumerate((-timedelta(hours=2), timedelta(seconds=20), timedelta(hours=2)))
    )
    # The backlog comes after the cuff has moved, newest first.
    outcomes = settle(database, [message_of(after, between, before)], now=NOW)
    assert outcomes_of(outcomes) == {1: "stored", 2: "unassigned", 3: "stored"}
    owners = {row["reading_id"]: row["patient_id"] for row in rows_of(database, "select * from reading")}
    assert owners == {before.reading_id: maria.id, after.reading_id: tom.id}


def test_someone_else_on_the_scale_is_held_within_one_batch_too(database: Database, maria: Person) -> None:
    scale = maria.devices[Kind.BODY_WEIGHT][1]
    weighings = [
        weight(kg, NOW - timedelta(days=5 - n), address=scale) for n, kg in enumerate((80, 80.4, 79.9, 62, 80.1))
    ]
    outcomes = settle(database, [message_of(*weighings)], now=NOW)
    assert outcomes_of(outcomes) == {1: "stored", 2: "stored", 3: "stored", 4: "quarantined", 5: "stored"}
    later = settle(database, [message_of(weight(62, NOW, address=scale), first_seq=6)], now=NOW)
    assert outcomes_of(later) == {6: "quarantined"}


def test_hi_names_its_patient_so_that_it_still_calls(database: Database, maria: Person) -> None:
    meter = maria.devices[Kind.GLUCOSE][1]
    settle(database, [message_of(glucose(Absent.POSITIVE_INFINITY, NOW, address=meter))], now=NOW)
    (row,) = rows_of(database, "select * from held")
    assert (row["reason"], row["patient_id"], row["judged_at"]) == (Reason.METER_HIGH, maria.id, None)
    assert row["item"]["reading"]["quantities"]["glucose"]["absent"] == "+inf"


def test_a_context_that_comes_later_completes_its_reading(database: Database, maria: Person) -> None:
    meter = maria.devices[Kind.GLUCOSE][1]
    alone = glucose(250, NOW, address=meter)
    whole = alone.model_copy(update={"raw_context": "0201", "context": {"meal": "fasting"}})
    settle(database, [message_of(alone)], now=NOW)
    assert outcomes_of(settle(database, [message_of(whole, first_seq=2)], now=NOW)) == {2: "duplicate"}
    (row,) = rows_of(database, "select * from reading")
    assert (row["context"], row["raw_context"]) == ({"meal": "fasting"}, b"\x02\x01")
    assert rows_of(database, "select count from patient_news") == [{"count": 2}]


class _FaultyDatabase(Database):
    """Loses its connection in COMMIT, before or after the server has done it: the caller cannot tell which."""

    committed = False

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        with super().transaction() as connection:
            yield connection
            if not self.committed:
                raise psycopg.OperationalError("the connection is lost")
        if self.committed:
            raise psycopg.OperationalError("the connection is lost")


@pytest.mark.parametrize("lost", ["before the commit", "after the commit"])
def test_a_commit_whose_outcome_is_unknown_is_done_again(database: Database, maria: Person, lost: str) -> None:
    committed = lost == "after the commit"
    message = message_of(*(pressure(120 + n, 80, NOW, address=cuff_of(maria)) for n in range(5)))
    faulty = _FaultyDatabase(database.dsn)
    faulty.open()
    faulty.committed = committed
    with pytest.raises(DatabaseUnavailable):
        settle(faulty, [message], now=NOW)
    faulty.close()
    assert count_of(database, "reading") == (5 if committed else 0)
    outcomes = settle(database, [message], now=NOW)
    assert set(outcomes_of(outcomes).values()) == {"duplicate" if committed else "stored"}
    assert count_of(database, "reading") == 5
    assert count_of(database, "delivery") == 5


def test_a_rival_who_settles_a_row_first_is_noticed(
    database: Database, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that nobody settled it; what bears no reading's name is held twice unless its delivery tells."""
    item = UndecodedItem(
        seq=1, address=cuff_of(maria), characteristic="2A35", raw="0aff", received_at=NOW, reason="too short"
    )
    message = Message(
        topic(GATEWAY, Channel.READINGS),
        ReadingBatch(gateway_id=GATEWAY, epoch=EPOCH, undecoded=(item,)).model_dump_json().encode(),
    )
    look_up = deliveries.settled_of
    rivals = [threading.Thread(target=settle, args=(database, [message]), kwargs={"now": NOW})]

    def look_up_and_dawdle(asked: psycopg.Cursor[TupleRow]) -> dict[OutboxRow, Settled]:
        found = look_up(asked)
        if rivals:
            rival = rivals.pop()
            rival.start()
            rival.join()
        return found

    monkeypatch.setattr(deliveries, "settled_of", look_up_and_dawdle)
    assert outcomes_of(settle(database, [message], now=NOW)) == {1: "quarantined"}
    assert count_of(database, "held") == 1
    assert count_of(database, "delivery") == 1


def test_two_workers_with_the_same_rows_store_them_once(database: Database, maria: Person) -> None:
    squeezes = [pressure(100 + n % 80, 60, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(300)]
    messages = [message_of(squeeze, first_seq=seq) for seq, squeeze in enumerate(squeezes, start=1)]
    results: list[list[Settlement]] = []

    def work(order: list[Message]) -> None:
        results.extend(settle(database, order[start : start + 50], now=NOW) for start in range(0, len(order), 50))

    threads = [
        threading.Thread(target=work, args=(order,))
        for order in (messages, messages[::-1], messages[7:] + messages[:7])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    settled = [each for part in results for each in part]
    assert Counter(each.seq for each in settled) == dict.fromkeys(range(1, 301), 3)
    assert sum(each.outcome is Outcome.STORED for each in settled) == 300
    assert count_of(database, "reading") == 300
    assert count_of(database, "observation") == 1200
    assert rows_of(database, "select sum(count)::int as n from patient_news") == [{"n": 300}]


def test_what_is_receipted_is_on_the_disk_whatever_the_server_was_told(database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(f"alter database {connection.info.dbname} set synchronous_commit = off".encode())
    fresh = Database(database.dsn)
    fresh.open()
    with fresh.transaction() as connection:
        assert connection.execute("show synchronous_commit").fetchone() == {"synchronous_commit": "on"}
    fresh.close()
