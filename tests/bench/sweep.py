"""A sweep: everybody has news, and two processes of the product judge them all, from the database to their alerts.

Method: the server makes a month of so many patients (`sweep.sql`: four values a day, each day in the order of arrival). All of
them are marked as having news, and two `rpm-cloud worker --only evaluate` take them; counted is from the mark to the moment
when nobody has news any more and the last transaction is committed. Three times: the first opens every alert there is to
open, the others find most of it known. Left out of the database: what the judge does not read (messages, raw readings).
"""

import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from rpm.demo.processes import Child
from rpm.load.messages import address, gateway_id
from rpm.store import load
from rpm.store.migrate import upgrade
from schemas.codes import BY_NAME, UNIT_NUMBER
from tests.bench.ground import BenchFailed, utc_now
from tests.bench.grown import Connection, connected
from tests.bench.machine import Meter
from tests.bench.results import Result
from tests.support.database import DatabaseServer
from tests.support.large_series import DAYS, PROGRAMMES, VALUES_PER_DAY

PROCESSES: Final = 2
SWEEPS: Final = ("first", "second", "third")
SWEEP_S_MAX: Final = 1800.0
READY_S_MAX: Final = 60.0
LOOK_S: Final = 0.05
SETTINGS: Final = ("shared_buffers=1GB", "max_wal_size=4GB")
_SQL: Final = (Path(__file__).parent / "sweep.sql").read_bytes()
_PEOPLE: Final = b"""
create table grown_patient as
select row_number() over (order by patient.id) as number, patient.id as patient_id
from patient where practice_id = %s
"""
_MARK: Final = b"""
insert into patient_news (patient_id, practice_id, since, count)
select patient_id, %s, clock_timestamp(), 1 from grown_patient
"""


def measure(patients: int, folder: Path, step: Callable[[str], None]) -> list[Result]:
    """Seconds of each sweep; `detail` has the alerts there were afterwards."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = DatabaseServer(f"test-{os.getpid()}-sweep", settings=SETTINGS)
    workers: list[Child] = []
    try:
        dsn = server.start().dsn(server.create())
        upgrade(dsn)
        with connected(dsn) as connection:
            practice_id = _fill(connection, patients, step)
            step("sweep: starting")
            for number in range(PROCESSES):
                log = folder / f"worker-{number}.log"
                arguments = [sys.executable, "-m", "rpm", "worker", "--only", "evaluate"]
                workers.append(Child(f"worker {number}", arguments, log, {"RPM_DSN": dsn}).start())
                _wait_started(workers[-1], log)
            programs = {f"worker {number}": worker.pid for number, worker in enumerate(workers)}
            return [
                _swept(connection, practice_id, which, {**programs, "database": server.pid}, step) for which in SWEEPS
            ]
    finally:
        for worker in workers:
            worker.stop()
        server.destroy()


def _wait_started(worker: Child, log: Path) -> None:
    deadline = time.monotonic() + READY_S_MAX
    while b"worker.started" not in log.read_bytes():
        if not worker.running() or time.monotonic() > deadline:
            raise BenchFailed(f"the worker did not start: its log is {log}")
        time.sleep(LOOK_S)


def _swept(
    connection: Connection, practice_id: int, which: str, programs: dict[str, int], step: Callable[[str], None]
) -> Result:
    step(f"sweep: the {which}")
    patients = _number(connection, b"select count(*) from grown_patient")
    with Meter(programs) as meter:
        began = time.monotonic()
        connection.execute(_MARK, [practice_id])
        connection.execute("notify patient_news")
        connection.commit()
        # A mark that is being worked on is still there for others to see: none left means that all is committed.
        while _number(connection, b"select count(*) from (select from patient_news limit 1) as one"):
            connection.commit()
            if time.monotonic() - began > SWEEP_S_MAX:
                raise BenchFailed(f"the {which} sweep took longer than {SWEEP_S_MAX:.0f} s")
            time.sleep(LOOK_S)
        taken_s = time.monotonic() - began
    connection.commit()
    alerts = _number(connection, b"select count(*) from alert")
    # What it would take of two processors that nobody else uses.
    used_s = taken_s * sum(meter.cpus[name] for name in programs)
    detail = {"alerts": alerts, "processor_s": round(used_s, 1)}
    result = Result(f"sweep of {patients:,} patients, the {which}", "s", detail=detail)
    result.add(round(taken_s, 2), meter.cpus)
    return result


def _number(connection: Connection, query: bytes) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None
    return int(row["count"])


def _fill(connection: Connection, patients: int, step: Callable[[str], None]) -> int:
    """Patients and their month; the practice."""
    step("sweep: patients")
    now = utc_now()
    numbers = range(patients)
    names = {"gateways": [gateway_id(0)], "addresses": [address(number) for number in numbers]}
    practice_id = load.settle_in(connection, **names, now=now)
    connection.execute(_PEOPLE, [practice_id])
    connection.execute("analyze grown_patient")
    connection.commit()
    facts = {"practice_id": practice_id, **_measured()}
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(DAYS, 0, -1):
        step(f"sweep: day {DAYS - number + 1} of {DAYS}")
        day = midnight - timedelta(days=number)
        connection.execute(_SQL, {**facts, "day": day, "base": load.last_number(connection)})
        connection.commit()
    found = _number(connection, b"select count(*) from observation")
    if found != patients * DAYS * VALUES_PER_DAY:
        raise BenchFailed(f"{found:,} observations were made, not {patients * DAYS * VALUES_PER_DAY:,}")
    step("sweep: statistics")
    connection.execute("analyze")
    connection.commit()
    return practice_id


def _measured() -> dict[str, list[Any]]:
    """What each programme measures in a day, as columns."""
    rows = [
        (programme, hour, BY_NAME[name].number, UNIT_NUMBER[BY_NAME[name].units[0]], mean, spread, 2 * (spread < 1))
        for programme, day in enumerate(PROGRAMMES)
        for hour, quantities in day
        for name, mean, spread in quantities
    ]
    names = ("programmes", "hours", "codes", "units", "means", "spreads", "decimals")
    return {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
