"""A first pressure out of range waits for a second one: as rows, through kills and lost lines, and told to the nurse.

Method: the judge and the loop that asks, turned by hand on an injected clock, with the shipped rules and a real database; a
process that is killed at each step. The way to the home and back: test_repeats_at_home.
"""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rpm.jobs import evaluate, repeats
from rpm.store import requests
from rpm.store.database import Database
from rpm.store.repeats import AGAIN_AFTER, WITHDRAWN_AFTER
from schemas.messages import Request, RequestKind
from tests.services.judging import PLAN, SHIPPED, Desk
from tests.support.clinic import Person
from tests.support.clock import MORNING

ASKING = evaluate.Judgement(SHIPPED, PLAN)


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database, now=MORNING, judgement=ASKING)


@pytest.fixture
def maria(desk: Desk) -> Person:
    return desk.clinic.patient("Maria", "Alvarez")


def turn(desk: Desk) -> None:
    """The loop that asks, then the judge."""
    repeats.run_once(desk.database, now=desk.now)
    desk.judge()


def told(desk: Desk) -> list[tuple[str, int, bool]]:
    return [(one["rule_id"], one["severity"], one["confirmed"]) for one in desk.alerts()]


def waits(desk: Desk) -> list[dict[str, Any]]:
    return desk.rows("select * from repeat_wait order by began_at, reading_no")


def asked(desk: Desk) -> list[dict[str, Any]]:
    return desk.rows("select * from gateway_request order by asked_at, kind")


def sent(desk: Desk) -> list[Request]:
    with desk.database.transaction() as connection:
        return requests.claim(connection, now=desk.now, limit=10)


def set_aside(desk: Desk, person: Person) -> None:
    """All that was measured is nobody's any more, and is judged again."""
    desk.rows("update observation set quality = quality | 8 returning 1")
    desk.rows(
        "insert into patient_news (patient_id, practice_id, since) values (%(id)s, %(practice)s, %(now)s) returning 1",
        id=person.id, practice=desk.clinic.practice_id, now=desk.now,
    )  # fmt: skip
    desk.judge()


def test_a_first_red_asks_at_home_and_calls_nobody(desk: Desk, maria: Person) -> None:
    desk.clinic.pressure(maria, 192, 118)
    desk.judge()
    assert desk.alerts() == []
    [wait] = waits(desk)
    assert (wait["patient_id"], wait["severity"], wait["until_at"]) == (maria.id, 3, MORNING + timedelta(minutes=15))
    turn(desk)
    turn(desk)
    [request] = sent(desk)
    assert (request.gateway_id, request.kind) == (desk.clinic.gateway_id, RequestKind.MEASURE_AGAIN)
    assert request.arguments == {"kind": "blood_pressure"}, "nothing of whose it is, or what was measured"
    assert request.expires_at == MORNING + timedelta(minutes=15)
    assert sent(desk) == [], "sent once, and again only after a while"
    assert [(one["patient_id"], one["asked_by"]) for one in asked(desk)] == [(maria.id, None)]


def test_the_second_reading_confirms_and_the_page_says_of_how_many(desk: Desk, maria: Person) -> None:
    desk.clinic.pressure(maria, 192, 118)
    turn(desk)
    desk.forward(minutes=3)
    desk.clinic.pressure(maria, 186, 112)
    turn(desk)
    assert told(desk) == [("blood_pressure_high", 3, True)]
    [alert] = desk.alerts()
    assert "189/115 mmHg (mean of 2 readings: 192/118 mmHg, then 186/112 mmHg)" in alert["reason"]
    assert alert["next_step_at"] == desk.now
    assert alert["evidence"]["repeat"]["how"] == "mean"
    assert len({one["reading_id"] for one in alert["evidence"]["values"]}) == 2
    assert [(one["outcome"], one["due_at"]) for one in waits(desk)] == [("confirmed", None)]


def test_a_second_reading_in_range_calls_nobody_and_leaves_a_question(desk: Desk, maria: Person) -> None:
    desk.clinic.pressure(maria, 184, 96)
    turn(desk)
    desk.forward(minutes=3)
    desk.clinic.pressure(maria, 128, 80)
    desk.judge()
    desk.forward(minutes=15)
    turn(desk)
    desk.call()
    assert desk.outbox.sent == []
    [question] = desk.alerts()
    assert (question["severity"], question["status"], question["next_step_at"]) == (1, "open", None)
    assert "not confirmed: 128/80 mmHg 3 minutes later; did the same person" in question["reason"]
    assert [one["outcome"] for one in waits(desk)] == ["not_confirmed"]


def test_no_second_reading_in_a_quarter_of_an_hour_is_raised_as_unconfirmed(desk: Desk, maria: Person) -> None:
    """The box is not reached at all: nothing answers, and the deadline holds."""
    desk.clinic.staff("nora")
    desk.clinic.pressure(maria, 192, 118)
    turn(desk)
    desk.forward(minutes=14, seconds=59)
    turn(desk)
    assert desk.alerts() == []
    desk.forward(seconds=1)
    turn(desk)
    assert told(desk) == [("blood_pressure_high", 3, False)]
    assert desk.alerts()[0]["reason"].endswith("; unconfirmed: no second reading within 15 minutes")
    desk.call()
    assert desk.outbox.addresses == ["nora@clinic.example"]
    assert [one["outcome"] for one in waits(desk)] == ["unanswered"]
    assert repeats.run_once(desk.database, now=desk.now).done == 0
    # It comes after all: the alert that stands becomes a confirmed one.
    desk.clinic.pressure(maria, 190, 116, minutes_ago=10)
    turn(desk)
    assert told(desk) == [("blood_pressure_high", 3, True)]


def test_what_is_no_red_is_told_one_severity_lower_without_a_second(desk: Desk, maria: Person) -> None:
    desk.clinic.pressure(maria, 85, 55)
    turn(desk)
    desk.forward(minutes=15)
    turn(desk)
    [alert] = desk.alerts()
    assert (alert["rule_id"], alert["band"], alert["severity"], alert["confirmed"]) == (
        "blood_pressure_low", "priority", 1, False,
    )  # fmt: skip
    desk.clinic.pressure(maria, 84, 54, minutes_ago=5)
    turn(desk)
    [alert] = desk.alerts()
    assert (alert["severity"], alert["confirmed"]) == (2, True)
    assert desk.events(alert["id"]) == ["opened", "worsened"]


def test_what_is_beyond_the_plausible_never_waits(desk: Desk, maria: Person) -> None:
    """As somebody lets it in by hand: held it has called already (test_evaluate_held)."""
    desk.clinic.pressure(maria, 268, 150)
    desk.judge()
    assert told(desk) == [("blood_pressure_high", 3, False)]
    assert waits(desk) == []


@pytest.mark.parametrize("minutes", [16, 180, 20 * 60])
def test_what_comes_late_neither_asks_nor_waits(desk: Desk, maria: Person, minutes: float) -> None:
    desk.clinic.pressure(maria, 192, 118, minutes_ago=minutes)
    desk.judge()
    turn(desk)
    assert (len(desk.alerts()), waits(desk), asked(desk)) == (1, [], [])


def test_nobody_is_asked_with_no_time_left(desk: Desk, maria: Person) -> None:
    desk.clinic.pressure(maria, 192, 118, minutes_ago=14)
    turn(desk)
    turn(desk)
    assert asked(desk) == []
    desk.forward(minutes=1)
    turn(desk)
    assert told(desk) == [("blood_pressure_high", 3, False)]


def test_what_the_box_still_shows_is_taken_back(desk: Desk, maria: Person) -> None:
    """The second reading came through another box: nobody told this one."""
    desk.clinic.pressure(maria, 192, 118)
    turn(desk)
    turn(desk)
    [request] = sent(desk)
    desk.forward(minutes=2)
    desk.clinic.pressure(maria, 128, 80)
    desk.judge()
    desk.forward(seconds=WITHDRAWN_AFTER.total_seconds() + 1)
    turn(desk)
    assert [(one["kind"], one["state"]) for one in asked(desk)] == [
        ("measure_again", "withdrawn"), ("withdraw", "asked"),
    ]  # fmt: skip
    [back] = sent(desk)
    assert (back.kind, back.arguments) == ("withdraw", {"request_id": request.request_id})
    turn(desk)
    assert len(asked(desk)) == 2
    with desk.database.transaction() as connection:
        [shown] = requests.about_patient(
            connection, maria.id, practice_id=desk.clinic.practice_id, since=desk.now - timedelta(days=1)
        )
    assert (shown.kind, shown.state, shown.asked_by) == ("measure_again", "withdrawn", "this program, of itself")
    # What the box never heard of is not sent any more, and nothing is taken back.
    jose = desk.clinic.patient("Jose", "Brown")
    desk.clinic.pressure(jose, 192, 118)
    turn(desk)
    turn(desk)
    desk.forward(minutes=1)
    desk.clinic.pressure(jose, 120, 80)
    desk.judge()
    desk.forward(seconds=WITHDRAWN_AFTER.total_seconds() + 1)
    turn(desk)
    mine = [one for one in asked(desk) if one["patient_id"] == jose.id]
    assert [(one["kind"], one["state"]) for one in mine] == [("measure_again", "withdrawn")]


def test_a_first_reading_that_was_no_patients_asks_no_more(desk: Desk, maria: Person) -> None:
    desk.clinic.pressure(maria, 192, 118)
    turn(desk)
    set_aside(desk, maria)
    assert [one["outcome"] for one in waits(desk)] == ["gone"]
    desk.forward(minutes=15)
    turn(desk)
    assert desk.alerts() == []


_KILLED = """
import sys, time
from datetime import datetime
from rpm.jobs import evaluate, repeats
from rpm.store.database import Database
from tests.services.judging import PLAN, SHIPPED

database = Database(sys.argv[1]).open()
step, now = sys.argv[2], datetime.fromisoformat(sys.argv[3])
def stalled(module, name):
    original = getattr(module, name)
    def done(*args, **more):
        result = original(*args, **more)
        print("there", flush=True)
        time.sleep(600)
        return result
    setattr(module, name, done)
stalled(evaluate.repeats, {"save": "save", "wake": "wake", "asked": "asked"}[step])
if step == "save":
    evaluate.run_once(database, now=now, judgement=evaluate.Judgement(SHIPPED, PLAN))
else:
    repeats.run_once(database, now=now)
"""


def killed(desk: Desk, step: str) -> None:
    """A process is killed right after this step, before it commits."""
    child = subprocess.Popen(
        [sys.executable, "-c", _KILLED, desk.database.dsn, step, desk.now.isoformat()],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"there\n"
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


def eventually(desk: Desk, holds: Any) -> None:
    """The server notices a dead client when it next looks; until then its locks stand."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
        turn(desk)


def test_a_rule_that_fails_at_the_deadline_ends_no_wait(
    desk: Desk, maria: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.clinic.pressure(maria, 192, 118)
    turn(desk)
    desk.forward(minutes=15)

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr("alerts.repeats.Repeats.waits", fails)
        turn(desk)
    assert ("blood_pressure_high", 3, False) not in told(desk)
    assert [(one["outcome"], one["due_at"]) for one in waits(desk)] == [(None, desk.now + AGAIN_AFTER)]
    desk.forward(minutes=1)
    turn(desk)
    assert ("blood_pressure_high", 3, False) in told(desk)
    assert [one["outcome"] for one in waits(desk)] == ["unanswered"]


def test_killed_at_every_step_of_a_window(desk: Desk, maria: Person) -> None:
    """kill -9 while the wait is written, while somebody is asked, and while the deadline is acted on: as if nothing had been."""
    desk.clinic.pressure(maria, 192, 118)
    killed(desk, "save")
    eventually(desk, lambda: len(waits(desk)) == 1)
    desk.rows("update repeat_wait set asked_at = null, request_id = null returning 1")
    desk.rows("delete from gateway_request returning 1")
    killed(desk, "asked")
    eventually(desk, lambda: len(asked(desk)) == 1)
    desk.forward(minutes=15)
    killed(desk, "wake")
    eventually(desk, lambda: told(desk) == [("blood_pressure_high", 3, False)])
    assert len(asked(desk)) == 1
    assert [one["outcome"] for one in waits(desk)] == ["unanswered"]
