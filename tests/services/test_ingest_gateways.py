"""Gateways as ingest meets them: registered, not yet, just now; and what they tell of themselves."""

import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from rpm.access import Actor, Role
from rpm.ingest.batch import settle
from rpm.ingest.unpack import Message
from rpm.store import held, known
from rpm.store.database import Database
from rpm.store.gateways import list_gateways, meet, register_gateway
from schemas.codes import Kind
from schemas.messages import Channel, Event, Status, StatusKind, topic
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
from tests.support.readings import pressure


@pytest.fixture
def clinic(database: Database) -> Clinic:
    return two_homes(database)


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def test_a_gateway_nobody_registered_is_kept_and_used_once_it_is(
    database: Database, clinic: Clinic, maria: Person
) -> None:
    stranger = "gw-stranger"
    squeezes = [pressure(120 + n, 80, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(2)]
    outcomes = settle(database, [message_of(*squeezes, gateway_id=stranger)], now=NOW)
    assert outcomes_of(outcomes) == {1: "quarantined", 2: "quarantined"}
    assert {row["practice_id"] for row in rows_of(database, "select practice_id from held")} == {0}
    admin = Actor(clinic.staff("ada", "admin"), clinic.practice_id, Role.ADMIN, "Ada")
    with database.transaction() as connection:
        register_gateway(connection, stranger, practice_id=clinic.practice_id, label="Home", now=NOW)
        assert held.look_again(connection, gateway_id=stranger, actor=admin, now=NOW).admitted == 2
    assert {row["patient_id"] for row in rows_of(database, "select patient_id from reading")} == {maria.id}


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

    squeeze = pressure(195, 100, NOW, address=cuff_of(maria))
    with database.transaction() as connection:
        meet(connection, [stranger], now=NOW)
    monkeypatch.setattr("rpm.ingest.plan.known_of", slowly)
    settle(database, [message_of(squeeze, gateway_id=stranger)], now=NOW)
    registration.join()
    assert rows_of(database, "select practice_id from held where state = 'held'") == []
    assert rows_of(database, "select patient_id from reading") == [{"patient_id": maria.id}]


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
    assert count_of(database, "gateway_event") == 1
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
    (row,) = rows_of(database, "select heard_at, sent_at, outbox_depth from gateway_status")
    assert row == {"heard_at": later, "sent_at": later, "outbox_depth": 2}


def test_one_address_in_two_practices_is_two_devices(database: Database, maria: Person) -> None:
    """A refurbished cuff is on the books of both: whose gateway hears it says whose it is."""
    elsewhere = Clinic(database, now=NOW, name="Elsewhere")
    sue = elsewhere.patient("Sue", "Other")
    with database.transaction() as connection:
        connection.execute(
            "update device set address = %s where id = %s", [cuff_of(maria), sue.devices[Kind.BLOOD_PRESSURE][0]]
        )
    here, there = (pressure(120 + n, 80, NOW - timedelta(minutes=n), address=cuff_of(maria)) for n in range(2))
    settle(database, [message_of(here), message_of(there, gateway_id=elsewhere.gateway_id)], now=NOW)
    owners = {row["reading_id"]: row["patient_id"] for row in rows_of(database, "select * from reading")}
    assert owners == {here.reading_id: maria.id, there.reading_id: sue.id}
    practices = {row["patient_id"]: row["practice_id"] for row in rows_of(database, "select * from observation")}
    assert practices == {maria.id: maria.practice_id, sue.id: sue.practice_id}
