"""The threads of a worker: from a stored reading to a mail, by themselves; and what they do when something breaks."""

import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from structlog.testing import capture_logs

from rpm.errors import UserError
from rpm.jobs import loops, scheduler, watchdog
from rpm.jobs.loops import AFTER_FAILURE_S, Loop
from rpm.jobs.watchdog import EXIT_HANGS
from rpm.outage import Stage
from rpm.settings import Settings
from rpm.store import readings, sessions
from rpm.store.database import Database
from rpm.store.heartbeats import heartbeats
from tests.services.judging import Desk
from tests.support.clock import MORNING, SettableClock
from tests.support.mail import MailSink
from tests.support.sender import eventually

JOIN_S = 30.0
#: Whoever did not wait for it was woken, or went on at once, however busy the machine is.
LONG_TICK_S = 20.0
SESSIONS_LOOKS_S = 300.0
#: What beats in a worker that takes nothing in: its chores only once they were due.
LOOPS = {stage for stage in Stage if stage not in {Stage.INGEST, Stage.BROKER, Stage.ADJUST, Stage.SESSIONS}}


@pytest.fixture
def settings(mail_sink: MailSink, tmp_path: Path) -> Settings:
    plan = tmp_path / "escalation.toml"
    plan.write_text(
        'fallback = ["role:admin"]\n'
        '[[policy]]\nseverity = "urgent"\nstep = [{ after_min = 0, targets = ["role:nurse"] }]\n',
        "utf-8",
    )
    return Settings(mail_url=mail_sink.url, escalation_file=plan, public_url="https://clinic.example/")


@pytest.fixture
def stop() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_from_a_reading_to_a_mail_by_themselves(
    database: Database, settings: Settings, mail_sink: MailSink, stop: threading.Event
) -> None:
    """On an injected clock that stands still: nothing here needs time to pass but the loops' own waits."""
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora")
    threads = loops.start(database, settings, stop, clock=SettableClock())
    maria = desk.clinic.patient("Maria", "Alvarez")
    desk.clinic.pressure(maria, 192, 118, minutes_ago=5)
    desk.clinic.pressure(maria, 190, 116)
    with database.transaction() as connection:
        readings.tell(connection)
    [mail] = mail_sink.wait(1)
    assert "https://clinic.example/alerts/" in str(mail.get_content())
    assert "https://clinic.example/a/" in str(mail.get_content())
    # The mail needs three of the loops; of the others one may not have begun its first turn.
    assert eventually(lambda: set(_beats(database)) >= LOOPS)
    stop.set()
    for thread in threads:
        thread.join(JOIN_S)
    assert not any(thread.is_alive() for thread in threads)
    assert _beats(database) == dict.fromkeys(LOOPS, MORNING)


@dataclass
class _Report:
    done: int = 0
    more: bool = False


def test_a_turn_that_fails_is_named_and_the_loop_goes_on(database: Database, stop: threading.Event) -> None:
    turns: list[datetime] = []

    def turn(now: datetime) -> _Report:
        turns.append(now)
        if len(turns) == 1:
            raise ZeroDivisionError("82.1 kg")
        stop.set()
        return _Report()

    with capture_logs() as said:
        loops.run(Loop("evaluate", turn), database, stop, SettableClock())
    assert turns == [MORNING, MORNING]
    assert said == [{"event": "turn_failed", "loop": "evaluate", "error": "ZeroDivisionError", "log_level": "error"}]
    assert AFTER_FAILURE_S > 0


def test_a_loop_whose_listening_connection_is_cut_listens_anew(
    database: Database, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiter = loops.Waiter(database.dsn, loops.NEWS, stop)
    waiter.wait()
    with psycopg.connect(database.dsn, autocommit=True) as connection:
        connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'rpm-cloud listens%'"
        )
        waiter.wait()
        waiter.wait()
        monkeypatch.setattr(loops, "TICK_S", LONG_TICK_S)
        connection.execute("select pg_notify('patient_news', '')")
        began = time.monotonic()
        waiter.wait()
        assert time.monotonic() - began < loops.TICK_S
    waiter.close()


def test_a_full_claim_is_followed_without_a_wait(
    database: Database, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "TICK_S", LONG_TICK_S)
    turns: list[datetime] = []

    def turn(now: datetime) -> _Report:
        turns.append(now)
        if len(turns) == 5:
            stop.set()
        return _Report(1, more=True)

    began = time.monotonic()
    loops.run(Loop("evaluate", turn), database, stop, SettableClock())
    assert time.monotonic() - began < loops.TICK_S


def test_what_changes_slowly_is_looked_at_so_often_and_no_oftener(
    database: Database, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A turn that failed, or left something to do, is followed at once all the same."""
    monkeypatch.setattr(loops, "TICK_S", 0.01)
    monkeypatch.setattr(loops, "AFTER_FAILURE_S", 0.01)
    clock, turns, asked = SettableClock(), list[int](), list[int]()

    def minutes() -> datetime:
        asked.append(1)
        if len(asked) > 200:
            stop.set()
        return clock.forward(minutes=1)

    def turn(now: datetime) -> _Report:
        turns.append(round((now - MORNING) / timedelta(minutes=1)))
        if len(turns) == 2:
            raise ZeroDivisionError
        return _Report(1, more=len(turns) == 3)

    loops.run(Loop("cover", turn, every=timedelta(hours=1)), database, stop, minutes)
    assert turns == [1, 61, 62, 63, 123, 183]


def test_a_clock_that_was_put_back_holds_nothing_up(
    database: Database, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loops, "TICK_S", 0.01)
    given = iter([MORNING, MORNING - timedelta(days=1), MORNING - timedelta(days=1, seconds=-5)])
    turns: list[datetime] = []

    def clock() -> datetime:
        found = next(given, None)
        if found is None:
            stop.set()
            return MORNING - timedelta(days=1)
        return found

    def turn(now: datetime) -> _Report:
        turns.append(now)
        return _Report(1, more=False)

    loops.run(Loop("cover", turn, every=timedelta(hours=1)), database, stop, clock)
    assert turns == [MORNING, MORNING - timedelta(days=1)]


#: A worker as it is started, of which one thing hangs: its process ends by itself. Seconds in place of minutes.
_HANGS = """
import sys, threading
from datetime import timedelta
from rpm.jobs import loops, watchdog
from rpm.settings import Settings
from rpm.store.database import Database

once = threading.Lock()

def hangs(*_, **__):
    once.acquire()  # of two senders one
    threading.Event().wait()

if sys.argv[1] == "send":
    sound = loops.send.run_once
    loops.send.run_once = lambda *given, **named: sound(*given, **named) if once.locked() else hangs()
else:
    loops.repeats.run_once = hangs
loops.TURN_MAX = timedelta(seconds=8)
loops.watchdog.watch.__kwdefaults__["every_s"] = 0.5
stop = threading.Event()
loops.start(Database(sys.argv[2]).open(), Settings(), stop)
print("started", flush=True)
stop.wait()
"""


@pytest.mark.parametrize("loop", ["repeats", "send"])
def test_a_process_of_which_one_loop_hangs_is_ended_for_its_supervisor(database: Database, dsn: str, loop: str) -> None:
    """The rest of it goes on until then: it is the hanging one that is named. Of two senders one is enough."""
    done = subprocess.run(
        [sys.executable, "-c", _HANGS, loop, dsn], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == EXIT_HANGS, done.stderr
    assert "loop_hangs" in done.stdout
    assert f"loop={loop}" in re.sub(r"\x1b\[[0-9;]*m", "", done.stdout)
    assert set(_beats(database)) == LOOPS - ({Stage.REPEATS} if loop == "repeats" else set())


@pytest.mark.parametrize(
    "wrong, said",
    [
        ({"rules_file": "/nowhere/rules.toml"}, "/nowhere/rules.toml: cannot be read: No such file or directory"),
        ({"escalation_file": "/nowhere/e.toml"}, "/nowhere/e.toml: cannot be read: No such file or directory"),
        ({"mail_url": "mailto://host"}, "RPM_MAIL_URL must hold {to}"),
        ({"mail_url": "nonsense?to={to}"}, "RPM_MAIL_URL is not an apprise URL"),
    ],
)
def test_a_wrong_setting_is_one_line(database: Database, wrong: dict[str, str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        loops.loops(database, Settings.model_validate(wrong))
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_housekeeping_forgets_dead_sessions(database: Database) -> None:
    nurse = Desk(database, now=MORNING).clinic.staff("nora")
    clock = SettableClock()
    with database.transaction() as connection:
        token = sessions.start(connection, staff_id=nurse, now=clock())
    clock.forward(days=30)
    [chore] = [chore for chore in scheduler.CHORES if chore.name == "expire_sessions"]
    scheduler.do(chore, database, clock)
    with database.transaction() as connection:
        assert sessions.find(connection, token) is None


@pytest.mark.parametrize("chore", scheduler.CHORES, ids=lambda chore: chore.name)
def test_a_chore_beats_when_it_was_done_and_not_when_it_failed(database: Database, chore: scheduler.Chore) -> None:
    def fails(_database: Database, _now: datetime) -> None:
        raise ZeroDivisionError("82.1 kg")

    with capture_logs() as said:
        scheduler.do(replace(chore, run=fails), database, SettableClock())
    assert said == [{"event": "chore_failed", "chore": chore.name, "error": "ZeroDivisionError", "log_level": "error"}]
    assert _beats(database) == {}
    scheduler.do(chore, database, SettableClock())
    assert _beats(database) == {chore.name: MORNING}


def test_a_chore_that_hangs_is_said_and_ends_nothing(database: Database, stop: threading.Event) -> None:
    """Its turns are counted where they begin; what it is late by is what lies between two."""
    rounds = scheduler.rounds()
    assert {each.name for each in rounds.values()} == {chore.name for chore in scheduler.CHORES}
    assert all(each.can_wait and each.turn_s_max > SESSIONS_LOOKS_S for each in rounds.values())
    [chore] = [chore for chore in scheduler.CHORES if chore.name == Stage.SESSIONS]
    scheduler.do(chore, database, SettableClock(), rounds[Stage.SESSIONS])
    assert rounds[Stage.SESSIONS].turns == 1
    left: list[int] = []
    rounds[Stage.SESSIONS].turn_s_max = 0.02
    hurried = threading.Timer(0.5, stop.set)
    hurried.start()
    with capture_logs() as said:
        watchdog.watch([*rounds.values()], stop, every_s=0.01, leave=left.append)
    assert left == []
    assert [(each["event"], each["loop"]) for each in said] == [("loop_hangs", Stage.SESSIONS)]


def _beats(database: Database) -> dict[str, datetime]:
    with database.transaction() as connection:
        return {one.stage: one.beat_at for one in heartbeats(connection)}
