"""Held items on a real database: quarantine never silences a red, and nothing held is looked at twice."""

from datetime import timedelta
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from rpm.access import Actor, Role
from rpm.store import facts
from rpm.store.database import Database
from schemas.messages import ReadingItem
from schemas.quantity import Absent
from schemas.reading import Reading
from tests.services.judging import Desk
from tests.support import readings
from tests.support.clock import MORNING


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, now=MORNING)


def _hold(desk: Desk, reading: Reading, **facts: Any) -> int:
    item = ReadingItem(seq=1, reading=reading).model_dump(mode="json")
    values = {"item": Jsonb(item), "practice": desk.clinic.practice_id, "now": desk.now, "patient": None, **facts}
    with desk.database.transaction() as connection:
        row = connection.execute(
            "insert into held (practice_id, why, reason, item, topic, held_at, patient_id)"
            " values (%(practice)s, 'quarantined', 'value_implausible', %(item)s, 't', %(now)s, %(patient)s) returning id",
            values,
        ).fetchone()
    assert row is not None
    return int(row["id"])


@pytest.mark.parametrize(
    "reading, sentence",
    [
        (
            readings.pressure(270, 125, MORNING),
            "Held reading 270/125 mmHg; limit systolic above 180 mmHg: verify now",
        ),
        (readings.glucose(Absent.POSITIVE_INFINITY, MORNING), "Meter shows HI: verify now"),
        (readings.glucose(Absent.NRES, MORNING, status=("result_too_low",)), "Meter shows LO: verify now"),
        # A clock nobody read: it may be years off, so the value counts as now.
        (
            readings.glucose(40, MORNING - timedelta(days=900), time_source="device"),
            "Held reading 40 mg/dL; limit below 54 mg/dL: verify now",
        ),
    ],
)
def test_quarantine_never_silences_a_red(desk: Desk, reading: Reading, sentence: str) -> None:
    desk.clinic.staff("nora")
    patient = desk.clinic.patient("Maria", "Alvarez")
    held = _hold(desk, reading, patient=patient.id)
    desk.judge()
    [alert] = desk.alerts()
    assert (alert["kind"], alert["severity"], alert["held_id"], alert["reason"]) == ("verify", 3, held, sentence)
    assert desk.judge().held == 0
    desk.call()
    assert desk.outbox.addresses == ["nora@clinic.example"]


@pytest.mark.parametrize(
    "reading",
    [
        readings.pressure(150, 90, MORNING),
        readings.glucose(40, MORNING, context={"sample_location": "control_solution"}),
        readings.weight(500, MORNING),
    ],
)
def test_a_held_value_that_is_not_red_waits_on_its_page(desk: Desk, reading: Reading) -> None:
    _hold(desk, reading)
    assert desk.judge().held == 1
    assert desk.alerts() == []


def _order(desk: Desk, patient: int, limit: str) -> None:
    """A doctor's limit for one patient: rule, band, quantity, value, unit."""
    desk.rows(
        "insert into patient_limit (practice_id, patient_id, rule_id, band, quantity, value, unit, approved_by, approved_at)"
        f" values (%(practice)s, %(patient)s, {limit}, 'Dr. Shah', 'epoch') returning id",
        practice=desk.clinic.practice_id,
        patient=patient,
    )


def test_of_a_child_no_adult_limit_makes_a_held_value_red_and_somebody_is_told(desk: Desk) -> None:
    """Nothing was ordered: no limit is right, and silence would be wrong."""
    desk.clinic.staff("nora")
    child = desk.clinic.patient("Ann", "Lee", born="2014-01-31")
    _hold(desk, readings.pressure(270, 125, MORNING), patient=child.id)
    desk.judge()
    assert [(one["rule_id"], one["patient_id"], one["severity"]) for one in desk.alerts()] == [
        ("no_rules_apply", child.id, 2)
    ]


def test_of_a_child_with_an_order_for_something_else_no_red_is_silent(desk: Desk) -> None:
    child = desk.clinic.patient("Ann", "Lee", born="2014-01-31")
    _order(desk, child.id, "'heart_rate_high', 'priority', 'pulse_rate', 130, '/min'")
    _hold(desk, readings.pressure(270, 125, MORNING), patient=child.id)
    desk.judge()
    assert [(one["kind"], one["severity"]) for one in desk.alerts()] == [("verify", 3)]


def test_of_a_child_what_was_ordered_makes_a_held_value_red(desk: Desk) -> None:
    child = desk.clinic.patient("Ann", "Lee", born="2014-01-31")
    _order(desk, child.id, "'blood_pressure_high', 'urgent', 'systolic', 130, 'mm[Hg]'")
    _hold(desk, readings.pressure(140, 80, MORNING), patient=child.id)
    desk.judge()
    [alert] = desk.alerts()
    assert (alert["kind"], alert["severity"]) == ("verify", 3)
    assert "limit systolic above 130 mmHg (own limit)" in alert["reason"]


def test_an_old_held_red_waits_on_the_worklist(desk: Desk) -> None:
    _hold(desk, readings.glucose(40, MORNING - timedelta(days=3)))
    desk.judge()
    [alert] = desk.alerts()
    assert (alert["kind"], alert["severity"], alert["late"], alert["next_step_at"]) == ("verify", 1, True, None)


def test_a_held_item_that_is_no_reading_is_looked_at_once(desk: Desk) -> None:
    with desk.database.transaction() as connection:
        for item in (None, Jsonb([1, 2]), Jsonb({"reading": {"quantities": {"glucose": {"value": "40"}}}})):
            connection.execute(
                "insert into held (practice_id, why, reason, item, topic, held_at)"
                " values (%s, 'quarantined', 'unreadable', %s, 't', %s)",
                [desk.clinic.practice_id, item, desk.now],
            )
    assert desk.judge().held == 3
    assert desk.judge().held == 0
    assert desk.alerts() == []


def test_a_held_red_of_a_pregnancy_is_red(desk: Desk) -> None:
    """The rules of everybody call 165 orange; in pregnancy it is an emergency, on the held page as well."""
    patient, nurse = desk.clinic.patient("Maria", "Alvarez", born="1994-04-02"), desk.clinic.staff("nora")
    actor = Actor(nurse, desk.clinic.practice_id, Role.NURSE, "Nora")
    _hold(desk, readings.pressure(165, 95, MORNING), patient=patient.id)
    desk.judge()
    assert desk.alerts() == []
    began = (MORNING - timedelta(days=200)).date()
    with desk.database.transaction() as connection:
        facts.enter_pregnancy(connection, patient_id=patient.id, from_on=began, actor=actor, now=MORNING)
    _hold(desk, readings.pressure(165, 95, MORNING + timedelta(seconds=1)), patient=patient.id)
    desk.forward(seconds=2)
    desk.judge()
    [alert] = desk.alerts()
    assert (alert["rule_id"], alert["kind"], alert["severity"]) == ("blood_pressure_pregnancy", "verify", 3)
