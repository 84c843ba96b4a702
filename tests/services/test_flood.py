"""A thousand reds at once: a telephone rings a few times, then once a minute for all, and every alert is told (F58)."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from psycopg.errors import LockNotAvailable

from alerts.channels import Answer, Name
from alerts.channels.carriers import Outcome
from alerts.pace import SINGLY_MAX
from alerts.receipts import Receipt
from rpm.store import alerts, notifications, reports
from rpm.store.database import Connection, Database
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


@pytest.mark.parametrize("told_by", ["its report", "its silence"])
def test_what_fails_a_summary_has_locked_every_alert_it_told_of(desk: Desk, told_by: str) -> None:
    """It changes their messages, too: whoever locks them in another order would be stopped by the database, one of both."""
    desk.outbox.answer = Answer(True, "taken", "p")
    crises(desk, SINGLY_MAX + 3)
    desk.call()
    desk.forward(minutes=1)
    desk.call()
    others = desk.rows("select alert_id, told_in from notification where told_in is not null")
    [summary] = desk.rows("select token, channel from notification where id = %(id)s", id=others[0]["told_in"])
    failed = Receipt("p", "", Outcome.NOT_DELIVERED, "it did not arrive")
    window = {"before": desk.now, "since": desk.now - timedelta(seconds=1)}
    by: dict[str, Callable[[Connection], object]] = {
        "its report": lambda connection: reports.keep(connection, summary["token"], failed),
        "its silence": lambda connection: reports.overdue(
            connection, Name(summary["channel"]), providers=["p"], answer="nothing was heard", limit=1, **window
        ),
    }
    with desk.database.transaction() as another, desk.database.transaction() as connection:
        notifications.lock_alert(another, others[-1]["alert_id"])
        connection.execute("set local lock_timeout = '200ms'")
        with pytest.raises(LockNotAvailable):
            by[told_by](connection)


def test_a_report_that_overtakes_its_summary_has_locked_what_was_told_while_it_waited(desk: Desk) -> None:
    """The sender has handed it over and is about to write of what it told; the report of its failure is there first, and waits."""
    crises(desk, SINGLY_MAX + 3)
    desk.call()
    waits = desk.rows("select id, alert_id, token from notification where state = 'pending' order by id")
    assert len(waits) > 1
    told, others = waits[0], waits[1:]
    failed = Receipt("p", "", Outcome.NOT_DELIVERED, "it did not arrive")
    found: list[tuple[int | None, bool]] = []

    def reports_it() -> None:
        with desk.database.transaction() as connection:
            kept = reports.keep(connection, told["token"], failed)
            found.append((kept, is_locked(desk, others[-1]["alert_id"])))

    with desk.database.transaction() as sender:
        notifications.lock_alert(sender, *(one["alert_id"] for one in waits))
        report = threading.Thread(target=reports_it)
        report.start()
        wait_until_somebody_waits(desk)
        for one in others:
            sender.execute(
                "update notification set state = 'sent', told_in = %s where id = %s", [told["id"], one["id"]]
            )
    report.join(timeout=10)
    assert found == [(told["id"], True)]


def is_locked(desk: Desk, alert_id: int) -> bool:
    with desk.database.transaction() as connection:
        row = connection.execute("select id from alert where id = %s for update skip locked", [alert_id]).fetchone()
    return row is None


def wait_until_somebody_waits(desk: Desk) -> None:
    """For a lock that another holds."""
    for _ in range(100):
        if desk.rows("select from pg_locks where not granted"):
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits")
