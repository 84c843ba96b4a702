"""The shipped trends on a real database: what a nurse has closed is not told again the next morning.

Readings go in through the product's own store, and are judged as they come.
"""

from datetime import timedelta

import pytest

from alerts.rulefile import read_rules
from rpm.jobs import evaluate
from rpm.settings import CARE
from rpm.store import alerts as alert_rows
from rpm.store.database import Database
from schemas.codes import Kind
from tests.services.judging import PLAN, Desk
from tests.support.clinic import Person
from tests.support.clock import MORNING

SHIPPED = evaluate.Judgement(read_rules(CARE / "rules.toml"), PLAN)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, now=MORNING, judgement=SHIPPED)


def a_week(desk: Desk, patient: Person, *, systolic: float) -> None:
    """Morning and evening until now."""
    for half in range(12):
        values = {"systolic": (systolic, "mm[Hg]"), "diastolic": (70.0, "mm[Hg]")}
        desk.clinic.measure(patient, Kind.BLOOD_PRESSURE, values, at=desk.now - timedelta(hours=12 * (11 - half)))
    desk.judge()


def closed(desk: Desk, nurse: int, disposition: str) -> None:
    number = desk.alerts()[0]["id"]
    with desk.database.transaction() as connection:
        assert alert_rows.close(
            connection, alert_id=number, staff_id=nurse, disposition=disposition, note="seen", now=desk.now
        ).done


@pytest.mark.parametrize(
    "disposition, told",
    [("no_action", ["closed"]), ("false_reading", ["closed", "open"]), ("no_answer", ["closed", "open"])],
)
def test_a_mean_that_was_closed_is_quiet_the_next_morning(desk: Desk, disposition: str, told: list[str]) -> None:
    nurse, patient = desk.clinic.staff("nora"), desk.clinic.patient("Maria", "Alvarez")
    a_week(desk, patient, systolic=141)
    [alert] = desk.alerts()
    assert alert["reason"].startswith("7-day mean systolic 141.0 mmHg over 12 readings; limit")
    closed(desk, nurse, disposition)
    desk.forward(hours=24)
    desk.clinic.pressure(patient, 142, 70)
    desk.judge()
    assert [one["status"] for one in desk.alerts()] == told, (
        "who closes a false reading, or reached nobody, has not looked at the patient"
    )


def test_and_speaks_after_a_month(desk: Desk) -> None:
    nurse, patient = desk.clinic.staff("nora"), desk.clinic.patient("Maria", "Alvarez")
    a_week(desk, patient, systolic=141)
    closed(desk, nurse, "no_action")
    desk.forward(days=27)
    a_week(desk, patient, systolic=141)
    assert len(desk.alerts()) == 1
    desk.forward(days=2)
    desk.clinic.pressure(patient, 141, 70)
    desk.judge()
    assert [one["status"] for one in desk.alerts()] == ["closed", "open"]
