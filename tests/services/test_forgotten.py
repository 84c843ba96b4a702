"""An acknowledgement that comes to nothing has an end (E11): the alert is open again and calls, unless somebody is at work.

Time passes by telling the loops a later time.
"""

import threading
from datetime import timedelta

import pytest

from rpm.jobs import escalate
from rpm.store import alerts
from rpm.store.database import Database
from tests.services.judging import PLAN, Desk
from tests.services.test_escalate import ADMIN, NURSE, act, crisis, staff_id
from tests.support.clock import MORNING

FORGETFUL = PLAN.model_copy(
    update={"policies": tuple(policy.model_copy(update={"acknowledged_min": 30}) for policy in PLAN.policies)}
)


@pytest.fixture
def forgetful(database: Database) -> Desk:
    """A clinic where an acknowledgement lasts half an hour."""
    desk = Desk(database, now=MORNING, plan=FORGETFUL)
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    return desk


def test_who_acknowledges_and_forgets_is_not_waited_for(forgetful: Desk) -> None:
    alert_id = crisis(forgetful)
    forgetful.call()
    act(forgetful, alert_id, "nora")
    forgetful.forward(minutes=29, seconds=59)
    forgetful.call()
    assert forgetful.outbox.addresses == [NURSE]
    forgetful.forward(seconds=1)
    forgetful.call()
    assert forgetful.outbox.addresses == [NURSE, NURSE]
    [alert] = forgetful.alerts()
    assert (alert["status"], alert["acknowledged_by"]) == ("open", None)
    assert forgetful.events(alert_id)[-3:] == ["reopened", "called", "notified"]
    [said] = forgetful.rows("select reason from alert_event where kind = 'reopened'")
    assert said["reason"] == "acknowledged 30 minutes ago, and nothing was done since"
    forgetful.forward(minutes=15)
    forgetful.call()
    assert forgetful.outbox.addresses == [NURSE, NURSE, ADMIN], "and so on, as if it had just come"


def test_who_is_at_work_for_the_patient_has_not_forgotten(forgetful: Desk) -> None:
    alert_id = crisis(forgetful)
    patient_id = forgetful.alerts()[0]["patient_id"]
    act(forgetful, alert_id, "nora")
    who = {"nora": staff_id(forgetful, "nora"), "patient": patient_id, "practice": forgetful.clinic.practice_id}
    forgetful.forward(minutes=20)
    forgetful.rows(
        "insert into time_entry (practice_id, patient_id, staff_id, started_at, ended_at, activity, interactive, created_at)"
        " values (%(practice)s, %(patient)s, %(nora)s, %(since)s, %(now)s, 'call', true, %(now)s) returning id",
        **who, since=forgetful.now - timedelta(minutes=6), now=forgetful.now,
    )  # fmt: skip
    forgetful.forward(minutes=29)
    forgetful.call()
    assert forgetful.outbox.sent == [], "49 minutes after the acknowledgement, 29 after the call"
    forgetful.rows(
        "insert into timer (staff_id, practice_id, patient_id, started_at)"
        " values (%(nora)s, %(practice)s, %(patient)s, %(now)s) returning staff_id",
        **who, now=forgetful.now,
    )  # fmt: skip
    forgetful.forward(minutes=59)
    forgetful.call()
    assert forgetful.outbox.sent == [], "the timer runs"
    forgetful.forward(minutes=1)
    forgetful.call()
    assert forgetful.outbox.addresses == [NURSE], "a timer nobody stops is forgotten as well"


def test_what_is_closed_stays_closed_and_no_end_means_none(forgetful: Desk) -> None:
    alert_id = crisis(forgetful)
    act(forgetful, alert_id, "nora")
    other = crisis(forgetful, "Weiss")
    act(forgetful, other, "nora")
    with forgetful.database.transaction() as connection:
        alerts.close(
            connection, alert_id=alert_id, staff_id=staff_id(forgetful, "nora"), disposition="called", note="",
            now=forgetful.now,
        )  # fmt: skip
    forgetful.plan = PLAN
    forgetful.forward(days=3)
    forgetful.call()
    assert forgetful.outbox.sent == []
    forgetful.plan = FORGETFUL
    forgetful.call()
    assert [alert["status"] for alert in forgetful.alerts()] == ["closed", "open"]


def test_three_replicas_reopen_a_forgotten_alert_once(forgetful: Desk) -> None:
    alert_id = crisis(forgetful)
    act(forgetful, alert_id, "nora")
    forgetful.forward(minutes=31)
    replicas = [
        threading.Thread(
            target=escalate.run_once, args=(forgetful.database,), kwargs={"now": forgetful.now, "plan": FORGETFUL}
        )
        for _ in range(3)
    ]
    for replica in replicas:
        replica.start()
    for replica in replicas:
        replica.join()
    assert forgetful.events(alert_id).count("reopened") == 1
    assert forgetful.rows("select armed, step from alert") == [{"armed": 2, "step": 1}]
    assert len(forgetful.rows("select id from notification")) == 1
