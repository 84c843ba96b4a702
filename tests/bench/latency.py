"""How long from a message to an alert that a page could show: urgent blood pressures of patients who had none.

Method: gateways publish them one by one, at a low rate with exponentially distributed pauses, to one worker with default
settings. Meanwhile another connection asks the database every POLL_S which alerts are new: an alert counts from the
moment it is visible to others, that is, committed.
"""

import time
from threading import Event, Thread
from typing import Any, Final

import numpy as np
import psycopg

from rpm.load.messages import Run, address
from tests.bench.ground import Ground
from tests.bench.ingest import publisher, verify
from tests.bench.results import Result

POLL_S: Final = 0.002
#: An alert that has not come by then is not coming.
ALERT_S_MAX: Final = 15.0
PERCENTILES: Final = (50, 99)

_NEW: Final = b"""
select alert.id, device.address
from alert join device_assignment using (patient_id) join device on device.id = device_assignment.device_id
where alert.id > %(after)s and alert.severity = 3 and alert.kind = 'clinical'
"""


class Watch:
    """Notes when each cuff's patient has an urgent alert: `seen` maps address → monotonic seconds."""

    def __init__(self, dsn: str) -> None:
        self.seen: dict[str, float] = {}
        self._dsn = dsn
        self._stop = Event()
        self._thread = Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        after = 0
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._stop.wait(POLL_S):
                rows = connection.execute(_NEW, {"after": after}).fetchall()
                at = time.monotonic()
                for number, cuff in rows:
                    # There is one judge, so alerts become visible in the order of their ids.
                    after = max(after, number)
                    self.seen.setdefault(cuff, at)


def results(which: str = "") -> dict[str, Result]:
    """What `measure` adds to, by its key. `which` is said of them."""
    kept = {f"receipt_p{percentile}": f"publish → receipt{which}, p{percentile}" for percentile in PERCENTILES}
    seen = {f"alert_p{percentile}": f"publish → alert visible{which}, p{percentile}" for percentile in PERCENTILES}
    return {key: Result(name, "ms") for key, name in {**kept, **seen}.items()}


def measure(ground: Ground, found: dict[str, Result], run: Run, *, per_second: float) -> None:
    """Add one repetition to each of `results()`."""
    ground.wait_judged()
    helper = publisher(ground, run, per_second=per_second)
    watch = Watch(ground.dsn)
    cuffs = [address(run.cuff(index % run.gateways)) for index in range(run.readings)]
    try:
        with ground.meter(gateways=helper.pid) as meter:
            helper.begin()
            told = helper.hear()
            deadline = time.monotonic() + ALERT_S_MAX
            while not watch.seen.keys() >= set(cuffs) and time.monotonic() < deadline:
                time.sleep(POLL_S)
    finally:
        watch.stop()
        helper.end()
    counts = verify(ground.dsn, run, told)
    counts["lost"] += len(set(cuffs) - watch.seen.keys())
    visible = [watch.seen[cuff] - at for cuff, at in zip(cuffs, told["published"], strict=True) if cuff in watch.seen]
    for stage, times in (("alert", visible), ("receipt", _receipted(told))):
        for percentile in PERCENTILES:
            found[f"{stage}_p{percentile}"].add(_percentile_ms(times, percentile), meter.cpus, counts)


def receipt_results(which: str) -> dict[int, Result]:
    """What `measure_receipts` adds to, by percentile. `which` is said of them."""
    return {percentile: Result(f"publish → receipt{which}, p{percentile}", "ms") for percentile in PERCENTILES}


def measure_receipts(ground: Ground, found: dict[int, Result], run: Run, *, per_second: float) -> None:
    """Add one repetition to each of `receipt_results()`: readings of every kind of past, one by one."""
    ground.wait_judged()
    helper = publisher(ground, run, per_second=per_second)
    try:
        with ground.meter(gateways=helper.pid) as meter:
            helper.begin()
            told = helper.hear()
    finally:
        helper.end()
    counts = verify(ground.dsn, run, told)
    for percentile, result in found.items():
        result.add(_percentile_ms(_receipted(told), percentile), meter.cpus, counts)


def _receipted(told: dict[str, Any]) -> list[float]:
    """How long each reading waited for its receipt, in seconds."""
    return [heard - at for heard, at in zip(told["receipted"], told["published"], strict=True) if heard is not None]


def _percentile_ms(times_s: list[float], percentile: int) -> float:
    # With nothing to show there is nothing to measure: `lost` says why.
    return round(float(np.percentile(times_s, percentile)) * 1000, 1) if times_s else 0.0
