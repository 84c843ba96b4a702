"""What is held is worked through again as it would be taken in today, and nothing of it is lost by trying (F28, F29).

Method: readings are held for a reason; the reason is mended (a device registered, a version understood, a decoder that reads
what could not be read before); a nurse replays. Tables are looked at with SQL of the test's own.
"""

import json
from collections import Counter
from datetime import timedelta
from itertools import islice

import psycopg
import pytest

from rpm.errors import UserError
from rpm.ingest import replay as replaying
from rpm.ingest.admit import Decision, admit
from rpm.ingest.batch import settle
from rpm.ingest.reasons import Reason
from rpm.ingest.replay import Result, Tried
from rpm.ingest.unpack import Message, Unpacked, unpack
from rpm.store import devices, held
from rpm.store.database import Database
from rpm.store.holding import Wanted
from schemas.codes import Kind
from schemas.reading import Reading
from tests.services.test_held import NOW, UNKNOWN, Desk
from tests.support.clinic import Clinic
from tests.support.commands import command
from tests.support.readings import batch, pressure

LATER = NOW + timedelta(days=2)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def replay(desk: Desk, wanted: Wanted | None = None) -> list[Tried]:
    asked = wanted or Wanted()
    return list(replaying.replay(desk.database, asked, actor=desk.rosa, why="mended", now=LATER))


def strays(count: int) -> list[Reading]:
    return [pressure(120 + n, 80, NOW - timedelta(hours=n), address=UNKNOWN) for n in range(count)]


def registered(desk: Desk) -> None:
    with desk.database.transaction() as connection:
        device_id = devices.register_device(
            connection, practice_id=desk.clinic.practice_id, address=UNKNOWN, kind=Kind.BLOOD_PRESSURE, label="Cuff",
            now=NOW,
        )  # fmt: skip
        devices.assign(
            connection, device_id=device_id, patient_id=desk.maria.id, start=NOW - timedelta(days=9), actor=desk.rosa,
            now=NOW,
        )  # fmt: skip
        connection.execute("update device_assignment set pending = false")


def test_a_device_that_was_registered_since(desk: Desk) -> None:
    first, second = strays(2)
    numbers = desk.receives(first, second)
    assert {one.result for one in replay(desk)} == {Result.STILL_HELD}
    registered(desk)
    assert replay(desk, Wanted(reason=Reason.VALUE_IMPLAUSIBLE)) == []
    tried = replay(desk, Wanted(reason=Reason.UNKNOWN_DEVICE))
    assert [(one.held_id, one.result) for one in tried] == [(number, Result.STORED) for number in sorted(numbers)]
    stored = desk.rows("select * from reading order by measured_at desc")
    assert [(row["reading_id"], row["received_at"], row["admitted_at"], row["late"]) for row in stored] == [
        (one.reading_id, one.received_at, LATER, True) for one in (first, second)
    ]
    kept = desk.rows(
        "select message.received_at, reading.item_place from reading join message on message.settled_no ="
        " reading.settled_no and message.place = reading.message_place order by reading.item_place"
    )
    assert kept == [{"received_at": NOW, "item_place": 0}, {"received_at": NOW, "item_place": 1}]
    decided = desk.rows("select state, decided_by, decision, held_at from held")
    assert (
        decided
        == [{"state": "replayed", "decided_by": desk.rosa.staff_id, "decision": "stored. mended", "held_at": NOW}] * 2
    )
    assert replay(desk) == [], "what is stored is held no more"
    with pytest.raises(UserError, match="decided before: replayed"), desk.database.transaction() as connection:
        replaying.replay_one(connection, numbers[0], actor=desk.rosa, why="", now=LATER)
    assert desk.receives(first) == []
    audited = desk.rows("select detail from audit where action = 'worked through held readings again' order by id")
    assert audited[-1]["detail"] == {
        "first": min(numbers), "last": max(numbers), "stored": 2, "duplicate": 0, "still_held": 0, "patients": [],
    }  # fmt: skip


def test_a_version_that_is_understood_by_now(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    squeezes = [pressure(120 + n, 80, NOW - timedelta(hours=n), address=_cuff(desk)) for n in range(3)]
    topic, payload = batch(desk.clinic.gateway_id, *squeezes)
    newer = json.dumps({**json.loads(payload), "v": 9}).encode()
    settle(desk.database, [Message(topic, newer)], now=NOW)
    assert {one.result for one in replay(desk)} == {Result.STILL_HELD}

    def newer_program(message: Message) -> Unpacked:
        return unpack(Message(message.topic, message.payload.replace(b'"v": 9', b'"v": 1')))

    monkeypatch.setattr(replaying, "unpack", newer_program)
    assert {one.result for one in replay(desk)} == {Result.STORED}
    stored = desk.rows("select reading_id, seq from reading order by seq")
    assert stored == [{"reading_id": one.reading_id, "seq": seq} for seq, one in enumerate(squeezes, start=1)]


def test_a_message_that_nobody_could_read(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its rows come out of it: to store, to hold by themselves, and known by now."""
    squeezes = [pressure(120 + n, 80, NOW - timedelta(hours=n), address=_cuff(desk)) for n in range(3)]
    known = squeezes[0]
    squeezes[2] = pressure(270, 130, NOW, address=_cuff(desk))
    topic, payload = batch(desk.clinic.gateway_id, *squeezes)
    settle(desk.database, [Message(topic, b"~" + payload)], now=NOW)
    settle(desk.database, [Message(*batch(desk.clinic.gateway_id, known, first_seq=9))], now=NOW)
    assert [one.result for one in replay(desk)] == [Result.STILL_HELD]

    def newer_program(message: Message) -> Unpacked:
        return unpack(Message(message.topic, message.payload.removeprefix(b"~")))

    monkeypatch.setattr(replaying, "unpack", newer_program)
    (one,) = replay(desk)
    assert (one.result, one.words) == (Result.STORED, "1 stored, 1 known before, 1 held apart")
    assert len(desk.rows("select 1 from reading")) == 2
    held = desk.rows("select reason, state, settled_no is not null as traced from held order by id")
    assert [(row["reason"], row["state"]) for row in held] == [
        ("unreadable", "replayed"),
        ("value_implausible", "held"),
    ]
    assert all(row["traced"] for row in held)
    outcomes = settle(desk.database, [Message(topic, payload)], now=LATER)
    assert Counter(each.outcome for each in outcomes) == {"duplicate": 2, "quarantined": 1}


def test_what_the_database_refuses_stays_and_the_others_go_on(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    readings = strays(3)
    numbers = desk.receives(*readings)
    registered(desk)

    def refused(reading: Reading, **known: object) -> Decision:
        if reading.reading_id == readings[1].reading_id:
            raise psycopg.DataError
        return admit(reading, **known)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(replaying, "admit", refused)
    assert {one.held_id: one.result for one in replay(desk)} == {
        number: Result.STILL_HELD if number == numbers[1] else Result.STORED for number in numbers
    }
    assert desk.numbers() == [numbers[1]]
    monkeypatch.undo()
    assert [one.result for one in replay(desk)] == [Result.STORED]


def test_cut_off_in_the_middle_it_goes_on_where_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replaying, "BATCH_MAX", 4)
    desk.receives(*strays(10))
    registered(desk)
    going = replaying.replay(desk.database, Wanted(), actor=desk.rosa, why="", now=LATER)
    assert len(list(islice(going, 5))) == 5
    going.close()
    assert len(desk.numbers()) == 2, "two batches are committed, each whole"
    assert len(replay(desk)) == 2
    assert len(desk.rows("select 1 from reading")) == 10


def test_a_replay_says_nothing_that_only_a_person_can_say(desk: Desk) -> None:
    """A value nobody vouched for, a number that bears two readings, and what somebody has set aside."""
    at = NOW - timedelta(hours=3)
    unlikely = pressure(270, 130, at, address=_cuff(desk))
    desk.receives(unlikely)
    settle(
        desk.database, [Message(*batch(desk.clinic.gateway_id, pressure(121, 80, at, address=_cuff(desk))))], now=NOW
    )
    before = desk.rows("select reason, judged_at from held order by id")
    assert [row["reason"] for row in before] == ["value_implausible", "sequence_reused"]
    assert [one.result for one in replay(desk)] == [Result.STILL_HELD] * 2
    assert desk.rows("select reason, judged_at from held order by id") == before
    (gone, _) = desk.numbers()[::-1]
    desk.void(gone)
    assert [one.result for one in replay(desk)] == [Result.STILL_HELD]
    assert desk.rows("select 1 from reading") == []


def test_a_time_of_the_future_does_not_become_true_by_waiting(desk: Desk) -> None:
    """A box whose clock is ahead says tomorrow; two days later that is the past, and as wrong as before."""
    tomorrow = NOW + timedelta(days=1)
    ahead = pressure(140, 90, tomorrow, address=_cuff(desk))
    unlikely = pressure(270, 130, tomorrow, address=_cuff(desk))
    stray = pressure(141, 91, tomorrow, address=UNKNOWN)
    numbers = desk.receives(ahead, unlikely, stray)
    assert len(numbers) == 3
    assert {one.result for one in replay(desk)} == {Result.STILL_HELD}
    with pytest.raises(UserError, match="lies in the future"), desk.database.transaction() as connection:
        held.release(connection, numbers[1], actor=desk.rosa, now=LATER)
    with desk.database.transaction() as connection:
        done = held.claim(
            connection, numbers[2], patient_id=desk.maria.id, start=NOW - timedelta(days=9), end=None, actor=desk.rosa,
            now=LATER,
        )  # fmt: skip
    assert (done.admitted, done.still_held) == (0, 1)
    assert {one.result for one in replay(desk)} == {Result.STILL_HELD}
    assert desk.rows("select 1 from reading union all select 1 from latest") == []


def test_another_practice_replays_nothing_of_it(desk: Desk, database: Database) -> None:
    (number,) = desk.receives(*strays(1))
    registered(desk)
    other = Clinic(database, now=NOW, name="Elsewhere")
    other.staff("eve", "admin")
    dsn = database.dsn
    assert command(dsn, "quarantine", "replay", "--all", "--as", "eve").out == "0 stored, 0 duplicate, 0 still held\n"
    missing = command(dsn, "quarantine", "replay", str(number), "--as", "eve")
    assert (missing.status, missing.err) == (2, f"rpm-cloud: there is no held reading {number}\n")


def test_the_command_line(desk: Desk) -> None:
    dsn = desk.database.dsn
    unlikely = pressure(270, 130, NOW, address=_cuff(desk))
    stray, odd = (*desk.receives(*strays(1)), *desk.receives(unlikely))
    nothing = command(dsn, "quarantine", "replay", "--as", "rosa")
    assert nothing.status == 2
    assert nothing.err.startswith("rpm-cloud: say which: a number, or --reason")
    registered(desk)

    def listed(*options: str) -> list[int]:
        told = command(dsn, "quarantine", "list", "--as", "rosa", "--json", *options).out
        return [json.loads(line)["number"] for line in told.splitlines()]

    assert listed() == [odd, stray]
    assert listed("--limit", "1") == [odd]
    assert listed("--before", str(odd)) == [stray]
    assert listed("--reason", "value_implausible") == [odd]
    assert listed("--device", UNKNOWN) == [stray]
    assert listed("--device", "CUFF") == [odd]
    assert listed("--gateway", "gw-else") == []
    assert listed("--since", "2026-06-11T00:00+00:00") == []
    refused = command(dsn, "quarantine", "list", "--as", "rosa", "--unclaimed")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    told = command(dsn, "quarantine", "replay", "--all", "--as", "rosa", "--json", "--why", "it is Maria's cuff")
    assert [json.loads(line)["result"] for line in told.out.splitlines()] == ["stored", "still held"]
    shown = json.loads(command(dsn, "quarantine", "show", str(stray), "--as", "rosa", "--json").out)
    assert (shown["state"], shown["decision"], shown["decided_by"]) == (
        "replayed",
        "stored. it is Maria's cuff",
        "Rosa",
    )
    assert shown["item"]["reading"]["device"]["address"] == UNKNOWN
    one = command(dsn, "quarantine", "replay", str(odd), "--as", "rosa")
    assert one.out.splitlines()[-1] == "0 stored, 0 duplicate, 1 still held"
    old = command(dsn, "held", "list", "--as", "rosa")
    assert str(odd) in old.out, "as it was called before, for those who wrote it into a script"


def _cuff(desk: Desk) -> str:
    return desk.maria.devices[Kind.BLOOD_PRESSURE][1]
