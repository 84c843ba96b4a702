"""`python -m tests.chaos --seconds 600 --kills 100 --seed 7`: the drill at any length, on servers of its own."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from tests.chaos.drill import OUTAGES, Plan, run, write

#: As many as there are letters to name homes with.
GATEWAYS_MAX = 26


def _plan(arguments: list[str]) -> tuple[Plan, Path]:
    default = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=default.seconds, help="how long things are broken")
    parser.add_argument("--kills", type=int, default=default.kills, help="go on until there were so many")
    parser.add_argument("--seed", type=int, default=default.seed, help="of the order of the faults, and the values")
    parser.add_argument("--gateways", type=int, default=default.gateways)
    parser.add_argument("--workers", type=int, default=default.workers)
    parser.add_argument("--outage-s", type=float, default=default.outage_s, help="each of the outages lasts so long")
    parser.add_argument("--outages", nargs="*", choices=OUTAGES, default=OUTAGES, help="in turn; without this: all")
    parser.add_argument("--report", type=Path, default=Path("build/chaos.json"))
    asked = parser.parse_args(arguments)
    if not 1 <= asked.gateways <= GATEWAYS_MAX or asked.workers < 1 or asked.seconds <= 0 or asked.outage_s < 0:
        parser.error(f"want 1 to {GATEWAYS_MAX} gateways, at least one worker, and a time")
    return (
        Plan(
            asked.seconds, asked.kills, asked.seed, asked.gateways, asked.workers, asked.outage_s, tuple(asked.outages)
        ),
        asked.report,
    )


def main(arguments: list[str]) -> int:
    """0 where nothing was lost, doubled, invented, misfiled or misdated."""
    plan, path = _plan(arguments)
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        report = run(plan, Path(folder), name=f"test-{os.getpid()}-chaos", say=lambda line: print(line, flush=True))
    write(report, path)
    print(json.dumps(report.told(), indent=1))
    return 1 if report.faults() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
