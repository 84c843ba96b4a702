"""Who uses a device, as the table keeps it: ranges of time that never overlap, within one practice, each change written down."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.store.database import Database
from rpm.store.devices import assign, device_uses, list_devices, register_device, return_device
from rpm.store.gateways import register_gateway
from tests.support.clinic import Clinic, Person

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)


class Shelf:
    """A clinic's shelf with one new cuff on it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clinic = Clinic(database, now=NOW)
        self.rosa = Actor(self.clinic.staff("rosa"), self.clinic.practice_id, Role.NURSE, "Rosa")
        self.maria = self.clinic.patient("Maria", "Alvarez", measures=False)
        self.tom = self.clinic.patient("Tom", "Weiss", measures=False)
        with database.transaction() as connection:
            self.cuff = register_device(
                connection,
                practice_id=self.clinic.practice_id,
                address="c0:00:00:00:99:99",
                kind="blood_pressure",
                label="Spare cuff",
                now=NOW,
            )

    def give(self, person: Person, start: datetime, end: datetime | None = None, **more: Any) -> int:
        facts: dict[str, Any] = {"device_id": self.cuff, "patient_id": person.id, "actor": self.rosa, **more}
        with self.database.transaction() as connection:
            return assign(connection, **facts, start=start, end=end, now=NOW)

    def take_back(self, assignment_id: int, at: datetime, actor: Actor | None = None) -> None:
        with self.database.transaction() as connection:
            return_device(connection, assignment_id=assignment_id, at=at, actor=actor or self.rosa, now=NOW)

    def users(self) -> list[tuple[str | None, int | None]]:
        with self.database.transaction() as connection:
            uses = device_uses(connection, self.cuff, practice_id=self.clinic.practice_id, now=NOW)
        return [(use.given_name, use.user_slot) for use in uses]


@pytest.fixture
def shelf(database: Database) -> Shelf:
    return Shelf(database)


def test_one_after_the_other_but_never_at_once(shelf: Shelf) -> None:
    first = shelf.give(shelf.maria, NOW - timedelta(days=10))
    with pytest.raises(UserError, match="in that time already"):
        shelf.give(shelf.tom, NOW)
    shelf.take_back(first, NOW - timedelta(days=1))
    shelf.give(shelf.tom, NOW - timedelta(days=1))
    assert shelf.users() == [("Tom", None)]
    with pytest.raises(UserError, match="in that time already"):
        shelf.give(shelf.tom, NOW - timedelta(days=5), NOW - timedelta(days=4))


def test_each_user_number_has_its_own_user(shelf: Shelf) -> None:
    shelf.give(shelf.maria, NOW, user_slot=1)
    shelf.give(shelf.tom, NOW, user_slot=2)
    assert shelf.users() == [("Maria", 1), ("Tom", 2)]
    with pytest.raises(UserError, match="in that time already"):
        shelf.give(shelf.tom, NOW, user_slot=1)


@pytest.mark.parametrize(
    "change,said",
    [
        ({"user_slot": 255}, "from 0 to 254"),
        ({"user_slot": -1}, "from 0 to 254"),
        ({"end": NOW}, "ends before it begins"),
        ({"device_id": 999}, "no such device or patient"),
        ({"patient_id": 999}, "no such device or patient"),
    ],
)
def test_what_cannot_be_assigned_is_said(shelf: Shelf, change: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        shelf.give(shelf.maria, NOW, **change)


def test_another_practices_devices_and_patients_are_not_there(shelf: Shelf, database: Database) -> None:
    other = Clinic(database, now=NOW, name="Elsewhere")
    sue = other.patient("Sue", "Other")
    stranger = Actor(other.staff("sam"), other.practice_id, Role.NURSE, "Sam")
    mine = shelf.give(shelf.maria, NOW - timedelta(days=1))
    with pytest.raises(UserError, match="no such device or patient"):
        shelf.give(sue, NOW, actor=shelf.rosa)
    with pytest.raises(UserError, match="no such device or patient"):
        shelf.give(sue, NOW, actor=stranger)
    with pytest.raises(UserError, match="not in use"):
        shelf.take_back(mine, NOW, stranger)
    with database.transaction() as connection:
        assert shelf.cuff not in {use.id for use in list_devices(connection, practice_id=other.practice_id, now=NOW)}
        with pytest.raises(UserError, match="another practice"):
            register_gateway(connection, other.gateway_id, practice_id=shelf.clinic.practice_id, label="Mine", now=NOW)


def test_the_same_address_in_two_practices_is_two_devices(shelf: Shelf, database: Database) -> None:
    """A clinic that buys another's used cuff gets none of its readings."""
    other = Clinic(database, now=NOW, name="Elsewhere")
    with database.transaction() as connection:
        theirs = register_device(
            connection,
            practice_id=other.practice_id,
            address="C0:00:00:00:99:99",
            kind="blood_pressure",
            label="Used cuff",
            now=NOW,
        )
    assert theirs != shelf.cuff


def test_every_change_is_written_down(shelf: Shelf, database: Database) -> None:
    given = shelf.give(shelf.maria, NOW - timedelta(days=1))
    shelf.take_back(given, NOW)
    with database.transaction() as connection:
        found = connection.execute("select action, patient_id, staff_id from audit order by id").fetchall()
    assert [row["action"] for row in found] == ["assigned a device", "took a device back"]
    assert {(row["patient_id"], row["staff_id"]) for row in found} == {(shelf.maria.id, shelf.rosa.staff_id)}
