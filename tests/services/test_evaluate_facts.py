"""What rules ask besides values is really given to them: meals, doubts of the device, days where the patient lives, facts of the record.

Method: each is stored as the product stores it, in a real database, and the evaluate job judges; beside each case stands the same
one without the fact, where the rule must be silent.
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from alerts.rulefile import parse_rules, read_rules
from rpm.access import Actor, Role
from rpm.jobs import evaluate
from rpm.settings import CARE
from rpm.store import alerts as alert_rows
from rpm.store import facts, unruled
from rpm.store.database import Database
from schemas.codes import Kind
from tests.services.judging import PLAN, Desk
from tests.support.clinic import Person
from tests.support.clock import MORNING

#: One reading calls: what waits for a second one is told of in test_repeats.
SHIPPED = tuple(rule.model_copy(update={"repeat": None}) for rule in read_rules(CARE / "rules.toml"))
DRY_WEIGHT = parse_rules("""
[[rule]]
id = "above_dry"
version = "1"
title = "Above the dry weight"
source = "the heart failure clinic"
sentence = "{after}, {amount} above the dry weight; limit {limit}"
above_dry_weight = {}
clear_by = { kg = 0.1, "[lb_av]" = 0.2 }
[[rule.band]]
severity = "priority"
limits.body_weight.above = { kg = 2, "[lb_av]" = 4.4 }
""")


def only(*names: str) -> evaluate.Judgement:
    return evaluate.Judgement(tuple(rule for rule in (*SHIPPED, *DRY_WEIGHT) if rule.id in names), PLAN)


def told(desk: Desk) -> list[tuple[str, int]]:
    desk.judge()
    return [(one["rule_id"], one["severity"]) for one in desk.alerts()]


def nurse_of(desk: Desk) -> Actor:
    return Actor(desk.clinic.staff("nora"), desk.clinic.practice_id, Role.NURSE, "Nora")


def glucose(desk: Desk, patient: Person, mg_dl: float, at: datetime, **context: str) -> None:
    desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (mg_dl, "mg/dL")}, at=at, context=context)


@pytest.mark.parametrize("meal, found", [("fasting", [("glucose_fasting_high", 1)]), ("casual", []), ("", [])])
def test_a_meal_is_known_to_the_rule_that_asks_for_it(database: Database, meal: str, found: list[object]) -> None:
    desk = Desk(database, now=MORNING, judgement=only("glucose_fasting_high"))
    patient = desk.clinic.patient("Maria", "Alvarez")
    for day in (2, 1, 0):
        context = {"meal": meal} if meal else {}
        glucose(desk, patient, 150, MORNING - timedelta(days=day, minutes=1), **context)
    assert told(desk) == found


@pytest.mark.parametrize("said, question", [(("cuff_loose",), "ask"), (("irregular_pulse",), ""), ((), "")])
def test_a_loose_cuff_is_asked_about_and_calls_nobody(database: Database, said: tuple[str, ...], question: str) -> None:
    desk = Desk(database, now=MORNING, judgement=only("blood_pressure_low"))
    patient = desk.clinic.patient("Maria", "Alvarez")
    values = {"systolic": (85.0, "mm[Hg]"), "diastolic": (60.0, "mm[Hg]")}
    desk.clinic.measure(patient, Kind.BLOOD_PRESSURE, values, at=MORNING, status=said)
    assert told(desk) == [("blood_pressure_low", 2)]
    [alert] = desk.alerts()
    assert ("ask" in alert["evidence"], alert["next_step_at"] is None) == (bool(question), bool(question))


@pytest.mark.parametrize("zone, found", [("America/New_York", [("glucose_low_repeated", 1)]), ("UTC", [])])
def test_a_day_is_the_patient_s_own(database: Database, zone: str, found: list[object]) -> None:
    """A quarter to midnight and seven in the morning in New York are two days there, and one in Greenwich."""
    now = datetime(2026, 6, 10, 11, tzinfo=UTC)
    desk = Desk(database, now=now, judgement=only("glucose_low_repeated"))
    patient = desk.clinic.patient("Maria", "Alvarez", zone=zone)
    for at in (datetime(2026, 6, 10, 3, 45, tzinfo=UTC), now):
        glucose(desk, patient, 65, at)
    assert told(desk) == found


def test_a_dry_weight_holds_from_the_day_it_was_entered_for(database: Database) -> None:
    desk = Desk(database, now=MORNING, judgement=only("above_dry"))
    maria, nora = desk.clinic.patient("Maria", "Alvarez"), nurse_of(desk)
    desk.clinic.measure(maria, Kind.BODY_WEIGHT, {"body_weight": (83.0, "kg")}, at=MORNING)
    assert told(desk) == []
    with database.transaction() as connection:
        for value, unit, days in ((80.0, "kg", 1), (176.0, "[lb_av]", 0)):
            facts.enter_dry_weight(
                connection,
                patient_id=maria.id,
                value=value,
                unit=unit,
                from_on=MORNING.date() - timedelta(days=days),
                actor=nora,
                now=MORNING,
            )
    assert told(desk) == [("above_dry", 2)], "entering it has the patient judged anew"
    assert "3.17 kg above the dry weight" in desk.alerts()[0]["reason"], "176 lb are 79.83 kg"
    with database.transaction() as connection:
        newest, older = facts.history(connection, practice_id=desk.clinic.practice_id, patient_id=maria.id)
    assert (newest.until_on, older.until_on) == (None, MORNING.date() - timedelta(days=1))


def test_in_pregnancy_and_six_weeks_after_its_own_limits_hold(database: Database) -> None:
    desk = Desk(database, now=MORNING, judgement=only("blood_pressure_pregnancy", "blood_pressure_high"))
    maria, nora = desk.clinic.patient("Maria", "Alvarez", born="1994-04-02"), nurse_of(desk)
    desk.clinic.pressure(maria, 162, 90)
    assert told(desk) == []
    today = MORNING.date()
    with database.transaction() as connection:
        facts.enter_pregnancy(
            connection, patient_id=maria.id, from_on=today - timedelta(days=200), actor=nora, now=MORNING
        )
        [known] = facts.history(connection, practice_id=desk.clinic.practice_id, patient_id=maria.id)
    assert told(desk) == [("blood_pressure_pregnancy", 3)]
    with database.transaction() as connection:
        facts.end(connection, known.fact_id, patient_id=maria.id, until_on=today, actor=nora, now=MORNING)
    for days, rule_ids in ((41, ["blood_pressure_pregnancy"]), (44, ["blood_pressure_pregnancy"])):
        desk.clinic.now = MORNING + timedelta(days=days)
        with database.transaction() as connection:
            connection.execute("update alert set status = 'closed', closed_at = %s", [desk.now])
        desk.clinic.pressure(maria, 170, 90)
        desk.judge()
        still_open = [one["rule_id"] for one in desk.alerts() if one["status"] == "open"]
        assert still_open == (rule_ids if days < 42 else []), "six weeks after the birth it is over"


def test_of_a_child_no_adult_limit_speaks_and_somebody_is_told(database: Database) -> None:
    desk = Desk(database, now=MORNING, judgement=only("blood_pressure_high"))
    nurse, child = desk.clinic.staff("nora"), desk.clinic.patient("Ann", "Lee", born="2014-01-31")
    desk.clinic.pressure(child, 190, 100)
    assert told(desk) == [(unruled.UNRULED, 2)]
    [alert] = desk.alerts()
    assert alert["patient_id"] == child.id
    assert alert["next_step_at"] is not None
    with database.transaction() as connection:
        assert alert_rows.close(
            connection, alert_id=alert["id"], staff_id=nurse, disposition="called", note="orders asked for", now=MORNING
        ).done
    desk.forward(hours=24)
    desk.clinic.pressure(child, 190, 100)
    assert len(told(desk)) == 1, "not told again the next day"
    desk.forward(days=30)
    desk.clinic.pressure(child, 190, 100)
    assert len(told(desk)) == 2, "but as long as it stays so"


def test_own_orders_hold_for_a_child(database: Database) -> None:
    desk = Desk(database, now=MORNING, judgement=only("blood_pressure_high"))
    child = desk.clinic.patient("Ann", "Lee", born="2014-01-31")
    desk.rows(
        "insert into patient_limit (practice_id, patient_id, rule_id, band, quantity, value, unit, approved_by, approved_at)"
        " values (%(practice)s, %(patient)s, 'blood_pressure_high', 'urgent', 'systolic', 130, 'mm[Hg]', 'Dr. Shah', 'epoch')"
        " returning id",
        practice=desk.clinic.practice_id,
        patient=child.id,
    )
    desk.clinic.pressure(child, 140, 80)
    assert told(desk) == [("blood_pressure_high", 3)]


@pytest.mark.parametrize("zone, born", [("<-03>3", "1955-04-02"), ("America/New_York", "9999-12-31")])
def test_a_record_nobody_can_use_stops_no_judge(database: Database, zone: str, born: str) -> None:
    """A zone this machine has no name for; a birth date that is none. Whoever else was claimed with it is judged as well."""
    desk = Desk(database, now=MORNING, judgement=only("blood_pressure_high"))
    odd, maria = desk.clinic.patient("Odd", "One", zone=zone, born=born), desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.pressure(odd, 190, 100)
    desk.clinic.pressure(maria, 190, 100)
    desk.judge()
    assert maria.id in {one["patient_id"] for one in desk.alerts()}
    assert len(desk.alerts()) == 2


def test_a_day_in_history(database: Database) -> None:
    """Two pregnancies cannot overlap, a fact ends once, and what was withdrawn holds no more."""
    desk = Desk(database, now=MORNING)
    maria, nora = desk.clinic.patient("Maria", "Alvarez"), nurse_of(desk)
    began = date(2026, 1, 10)
    with database.transaction() as connection:
        facts.enter_pregnancy(connection, patient_id=maria.id, from_on=began, actor=nora, now=MORNING)
        with pytest.raises(facts.UserError, match="already"):
            facts.enter_pregnancy(connection, patient_id=maria.id, from_on=began, actor=nora, now=MORNING)
        [one] = facts.history(connection, practice_id=desk.clinic.practice_id, patient_id=maria.id)
        with pytest.raises(facts.UserError, match="before it began"):
            facts.end(
                connection,
                one.fact_id,
                patient_id=maria.id,
                until_on=began - timedelta(days=1),
                actor=nora,
                now=MORNING,
            )
        facts.withdraw(connection, one.fact_id, patient_id=maria.id, actor=nora, now=MORNING)
        [known] = facts.of_patients(connection, [maria.id], now=MORNING)
        assert known.pregnant_from is None
        with pytest.raises(facts.UserError, match="750 lb"):
            facts.enter_dry_weight(
                connection, patient_id=maria.id, value=8.0, unit="kg", from_on=began, actor=nora, now=MORNING
            )
