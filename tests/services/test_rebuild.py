"""Everything rebuilt from the raw archive is, row for row, what it was (F34).

Method: a clinic lives through what goes wrong in one: late and repeated readings, unlikely ones, boxes and devices nobody
knew, a cuff that changes hands, mistakes that are put right. Then its archive is gone through again into an empty database.
"""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from rpm.__main__ import build
from rpm.access import Actor, Role
from rpm.confirmation import How
from rpm.errors import UserError
from rpm.ingest import replay
from rpm.ingest.batch import settle
from rpm.ingest.reasons import CLAIMABLE, RELEASABLE
from rpm.ingest.unpack import Message
from rpm.jobs import rollup
from rpm.rebuild import rebuild, told
from rpm.store import confirming, corrections, devices, held
from rpm.store.database import Database
from rpm.store.gateways import register_gateway
from schemas.codes import Kind
from schemas.messages import Channel, topic
from schemas.reading import Reading
from tests.services.settling import GATEWAY, count_of, cuff_of, message_of, rows_of, two_homes
from tests.support.clinic import Person
from tests.support.database import TEMPLATE, DatabaseServer
from tests.support.readings import pressure, weight

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
STRANGER = "C0:00:00:00:99:01"
#: A cuff of the practice that nobody had registered.
SPARE = "C0:00:00:00:99:02"


class Practice:
    """A clinic with two patients, and a nurse and an administrator who decide."""

    def __init__(self, database: Database) -> None:
        self.database, self.now = database, NOW
        self.clinic = two_homes(database)
        self.maria = self.clinic.patient("Maria", "Alvarez")
        self.jose = self.clinic.patient("José", "Alvarez", zone="America/Denver")
        practice_id = self.clinic.practice_id
        self.rosa = Actor(self.clinic.staff("rosa"), practice_id, Role.NURSE, "Rosa")
        self.boss = Actor(self.clinic.staff("boss", "admin"), practice_id, Role.ADMIN, "Boss")
        self.seq = 0

    def send(self, *readings: Reading, gateway_id: str = GATEWAY) -> Message:
        """Readings in one message, settled as they come; the message, to be sent again."""
        message = message_of(*readings, gateway_id=gateway_id, first_seq=self.seq + 1)
        self.seq += len(readings)
        self.settle(message)
        return message

    def settle(self, *messages: Message) -> None:
        self.now += timedelta(seconds=7)
        settle(self.database, messages, now=self.now)

    def act(self, verb: Any, *what: Any, by: Actor | None = None, **facts: Any) -> Any:
        """One decision of a person, at its own instant."""
        self.now += timedelta(minutes=1)
        with self.database.transaction() as connection:
            return verb(connection, *what, **facts, actor=by or self.rosa, now=self.now)

    def held(self, reading: Reading) -> int:
        return rows_of(self.database, "select id from held where reading_id = %s", reading.reading_id)[0]["id"]

    def squeeze(self, person: Person, systolic: float, *, hours_ago: float = 0, address: str = "") -> Reading:
        at = self.now - timedelta(hours=hours_ago)
        return pressure(systolic, 78, at, address=address or cuff_of(person))


@pytest.fixture
def practice(database: Database) -> Practice:
    return Practice(database)


def _write_down(practice: Practice, address: str, person: Person) -> None:
    """Register a cuff as somebody's since before, and in use."""
    with practice.database.transaction() as connection:
        device_id = devices.register_device(
            connection, practice_id=practice.clinic.practice_id, address=address, kind=Kind.BLOOD_PRESSURE,
            label="Cuff", now=practice.now,
        )  # fmt: skip
    since = practice.now - timedelta(days=2)
    practice.act(devices.assign, device_id=device_id, patient_id=person.id, start=since)
    with practice.database.transaction() as connection:
        connection.execute("update device_assignment set pending = false where device_id = %s", [device_id])


def live_through(practice: Practice) -> None:
    """A history with everything in it that makes one reading unlike another."""
    maria, jose, now = practice.maria, practice.jose, NOW
    first = practice.squeeze(maria, 131, hours_ago=2)
    message = practice.send(
        first, practice.squeeze(jose, 144, hours_ago=30), practice.squeeze(maria, 128, hours_ago=90)
    )
    practice.settle(message, message)  # the receipt was lost
    practice.send(practice.squeeze(maria, 135), first)  # and one in another row of the outbox
    scale = maria.devices[Kind.BODY_WEIGHT][1]
    practice.settle(
        message_of(*(weight(81 + n / 10, now - timedelta(days=9 - n), address=scale) for n in range(5)), first_seq=100),
        Message(topic(GATEWAY, Channel.READINGS), b'{"v": 1, "half": '),
        message_of(practice.squeeze(maria, 127).model_copy(update={"context": {"meal": "\0"}}), first_seq=120),
    )
    leap = weight(109.5, now - timedelta(hours=1), address=scale)
    unlikely, dog = practice.squeeze(maria, 281), practice.squeeze(jose, 299)
    practice.send(leap, unlikely, dog)
    practice.act(held.release, practice.held(unlikely), note="she was running")
    practice.act(held.void, practice.held(dog), note="the dog’s")
    # A device nobody has registered is claimed, with what it measured before.
    strange = [practice.squeeze(maria, 122 + n, hours_ago=n, address=STRANGER) for n in range(3)]
    practice.send(*strange)
    practice.act(held.claim, practice.held(strange[1]), patient_id=maria.id, start=now - timedelta(days=1), end=None)
    practice.send(practice.squeeze(maria, 126, address=STRANGER))
    # The cuff goes to José; one that was measured meanwhile comes late, one waits until he has read its number off.
    cuff, address = maria.devices[Kind.BLOOD_PRESSURE]
    (use,) = rows_of(practice.database, "select id from device_assignment where device_id = %s", cuff)
    hers = practice.squeeze(maria, 133, address=address)
    practice.now += timedelta(hours=5)
    practice.act(devices.return_device, assignment_id=use["id"], at=practice.now)
    practice.act(devices.wipe, device_id=cuff, assignment_id=use["id"], how=devices.Wiping.CLEARED)
    given = practice.act(devices.assign, device_id=cuff, patient_id=jose.id, start=practice.now)
    # A cuff that came to the house before the practice had written it down; and a time that stays one of the future.
    early = practice.squeeze(jose, 137, address=SPARE)
    practice.send(early, pressure(138, 84, practice.now + timedelta(hours=1), address=cuff_of(jose)))
    practice.now += timedelta(hours=3)
    _write_down(practice, SPARE, jose)
    practice.act(replay.replay_one, practice.held(early), why="the cuff is his")
    his = pressure(151, 88, practice.now, address=address)
    practice.send(his, hers)
    practice.act(confirming.confirm, given, device_id=cuff, held_id=practice.held(his), how=How.PATIENT, said="151")
    # A box whose practice says so only after it has sent.
    strays = [practice.squeeze(jose, 140 + n) for n in range(2)]
    practice.send(*strays, gateway_id="gw-home-late")
    with practice.database.transaction() as connection:
        practice.now += timedelta(minutes=1)
        register_gateway(
            connection, "gw-home-late", practice_id=practice.clinic.practice_id, label="Late", now=practice.now
        )
        held.look_again(connection, gateway_id="gw-home-late", actor=practice.boss, now=practice.now)
    # Mistakes, put right; one twice.
    practice.act(corrections.void, first.reading_id, reason="the cuff slipped")
    practice.act(corrections.move, his.reading_id, patient_id=maria.id, reason="it was hers")
    practice.act(corrections.void, strange[0].reading_id, reason="not hers either")
    practice.act(corrections.restore, first.reading_id, reason="it did not")
    practice.settle(message)
    with practice.database.transaction() as connection:
        connection.execute("update patient set time_zone = 'America/Phoenix' where id = %s", [jose.id])
    while rollup.run_once(practice.database).more:
        pass


def test_after_a_mixed_history_every_table_is_the_same(practice: Practice, target: Database) -> None:
    live_through(practice)
    rebuilt = rebuild(practice.database.dsn, target)
    assert rebuilt.differences == []
    assert {name: table.rows > 0 for name, table in rebuilt.after.items()} == dict.fromkeys(rebuilt.after, True)
    states = rows_of(target, "select state, count(*) as n from held group by state")
    assert {row["state"]: row["n"] for row in states} == {
        "claimed": 6,
        "released": 1,
        "replayed": 1,
        "void": 1,
        "held": 4,
    }
    assert (rebuilt.reach.without, rebuilt.left_out) == (0, 0)


def test_a_changed_value_is_found(practice: Practice, target: Database) -> None:
    live_through(practice)
    with practice.database.transaction() as connection:
        connection.execute("update observation set value = value + 1 where value = 131")
    assert rebuild(practice.database.dsn, target).differences == ["a row of table observation is not as it was"]
    assert count_of(target, "observation where value = 131") == 1, "the archive knows better"


def test_what_the_archive_no_longer_has_is_said(practice: Practice, target: Database) -> None:
    practice.send(practice.squeeze(practice.maria, 131), practice.squeeze(practice.jose, 141))
    with practice.database.transaction() as connection:
        connection.execute("delete from message")
    kept = practice.squeeze(practice.maria, 132)
    practice.send(kept)
    stored = rows_of(practice.database, "select reading_id from reading order by measured_at")
    practice.act(corrections.void, stored[0]["reading_id"], reason="wrong")
    rebuilt = rebuild(practice.database.dsn, target)
    assert (rebuilt.reach.without, rebuilt.left_out) == (2, 1)
    assert "2 readings came by none that still is, and 1 decisions" in "\n".join(told(rebuilt))
    assert [row["reading_id"] for row in rows_of(target, "select reading_id from reading")] == [kept.reading_id]


_STEP = st.tuples(
    st.sampled_from(("send", "send", "again", "void", "restore", "move", "hand over", "release", "claim", "roll up")),
    st.integers(0, 11),
)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(_STEP, min_size=6, max_size=24))
def test_whatever_the_order_the_archive_gives_the_same(
    database_server: DatabaseServer, steps: list[tuple[str, int]]
) -> None:
    names = [database_server.create(template=TEMPLATE) for _ in range(2)]
    opened = [Database(database_server.dsn(name)).open() for name in names]
    try:
        practice = Practice(opened[0])
        for verb, number in steps:
            # Who is refused something has changed nothing.
            with suppress(UserError):
                take_step(practice, verb, number)
        while rollup.run_once(practice.database).more:
            pass
        assert rebuild(practice.database.dsn, opened[1]).differences == []
    finally:
        for each, name in zip(opened, names, strict=True):
            each.close()
            database_server.drop(name)


def take_step(practice: Practice, verb: str, number: int) -> None:
    """One thing that happens; nothing, where it cannot happen now."""
    people = (practice.maria, practice.jose)
    stored = rows_of(
        practice.database, "select reading_id, patient_id, voided_at from reading order by seq, measured_at"
    )
    waiting = rows_of(practice.database, "select id, reason, measured_at from held where state = 'held' order by id")
    if verb == "send":
        systolic, address = 100 + 18 * number, STRANGER if number % 4 == 3 else cuff_of(people[number % 2])
        practice.send(
            practice.squeeze(people[0], systolic, hours_ago=3 * number, address=address),
            practice.squeeze(people[0], 118, hours_ago=number / 2, address=address),
        )
    elif verb == "again":
        sent = rows_of(practice.database, "select topic, payload from message order by settled_no, place")
        if sent:
            chosen = sent[number % len(sent)]
            practice.settle(Message(chosen["topic"], bytes(chosen["payload"])))
    elif verb == "hand over":
        hand_over(practice, people[number % 2], people[1 - number % 2])
    elif verb == "roll up":
        rollup.run_once(practice.database, limit=number + 1)
    elif verb == "release" and (unlikely := [row for row in waiting if row["reason"] in RELEASABLE]):
        practice.act(held.release, unlikely[number % len(unlikely)]["id"])
    elif verb == "claim" and (strays := [row for row in waiting if row["reason"] in CLAIMABLE]):
        one = strays[number % len(strays)]
        start = one["measured_at"] - timedelta(hours=number)
        practice.act(held.claim, one["id"], patient_id=people[number % 2].id, start=start, end=None)
    elif verb in {"void", "restore", "move"} and stored:
        correct(practice, verb, stored[number % len(stored)])


def hand_over(practice: Practice, giver: Person, taker: Person) -> None:
    """A cuff goes to the other; its first reading is not confirmed yet."""
    cuff, _ = giver.devices[Kind.BLOOD_PRESSURE]
    uses = rows_of(
        practice.database, "select id from device_assignment where device_id = %s and upper(during) is null", cuff
    )
    practice.now += timedelta(hours=1)
    for use in uses:
        practice.act(devices.return_device, assignment_id=use["id"], at=practice.now)
    practice.act(devices.assign, device_id=cuff, patient_id=taker.id, start=practice.now)


def correct(practice: Practice, verb: str, reading: dict[str, Any]) -> None:
    name: UUID = reading["reading_id"]
    if verb == "move":
        to = practice.jose if reading["patient_id"] == practice.maria.id else practice.maria
        practice.act(corrections.move, name, patient_id=to.id, reason="the other’s")
    elif (reading["voided_at"] is None) == (verb == "void"):
        practice.act(getattr(corrections, verb), name, reason="a mistake")


def test_the_command_prints_both_and_its_status_says_whether_they_differ(
    practice: Practice, target: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    live_through(practice)
    monkeypatch.setenv("RPM_DSN", practice.database.dsn)
    runner = CliRunner()
    asked = ["rebuild", "--from-raw", "--compare", "--into", target.dsn]
    done = runner.invoke(build(), asked, standalone_mode=False)
    assert (done.return_value, done.output.count("same"), done.output.count("DIFFERENT")) == (0, 8, 0)
    again = runner.invoke(build(), asked, standalone_mode=False)
    assert "not empty" in str(again.exception)
