"""Roll-ups are what a recompute from the values gives, whatever happened to those in whatever order (F37).

Method: the oracle reads the observations with plain SQL, and sorts them into days and weeks with Python's own zones and adds
them up itself. Hypothesis sends, repeats, sets aside, puts back, moves, changes zones, and lets the job run in between.
"""

import threading
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpm.access import Actor, Role
from rpm.ingest.batch import settle
from rpm.jobs import rollup
from rpm.store import corrections, rollups
from rpm.store.database import Database
from rpm.store.rollups import Grain
from schemas.codes import BY_NAME, UNIT_NUMBER, Kind
from schemas.reading import Reading
from tests.services.settling import message_of, rows_of, two_homes
from tests.support.clinic import Clinic, Person
from tests.support.readings import glucose

#: Clocks go back in Cairo on 2026-10-30 at midnight, in New York on 2026-11-01 at two.
NOW: Final = datetime(2026, 11, 10, 14, tzinfo=UTC)
ZONES: Final = ("America/New_York", "Africa/Cairo", "Asia/Kathmandu", "Pacific/Kiritimati", "Pacific/Pago_Pago")
GLUCOSE: Final = BY_NAME["glucose"].number
#: Of a day in UTC: midnights of those zones, and what lies beside them.
MINUTES: Final = (0, 1, 239, 240, 241, 299, 300, 301, 600, 659, 660, 1094, 1095, 1259, 1260, 1261, 1319, 1320, 1439)
UNITS: Final = {"mg/dL": (90.0, 133.0, 181.0), "mmol/L": (4.7, 6.1, 10.3)}
Key = tuple[int, str, int, date, int]


class Ward:
    """A clinic whose readings come, come again and are corrected."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clinic = two_homes(database)
        self.rosa = Actor(self.clinic.staff("rosa"), self.clinic.practice_id, Role.NURSE, "Rosa")
        self.seq = 0

    def send(self, *readings: Reading) -> None:
        settle(self.database, [message_of(*readings, first_seq=self.seq + 1)], now=NOW)
        self.seq += len(readings)

    def correct(self, verb: str, reading: UUID, to: Person | None = None) -> None:
        with self.database.transaction() as connection:
            facts: dict[str, Any] = {"reason": "a mistake", "actor": self.rosa, "now": NOW}
            if to is not None:
                facts["patient_id"] = to.id
            getattr(corrections, verb)(connection, reading, **facts)

    def move_house(self, person: Person, zone: str) -> None:
        with self.database.transaction() as connection:
            connection.execute("update patient set time_zone = %s where id = %s", [zone, person.id])

    def roll_up(self) -> None:
        while rollup.run_once(self.database, limit=3).more:
            pass


@pytest.fixture
def ward(database: Database) -> Ward:
    return Ward(database)


def measured(person: Person, day: int, minute: int, unit: str, number: int) -> Reading:
    at = datetime(2026, 11, 9, tzinfo=UTC) - timedelta(days=day) + timedelta(minutes=minute)
    address = person.devices[Kind.GLUCOSE][1]
    return glucose(UNITS[unit][number % 3], at, unit=unit, address=address, sequence_number=number)


def recomputed(database: Database, people: Sequence[Person]) -> dict[Key, tuple[Any, ...]]:
    """What the roll-ups of these people must be."""
    ids = [person.id for person in people]
    zones = {row["id"]: ZoneInfo(row["time_zone"]) for row in rows_of(database, "select id, time_zone from patient")}
    found: dict[Key, list[tuple[datetime, float]]] = defaultdict(list)
    for row in rows_of(database, "select * from observation where patient_id = any(%s) and quality & 8 = 0", ids):
        day = row["measured_at"].astimezone(zones[row["patient_id"]]).date()
        monday = day - timedelta(days=day.weekday())
        for grain, starts_on in (("day", day), ("week", monday)):
            key = row["patient_id"], grain, row["code"], starts_on, row["unit"]
            found[key].append((row["measured_at"], row["value"]))
    return {key: summary(sorted(values)) for key, values in found.items()}


def summary(values: list[tuple[datetime, float]]) -> tuple[Any, ...]:
    total = 0.0
    for _, value in values:
        total += value
    only = [value for _, value in values]
    first, last = values[0], values[-1]
    return len(only), min(only), max(only), total / len(only), first[1], first[0], last[1], last[0]


def rolled_up(database: Database, people: Sequence[Person]) -> dict[Key, tuple[Any, ...]]:
    rows = rows_of(database, "select * from rollup where patient_id = any(%s)", [person.id for person in people])
    return {
        (row["patient_id"], row["grain"], row["code"], row["starts_on"], row["unit"]): (
            row["count"], row["minimum"], row["maximum"], row["mean"], row["first"], row["first_at"], row["last"],
            row["last_at"],
        )
        for row in rows
    }  # fmt: skip


_WHO, _WHICH = st.integers(0, 1), st.integers(0, 9)
_STEP = st.one_of(
    st.tuples(st.just("send"), st.lists(st.tuples(_WHO, st.integers(0, 20), st.sampled_from(MINUTES),
        st.sampled_from(sorted(UNITS)), st.integers(0, 9)), min_size=1, max_size=6)),
    st.tuples(st.sampled_from(("again", "void", "restore", "move")), _WHICH),
    st.tuples(st.just("zone"), st.tuples(_WHO, st.sampled_from(ZONES))),
    st.tuples(st.just("roll up"), st.integers(1, 4)),
)  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(steps=st.lists(_STEP, min_size=3, max_size=16))
def test_whatever_happened_a_roll_up_is_what_a_recompute_gives(ward: Ward, steps: list[tuple[str, Any]]) -> None:
    people = (ward.clinic.patient("A", "One"), ward.clinic.patient("B", "Two", zone="Africa/Cairo"))
    sent: list[Reading] = []
    owner: dict[UUID, int] = {}
    void: set[UUID] = set()
    for verb, what in steps:
        if verb == "send":
            sends: list[tuple[int, int, int, str, int]] = what
            fresh = [measured(people[who], day, minute, unit, number) for who, day, minute, unit, number in sends]
            ward.send(*fresh)
            for reading, (who, *_) in zip(fresh, sends, strict=True):
                if reading.reading_id not in owner:
                    sent.append(reading)
                    owner[reading.reading_id] = who
        elif verb == "zone":
            ward.move_house(people[int(what[0])], str(what[1]))
        elif verb == "roll up":
            rollup.run_once(ward.database, limit=int(what))
        elif sent:
            reading = sent[int(what) % len(sent)]
            name = reading.reading_id
            if verb == "again":
                ward.send(reading)
            elif verb == "move":
                owner[name] = 1 - owner[name]
                ward.correct("move", name, people[owner[name]])
            elif (name in void) == (verb == "restore"):
                void ^= {name}
                ward.correct(verb, name)
    ward.roll_up()
    assert rolled_up(ward.database, people) == recomputed(ward.database, people)


def test_a_day_is_the_patients_own_and_has_25_hours_when_clocks_go_back(ward: Ward) -> None:
    maria = ward.clinic.patient("Maria", "Alvarez", zone="America/New_York")
    # 2026-11-01 in New York is from 04:00 to 05:00 UTC of the next day.
    address = maria.devices[Kind.GLUCOSE][1]
    instants = [
        datetime(2026, 11, day, hour, 59 * (hour == 3), tzinfo=UTC) for day, hour in ((1, 3), (1, 4), (2, 4), (2, 5))
    ]
    ward.send(*(glucose(100 + n, at, address=address, sequence_number=n) for n, at in enumerate(instants)))
    ward.roll_up()
    assert days_of(ward, maria) == {date(2026, 10, 31): [100], date(2026, 11, 1): [101, 102], date(2026, 11, 2): [103]}
    ward.move_house(maria, "Pacific/Kiritimati")
    ward.roll_up()
    assert days_of(ward, maria) == {date(2026, 11, 1): [100, 101], date(2026, 11, 2): [102, 103]}


def days_of(ward: Ward, person: Person) -> dict[date, list[float]]:
    """First and last value of each day, once where there is but one."""
    with ward.database.transaction() as connection:
        found = rollups.buckets(
            connection, practice_id=person.practice_id, patient_id=person.id, code=GLUCOSE, grain=Grain.DAY,
            since=date(2026, 1, 1), until=date(2027, 1, 1),
        )  # fmt: skip
    return {one.starts_on: [one.first, one.last][: one.count] for one in found}


def test_units_of_one_day_are_never_in_one_mean(ward: Ward) -> None:
    maria = ward.clinic.patient("Maria", "Alvarez")
    ward.send(*(measured(maria, 3, 600 + n, unit, n) for n, unit in enumerate(("mg/dL", "mmol/L", "mg/dL"))))
    ward.roll_up()
    with ward.database.transaction() as connection:
        found = rollups.buckets(
            connection, practice_id=maria.practice_id, patient_id=maria.id, code=GLUCOSE, grain=Grain.WEEK,
            since=date(2026, 11, 2), until=date(2026, 11, 3),
        )  # fmt: skip
    assert {one.unit: (one.count, one.mean) for one in found} == {
        UNIT_NUMBER["mg/dL"]: (2, (90 + 181) / 2),
        UNIT_NUMBER["mmol/L"]: (1, 6.1),
    }


def test_what_is_not_committed_yet_is_rolled_up_when_it_is(ward: Ward) -> None:
    """A turn while a reading is being written neither waits for it nor takes its mark away."""
    maria = ward.clinic.patient("Maria", "Alvarez")
    first = measured(maria, 2, 600, "mg/dL", 0)
    ward.send(first)
    ward.roll_up()
    ward.send(measured(maria, 2, 601, "mg/dL", 1))
    with ward.database.transaction() as connection:
        corrections.void(connection, first.reading_id, reason="a mistake", actor=ward.rosa, now=NOW)
        assert rollup.run_once(ward.database).done == 1
        assert rolled_up(ward.database, [maria]) == recomputed(ward.database, [maria])
    assert rollup.run_once(ward.database).done == 1
    assert rolled_up(ward.database, [maria]) == recomputed(ward.database, [maria])
    assert {key[1]: found[0] for key, found in rolled_up(ward.database, [maria]).items()} == {"day": 1, "week": 1}


def test_of_two_workers_one_rolls_up(ward: Ward) -> None:
    maria = ward.clinic.patient("Maria", "Alvarez")
    ward.send(measured(maria, 2, 600, "mg/dL", 0))
    done: list[int] = []
    with ward.database.transaction() as connection:
        assert rollups.roll_up(connection, limit=5) == 1
        thread = threading.Thread(target=lambda: done.append(rollup.run_once(ward.database).done))
        thread.start()
        thread.join(timeout=30)
    assert done == [0]
    assert rolled_up(ward.database, [maria]) == recomputed(ward.database, [maria])


def test_another_practice_gets_nothing(ward: Ward) -> None:
    maria = ward.clinic.patient("Maria", "Alvarez")
    ward.send(measured(maria, 2, 600, "mg/dL", 0))
    ward.roll_up()
    other = Clinic(ward.database, now=NOW, name="Other Clinic")
    assert days_of(ward, maria)
    assert not days_of(ward, Person(maria.id, maria.public_id, other.practice_id))
