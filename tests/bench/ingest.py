"""Ingest end to end: first publish → broker → worker → commit → receipt → last receipt; and whether all of it is true.

Method: gateways in a process of their own publish prebuilt messages as fast as the broker lets them; one or two
`rpm-cloud worker` processes take them in while they also judge, as they always do. Afterwards every reading must be
receipted as stored and stand in the database exactly once, with all its values.
"""

from collections import Counter
from typing import Any, Final

import psycopg

from rpm.broker.roles import LOAD
from rpm.load.messages import VALUES_PER_READING, Run, gateway_id
from tests.bench.ground import Ground, Helper, utc_now
from tests.bench.results import Result

_READINGS: Final = b"select reading_no, gateway_id, seq from reading where epoch = %(epoch)s"
_VALUES: Final = b"select reading_no from observation where reading_no between %(first)s and %(last)s"


def verify(dsn: str, run: Run, told: dict[str, Any]) -> dict[str, int]:
    """How many readings were sent, lost (no receipt, no row, or not all values) and kept more than once.

    The rows are joined here: a planner whose statistics are a run old may take minutes over it.
    """
    expected = {
        (gateway_id(number), seq) for number in range(run.gateways) for seq in range(1, run.sent_by(number) + 1)
    }
    unreceipted = {(gateway, seq) for gateway, seqs in told["missing"].items() for seq in seqs}
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(_READINGS, {"epoch": run.epoch}).fetchall()
        numbers = [number for number, _, _ in rows] or [0]
        found = connection.execute(_VALUES, {"first": min(numbers), "last": max(numbers)})
        values = Counter(number for (number,) in found)
    kept = Counter((gateway, seq) for _, gateway, seq in rows)
    whole = {(gateway, seq) for number, gateway, seq in rows if values[number] >= VALUES_PER_READING}
    twice = sum(count - 1 for count in kept.values()) + sum(values[number] > VALUES_PER_READING for number in numbers)
    return {"sent": len(expected), "lost": len((expected - whole) | unreceipted), "duplicates": twice}


def publisher(ground: Ground, run: Run, *, receipts: bool = True, per_second: float = 0.0) -> Helper:
    """Gateways with everything ready; `begin` starts them. `per_second`: at that rate, not as fast as can be."""
    return Helper(
        "publisher",
        {
            "run": {name: getattr(run, name) for name in Run.__slots__},
            "port": ground.broker.port,
            "password": ground.broker.passwords[LOAD],
            "now": utc_now().isoformat(),
            "receipts": receipts,
            "per_second": per_second,
        },
    )


def measure(ground: Ground, result: Result, run: Run, *, judged: bool = True) -> None:
    """Add one repetition to `result`: readings per second, from the first publish to the last receipt.

    `judged`: somebody judges, and first gets what is left of the run before out of the way.
    """
    if judged:
        ground.wait_judged()
    helper = publisher(ground, run)
    try:
        with ground.meter(gateways=helper.pid) as meter:
            helper.begin()
            told = helper.hear()
    finally:
        helper.end()
    counts = verify(ground.dsn, run, told)
    taken_s = told["ended"] - told["began"]
    kept = counts["sent"] - counts["lost"]
    used_s = taken_s * sum(used for name, used in meter.cpus.items() if name.startswith("worker"))
    result.detail["bytes_per_message"] = helper.ready["bytes_per_message"]
    # Less at the mercy of whoever shares the machine than the rate is.
    result.detail.setdefault("worker_cpu_us", []).append(round(used_s * 1e6 / max(1, kept)))
    result.add(round(kept / taken_s), meter.cpus, counts)
