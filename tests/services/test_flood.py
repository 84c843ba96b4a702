"""A thousand reds at once: a telephone rings a few times, then once a minute for all, and every alert is told (F58)."""

import pytest

from alerts.channels import Answer
from alerts.pace import SINGLY_MAX
from rpm.store import alerts
from rpm.store.database import Database
from tests.services.judging import Desk
from tests.services.test_send import crises
from tests.support.clock import MORNING

MANY = 200


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, now=MORNING)
    desk.singly_max = SINGLY_MAX
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    return desk


def untold(desk: Desk) -> int:
    return len(desk.rows("select 1 from notification where state <> 'sent'"))


def test_many_reds_are_a_few_messages_and_then_one_for_all(desk: Desk) -> None:
    crises(desk, MANY)
    desk.call()
    assert len(desk.outbox.sent) == SINGLY_MAX
    desk.forward(seconds=59)
    desk.call()
    assert len(desk.outbox.sent) == SINGLY_MAX
    desk.forward(seconds=1)
    desk.call()
    assert len(desk.outbox.sent) == SINGLY_MAX + 1
    _address, subject, body = desk.outbox.sent[-1]
    assert subject == f"{MANY - SINGLY_MAX} alerts, urgent and less"
    assert "https://clinic.example/worklist" in body
    assert untold(desk) == 0
    told = desk.rows("select alert_id from alert_event where kind = 'notified'")
    assert len({row["alert_id"] for row in told}) == MANY


def test_who_has_one_meanwhile_is_told_of_the_others_alone(desk: Desk) -> None:
    crises(desk, SINGLY_MAX + 3)
    desk.call()
    told = {row["alert_id"] for row in desk.rows("select alert_id from alert_event where kind = 'notified'")}
    taken = min({row["id"] for row in desk.alerts()} - told)
    with desk.database.transaction() as connection:
        [who] = connection.execute("select id from staff where username = 'nora'").fetchall()
        assert alerts.acknowledge(connection, alert_id=taken, staff_id=who["id"], now=desk.now).done
    desk.forward(minutes=1)
    desk.call()
    assert desk.outbox.sent[-1][1] == "2 alerts, urgent and less"


def test_a_summary_that_nobody_takes_is_tried_again_and_none_is_lost(desk: Desk) -> None:
    crises(desk, SINGLY_MAX + 4)
    desk.call()
    desk.outbox.answer = Answer(False, "busy")
    desk.forward(minutes=1)
    desk.call()
    assert untold(desk) == 4
    desk.outbox.answer = Answer(True, "taken")
    desk.forward(minutes=1)
    desk.call()
    assert untold(desk) == 0
    assert desk.outbox.sent[-1][1] == "4 alerts, urgent and less"
