"""The evaluate job on a real database: what arrives is judged once, saved with its reasons, and survives a kill.

Readings go in through the product's own store; alerts are read back with plain SQL.
"""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from alerts.escalation import Plan, parse_plan
from alerts.severity import Severity
from rpm.jobs import evaluate
from rpm.jobs.evaluate import CLAIM_LIMIT
from rpm.store import alerts as alert_rows
from rpm.store import queries, series
from rpm.store.database import Database
from rpm.store.listener import Listener
from schemas.codes import BY_NAME, UNIT_NUMBER, Kind
from tests.services.judging import JUDGEMENT, PLAN, Desk
from tests.support.clock import MORNING


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, now=MORNING)


def test_a_crisis_becomes_one_alert_that_says_why(desk: Desk) -> None:
    patient = desk.clinic.patient("Maria", "Alvarez")
    name = desk.clinic.pressure(patient, 192, 118)
    report = desk.judge()
    assert (report.patients, report.written, report.more) == (1, 1, False)
    [alert] = desk.alerts()
    assert (alert["patient_id"], alert["rule_id"], alert["rule_version"]) == (patient.id, "blood_pressure_high", "4")
    assert (alert["severity"], alert["kind"], alert["confirmed"], alert["status"]) == (3, "clinical", False, "open")
    assert alert["reason"] == "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg"
    assert (alert["measured_at"], alert["next_step_at"], alert["armed"]) == (MORNING, MORNING, 1)
    evidence = alert["evidence"]
    assert [(one["quantity"], one["value"], one["unit"]) for one in evidence["values"]] == [
        ("systolic", 192, "mm[Hg]"),
        ("diastolic", 118, "mm[Hg]"),
    ]
    assert {one["reading_id"] for one in evidence["values"]} == {str(name)}
    assert evidence["limit"]["value"] == 180
    assert desk.events(alert["id"]) == ["opened"]
    assert desk.rows("select * from patient_news") == []


def test_an_episode_over_a_day(desk: Desk) -> None:
    patient = desk.clinic.patient("Maria", "Alvarez")
    for mg_dl in (65.0, 50.0, 49.0, 100.0):
        desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (mg_dl, "mg/dL")}, at=desk.now)
        desk.judge()
        desk.forward(minutes=10)
    [alert] = desk.alerts()
    assert (alert["severity"], alert["confirmed"], alert["status"], alert["armed"]) == (3, True, "open", 2)
    assert alert["back_in_range_at"] == desk.now - timedelta(minutes=10)
    assert desk.events(alert["id"]) == ["opened", "worsened", "updated", "back_in_range"]
    assert "49 mg/dL" in alert["reason"]


def test_worsening_calls_again_what_was_acknowledged(desk: Desk) -> None:
    nurse, patient = desk.clinic.staff("nora"), desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (65.0, "mg/dL")}, at=desk.now)
    desk.judge()
    desk.call()
    with desk.database.transaction() as connection:
        alert_rows.acknowledge(connection, alert_id=desk.alerts()[0]["id"], staff_id=nurse, now=desk.now)
    desk.forward(minutes=10)
    desk.clinic.measure(patient, Kind.GLUCOSE, {"glucose": (50.0, "mg/dL")}, at=desk.now)
    desk.judge()
    [alert] = desk.alerts()
    assert (alert["status"], alert["acknowledged_by"], alert["step"], alert["next_step_at"]) == (
        "open",
        None,
        0,
        desk.now,
    )
    desk.call()
    assert desk.outbox.addresses == ["nora@clinic.example"] * 2


def test_closed_stays_closed_until_something_new(desk: Desk) -> None:
    nurse, patient = desk.clinic.staff("nora"), desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.pressure(patient, 192, 118)
    desk.judge()
    with desk.database.transaction() as connection:
        done = alert_rows.close(
            connection,
            alert_id=desk.alerts()[0]["id"],
            staff_id=nurse,
            disposition="called",
            note="rests",
            now=desk.now,
        )
    assert done.done
    desk.forward(minutes=5)
    desk.clinic.pressure(patient, 150, 90)
    desk.judge()
    assert [alert["status"] for alert in desk.alerts()] == ["closed"]
    desk.forward(minutes=5)
    desk.clinic.pressure(patient, 190, 100)
    desk.judge()
    assert [alert["status"] for alert in desk.alerts()] == ["closed", "open"]


def test_a_weight_four_pounds_above_yesterday_s(desk: Desk) -> None:
    patient = desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.measure(
        patient, Kind.BODY_WEIGHT, {"body_weight": (180.2, "[lb_av]")}, at=desk.now - timedelta(hours=24)
    )
    desk.clinic.measure(patient, Kind.BODY_WEIGHT, {"body_weight": (184.2, "[lb_av]")}, at=desk.now)
    desk.judge()
    [alert] = desk.alerts()
    assert alert["reason"] == "Weight up 4.0 lb (1.8 kg) in 24 hours: 180.2 lb → 184.2 lb; limit 3 lb"
    assert [one["role"] for one in alert["evidence"]["values"]] == ["reference", "value"]
    assert all(one["reading_id"] for one in alert["evidence"]["values"])


def test_an_own_limit_is_obeyed(desk: Desk) -> None:
    patient = desk.clinic.patient("Maria", "Alvarez")
    with desk.database.transaction() as connection:
        connection.execute(
            "insert into patient_limit (practice_id, patient_id, rule_id, band, quantity, value, unit, approved_by, approved_at)"
            " values (%s, %s, 'blood_pressure_high', 'urgent', 'systolic', 150, 'mm[Hg]', 'Dr. Shah', 'epoch')",
            [desk.clinic.practice_id, patient.id],
        )
    desk.clinic.pressure(patient, 152, 80)
    desk.judge()
    assert [alert["reason"] for alert in desk.alerts()] == [
        "Blood pressure 152/80 mmHg; limit systolic above 150 mmHg (own limit)"
    ]


#: A practice that wants calls even for routine alerts.
EAGER = parse_plan("""
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
step = [{ after_min = 0, targets = ["role:nurse"] }]
[[policy]]
severity = "routine"
step = [{ after_min = 0, targets = ["role:nurse"] }]
""")


@pytest.mark.parametrize("plan", [PLAN, EAGER])
def test_a_backlog_with_old_reds_calls_nobody(database: Database, plan: Plan) -> None:
    """T5: offline for days, then everything at once."""
    desk = Desk(database, now=MORNING, plan=plan)
    desk.clinic.staff("nora")
    patient = desk.clinic.patient("Maria", "Alvarez")
    rows: list[Any] = [
        (
            patient,
            Kind.BLOOD_PRESSURE,
            {"systolic": (190.0 if hours == 30 else 125.0, "mm[Hg]"), "diastolic": (80.0, "mm[Hg]")},
            desk.now - timedelta(hours=hours),
            True,
            (),
        )
        for hours in range(6, 100)
    ]
    desk.clinic.measure_many(rows)
    desk.judge()
    desk.call()
    [alert] = desk.alerts()
    assert (alert["kind"], alert["severity"], alert["late"], alert["next_step_at"]) == ("review", 1, True, None)
    assert desk.outbox.sent == []


def test_a_rule_that_raises_is_told_and_silences_no_other(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """H2: one technical alert per practice and rule, however often it fails."""

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    patient = desk.clinic.patient("Maria", "Alvarez")
    monkeypatch.setattr("alerts.kernels.gains.earlier_value", broken)
    for _ in range(2):
        desk.clinic.measure(patient, Kind.BODY_WEIGHT, {"body_weight": (80.0, "kg")}, at=desk.now)
        desk.clinic.pressure(patient, 190, 100)
        desk.judge()
        desk.forward(minutes=1)
    kinds = [(alert["kind"], alert["rule_id"]) for alert in desk.alerts()]
    assert sorted(kinds) == [
        ("clinical", "blood_pressure_high"),
        ("technical", "rule_failed.weight_gain_24h"),
        ("technical", "rule_failed.weight_gain_7d"),
    ]


def test_no_patient_is_judged_twice_at_once(desk: Desk) -> None:
    """Another replica's claim is passed over, not waited for; what it gives back is found again."""
    desk.clinic.pressure(desk.clinic.patient("Maria", "Alvarez"), 192, 118)
    with psycopg.connect(desk.database.dsn) as other:
        claim = queries.load("series")["claim_news"]
        assert other.execute(claim, {"limit": 10}).rowcount == 1
        assert desk.judge().patients == 0
        other.rollback()
    assert desk.judge().patients == 1


def test_the_claim_is_bounded_and_says_that_there_is_more(desk: Desk) -> None:
    for number in range(3):
        desk.clinic.pressure(desk.clinic.patient("P", str(number)), 192, 118)
    reports = [evaluate.run_once(desk.database, now=desk.now, judgement=JUDGEMENT, limit=2) for _ in range(2)]
    assert [(report.patients, report.more) for report in reports] == [(2, True), (1, False)]
    assert len(desk.alerts()) == 3
    assert CLAIM_LIMIT > 2


def test_the_worklist_is_told(desk: Desk) -> None:
    desk.clinic.pressure(desk.clinic.patient("Maria", "Alvarez"), 192, 118)
    with Listener(desk.database.dsn, "worklist") as listener:
        desk.judge()
        assert listener.wait(30)
        desk.judge()
        assert not listener.wait(0.2)


def test_the_window_is_read_whole_and_exactly(desk: Desk) -> None:
    """The binary rows of COPY against plain SQL: types, instants before and after 2000, and voided values left out."""
    patient = desk.clinic.patient("Maria", "Alvarez")
    for minutes, value in ((0, 82.105), (30, 181.0), (61, 1e-9)):
        at = desk.now - timedelta(minutes=minutes, microseconds=minutes)
        desk.clinic.measure(patient, Kind.BODY_WEIGHT, {"body_weight": (value, "kg")}, at=at)
    with desk.database.transaction() as connection:
        connection.execute("update observation set quality = quality | 8 where value = 181.0")
        loaded = series.window(
            connection,
            patients=[patient.id],
            codes=[BY_NAME["body_weight"].number],
            since=desk.now - timedelta(days=1),
            until=desk.now,
        )
        expected = connection.execute(
            "select patient_id, (extract(epoch from measured_at) * 1000000)::bigint as us, reading_no, code, unit, value"
            " from observation where quality & 8 = 0 order by measured_at"
        ).fetchall()
    columns = (loaded.patient, loaded.measured_at_us, loaded.reading_no, loaded.code, loaded.unit, loaded.value)
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == [tuple(row.values()) for row in expected]
    assert len(loaded) == 2
    assert loaded.unit[0] == UNIT_NUMBER["kg"]


_EVALUATOR = """
import json, sys, time
from datetime import datetime
from rpm.jobs import evaluate
from rpm.store import series
from rpm.store.database import Database
from tests.services.judging import JUDGEMENT

database = Database(sys.argv[1]).open()
step, now = sys.argv[2], datetime.fromisoformat(sys.argv[3])
module, name = (evaluate.alerts, "save") if step == "saving" else (series, "window")
original = getattr(module, name)
def stalled(*args, **more):
    result = original(*args, **more)
    print("there", flush=True)
    time.sleep(600)
    return result
setattr(module, name, stalled)
evaluate.run_once(database, now=now, judgement=JUDGEMENT)
"""


@pytest.mark.parametrize("step", ["loading", "saving"])
def test_an_evaluator_killed_in_the_middle_loses_nothing(desk: Desk, step: str) -> None:
    """H1: kill -9 after the claim, and after the alert was written but not committed."""
    desk.clinic.pressure(desk.clinic.patient("Maria", "Alvarez"), 192, 118)
    child = subprocess.Popen(
        [sys.executable, "-c", _EVALUATOR, desk.database.dsn, step, desk.now.isoformat()],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"there\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    deadline = time.monotonic() + 30
    # The server notices the dead client when it next looks; until then its claim stands.
    while desk.judge().patients == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [alert["severity"] for alert in desk.alerts()] == [Severity.URGENT]
    assert json.dumps(desk.alerts()[0]["evidence"])
