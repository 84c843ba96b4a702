"""A held red on its way: whoever sent it first, whoever claims it, it calls the practice whose patient it is, and once.

From the message through ingest, the people's decisions and the judge, on a real database.
"""

from datetime import timedelta
from typing import Any

import pytest

from rpm.access import Actor, Role
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store import held
from rpm.store.database import Database
from rpm.store.gateways import register_gateway
from schemas.codes import Kind
from schemas.quantity import Absent
from schemas.reading import Reading
from tests.services.judging import Desk
from tests.support.clinic import Clinic, Person
from tests.support.clock import MORNING
from tests.support.readings import batch, glucose, pressure

STRANGER = "gw-stranger"
UNKNOWN = "C0:00:00:00:99:99"


@pytest.fixture
def desk(database: Database) -> Desk:
    made = Desk(database, now=MORNING)
    made.clinic.staff("nora")
    return made


@pytest.fixture
def maria(desk: Desk) -> Person:
    return desk.clinic.patient("Maria", "Alvarez")


def _meter(person: Person) -> str:
    return person.devices[Kind.GLUCOSE][1]


def _send(desk: Desk, *readings: Reading, gateway_id: str | None = None, first_seq: int = 1) -> list[str]:
    message = Message(*batch(gateway_id or desk.clinic.gateway_id, *readings, first_seq=first_seq))
    return [each.outcome.value for each in settle(desk.database, [message], now=desk.now)]


def _admin(desk: Desk) -> Actor:
    return Actor(desk.clinic.staff("ada", "admin"), desk.clinic.practice_id, Role.ADMIN, "Ada")


def _register(desk: Desk) -> held.Claimed:
    with desk.database.transaction() as connection:
        register_gateway(connection, STRANGER, practice_id=desk.clinic.practice_id, label="Home", now=desk.now)
        return held.look_again(connection, gateway_id=STRANGER, actor=_admin(desk), now=desk.now)


def _open(desk: Desk) -> list[dict[str, Any]]:
    return desk.rows("select * from held where state = 'held' order by id")


def test_a_red_that_is_judged_again_after_a_claim_has_one_alert_that_names_its_patient(
    desk: Desk, maria: Person
) -> None:
    _send(desk, pressure(290, 140, MORNING, address=UNKNOWN))
    desk.judge()
    [alert] = desk.alerts()
    assert alert["patient_id"] is None
    [row] = _open(desk)
    rosa = Actor(desk.clinic.staff("rosa"), desk.clinic.practice_id, Role.NURSE, "Rosa")
    with desk.database.transaction() as connection:
        done = held.claim(
            connection, row["id"], patient_id=maria.id, start=MORNING - timedelta(days=1), end=None, actor=rosa,
            now=desk.now,
        )  # fmt: skip
    assert (done.admitted, done.still_held) == (0, 1)
    assert desk.judge().held == 1
    [again] = desk.alerts()
    assert (again["id"], again["patient_id"], again["armed"]) == (alert["id"], maria.id, 1)
    # And whatever is held next is still looked at.
    _send(desk, glucose(Absent.POSITIVE_INFINITY, MORNING, address=_meter(maria)), first_seq=2)
    desk.judge()
    assert [each["patient_id"] for each in desk.alerts()] == [maria.id, maria.id]


def test_a_red_of_a_gateway_nobody_knew_calls_the_practice_that_registers_it(desk: Desk, maria: Person) -> None:
    _send(desk, glucose(Absent.POSITIVE_INFINITY, MORNING, address=_meter(maria)), gateway_id=STRANGER)
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == []
    assert _register(desk).still_held == 1
    desk.judge()
    desk.call()
    [alert] = desk.alerts()
    assert (alert["practice_id"], alert["patient_id"]) == (desk.clinic.practice_id, maria.id)
    assert desk.outbox.addresses == ["nora@clinic.example"]


def test_a_red_that_a_gateway_nobody_knows_brought_first_still_calls(desk: Desk, maria: Person) -> None:
    """The meter tells its records to every gateway that asks; a replacement may be plugged in before it is registered."""
    high = glucose(Absent.POSITIVE_INFINITY, MORNING, address=_meter(maria))
    _send(desk, high, gateway_id=STRANGER)
    desk.judge()
    assert _send(desk, high) == ["quarantined"]
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == ["nora@clinic.example"]
    # Registered afterwards, the stranger brings nothing that is not there already.
    _register(desk)
    assert [row["practice_id"] for row in _open(desk)] == [desk.clinic.practice_id]
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == ["nora@clinic.example"]


def test_a_red_that_another_practice_holds_too_calls_both(desk: Desk, maria: Person, database: Database) -> None:
    """One cuff heard by gateways of two practices: what one of them holds is not the other's affair."""
    other = Clinic(database, now=MORNING, name="Elsewhere")
    high = glucose(Absent.POSITIVE_INFINITY, MORNING, address=_meter(maria))
    assert _send(desk, high, gateway_id=other.gateway_id) == ["unassigned"]
    assert _send(desk, high) == ["quarantined"]
    desk.judge()
    assert {each["practice_id"] for each in desk.alerts()} == {desk.clinic.practice_id, other.practice_id}
    desk.call()
    assert "nora@clinic.example" in desk.outbox.addresses


def test_a_red_with_a_character_no_database_takes_still_calls(desk: Desk, maria: Person) -> None:
    high = glucose(Absent.POSITIVE_INFINITY, MORNING, address=_meter(maria), context={"meal": "\0"})
    assert _send(desk, high) == ["quarantined"]
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == ["nora@clinic.example"]
