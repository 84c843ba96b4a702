"""A clock that steps a day to and fro under the uplink: its heartbeats go on, and no row waits a day or goes in a storm.

Method: `rpm-gateway run` on a machine whose wall clock is moved (libfaketime) and nobody vouches for, so that it is believed
at each step; virtual devices, a real broker. The worker takes everything and answers nothing until the last step.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.services.test_gateway_home import CUFF, readings, until
from tests.services.test_wrong_clock import Box
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, silent, stored, worker
from tests.support.wrong_clock import WrongClock

__all__ = ["worker"]

DAY_S = 86_400.0
#: Heartbeats are asked for each second. So late may one be on a machine with other things to do.
BEAT_LATE_S_MAX = 15.0
#: A row's wait is at most 7.5 s after the first try and 15 s after the second; with each step it may be cut short once. Not a day.
SENT_AGAIN_S_MAX = 45.0


@pytest.fixture
def box(tmp_path: Path, broker: Broker) -> Iterator[Box]:
    made = Box(tmp_path, broker, WrongClock(tmp_path))
    yield made
    made.close()


def off_by_s(worker: FakeWorker) -> float:
    """How far the clock that the newest heartbeat was written by is from ours."""
    sent_at = worker.statuses[-1].sent_at
    assert sent_at is not None
    return (sent_at - datetime.now(UTC)) / timedelta(seconds=1)


@pytest.mark.timeout(300)
def test_a_clock_that_steps_a_day_stalls_nothing_and_storms_nothing(box: Box, worker: FakeWorker) -> None:
    worker.answer = silent
    worker.join()
    box.boot(behind_s=0)
    until("it says that it lives", lambda: len(worker.statuses) >= 2)
    for _ in range(3):
        box.squeeze()
    until("all three were sent", lambda: len(set(worker.seqs)) == 3)
    for behind_s, answer in ((DAY_S, silent), (0.0, silent), (-DAY_S, silent), (0.0, stored)):
        worker.answer = answer
        before, beats, stepped = len(worker.seqs), len(worker.statuses), time.monotonic()
        box.clock.says(behind_s=behind_s)
        until("the clock it tells by has moved", lambda behind_s=behind_s: abs(off_by_s(worker) + behind_s) < 60)
        until("it goes on saying that it lives", lambda beats=beats: len(worker.statuses) >= beats + 3)
        assert time.monotonic() - stepped < 3 + BEAT_LATE_S_MAX
        until("each is sent again", lambda before=before: set(worker.seqs[before:]) == {1, 2, 3})
        assert time.monotonic() - stepped < SENT_AGAIN_S_MAX
        assert max(worker.seqs[before:].count(seq) for seq in (1, 2, 3)) <= 2, "again, and no storm"
    until("all are settled", lambda: box.outbox()["depth"] == 0)
    assert len(readings(worker)[CUFF]) == 3, "each one reading, however often it went"
    assert box.events().count("uplink_connected") == 1, "and the connection stood"
