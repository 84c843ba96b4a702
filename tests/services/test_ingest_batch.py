"""Settling a batch against the real database: once each, whatever comes twice, late, out of order, poisoned or in a race.

Each test says in SQL what must be there afterwards; the pipeline's own queries take no part in the proof.
"""

import json
import random
import threading
from collections import Counter
from collections.abc import Collection, Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from rpm.access import Actor, Role
from rpm.ingest.admit import Decision, admit
from rpm.ingest.batch import settle
from rpm.ingest.reasons import Reason
from rpm.ingest.receipts import Outcome, Settlement
from rpm.ingest.unpack import Message
from rpm.store import deliveries, held, known
from rpm.store.database import Connection, Database, DatabaseUnavailable
from rpm.store.deliveries import OutboxRow, Settled
from rpm.store.gateways import list_gateways, meet, register_gateway
from schemas.codes import BY_NAME, Kind
from schemas.messages import Channel, Event, ReadingBatch, Status, StatusKind, UndecodedItem, topic
from schemas.quantity import Absent
from schemas.reading import Reading
from tests.support.clinic import Clinic, Person
from tests.support.readings import EPOCH, batch, glucose, pressure, weight

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
GATEWAY, OTHER_GATEWAY = "gw-home-a", "gw-home-b"
SYSTOLIC = BY_NAME["systolic"].number


@pytest.fixture
def clinic(database: Database) -> Clinic:
    made = Clinic(database, now=NOW)
    with database.transaction() as connection:
        for gateway_id in (GATEWAY, OTHER_GATEWAY):
            register_gateway(connection, gateway_id, practice_id=made.practice_id, label="Home", now=NOW)
    return made


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def _cuff(person: Person) -> str:
    return person.devices[Kind.BLOOD_PRESSURE][1]


def _message(*readings: Reading, gateway_id: str = GATEWAY, first_seq: int = 1) -> Message:
    return Message(*batch(gateway_id, *readings, first_seq=first_seq))


def _rows(database: Database, statement: str, *values: Any) -> list[dict[str, Any]]:
    with database.transaction() as connection:
        return connection.execute(statement.encode(), values).fetchall()


def _count(database: Database, table: str) -> int:
    return _rows(database, f"select count(*) as n from {table}")[0]["n"]


def _outcomes(settlements: list[Settlement]) -> dict[int, str]:
    return {each.seq: each.outcome.value for each in settlements}


def test_a_squeeze_is_stored_once_with_everything_it_brings(database: Database, maria: Person) -> None:
    squeeze = pressure(128, 79, NOW + timedelta(minutes=1), pulse=64, address=_cuff(maria))
    later = NOW + timedelta(minutes=2)
    assert _outcomes(settle(database, [_message(squeeze)], now=later)) == {1: "stored"}
    (reading,) = _rows(database, "select * from reading")
    assert reading["reading_id"] == squeeze.reading_id
    assert reading["patient_id"] == maria.id
    assert reading["raw"].hex() == squeeze.raw
    assert (reading["gateway_id"], reading["epoch"], reading["seq"]) == (GATEWAY, EPOCH, 1)
    assert reading["admitted_at"] == later
    values = {row["code"]: (row["value"], row["patient_id"]) for row in _rows(database, "select * from observation")}
    assert values[SYSTOLIC] == (128, maria.id)
    assert len(values) == 4
    assert {row["code"] for row in _rows(database, "select code from latest")} == set(values)
    (news,) = _rows(database, "select * from patient_news")
    assert (news["patient_id"], news["count"]) == (maria.id, 1)
    (device,) = _rows(database, "select * from device where address = %s", _cuff(maria))
    assert device["seen_at"] == squeeze.received_at


def test_the_same_reading_five_times_is_stored_once(database: Database, maria: Person) -> None:
    squeeze = pressure(128, 79, NOW, address=_cuff(maria))
    # Its time was corrected otherwise on the way: still the same squeeze.
    shifted = squeeze.model_copy(update={"measured_at": NOW - timedelta(seconds=30)})
    outcomes = [
        settle(database, [_message(squeeze), _message(squeeze)], now=NOW),
        settle(database, [_message(shifted, first_seq=9)], now=NOW),
        settle(database, [_message(squeeze)], now=NOW),
        settle(database, [_message(squeeze, first_seq=7)], now=NOW),
        settle(database, [_message(squeeze, gateway_id=OTHER_GATEWAY)], now=NOW),
    ]
    assert Counter(each.outcome for part in outcomes for each in part) == {Outcome.STORED: 1, Outcome.DUPLICATE: 5}
    assert _count(database, "reading") == 1
    assert _count(database, "observation") == 4
    assert _count(database, "delivery") == 4


def test_any_order_leaves_the_same_readings_and_the_newest_latest(database: Database, maria: Person) -> None:
    squeezes = [pressure(120 + n, 80, NOW - timedelta(hours=n), address=_cuff(maria)) for n in range(12)]
    random.Random(7).shuffle(squeezes)
    for seq, squeeze in enumerate(squeezes, start=1):
        settle(database, [_message(squeeze, first_seq=seq)], now=NOW)
    (latest,) = _rows(database, "select * from latest where code = %s", SYSTOLIC)
    assert (latest["value"], latest["measured_at"]) == (120, NOW)
    assert _count(database, "reading") == 12
    late = {row["measured_at"] for row in _rows(database, "select * from reading where late")}
    assert late == {NOW - timedelta(hours=n) for n in range(2, 12)}


def test_poison_in_a_batch_of_200_holds_nobody_up(database: Database, maria: Person) -> None:
    """Every 20th message is broken in its own way; all others are stored, and every row that can be read is receipted."""
    squeezes = [pressure(100 + n % 60, 70, NOW - timedelta(minutes=n), address=_cuff(maria)) for n in range(200)]
    messages = [_message(squeeze, first_seq=seq) for seq, squeeze in enumerate(squeezes, start=1)]
    readings = topic(GATEWAY, Channel.READINGS)

    def spoilt(seq: int, **change: Any) -> Message:
        return Message(readings, json.dumps({**json.loads(messages[seq - 1].payload), **change}).encode())

    item = json.loads(messages[59].payload)["items"][0]
    item["reading"]["quantities"]["systolic"] = {"value": 128}
    undecoded = UndecodedItem(
        seq=120, address=_cuff(maria), characteristic="2A35", raw="00", received_at=NOW, reason="byte 1: too short"
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
        140: _message(forged, first_seq=140),
        160: _message(nul, first_seq=160),
        180: _message(pressure(12, 8, NOW, address=_cuff(maria)), first_seq=180),
        200: _message(pressure(128, 79, NOW, address="C0:00:00:00:99:99"), first_seq=200),
    }
    for seq, message in spoil.items():
        messages[seq - 1] = message
    outcomes = _outcomes(settle(database, messages, now=NOW))
    assert _count(database, "reading") == 190
    expected = {seq: "stored" for seq in range(1, 201) if seq not in spoil}
    expected |= dict.fromkeys((40, 60, 80, 120, 140, 160, 180), "quarantined") | {200: "unassigned"}
    assert outcomes == expected
    held_for = Counter(row["reason"] for row in _rows(database, "select reason from held"))
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
    assert all(row["item"] or row["raw"] for row in _rows(database, "select item, raw from held"))
    again = settle(database, messages, now=NOW)
    assert len(again) == len(outcomes)
    assert _count(database, "held") == 10


def test_what_the_database_refuses_is_held_and_the_rest_goes_through(database: Database, maria: Person) -> None:
    """A number no column takes: found by trying, message by message."""
    status = Status(gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, outbox_depth=10**12)
    poison = Message(topic(GATEWAY, Channel.STATUS), status.model_dump_json().encode())
    good = [
        _message(pressure(120, 80, NOW - timedelta(minutes=n), address=_cuff(maria)), first_seq=n + 1) for n in range(9)
    ]
    outcomes = settle(database, [*good[:4], poison, *good[4:]], now=NOW)
    assert _outcomes(outcomes) == dict.fromkeys(range(1, 10), "stored")
    (row,) = _rows(database, "select * from held")
    assert (row["reason"], row["raw"], row["gateway_id"]) == (Reason.NOT_STORABLE, poison.payload, None)


def test_a_reading_that_shows_an_error_of_ours_takes_no_other_with_it(
    database: Database, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to 500 readings travel in one message: a fault that one of them provokes is that one's alone."""
    squeezes = [pressure(120 + n, 80, NOW - timedelta(minutes=n), address=_cuff(maria)) for n in range(7)]
    odd = squeezes[4].reading_id

    def admit_or_fail(reading: Reading, **known: Any) -> Decision:
        if reading.reading_id == odd:
            raise ZeroDivisionError
        return admit(reading, **known)

    monkeypatch.setattr("rpm.ingest.batch.admit", admit_or_fail)
    status = Status(gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, outbox_depth=3)
    heartbeat = Message(topic(GATEWAY, Channel.STATUS), status.model_dump_json().encode())
    outcomes = settle(database, [heartbeat, _message(*squeezes)], now=NOW)
    assert _outcomes(outcomes) == {**dict.fromkeys((1, 2, 3, 4, 6, 7), "stored"), 5: "quarantined"}
    assert _count(database, "gateway_status") == 1
    (row,) = _rows(database, "select * from held")
    assert (row["reason"], row["seq"], row["item"]["reading"]["reading_id"]) == (Reason.NOT_STORABLE, 5, str(odd))
    again = settle(database, [_message(*squeezes)], now=NOW)
    assert set(_outcomes(again)) == set(range(1, 8))
    assert _count(database, "held") == 1


def test_one_number_for_two_readings_is_quarantined(database: Database, maria: Person) -> None:
    first, second = (pressure(120 + n, 80, NOW - timedelta(minutes=n), address=_cuff(maria)) for n in range(2))
    settle(database, [_message(first)], now=NOW)
    assert _outcomes(settle(database, [_message(second)], now=NOW)) == {1: "quarantined"}
    again = settle(database, [_message(second), _message(first)], now=NOW)
    assert {each.outcome.value for each in again} == {"quarantined", "duplicate"}
    (row,) = _rows(database, "select * from held")
    assert (row["reason"], row["reading_id"], row["patient_id"]) == (
        Reason.SEQUENCE_REUSED,
        second.reading_id,
        maria.id,
    )
    assert _count(database, "reading") == 1


def test_one_number_for_a_frame_and_a_reading_keeps_both(database: Database, maria: Person) -> None:
    """Two boxes with a copy of one outbox: what the second brings is not the first, come again."""

    def frame(raw: str) -> Message:
        item = UndecodedItem(
            seq=1, address=_cuff(maria), characteristic="2A35", raw=raw, received_at=NOW, reason="too short"
        )
        message = ReadingBatch(gateway_id=GATEWAY, epoch=EPOCH, undecoded=(item,))
        return Message(topic(GATEWAY, Channel.READINGS), message.model_dump_json().encode())

    squeeze = _message(pressure(128, 79, NOW, address=_cuff(maria)))
    for message in (frame("0aff"), squeeze, frame("0afe"), frame("0aff"), squeeze):
        assert _outcomes(settle(database, [message], now=NOW)) == {1: "quarantined"}
    held_for = Counter(row["reason"] for row in _rows(database, "select reason from held"))
    assert held_for == {Reason.FRAME_UNDECODED: 2, Reason.SEQUENCE_REUSED: 1}


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
    outcomes = settle(database, [_message(after, between, before)], now=NOW)
    assert _outcomes(outcomes) == {1: "stored", 2: "unassigned", 3: "stored"}
    owners = {row["reading_id"]: row["patient_id"] for row in _rows(database, "select * from reading")}
    assert owners == {before.reading_id: maria.id, after.reading_id: tom.id}


def test_someone_else_on_the_scale_is_held_within_one_batch_too(database: Database, maria: Person) -> None:
    scale = maria.devices[Kind.BODY_WEIGHT][1]
    weighings = [
        weight(kg, NOW - timedelta(days=5 - n), address=scale) for n, kg in enumerate((80, 80.4, 79.9, 62, 80.1))
    ]
    outcomes = settle(database, [_message(*weighings)], now=NOW)
    assert _outcomes(outcomes) == {1: "stored", 2: "stored", 3: "stored", 4: "quarantined", 5: "stored"}
    later = settle(database, [_message(weight(62, NOW, address=scale), first_seq=6)], now=NOW)
    assert _outcomes(later) == {6: "quarantined"}


def test_hi_names_its_patient_so_that_it_still_calls(database: Database, maria: Person) -> None:
    meter = maria.devices[Kind.GLUCOSE][1]
    settle(database, [_message(glucose(Absent.POSITIVE_INFINITY, NOW, address=meter))], now=NOW)
    (row,) = _rows(database, "select * from held")
    assert (row["reason"], row["patient_id"], row["judged_at"]) == (Reason.METER_HIGH, maria.id, None)
    assert row["item"]["reading"]["quantities"]["glucose"]["absent"] == "+inf"


def test_a_context_that_comes_later_completes_its_reading(database: Database, maria: Person) -> None:
    meter = maria.devices[Kind.GLUCOSE][1]
    alone = glucose(250, NOW, address=meter)
    whole = alone.model_copy(update={"raw_context": "0201", "context": {"meal": "fasting"}})
    settle(database, [_message(alone)], now=NOW)
    assert _outcomes(settle(database, [_message(whole, first_seq=2)], now=NOW)) == {2: "duplicate"}
    (row,) = _rows(database, "select * from reading")
    assert (row["context"], row["raw_context"]) == ({"meal": "fasting"}, b"\x02\x01")
    assert _rows(database, "select count from patient_news") == [{"count": 2}]


def test_a_gateway_nobody_registered_is_kept_and_used_once_it_is(
    database: Database, clinic: Clinic, maria: Person
) -> None:
    stranger = "gw-stranger"
    squeezes = [pressure(120 + n, 80, NOW - timedelta(minutes=n), address=_cuff(maria)) for n in range(2)]
    outcomes = settle(database, [_message(*squeezes, gateway_id=stranger)], now=NOW)
    assert _outcomes(outcomes) == {1: "quarantined", 2: "quarantined"}
    assert {row["practice_id"] for row in _rows(database, "select practice_id from held")} == {0}
    admin = Actor(clinic.staff("ada", "admin"), clinic.practice_id, Role.ADMIN, "Ada")
    with database.transaction() as connection:
        register_gateway(connection, stranger, practice_id=clinic.practice_id, label="Home", now=NOW)
        assert held.look_again(connection, gateway_id=stranger, actor=admin, now=NOW).admitted == 2
    assert {row["patient_id"] for row in _rows(database, "select patient_id from reading")} == {maria.id}


def test_a_gateway_that_is_registered_while_its_readings_come_leaves_none_behind(
    database: Database, clinic: Clinic, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch has seen that nobody claims the gateway, and holds its readings for nobody, when somebody claims it."""
    stranger = "gw-stranger"
    admin = Actor(clinic.staff("ada", "admin"), clinic.practice_id, Role.ADMIN, "Ada")

    def register() -> None:
        with database.transaction() as connection:
            register_gateway(connection, stranger, practice_id=clinic.practice_id, label="Home", now=NOW)
            held.look_again(connection, gateway_id=stranger, actor=admin, now=NOW)

    registration = threading.Thread(target=register)
    look_up = known.known_of

    def slowly(*arguments: Any, **named: Any) -> Any:
        found = look_up(*arguments, **named)
        registration.start()
        registration.join(timeout=1)
        return found

    squeeze = pressure(195, 100, NOW, address=_cuff(maria))
    with database.transaction() as connection:
        meet(connection, [stranger], now=NOW)
    monkeypatch.setattr("rpm.ingest.batch.known_of", slowly)
    settle(database, [_message(squeeze, gateway_id=stranger)], now=NOW)
    registration.join()
    assert _rows(database, "select practice_id from held where state = 'held'") == []
    assert _rows(database, "select patient_id from reading") == [{"patient_id": maria.id}]


def test_what_gateways_tell_of_themselves(database: Database, clinic: Clinic) -> None:
    def told(*messages: Status | Event, at: datetime) -> None:
        channels = {Status: Channel.STATUS, Event: Channel.EVENTS}
        each = [Message(topic(m.gateway_id, channels[type(m)]), m.model_dump_json().encode()) for m in messages]
        assert settle(database, each, now=at) == []

    heartbeat = Status(gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=NOW, version="1.2", outbox_depth=3)
    battery = Event(gateway_id=GATEWAY, at=NOW, name="battery", address=None, value=12.0)
    told(heartbeat, battery, battery, at=NOW)
    told(heartbeat.model_copy(update={"sent_at": NOW - timedelta(hours=1), "outbox_depth": 99}), at=NOW)
    told(Status(gateway_id=GATEWAY, kind=StatusKind.WILL), at=NOW + timedelta(minutes=1))
    with database.transaction() as connection:
        found = {each.id: each for each in list_gateways(connection, practice_id=clinic.practice_id)}
    home = found[GATEWAY]
    assert (home.kind, home.version, home.outbox_depth, home.heard_at) == ("will", "1.2", 3, NOW)
    assert home.event_name == "battery"
    assert _count(database, "gateway_event") == 1
    assert found[OTHER_GATEWAY].heard_at is None


@pytest.mark.usefixtures("clinic")
def test_a_gateway_whose_clock_ran_ahead_is_heard_again(database: Database) -> None:
    """A box that started without the right time said so from the future: what it says since is not old."""

    def says(sent_at: datetime, depth: int, *, at: datetime) -> None:
        status = Status(gateway_id=GATEWAY, kind=StatusKind.HEARTBEAT, sent_at=sent_at, outbox_depth=depth)
        settle(database, [Message(topic(GATEWAY, Channel.STATUS), status.model_dump_json().encode())], now=at)

    later = NOW + timedelta(minutes=5)
    says(NOW + timedelta(days=400), 1, at=NOW)
    says(later, 2, at=later)
    (row,) = _rows(database, "select heard_at, sent_at, outbox_depth from gateway_status")
    assert row == {"heard_at": later, "sent_at": later, "outbox_depth": 2}


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
    message = _message(*(pressure(120 + n, 80, NOW, address=_cuff(maria)) for n in range(5)))
    faulty = _FaultyDatabase(database.dsn)
    faulty.open()
    faulty.committed = committed
    with pytest.raises(DatabaseUnavailable):
        settle(faulty, [message], now=NOW)
    faulty.close()
    assert _count(database, "reading") == (5 if committed else 0)
    outcomes = settle(database, [message], now=NOW)
    assert set(_outcomes(outcomes).values()) == {"duplicate" if committed else "stored"}
    assert _count(database, "reading") == 5
    assert _count(database, "delivery") == 5


def test_a_rival_who_settles_a_row_first_is_noticed(
    database: Database, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have seen that nobody settled it; what bears no reading's name is held twice unless its delivery tells."""
    item = UndecodedItem(
        seq=1, address=_cuff(maria), characteristic="2A35", raw="0aff", received_at=NOW, reason="too short"
    )
    message = Message(
        topic(GATEWAY, Channel.READINGS),
        ReadingBatch(gateway_id=GATEWAY, epoch=EPOCH, undecoded=(item,)).model_dump_json().encode(),
    )
    look_up = deliveries.settled
    rivals = [threading.Thread(target=settle, args=(database, [message]), kwargs={"now": NOW})]

    def look_up_and_dawdle(connection: Connection, rows: Collection[OutboxRow]) -> dict[OutboxRow, Settled]:
        found = look_up(connection, rows)
        if rivals:
            rival = rivals.pop()
            rival.start()
            rival.join()
        return found

    monkeypatch.setattr(deliveries, "settled", look_up_and_dawdle)
    assert _outcomes(settle(database, [message], now=NOW)) == {1: "quarantined"}
    assert _count(database, "held") == 1
    assert _count(database, "delivery") == 1


def test_two_workers_with_the_same_rows_store_them_once(database: Database, maria: Person) -> None:
    squeezes = [pressure(100 + n % 80, 60, NOW - timedelta(minutes=n), address=_cuff(maria)) for n in range(300)]
    messages = [_message(squeeze, first_seq=seq) for seq, squeeze in enumerate(squeezes, start=1)]
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
    assert _count(database, "reading") == 300
    assert _count(database, "observation") == 1200
    assert _rows(database, "select sum(count)::int as n from patient_news") == [{"n": 300}]


def test_what_is_receipted_is_on_the_disk_whatever_the_server_was_told(database: Database) -> None:
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(f"alter database {connection.info.dbname} set synchronous_commit = off".encode())
    fresh = Database(database.dsn)
    fresh.open()
    with fresh.transaction() as connection:
        assert connection.execute("show synchronous_commit").fetchone() == {"synchronous_commit": "on"}
    fresh.close()
