"""A worker that takes in and judges is two processes; however one of them ends, the other does, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from rpm import beside
from rpm.beside import EXIT_ALONE
from rpm.commands.worker import Part
from rpm.demo.processes import free_port, page_answers
from rpm.store.database import Database
from tests.services.settling import confirmed_red, home_with_a_cuff, rows_of
from tests.support.broker import Broker
from tests.support.sender import Sender, eventually

STARTED_S_MAX = 60.0
#: A judge finishes its turn.
ENDED_S_MAX = 30.0
#: By then a judge that listened to signals would have ended.
TOLD_S = 6.0
_CLINICAL = "select id from alert where kind = 'clinical'"
WORKER = ("worker",)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "worker.log"


@contextmanager
def _started(
    dsn: str, broker: Broker, log: Path, *, arguments: tuple[str, ...] = WORKER
) -> Generator[subprocess.Popen[bytes]]:
    """A process that takes in and has a judge beside it."""
    port = str(free_port())
    told = {"RPM_DSN": dsn, "RPM_BROKER_URL": broker.url(), "RPM_WEB_PORT": port}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "rpm", *arguments], env={**os.environ, **told}, stdout=output, stderr=output
        )
    try:

        def begun() -> bool:
            if arguments == ("serve",):
                return page_answers(int(port))
            return b"worker.started" in log.read_bytes()

        assert eventually(begun, timeout_s=STARTED_S_MAX), log.read_text("utf-8")
        yield process
    finally:
        process.kill()
        process.wait()


def _judge_of(process: subprocess.Popen[bytes]) -> int:
    """The process id of the one child."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("utf-8").split()
    assert len(children) == 1, children
    return int(children[0])


def _is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.parametrize("arguments", [WORKER, ("serve",)])
def test_a_red_calls_and_both_end_in_order(
    database: Database, dsn: str, broker: Broker, log: Path, arguments: tuple[str, ...]
) -> None:
    now = datetime.now(UTC)
    cuff = home_with_a_cuff(database, now=now)
    sender = Sender(broker)
    try:
        with _started(dsn, broker, log, arguments=arguments) as process:
            judge = _judge_of(process)
            assert sender.until_receipted(confirmed_red(cuff, now=now))
            assert eventually(lambda: len(rows_of(database, _CLINICAL)) == 1)
            # As a terminal or a supervisor does: it tells all.
            os.kill(judge, signal.SIGINT)
            os.kill(judge, signal.SIGTERM)
            assert not eventually(lambda: _is_gone(judge), timeout_s=TOLD_S), "the judge goes by who started it"
            process.send_signal(signal.SIGTERM)
            assert process.wait(ENDED_S_MAX) == 0
            assert _is_gone(judge), "who is told to end waits for its judge"
    finally:
        sender.close()
    said = log.read_bytes()
    assert b"Traceback" not in said
    assert b"worker.judge_gone" not in said


@pytest.mark.usefixtures("database")
def test_kill_9_of_who_takes_in_ends_the_judge(dsn: str, broker: Broker, log: Path) -> None:
    with _started(dsn, broker, log) as process:
        judge = _judge_of(process)
        process.kill()
        process.wait()
        assert eventually(lambda: _is_gone(judge), timeout_s=ENDED_S_MAX)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("arguments", [WORKER, ("serve",)])
def test_kill_9_of_the_judge_ends_who_takes_in_for_its_supervisor(
    dsn: str, broker: Broker, log: Path, arguments: tuple[str, ...]
) -> None:
    with _started(dsn, broker, log, arguments=arguments) as process:
        os.kill(_judge_of(process), signal.SIGKILL)
        assert process.wait(ENDED_S_MAX) == EXIT_ALONE
    assert b"worker.judge_gone" in log.read_bytes()
    assert b"Traceback" not in log.read_bytes()


@pytest.mark.usefixtures("database")
def test_a_judge_that_stands_still_is_ended_by_who_started_it(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGSTOP: it is not dead, and says nothing. Before that it is let be for longer than it may be silent. Seconds for a minute."""
    monkeypatch.setattr(beside, "STANDS_S_MAX", 3 * beside.SIGN_EVERY_S)
    monkeypatch.setenv("RPM_DSN", dsn)
    gone = threading.Event()
    judge = beside.Judge.start({Part.JUDGE}, when_gone=gone.set)
    try:
        pid = judge._process.pid
        assert not gone.wait(beside.STANDS_S_MAX + beside.SIGN_EVERY_S)
        os.kill(pid, signal.SIGSTOP)
        with capture_logs() as said:
            assert gone.wait(beside.STANDS_S_MAX + ENDED_S_MAX)
        assert [each["event"] for each in said] == ["worker.judge_stands_still", "worker.judge_gone"]
        assert judge.gone
        assert _is_gone(pid)
    finally:
        judge.stop()


@pytest.mark.usefixtures("database")
def test_what_the_judge_cannot_start_with_is_one_line_and_status_2(dsn: str, broker: Broker, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("rules = 3", "utf-8")
    told = {"RPM_DSN": dsn, "RPM_BROKER_URL": broker.url(), "RPM_RULES_FILE": str(rules)}
    done = subprocess.run(
        [sys.executable, "-m", "rpm", "worker"],
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=STARTED_S_MAX,
        check=False,
    )
    assert done.returncode == 2
    assert [line for line in done.stderr.splitlines() if line.startswith("rpm-cloud: ")] == done.stderr.splitlines()
    assert done.stderr.count("\n") == 1
    assert "ingest.subscribed" not in done.stdout


@pytest.mark.usefixtures("database")
def test_who_has_nobody_to_stand_beside_is_told_so(dsn: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "rpm", "worker", "--only", "judge", "--beside"],
        env={**os.environ, "RPM_DSN": dsn},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=STARTED_S_MAX,
        check=False,
    )
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("rpm-cloud: --beside is for a worker that starts another")
