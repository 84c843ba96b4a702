"""Four questions about twelve million values, each answered by the product's kernel, by plain numpy, by polars and by a loop.

    python -m tests.bench.checks --series 300000 --reps 3

300,000 series (a quantity of a patient) of 40 values on average in 30 days, on one processor, polars with one thread. The
questions: which values are above their own series' limit; the mean of the 7 days up to each value; the slope of each series'
last 14 days; the change of each value since the newest one 18 to 36 hours before. The kernels are asked as `evaluate` asks
them, a portion of whole series at a time; plain numpy as one would write it down, all at once. The loop answers for one series
in a hundred, and its time is multiplied by a hundred. Times are of the processor, which others may use as well. Answers that
differ end the run.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np

from tests.bench.ground import BenchFailed
from tests.bench.results import Result

SEED: Final = 7
#: One series in so many is answered by the loop.
LOOP_OF: Final = 100
#: Answers are sums of binary numbers; a device's step is a thousandth at least.
TOLERANCE: Final = 1e-5
WAYS: Final = ("kernel", "numpy", "polars", "loop")
#: No run of this size takes so long, on whatever machine.
RUN_S_MAX: Final = 900

Answer = np.ndarray
Way = Callable[[], Answer]


def measure(series: int, reps: int) -> list[Result]:
    """All of it in a program of its own, on one processor: values per second of each way to each question.

    BenchFailed where two ways answer differently.
    """
    arguments = [sys.executable, "-m", "tests.bench.checks", "--series", str(series), "--reps", str(reps)]
    environment = {**os.environ, "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False, timeout=RUN_S_MAX)
    if done.returncode:
        raise BenchFailed(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "checks: no answer")
    results: list[Result] = []
    for found in json.loads(done.stdout):
        ways = {
            way: Result(f"{found['question']}: {way}", "values/s", values=values, cpus=found["cpus"][way])
            for way, values in found["values"].items()
        }
        for rival in WAYS[1:]:
            ways["kernel"].compare(ways[rival], name=rival)
        ways["kernel"].detail["rows"] = found["rows"]
        results += ways.values()
    return results


def _answered(question: str, ways: Mapping[str, Way], rows: int, reps: int, loop_rows: np.ndarray) -> dict[str, Any]:
    """Time every way, `reps` times in turn, and hold the answers against the kernel's."""
    from tests.bench.machine import Meter

    values: dict[str, list[float]] = {way: [] for way in ways}
    cpus: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    first: Answer | None = None
    for repetition in range(reps + 1):
        for way, answer in ways.items():
            gc.collect()
            with Meter({}) as meter:
                began = time.process_time()
                found = answer()
                taken_s = time.process_time() - began
            first = found if first is None else first
            if repetition:
                values[way].append(round(rows / (taken_s * (LOOP_OF if way == "loop" else 1))))
                cpus[way].append(meter.cpus)
            else:
                # The first time is another matter (memory that was never touched); its answers are looked at instead.
                expected = first[loop_rows] if way == "loop" else first
                if not np.allclose(expected, found, rtol=0, atol=TOLERANCE, equal_nan=True):
                    raise BenchFailed(f"{question}: {way} and the kernel answer differently")
    return {"question": question, "rows": rows, "values": values, "cpus": cpus}


def main() -> int:
    """Measure and say it as JSON; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.checks", description=(__doc__ or "").split("\n\n", 1)[0]
    )
    parser.add_argument("--series", type=int, default=300_000)
    parser.add_argument("--reps", type=int, default=3)
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    from tests.bench import ways

    made = ways.Columns.of(arguments.series, seed=SEED)
    try:
        found = [
            _answered(question, by, len(made.value), arguments.reps, loop_rows)
            for question, by, loop_rows in ways.questions(made, LOOP_OF)
        ]
    except BenchFailed as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
