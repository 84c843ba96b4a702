"""Stored readings that were wrong: what rests on one follows it, nothing is deleted, and what was is still known (F33).

Method: a clinic with readings in a real database, judged by the product's own loops; a random sequence of corrections
is compared with a model that holds nothing but whose each reading is and whether it counts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.store import charts, corrections
from rpm.store.audit import broken_links
from rpm.store.corrections import Kind
from rpm.store.database import Database
from schemas.codes import BY_NAME
from schemas.codes import Kind as Vital
from tests.services.judging import Desk
from tests.support.clinic import Clinic, Person

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
SYSTOLIC = BY_NAME["systolic"].number


class Record:
    """Two people of one practice, and a nurse who corrects what was filed under the wrong one."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clinic = Clinic(database, now=NOW)
        self.maria = self.clinic.patient("Maria", "Alvarez")
        self.jose = self.clinic.patient("José", "Alvarez")
        self.rosa = Actor(self.clinic.staff("rosa"), self.clinic.practice_id, Role.NURSE, "Rosa")

    def void(self, reading: UUID, why: str = "the cuff was on the dog") -> None:
        with self.database.transaction() as connection:
            corrections.void(connection, reading, reason=why, actor=self.rosa, now=NOW)

    def restore(self, reading: UUID, why: str = "it was not") -> None:
        with self.database.transaction() as connection:
            corrections.restore(connection, reading, reason=why, actor=self.rosa, now=NOW)

    def move(self, reading: UUID, to: Person, why: str = "his squeeze") -> None:
        with self.database.transaction() as connection:
            corrections.move(connection, reading, patient_id=to.id, reason=why, actor=self.rosa, now=NOW)

    def latest(self, person: Person) -> float | None:
        with self.database.transaction() as connection:
            newest = charts.latest(connection, practice_id=person.practice_id, patient_id=person.id)
        return next((one.value for one in newest if one.code == SYSTOLIC), None)

    def points(self, person: Person) -> list[float]:
        with self.database.transaction() as connection:
            found = charts.points(
                connection, practice_id=person.practice_id, patient_id=person.id, codes=[SYSTOLIC],
                since=NOW - timedelta(days=60), until=NOW,
            )  # fmt: skip
        return [point.value for point in found]

    def days(self, person: Person) -> int:
        with self.database.transaction() as connection:
            return charts.days_with_readings(
                connection, practice_id=person.practice_id, patient_id=person.id, time_zone="America/New_York",
                since=NOW - timedelta(days=30), until=NOW,
            )  # fmt: skip


@pytest.fixture
def record(database: Database) -> Record:
    return Record(database)


def test_what_is_set_aside_counts_for_nothing_and_stays_visible(record: Record) -> None:
    right = record.clinic.pressure(record.maria, 132, 84, minutes_ago=3 * 24 * 60)
    wrong = record.clinic.pressure(record.maria, 191, 118, minutes_ago=10)
    assert (record.latest(record.maria), record.days(record.maria)) == (191, 2)
    record.void(wrong)
    assert record.points(record.maria) == [132]
    assert (record.latest(record.maria), record.days(record.maria)) == (132, 1)
    with record.database.transaction() as connection:
        lines = charts.readings(
            connection, practice_id=record.maria.practice_id, patient_id=record.maria.id,
            since=NOW - timedelta(days=30), until=NOW,
        )  # fmt: skip
        (said,) = corrections.corrections(connection, wrong, practice_id=record.maria.practice_id)
    assert {line.reading_id: line.voided_at for line in lines} == {right: None, wrong: NOW}
    assert (said.kind, said.reason, said.by) == (Kind.VOID, "the cuff was on the dog", "Rosa")


def test_the_only_reading_set_aside_leaves_no_newest_value(record: Record) -> None:
    only = record.clinic.pressure(record.maria, 132, 84)
    record.void(only)
    assert record.latest(record.maria) is None
    record.restore(only)
    assert (record.latest(record.maria), record.points(record.maria)) == (132, [132])


def test_a_reading_goes_to_whose_it_is(record: Record) -> None:
    record.clinic.pressure(record.maria, 128, 80, minutes_ago=60)
    his = record.clinic.pressure(record.maria, 165, 101, minutes_ago=5)
    record.move(his, record.jose)
    assert (record.points(record.maria), record.latest(record.maria)) == ([128], 128)
    assert (record.points(record.jose), record.latest(record.jose)) == ([165], 165)
    with record.database.transaction() as connection:
        (said,) = corrections.corrections(connection, his, practice_id=record.maria.practice_id)
    assert (said.before[1], said.after[1]) == ("Maria Alvarez", "José Alvarez")


def test_a_red_that_is_moved_calls_for_the_one_it_belongs_to(database: Database) -> None:
    """Her alert tells what became of its reading and stays open; his is opened by the same reading."""
    desk = Desk(database, now=NOW)
    maria, jose = desk.clinic.patient("Maria", "Alvarez"), desk.clinic.patient("José", "Alvarez")
    rosa = Actor(desk.clinic.staff("rosa"), desk.clinic.practice_id, Role.NURSE, "Rosa")
    red = desk.clinic.pressure(maria, 192, 121, minutes_ago=2)
    desk.judge()
    with database.transaction() as connection:
        corrections.move(connection, red, patient_id=jose.id, reason="his", actor=rosa, now=NOW)
    desk.judge()
    with database.transaction() as connection:
        found = connection.execute(
            "select alert.patient_id, alert.status, array_agg(alert_event.kind order by alert_event.id) as life"
            " from alert join alert_event on alert_event.alert_id = alert.id group by alert.id order by alert.id"
        ).fetchall()
    assert [(row["patient_id"], row["status"], row["life"]) for row in found] == [
        (maria.id, "open", ["opened", "reading_corrected"]),
        (jose.id, "open", ["opened"]),
    ]


def test_each_correction_is_refused_where_it_cannot_be(record: Record) -> None:
    reading = record.clinic.pressure(record.maria, 132, 84)
    elsewhere = Clinic(record.database, now=NOW, name="Other Clinic")
    foreign = elsewhere.pressure(elsewhere.patient("Eve", "Foreign"), 150, 90)
    with pytest.raises(UserError, match="not set aside"):
        record.restore(reading)
    with pytest.raises(UserError, match="that patient's already"):
        record.move(reading, record.maria)
    with pytest.raises(UserError, match="no such patient"):
        record.move(reading, elsewhere.patient("Ivo", "Foreign"))
    with pytest.raises(UserError, match="say why"):
        record.void(reading, why=" \n ")
    for verb in (record.void, record.restore):
        with pytest.raises(UserError, match="no such stored reading"):
            verb(foreign)
    record.void(reading)
    with pytest.raises(UserError, match="set aside already"):
        record.void(reading)
    with record.database.transaction() as connection:
        assert not corrections.corrections(connection, foreign, practice_id=elsewhere.practice_id)


def test_both_people_are_in_the_record_of_who_saw_what(record: Record) -> None:
    reading = record.clinic.pressure(record.maria, 132, 84)
    record.move(reading, record.jose)
    with record.database.transaction() as connection:
        rows = connection.execute("select action, patient_id from audit order by id").fetchall()
        assert broken_links(connection) == []
    assert [(row["action"], row["patient_id"]) for row in rows] == [
        ("gave a reading to another patient", record.maria.id),
        ("gave a reading to another patient", record.jose.id),
    ]


@dataclass
class Modelled:
    """All that the model knows of a reading."""

    owner: int
    value: float
    at: datetime
    void: bool = False


_STEPS = st.lists(st.tuples(st.sampled_from(("void", "restore", "move")), st.integers(0, 5)), min_size=1, max_size=12)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=_STEPS)
def test_however_readings_are_corrected_newest_and_chart_follow(record: Record, steps: list[tuple[str, int]]) -> None:
    people = (record.clinic.patient("A", "One"), record.clinic.patient("B", "Two"))
    model: dict[UUID, Modelled] = {}
    for number in range(6):
        at = NOW - timedelta(days=6 - number)
        reading = record.clinic.pressure(people[number % 2], 110 + number, 70, minutes_ago=(6 - number) * 24 * 60)
        model[reading] = Modelled(number % 2, 110 + number, at)
    for verb, number in steps:
        reading, one = list(model.items())[number]
        if verb == "void" and not one.void:
            record.void(reading)
            one.void = True
        elif verb == "restore" and one.void:
            record.restore(reading)
            one.void = False
        elif verb == "move":
            one.owner = 1 - one.owner
            record.move(reading, people[one.owner])
    for place, person in enumerate(people):
        used = sorted((one.at, one.value) for one in model.values() if one.owner == place and not one.void)
        assert record.points(person) == [value for _, value in used]
        assert record.latest(person) == (used[-1][1] if used else None)
        assert record.days(person) == len(used)


def test_a_reading_set_aside_stays_so_when_it_is_sent_again(record: Record) -> None:
    values = {"systolic": (150.0, "mm[Hg]"), "diastolic": (90.0, "mm[Hg]")}
    reading = record.clinic.measure(record.maria, Vital.BLOOD_PRESSURE, values, at=NOW - timedelta(hours=1))
    record.void(reading)
    with record.database.transaction() as connection:
        again = connection.execute(
            "insert into reading_key (reading_id, practice_id) values (%s, %s) on conflict do nothing returning 1",
            [reading, record.maria.practice_id],
        ).fetchone()
    assert again is None, "its name is taken for good"
    assert record.points(record.maria) == []
