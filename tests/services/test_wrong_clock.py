"""T1 over a real process: a box that boots in 1970, is killed, rebooted, and set right, loses nothing and misdates nothing.

Method: `rpm-gateway run` on a machine whose wall clock is moved (libfaketime) and whose boots are boots of their own (a time
namespace), virtual devices over a virtual radio, a real broker. The true time of each squeeze is this test's own clock.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from schemas.messages import ClockState
from schemas.reading import Reading, TimeSource
from tests.services.test_gateway_home import CUFF, SCALE, Home, readings, until
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, worker
from tests.support.wrong_clock import WrongClock

__all__ = ["worker"]

HOUR = 3600.0


class Box(Home):
    """A home whose gateway runs on a machine without a clock chip."""

    def __init__(self, folder: Path, broker: Broker, clock: WrongClock) -> None:
        super().__init__(folder, broker)
        self.clock = clock
        text = self.config.read_text().replace("heartbeat_s", "# heartbeat_s")
        self.config.write_text(f'heartbeat_s = 1\n{text}\n[clock]\nsynchronised_file = "{clock.mark.name}"\n')
        self._systolic, self._starts = 110, 0

    def start(self) -> "Box":
        command = self.clock.command(sys.executable, "-m", "gateway", "run", self.config)
        with self.log.open("ab") as log:
            self._gateway = subprocess.Popen(command, stderr=log)
        self._starts += 1
        until("it has started", lambda: self.events().count("gateway_started") == self._starts)
        return self

    def boot(self, *, behind_s: float) -> None:
        self.clock.boot()
        self.clock.says(behind_s=behind_s)
        self.start()

    def squeeze(self) -> tuple[int, float]:
        """One more reading on the disk: its systolic pressure, and when it truly was."""
        self._systolic += 1
        before = self.outbox()
        at = time.time()
        self.ask("cuff", "measure", systolic=self._systolic, diastolic=80, mean=93, pulse=70)
        until("it is on the disk", lambda: _kept(self.outbox()) > _kept(before))
        return self._systolic, at


def _kept(outbox: dict[str, int]) -> int:
    return outbox["frames"] + outbox["depth"] + outbox["ring"]


def by_systolic(worker: FakeWorker) -> dict[int, Reading]:
    found = readings(worker).get(CUFF, [])
    values = [int(reading.quantities["systolic"].value or 0) for reading in found]
    assert len(values) == len(set(values)), "one squeeze, two readings"
    return dict(zip(values, found, strict=True))


def off_by_s(reading: Reading, true_s: float) -> float:
    return abs(reading.measured_at.timestamp() - true_s)


@pytest.fixture
def box(tmp_path: Path, broker: Broker) -> Iterator[Box]:
    made = Box(tmp_path, broker, WrongClock(tmp_path))
    yield made
    made.close()


#: The cuff shows whole seconds, and so does the clock it is read from; the rest is what a busy machine takes to squeeze and read.
#: Whatever the box's own clock would have made of it is half an hour off and more.
WITHIN_S = 15.0


@pytest.mark.timeout(300)
def test_a_box_that_boots_in_1970_loses_nothing_and_misdates_nothing(box: Box, worker: FakeWorker) -> None:
    worker.join()
    to_1970 = time.time()

    box.boot(behind_s=to_1970)
    assert datetime.fromtimestamp(box.clock.shown(), UTC).year == 1970
    first, second = box.squeeze(), None
    until("the cloud is told", lambda: ClockState.UNSET in {status.clock for status in worker.statuses})
    assert {status.sent_at for status in worker.statuses if status.clock is ClockState.UNSET} == {None}
    box.end(signal.SIGKILL)
    box.start()
    second = box.squeeze()
    weighed_at = time.time()
    box.ask("scale", "weigh", kg=80.5)
    until("the weight is on the disk", lambda: box.outbox()["frames"] == 3)
    assert by_systolic(worker) == {}, "it waits"
    box.clock.vouch()
    until("all are here", lambda: len(by_systolic(worker)) == 2 and SCALE in readings(worker))
    for systolic, true_s in (first, second):
        reading = by_systolic(worker)[systolic]
        assert off_by_s(reading, true_s) <= WITHIN_S
        assert reading.time_source is TimeSource.DEVICE_CORRECTED
        assert reading.clock_offset_s == pytest.approx(2220, abs=WITHIN_S)
        assert reading.receipt_mark is not None
    (weight,) = readings(worker)[SCALE]
    assert 0 <= weight.measured_at.timestamp() - weighed_at <= WITHIN_S
    assert weight.reading_id == weight.derived_id()
    until("it is told", lambda: "gateway_clock" in {event.name for event in worker.events})
    assert all(event.at.year > 2020 for event in worker.events)

    # A hand moves the clock to and fro: nobody vouches for that.
    box.clock.mark.unlink()
    for behind_s in (-3 * HOUR, 24 * HOUR, 0.0):
        box.clock.says(behind_s=behind_s)
        systolic, true_s = box.squeeze()
        until("it is here", lambda systolic=systolic: systolic in by_systolic(worker))
        assert off_by_s(by_systolic(worker)[systolic], true_s) <= WITHIN_S
    assert worker.statuses[-1].clock is ClockState.SYNCHRONISED
    assert box.end(signal.SIGTERM) == 0

    # A boot that never knows the time, then one that comes to know it. The cuff was set right meanwhile, and bears witness.
    off_at = time.time()
    box.boot(behind_s=to_1970)
    systolic, true_s = box.squeeze()
    weighed_at = time.time()
    box.ask("scale", "weigh", kg=79.5)
    until("both are on the disk", lambda: box.outbox()["frames"] == 2)
    box.end(signal.SIGKILL)
    box.boot(behind_s=to_1970)
    on_at = time.time()
    box.clock.vouch()
    until("both are here", lambda: systolic in by_systolic(worker) and len(readings(worker)[SCALE]) == 2)
    squeeze, weight = by_systolic(worker)[systolic], readings(worker)[SCALE][1]
    assert (squeeze.time_source, weight.time_source) == (TimeSource.DEVICE, TimeSource.ESTIMATED)
    assert off_by_s(squeeze, true_s) <= WITHIN_S
    assert weight.uncertainty_s is not None
    assert off_by_s(weight, weighed_at) <= weight.uncertainty_s + WITHIN_S
    assert weight.uncertainty_s <= on_at - off_at
    assert squeeze.backfill
    assert weight.backfill
    until("nothing is left", lambda: (box.outbox()["depth"], box.outbox()["frames"]) == (0, 0))
