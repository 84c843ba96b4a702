"""A worker's memory under a steady load, its judge's included: resident size every few seconds, and whether it grows.

Method: `rpm-cloud bench ingest` sends at a moderate rate to one worker with default settings, and looks for every reading in
the end. What a worker needs to get going is not counted: the first quarter is left out of the line that is fitted.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from rpm.broker.roles import LOAD
from rpm.demo.processes import Child
from rpm.store.migrate import upgrade
from tests.bench.ground import BenchFailed
from tests.bench.machine import resident_mib
from tests.support.broker import Broker
from tests.support.database import DatabaseServer

#: Readings a second, ten to a message.
RATE: Final = 200
PER_MESSAGE: Final = 10
#: So many that nobody measures twenty times: what is judged of each patient must not grow with the run.
HOMES: Final = 20_000
LOOK_S: Final = 5.0
READY_S_MAX: Final = 60.0
#: After the load ends, its last receipts and the look at every row.
AFTER_S_MAX: Final = 300.0


def measure(minutes: float, folder: Path, step: Callable[[str], None]) -> dict[str, Any]:
    """Figures of the load, and of the worker: MiB by seconds, and MiB an hour by the fitted line."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = DatabaseServer(f"test-{os.getpid()}-soak", settings=())
    broker = Broker(folder, load=True)
    worker: Child | None = None
    try:
        dsn = server.start().dsn(server.create())
        upgrade(dsn)
        named = {"RPM_DSN": dsn, "RPM_BROKER_URL": broker.start().url(), "RPM_LOAD_URL": broker.url(LOAD)}
        log = folder / "worker.log"
        worker = Child("worker", [sys.executable, "-m", "rpm", "worker"], log, named).start()
        deadline = time.monotonic() + READY_S_MAX
        while b"worker.started" not in log.read_bytes():
            if not worker.running() or time.monotonic() > deadline:
                raise BenchFailed(f"the worker did not start: its log is {log}")
            time.sleep(0.1)
        return _watch(worker, named, minutes, step)
    finally:
        if worker is not None:
            worker.stop()
        broker.stop()
        server.destroy()


def _watch(worker: Child, named: dict[str, str], minutes: float, step: Callable[[str], None]) -> dict[str, Any]:
    arguments = (
        f"bench ingest --homes {HOMES} --rate {RATE} --seconds {minutes * 60:.0f}"
        f" --readings-per-message {PER_MESSAGE} --json"
    )
    series: list[tuple[float, float]] = []
    with subprocess.Popen(
        [sys.executable, "-m", "rpm", *arguments.split()],
        env={**os.environ, **named},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as load:
        began = time.monotonic()
        while load.poll() is None:
            taken_s = time.monotonic() - began
            if taken_s > minutes * 60 + AFTER_S_MAX:
                load.kill()
                raise BenchFailed("the load did not end")
            series.append((round(taken_s, 1), resident_mib(worker.pid)))
            if len(series) % 12 == 1:
                step(f"{taken_s:.0f} s: {series[-1][1]:.1f} MiB")
            time.sleep(LOOK_S)
        assert load.stdout is not None
        said = load.stdout.read()
    if load.returncode != 0:
        raise BenchFailed(f"the load ended with status {load.returncode}: {said.strip()[-300:]}")
    return {**summary(series), "load": json.loads(said)}


def summary(series: list[tuple[float, float]]) -> dict[str, Any]:
    """First, least, most and last MiB after the first quarter, and MiB an hour."""
    later = series[len(series) // 4 :]
    seconds, mib = (np.array(column) for column in zip(*later, strict=True))
    slope = float(np.polyfit(seconds, mib, 1)[0]) if len(later) > 1 else 0.0
    return {
        "first_mib": later[0][1],
        "min_mib": float(mib.min()),
        "max_mib": float(mib.max()),
        "last_mib": later[-1][1],
        "mib_per_hour": round(slope * 3600, 2),
        "series": series,
    }
