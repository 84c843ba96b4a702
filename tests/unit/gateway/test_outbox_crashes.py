"""A gateway's evening, interrupted at every single statement the outbox gives to SQLite.

Goal: F8, L15. Two ways to interrupt it. kill -9: a child process kills itself just before statement N runs, for every
N until the evening is over. A fault: statement N raises what a failing disk raises, once, and the evening goes on. After
each, the outbox is opened again as a gateway does at its start, and every frame whose keep() had returned must be there
exactly once; no row may count as receipted whose receipt had not come.

(kill -9 leaves the kernel's page cache alone: that a commit survives a power cut rests on synchronous=FULL, which
test_outbox asserts is set, and on SQLite.)
"""

import multiprocessing
import os
import signal
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from devices.procedures import Ending
from gateway.dating import When, when
from gateway.errors import OutboxFailed, OutboxRefused
from gateway.intake import settle_session, settle_unfinished
from gateway.outbox import Outbox, Stamp, engine
from schemas.messages import Event, Receipt
from schemas.reading import Reading
from tests.unit.gateway.frames import CUFF, FACTS, GATEWAY, NOON, both_forms, frame, open_outbox

__all__ = ["both_forms"]

ZONE = ZoneInfo("America/New_York")
SOON = NOON + timedelta(seconds=5)
Say = Callable[[str], None]
#: An evening has fewer statements than this; more would mean that it never ended.
STATEMENTS_MAX = 600
#: The statements are the same in both forms: of an encrypted outbox every seventh is enough.
STRIDE = {False: 1, True: 7}


def _sessions_of(outbox: Outbox, numbers: list[int], say: Say, step: "Step") -> None:
    session = step(lambda: outbox.begin_session(address=CUFF, facts=FACTS, now=NOON))
    for number in numbers:
        step(lambda number=number: outbox.keep(session, frame(number)))
        say(f"kept {number}")
    step(lambda: settle_session(outbox, session, zone=ZONE, now=NOON, ending=Ending.HUNG_UP))


Step = Callable[[Callable[[], Any]], Any]


SECOND_NS = 1_000_000_000
#: Such that what the wrong clock's boot kept in its fourth second is received where `frame(4)` says.
OFFSET_NS = int(NOON.timestamp()) * SECOND_NS


def dated(outbox: Outbox, stamp: Stamp) -> When:
    found = when(outbox.boots.all(), stamp, this_boot=stamp.boot, believed_ns=OFFSET_NS, not_before=NOON)
    assert found is not None
    return found


def evening(folder: Path, say: Say, step: Step) -> None:
    """Two sessions, a send, a receipt for the first reading, an event, a replay, a purge; then a boot whose clock is wrong.

    What that hears and tells waits, until the clock is set.
    """
    outbox = step(lambda: open_outbox(folder))
    _sessions_of(outbox, [1, 2], say, step)
    step(lambda: outbox.mark_sent([(row.seq, SOON) for row in outbox.due(now=NOON, limit=9)], now=NOON))
    say("receipt came")
    receipt = Receipt(gateway_id=GATEWAY, epoch=outbox.epoch, stored=(1,))
    step(lambda: outbox.settle(receipt, now=SOON))
    say("receipted 1")
    step(lambda: outbox.add_event(Event(gateway_id=GATEWAY, at=NOON, name="signal", value=1.0)))
    _sessions_of(outbox, [3], say, step)
    step(lambda: outbox.replay("request 1", from_seq=50, now=NOON))
    step(lambda: outbox.purge(now=NOON, ring=timedelta(days=7)))

    def put_right(stamp: Stamp) -> datetime:
        return dated(outbox, stamp).instant

    boot = step(lambda: outbox.boots.begin("wrong", running_ns=0, now=NOON))
    outbox.stamp_by(lambda: Stamp(boot.number, 4 * SECOND_NS, right=False))
    _sessions_of(outbox, [4], say, step)
    step(lambda: outbox.add_event(Event(gateway_id=GATEWAY, at=NOON, name="signal", value=2.0)))
    step(lambda: outbox.boots.ran(boot.number, running_ns=9 * SECOND_NS, offset_ns=OFFSET_NS, now=NOON))
    step(lambda: outbox.date_events(put_right, now=NOON))
    step(lambda: settle_unfinished(outbox, zone=ZONE, now=NOON, when=lambda stamp: dated(outbox, stamp)))
    say("over")
    outbox.close()


def check(folder: Path, said: list[str]) -> None:
    """What was promised is there, once, and nothing is settled that was not receipted."""
    outbox = open_outbox(folder)
    settle_unfinished(outbox, zone=ZONE, now=NOON, when=lambda stamp: dated(outbox, stamp))
    bodies = outbox._connection.execute("select seq, body, state from row order by seq").fetchall()
    received = [Reading.model_validate_json(body).received_at for _, body, _ in bodies]
    assert len(received) == len(set(received)), "a frame became two readings"
    for line in said:
        if line.startswith("kept "):
            assert frame(int(line[5:])).received_at in received, f"{line}, and it is gone"
    settled = [seq for seq, _, state in bodies if state == 2]
    assert settled in ([], [1])
    assert "receipt came" in said or not settled
    assert "receipted 1" not in said or settled == [1]
    assert outbox.stats(now=NOON).frames == 0
    outbox.close()


def _trace(on_statement: Callable[[], None]) -> Callable[..., sqlite3.Connection]:
    real = engine.connect

    def connect(*arguments: Any, **settings: Any) -> sqlite3.Connection:
        connection = real(*arguments, **settings)
        connection.set_trace_callback(lambda _statement: on_statement())
        return connection

    return connect


def _evening_killed_at(folder: Path, statement: int, told: Any) -> None:
    """The child: never returns."""
    count = 0

    def on_statement() -> None:
        nonlocal count
        count += 1
        if count == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    engine.connect = _trace(on_statement)  # this process dies with it
    evening(folder, told.send, lambda act: act())
    told.close()
    os._exit(0)


def test_kill_9_before_any_statement_loses_nothing(tmp_path: Path, both_forms: bytes | None) -> None:
    fork = multiprocessing.get_context("fork")
    killed = 0
    for statement in range(1, STATEMENTS_MAX, STRIDE[both_forms is not None]):
        folder = tmp_path / str(statement)
        hear, told = fork.Pipe(duplex=False)
        child = fork.Process(target=_evening_killed_at, args=(folder, statement, told))
        child.start()
        told.close()
        said: list[str] = []
        try:
            while True:
                said.append(hear.recv())
        except EOFError:
            child.join(timeout=20)
        check(folder, said)
        if child.exitcode == 0:
            assert said[-1] == "over"
            break
        assert child.exitcode == -signal.SIGKILL
        killed += 1
    else:
        pytest.fail("the evening never ended")
    assert killed > 90 // STRIDE[both_forms is not None], (
        "every pragma, table, begin, insert, update and commit is such a point"
    )


class FailingConnection:
    """A connection; statement number `fails_at` of all of them raises what a failing disk raises."""

    count = 0
    fails_at = 0

    def __init__(self, real: sqlite3.Connection) -> None:
        self._real = real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def _maybe_fail(self) -> None:
        FailingConnection.count += 1
        if FailingConnection.count == FailingConnection.fails_at:
            raise sqlite3.OperationalError("disk I/O error")

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._maybe_fail()
        return self._real.execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        self._maybe_fail()
        return self._real.executemany(*arguments)


def _twice(act: Callable[[], Any]) -> Any:
    """A step that failed is tried once more, as the gateway's loops do."""
    try:
        return act()
    except (OutboxFailed, OutboxRefused, sqlite3.OperationalError):
        return act()


def test_a_disk_that_fails_once_at_any_statement_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both_forms: bytes | None
) -> None:
    real = engine.connect

    def connect(*arguments: Any, **settings: Any) -> FailingConnection:
        return FailingConnection(real(*arguments, **settings))

    failed = 0
    for statement in range(1, STATEMENTS_MAX, STRIDE[both_forms is not None]):
        folder = tmp_path / str(statement)
        FailingConnection.count, FailingConnection.fails_at = 0, statement
        said: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(engine, "connect", connect)
            evening(folder, said.append, _twice)
        assert said[-1] == "over"
        check(folder, said)
        if FailingConnection.count < statement:
            break
        failed += 1
    assert failed > 90 // STRIDE[both_forms is not None]
