"""What is held and what people decide about it: each decision is made once, kept to its practice, and written down.

The command line is tried as a person would, as a program of its own; the pages have their own tests.
"""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store import devices, held, holding
from rpm.store.database import Database
from schemas.codes import Kind
from schemas.reading import Reading
from tests.support.clinic import Clinic, Person
from tests.support.readings import batch, pressure, weight

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
UNKNOWN = "C0:00:00:00:99:99"


class Desk:
    """A clinic, a nurse, and what she has before her."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clinic = Clinic(database, now=NOW)
        self.maria = self.clinic.patient("Maria", "Alvarez")
        self.rosa = Actor(self.clinic.staff("rosa"), self.clinic.practice_id, Role.NURSE, "Rosa")
        self._seq = 0

    def receives(self, *readings: Reading) -> list[int]:
        """The numbers of what is newly held of these readings, in their order."""
        before = {row["id"] for row in self.rows("select id from held")}
        message = batch(self.clinic.gateway_id, *readings, first_seq=self._seq + 1)
        self._seq += len(readings)
        settle(self.database, [Message(*message)], now=NOW)
        by_name = {row["reading_id"]: row["id"] for row in self.rows("select id, reading_id from held")}
        found = [by_name.get(reading.reading_id) for reading in readings]
        return [number for number in found if number is not None and number not in before]

    def numbers(self) -> list[int]:
        with self.database.transaction() as connection:
            return [each.id for each in holding.list_held(connection, actor=self.rosa)]

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def audited(self) -> list[tuple[str, int | None]]:
        return [(row["action"], row["patient_id"]) for row in self.rows("select * from audit order by id")]

    def release(self, number: int) -> None:
        with self.database.transaction() as connection:
            held.release(connection, number, actor=self.rosa, now=NOW)

    def void(self, number: int) -> None:
        with self.database.transaction() as connection:
            held.void(connection, number, actor=self.rosa, note="the grandson's", now=NOW)

    def claim(self, number: int, person: Person, start: datetime, end: datetime | None = None) -> held.Claimed:
        with self.database.transaction() as connection:
            return held.claim(connection, number, patient_id=person.id, start=start, end=end, actor=self.rosa, now=NOW)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


def _unlikely(desk: Desk, systolic: float = 270) -> Reading:
    return pressure(systolic, 130, NOW - timedelta(minutes=5), address=desk.maria.devices[Kind.BLOOD_PRESSURE][1])


def test_a_released_reading_is_used_and_marked(desk: Desk) -> None:
    reading = _unlikely(desk)
    (number,) = desk.receives(reading)
    desk.release(number)
    (row,) = desk.rows("select * from reading")
    whose = reading.reading_id, desk.rosa.staff_id, desk.maria.id
    assert (row["reading_id"], row["released_by"], row["patient_id"]) == whose
    assert {row["quality"] & 16 for row in desk.rows("select quality from observation")} == {16}
    assert desk.rows("select patient_id from patient_news") == [{"patient_id": desk.maria.id}]
    (decided,) = desk.rows("select * from held")
    assert (decided["state"], decided["decided_by"]) == ("released", desk.rosa.staff_id)
    assert desk.audited() == [("released a held reading", desk.maria.id)]
    assert desk.numbers() == []


@pytest.mark.parametrize("reading", [pressure(400, 130, NOW), weight(700, NOW)])
def test_the_impossible_cannot_be_released(desk: Desk, reading: Reading) -> None:
    address = desk.maria.devices[reading.kind][1]
    moved = reading.model_copy(update={"device": reading.device.model_copy(update={"address": address})})
    (number,) = desk.receives(moved.model_copy(update={"reading_id": moved.derived_id()}))
    with pytest.raises(UserError, match=r"cannot be released\. The value is outside"):
        desk.release(number)
    desk.void(number)
    assert desk.rows("select * from reading") == []


def test_a_decision_is_made_once(desk: Desk) -> None:
    (number,) = desk.receives(_unlikely(desk))
    desk.void(number)
    for again in (desk.release, desk.void):
        with pytest.raises(UserError, match="decided before: void"):
            again(number)
    assert len(desk.audited()) == 1


def test_a_voided_reading_stays_void_when_it_is_sent_again(desk: Desk) -> None:
    reading = _unlikely(desk)
    (number,) = desk.receives(reading)
    desk.void(number)
    assert desk.receives(reading) == []
    assert desk.rows("select state, decision from held") == [{"state": "void", "decision": "the grandson's"}]


def test_another_practices_reading_is_not_there(desk: Desk, database: Database) -> None:
    (number,) = desk.receives(_unlikely(desk))
    other = Clinic(database, now=NOW, name="Elsewhere")
    stranger = Actor(other.staff("sam", "admin"), other.practice_id, Role.ADMIN, "Sam")
    with database.transaction() as connection:
        assert holding.list_held(connection, actor=stranger) == []
        with pytest.raises(UserError, match="there is no held reading"):
            holding.show(connection, number, actor=stranger)
        with pytest.raises(UserError, match="there is no held reading"):
            held.release(connection, number, actor=stranger, now=NOW)


def _strays(count: int, **more: Any) -> list[Reading]:
    return [pressure(120 + n, 80, NOW - timedelta(days=n), address=UNKNOWN, **more) for n in range(count)]


def test_a_claim_assigns_the_device_and_brings_everything_of_that_time(desk: Desk) -> None:
    numbers = desk.receives(*_strays(5))
    assert len(numbers) == 5
    done = desk.claim(numbers[0], desk.maria, NOW - timedelta(days=2, hours=12))
    assert (done.admitted, done.still_held) == (3, 0)
    assert {row["patient_id"] for row in desk.rows("select patient_id from reading")} == {desk.maria.id}
    assert desk.rows("select count(*) as n from reading") == [{"n": 3}]
    assert len(desk.numbers()) == 2
    (device,) = desk.rows("select * from device where address = %s", UNKNOWN)
    (use,) = desk.rows("select lower(during) as since from device_assignment where device_id = %s", device["id"])
    assert use["since"] == NOW - timedelta(days=2, hours=12)
    assert [action for action, _ in desk.audited()] == ["assigned a device", "claimed a held reading"]
    # What the device measures from now on is hers without anybody's doing.
    assert desk.receives(pressure(119, 79, NOW, address=UNKNOWN)) == []


def test_a_claim_for_one_user_leaves_the_others(desk: Desk) -> None:
    mine, other = (
        pressure(120, 80, NOW, address=UNKNOWN, user_slot=1),
        pressure(130, 80, NOW, address=UNKNOWN, user_slot=2),
    )
    numbers = desk.receives(mine, other)
    done = desk.claim(numbers[0], desk.maria, NOW - timedelta(days=1))
    assert (done.admitted, done.still_held) == (1, 0)
    assert len(desk.numbers()) == 1


def test_a_claim_leaves_what_another_practice_holds_of_the_same_device(desk: Desk, database: Database) -> None:
    other = Clinic(database, now=NOW, name="Elsewhere")
    theirs, mine = _strays(2)
    settle(database, [Message(*batch(other.gateway_id, theirs))], now=NOW)
    (number,) = desk.receives(mine)
    done = desk.claim(number, desk.maria, NOW - timedelta(days=10))
    assert (done.admitted, done.still_held) == (1, 0)
    assert desk.rows("select practice_id, state from held order by id") == [
        {"practice_id": other.practice_id, "state": "held"},
        {"practice_id": desk.clinic.practice_id, "state": "claimed"},
    ]


def test_a_claimed_value_must_still_be_plausible(desk: Desk) -> None:
    numbers = desk.receives(*_strays(1), pressure(290, 140, NOW - timedelta(minutes=1), address=UNKNOWN))
    done = desk.claim(numbers[0], desk.maria, NOW - timedelta(days=1))
    assert (done.admitted, done.still_held) == (1, 1)
    (row,) = desk.rows("select * from held where state = 'held'")
    assert (row["why"], row["reason"], row["patient_id"]) == ("quarantined", "value_implausible", desk.maria.id)


def test_a_claim_must_hold_the_reading_and_collide_with_nobody(desk: Desk) -> None:
    (number,) = desk.receives(*_strays(1))
    with pytest.raises(UserError, match="does not hold the reading"):
        desk.claim(number, desk.maria, NOW + timedelta(hours=1))
    desk.claim(number, desk.maria, NOW - timedelta(hours=1), NOW + timedelta(hours=1))
    tom = desk.clinic.patient("Tom", "Weiss", measures=False)
    (old,) = desk.receives(pressure(140, 90, NOW - timedelta(hours=2), address=UNKNOWN))
    with pytest.raises(UserError, match="someone uses this device in that time already"):
        desk.claim(old, tom, NOW - timedelta(hours=3))
    assert desk.claim(old, tom, NOW - timedelta(hours=3), NOW - timedelta(hours=1)).admitted == 1


def test_a_reading_that_does_not_say_which_of_two_is_claimed_alone(desk: Desk) -> None:
    device_id, address = desk.maria.devices[Kind.BLOOD_PRESSURE]
    with desk.database.transaction() as connection:
        connection.execute("update device set single_person = false where id = %s", [device_id])
    numbers = desk.receives(*(pressure(120 + n, 80, NOW - timedelta(hours=n), address=address) for n in range(2)))
    done = desk.claim(numbers[0], desk.maria, NOW - timedelta(days=1))
    assert (done.admitted, done.assignment_id) == (1, None)
    assert desk.numbers() == numbers[1:]


def test_a_claim_for_another_practices_patient(desk: Desk, database: Database) -> None:
    stranger = Clinic(database, now=NOW, name="Elsewhere").patient("Sue", "Other", measures=False)
    (number,) = desk.receives(*_strays(1))
    with pytest.raises(UserError, match="no such patient"):
        desk.claim(number, stranger, NOW - timedelta(days=1))


def _cli(dsn: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RPM_DSN": dsn}
    return subprocess.run(
        [sys.executable, "-m", "rpm", "quarantine", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line(desk: Desk) -> None:
    first, second = desk.receives(_unlikely(desk), _unlikely(desk, 280))
    dsn = desk.database.dsn
    listed = _cli(dsn, "list", "--as", "rosa")
    assert listed.returncode == 0, listed.stderr
    assert str(first) in listed.stdout
    assert "Alvarez" not in listed.stdout
    shown = _cli(dsn, "show", str(first), "--as", "rosa")
    assert "can be: release, replay, void" in shown.stdout
    assert _cli(dsn, "release", str(first), "--as", "rosa").returncode == 0
    assert _cli(dsn, "void", str(second), "--as", "rosa", "--note", "cuff upside down").returncode == 0
    assert [action for action, _ in desk.audited()] == [
        "saw held readings",
        "saw held readings",
        "released a held reading",
        "voided a held reading",
    ]
    again = _cli(dsn, "void", str(second), "--as", "rosa")
    assert (again.returncode, again.stderr) == (2, f"rpm-cloud: reading {second} was decided before: void\n")
    nobody = _cli(dsn, "list", "--as", "nobody")
    assert nobody.returncode == 2
    assert nobody.stderr.count("\n") == 1
    desk.clinic.staff("sam", "support")
    for verb in (("list",), ("show", str(first))):
        refused = _cli(dsn, *verb, "--as", "sam")
        assert (refused.returncode, refused.stdout) == (2, ""), "who looks after boxes sees nothing that was measured"


def _assigned(desk: Desk, person: Person, start: datetime, *, confirmed: bool = False) -> None:
    with desk.database.transaction() as connection:
        device_id = devices.register_device(
            connection,
            practice_id=desk.clinic.practice_id,
            address=UNKNOWN,
            kind=Kind.BLOOD_PRESSURE,
            label="Cuff",
            now=NOW,
        )
        devices.assign(connection, device_id=device_id, patient_id=person.id, start=start, actor=desk.rosa, now=NOW)
        connection.execute("update device_assignment set pending = %s where device_id = %s", [not confirmed, device_id])


def test_what_came_before_its_device_was_assigned_can_still_be_claimed(desk: Desk) -> None:
    """The kit is switched on first and assigned afterwards, on the devices page, from the day it was handed over."""
    numbers = desk.receives(*_strays(3))
    _assigned(desk, desk.maria, NOW - timedelta(days=10))
    done = desk.claim(numbers[0], desk.maria, NOW - timedelta(days=3))
    assert (done.admitted, done.still_held, done.assignment_id) == (3, 0, None)
    assert {row["patient_id"] for row in desk.rows("select patient_id from reading")} == {desk.maria.id}
    assert desk.numbers() == []


def test_what_came_before_its_device_was_assigned_is_nobody_elses(desk: Desk) -> None:
    (number,) = desk.receives(*_strays(1))
    _assigned(desk, desk.maria, NOW - timedelta(days=10))
    tom = desk.clinic.patient("Tom", "Weiss", measures=False)
    with pytest.raises(UserError, match="someone uses this device in that time already"):
        desk.claim(number, tom, NOW - timedelta(days=3))
    assert desk.rows("select * from reading") == []


def test_a_voided_reading_stays_void_when_its_device_is_assigned_later(desk: Desk) -> None:
    """The grandson's, set aside by a nurse; the cuff tells it again once it is Maria's."""
    (reading,) = _strays(1)
    (number,) = desk.receives(reading)
    desk.void(number)
    _assigned(desk, desk.maria, NOW - timedelta(days=10), confirmed=True)
    assert desk.receives(reading) == []
    assert desk.rows("select * from reading") == []
    assert desk.rows("select outcome, count(*)::int as n from delivery group by 1 order by 1") == [
        {"outcome": "quarantined", "n": 1},
        {"outcome": "unassigned", "n": 1},
    ]


def test_a_reading_that_is_used_after_all_waits_for_nobody(desk: Desk) -> None:
    """It came again when its owner was known: nobody is asked any more, and nobody can make it another's."""
    (reading,) = _strays(1)
    (number,) = desk.receives(reading)
    _assigned(desk, desk.maria, NOW - timedelta(days=10), confirmed=True)
    assert desk.receives(reading) == []
    assert desk.rows("select patient_id from reading") == [{"patient_id": desk.maria.id}]
    assert desk.numbers() == []
    with pytest.raises(UserError, match="decided before: released"):
        desk.void(number)


def of_serial(reading: Reading, serial: str) -> Reading:
    return reading.model_copy(update={"device": reading.device.model_copy(update={"serial": serial})})


def test_another_device_at_a_known_address_is_held_until_somebody_vouches_for_it(desk: Desk) -> None:
    """F10: the right address, the wrong serial number; not only its first reading."""
    cuff, address = desk.maria.devices[Kind.BLOOD_PRESSURE]
    at = NOW - timedelta(hours=1)

    def measured(systolic: int, serial: str) -> list[int]:
        when = at + timedelta(minutes=systolic - 120)
        return desk.receives(of_serial(pressure(systolic, 80, when, address=address), serial))

    assert measured(121, "0A0001") == []
    [first] = measured(122, "0B0002")
    [second] = measured(123, "0B0002")
    assert [row["reason"] for row in desk.rows("select reason from held")] == ["another_device"] * 2
    assert desk.rows("select serial from device where id = %s", cuff) == [{"serial": "0A0001"}]
    assert measured(124, "0A0001") == [], "the one that was handed out is heard as before"
    desk.release(first)
    assert measured(125, "0B0002") == [], "it is hers now"
    assert measured(126, "0A0001") != []
    assert second in desk.numbers(), "each reading is its own decision"


def test_a_device_that_is_handed_out_anew_is_known_anew(desk: Desk) -> None:
    cuff, address = desk.maria.devices[Kind.BLOOD_PRESSURE]
    at = NOW - timedelta(hours=1)
    assert desk.receives(of_serial(pressure(121, 80, at, address=address), "0A0001")) == []
    joan = desk.clinic.patient("Joan", "Okafor")
    with desk.database.transaction() as connection:
        devices.assign(connection, device_id=cuff, patient_id=joan.id, user_slot=2, start=at, actor=desk.rosa, now=NOW)
    assert desk.receives(of_serial(pressure(122, 80, at + timedelta(minutes=1), address=address), "0B0002")) == []
    assert desk.rows("select serial from device where id = %s", cuff) == [{"serial": "0B0002"}]
