"""Sending, at least once: no message is lost by a kill, duplicates happen only by one, and they are counted.

Senders are real processes where they are killed, and write what they sent to a file as the recipients' truth.
"""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from alerts.channels import Answer
from alerts.channels.book import read_channels
from rpm.jobs import escalate, send
from rpm.jobs.send import ATTEMPTS_MAX, BACK_OFF, LEASE
from rpm.store import alerts, notifications
from rpm.store.database import Database
from tests.services.judging import BASE_URL, PLAN, Desk
from tests.support.clock import MORNING
from tests.support.leaks import leaked
from tests.support.mail import MailSink

ROOT = Path(__file__).parents[2]


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora")
    desk.clinic.staff("ada", "admin")
    return desk


def crises(desk: Desk, number: int) -> None:
    """So many urgent alerts, their first call written and not sent."""
    for place in range(number):
        desk.clinic.pressure(desk.clinic.patient("Maria", f"Alvarez {place}"), 192, 118)
    desk.judge()
    while escalate.run_once(desk.database, now=desk.now, plan=PLAN).done:
        pass


def states(desk: Desk) -> dict[str, int]:
    return dict(Counter(row["state"] for row in desk.rows("select state from notification")))


def once(desk: Desk) -> send.Report:
    return send.run_once(desk.database, now=desk.now, channels=desk.channels, base_url=BASE_URL)


def test_the_mail_names_the_alert_and_no_patient(desk: Desk, mail_sink: MailSink) -> None:
    """P8, on the wire of a real SMTP server."""
    crises(desk, 1)
    report = send.run_once(
        desk.database, now=desk.now, channels=read_channels(None, mail_url=mail_sink.url), base_url=BASE_URL
    )
    assert (report.sent, report.failed, report.more) == (1, 0, True)
    [mail] = mail_sink.wait(1)
    assert mail_sink.recipients == [("nora@clinic.example",)]
    text = mail.as_string() + str(mail.get_content())
    public_id = str(desk.alerts()[0]["public_id"])
    assert f"https://clinic.example/alerts/{public_id}" in text
    assert "Urgent alert" in mail["Subject"]
    assert leaked(text, "Maria", "Alvarez", "192", "118", "pressure", "systolic") == []
    [message] = desk.rows("select state, answer, sent_at, attempts from notification")
    assert message == {"state": "sent", "answer": "the mail server took it", "sent_at": MORNING, "attempts": 1}


def test_a_refusing_server_is_tried_again_with_growing_pauses(desk: Desk) -> None:
    crises(desk, 1)
    desk.outbox.answer = Answer(False, "busy")
    waits: list[timedelta] = []
    while states(desk) == {"pending": 1}:
        before = desk.now
        desk.clinic.now = desk.rows("select due_at from notification")[0]["due_at"]
        waits.append(desk.now - before)
        once(desk)
    assert waits == [timedelta(0), *(BACK_OFF * 2**power for power in range(ATTEMPTS_MAX - 1))]
    assert states(desk) == {"failed": 1}
    assert len(desk.outbox.sent) == ATTEMPTS_MAX
    [event] = desk.rows("select reason, detail from alert_event where kind = 'notification_failed'")
    assert event == {
        "reason": f"email: given up after {ATTEMPTS_MAX} attempts: busy",
        "detail": {"step": 1, "attempts": ATTEMPTS_MAX},
    }


def test_whom_a_message_cannot_reach_the_next_step_replaces_at_once(desk: Desk) -> None:
    crises(desk, 1)
    desk.outbox.answer = Answer(False, "busy")
    while states(desk) == {"pending": 1}:
        desk.clinic.now = desk.rows("select due_at from notification")[0]["due_at"]
        once(desk)
    assert desk.now - MORNING < timedelta(minutes=15)
    desk.outbox.answer = Answer(True, "taken")
    desk.outbox.sent.clear()
    desk.call()
    assert desk.outbox.addresses == ["ada@clinic.example"]


def test_a_message_acknowledged_while_leased_is_not_sent(desk: Desk) -> None:
    """E6: asked once more, right before the call."""
    crises(desk, 1)
    nurse = int(desk.rows("select id from staff where username = 'nora'")[0]["id"])
    with desk.database.transaction() as connection:
        notifications.claim(connection, now=desk.now, lease_until=desk.now + LEASE, limit=1)
        alerts.acknowledge(connection, alert_id=desk.alerts()[0]["id"], staff_id=nurse, now=desk.now)
    desk.forward(seconds=LEASE.total_seconds())
    report = once(desk)
    assert (report.sent, report.cancelled) == (0, 1)
    assert desk.outbox.sent == []


def test_a_lease_keeps_others_off_until_it_ends(desk: Desk) -> None:
    crises(desk, 1)
    with desk.database.transaction() as connection:
        [mine] = notifications.claim(connection, now=desk.now, lease_until=desk.now + LEASE, limit=1)
    desk.forward(seconds=LEASE.total_seconds() - 1)
    assert once(desk).done == 0
    desk.forward(seconds=1)
    assert once(desk).sent == 1
    # Who lost its lease has no say any more.
    with desk.database.transaction() as connection:
        assert not notifications.finish(connection, mine, notifications.State.FAILED, "late", due_at=desk.now)
    assert states(desk) == {"sent": 1}


def test_a_message_that_ends_every_sender_is_given_up(desk: Desk) -> None:
    crises(desk, 1)
    for _ in range(ATTEMPTS_MAX):
        with desk.database.transaction() as connection:
            assert notifications.claim(connection, now=desk.now, lease_until=desk.now + LEASE, limit=1)
        desk.forward(seconds=LEASE.total_seconds())
    assert once(desk).failed == 1
    assert desk.outbox.sent == []


_SENDER = """
import os, sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from alerts.channels import Answer, Name
from rpm.jobs import send
from rpm.store.database import Database
from tests.services.judging import BASE_URL

database, log, hold_at = Database(sys.argv[1]).open(), Path(sys.argv[2]), int(sys.argv[3])
if hold_at:
    # Short: a killed sender's message comes back within the test. Nobody else sends meanwhile who could take a living one's.
    send.LEASE = timedelta(seconds=0.5)

class Recipients:
    def send(self, address, *, subject, body, report_to, asks):
        with log.open("ab") as file:
            file.write(f"{subject}|{address}\\n".encode())
            file.flush()
            os.fsync(file.fileno())
        while hold_at and len(log.read_bytes().splitlines()) >= hold_at:
            time.sleep(600)
        return Answer(True, "taken")

while True:
    report = send.run_once(database, now=database.clock(), channels={Name.EMAIL: Recipients()}, base_url=BASE_URL)
    if not report.more:
        time.sleep(0.02)
"""


def _sender(desk: Desk, log: Path, *, hold_at: int = 0) -> subprocess.Popen[bytes]:
    """`hold_at`: once so many were sent it stands still between the sending and the writing, until it is killed."""
    return subprocess.Popen([sys.executable, "-c", _SENDER, desk.database.dsn, log, str(hold_at)], cwd=ROOT)


def _wait_until_sent(desk: Desk, number: int) -> None:
    deadline = time.monotonic() + 60
    while states(desk).get("sent", 0) < number:
        assert time.monotonic() < deadline, states(desk)
        time.sleep(0.05)


def test_two_senders_never_both_send_without_a_fault(desk: Desk, tmp_path: Path) -> None:
    crises(desk, 40)
    log = tmp_path / "sent.log"
    children = [_sender(desk, log) for _ in range(2)]
    try:
        _wait_until_sent(desk, 40)
    finally:
        _end(children)
    sent = Counter(log.read_text("utf-8").splitlines())
    assert len(sent) == 40
    assert set(sent.values()) == {1}


def test_a_sender_killed_between_sending_and_writing_loses_nothing(desk: Desk, tmp_path: Path) -> None:
    """At least once: every message arrives; each duplicate is one kill's, and there is at most one a kill."""
    crises(desk, 20)
    log = tmp_path / "sent.log"
    kills = 0
    child = _sender(desk, log, hold_at=2)
    try:
        for wanted, following in ((2, 5), (5, 8), (8, 11), (11, 14), (14, 1000)):
            deadline = time.monotonic() + 60
            while not log.exists() or len(log.read_text("utf-8").splitlines()) < wanted:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            # The line is written: the message is out, its row is not marked.
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            kills += 1
            child = _sender(desk, log, hold_at=following)
        _wait_until_sent(desk, 20)
    finally:
        _end([child])
    sent = Counter(log.read_text("utf-8").splitlines())
    duplicates = sum(sent.values()) - len(sent)
    assert kills == 5
    assert len(sent) == 20
    assert duplicates == kills
    attempts = desk.rows("select sum(attempts) as n from notification")[0]["n"]
    assert attempts == 20 + kills


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.kill()
        child.wait()
