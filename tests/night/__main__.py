"""`python -m tests.night --alerts 300 --kills 40 --hang-s 60`: the night at any length, on a database of its own."""

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from rpm.store.database import Database
from tests.night.drill import Plan, run
from tests.support.database import TEMPLATE, DatabaseServer


def _plan(arguments: list[str]) -> Plan:
    default = Plan()
    parser = argparse.ArgumentParser(prog="python -m tests.night", description=__doc__)
    parser.add_argument("--alerts", type=int, default=default.alerts, help="of three steps each")
    parser.add_argument("--kills", type=int, default=default.kills, help="kill -9 of a replica while messages go out")
    parser.add_argument("--freezes", type=int, default=default.freezes, help="SIGSTOP until its leases have ended")
    parser.add_argument("--hang-s", type=float, default=default.hang_s, help="the provider answers nobody for so long")
    parser.add_argument("--seed", type=int, default=default.seed)
    asked = parser.parse_args(arguments)
    if asked.alerts < 1 or min(asked.kills, asked.freezes, asked.hang_s) < 0:
        parser.error("want at least one alert, and no number below nothing")
    return Plan(asked.alerts, asked.kills, asked.freezes, asked.hang_s, asked.seed)


def main(arguments: list[str]) -> int:
    """0 where everybody was told, and nobody too often or too early."""
    plan = _plan(arguments)
    server = DatabaseServer(f"test-{os.getpid()}-night")
    try:
        server.start().make_template()
        database = Database(server.dsn(server.create(template=TEMPLATE))).open()
        with tempfile.TemporaryDirectory(prefix="night-", ignore_cleanup_errors=True) as folder:
            report = run(plan, database, Path(folder), say=lambda line: print(line, flush=True))
        database.close()
    finally:
        server.destroy()
    print(json.dumps(report.as_json(), indent=1))
    return 1 if report.faults() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
