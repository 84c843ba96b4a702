"""How it grows: the pages' own statements, the judge's, a roll-up and ingest, on databases of more and more rows.

Method: each size is made by the server itself (`grown`), and measured before the next one. A statement is timed with patients
drawn anew each time, so that most of what it reads was not read before; what the server has in its memory is as it happens
to be. Ingest is `rpm-cloud bench ingest`, which looks for every reading itself. Figures of one run are comparable.
"""

import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast

import psycopg
from psycopg.rows import DictRow, dict_row
from rich.table import Table

from rpm.broker.roles import LOAD
from rpm.jobs import rollup
from rpm.store.charts import POINTS_MAX, READINGS_MAX
from rpm.store.database import Database
from rpm.store.queries import load
from schemas.codes import BY_NAME
from tests.bench import grown
from tests.bench.ground import BenchFailed, utc_now
from tests.support.broker import Broker

#: Each is ten times the one before.
SIZES: Final = (100_000, 1_000_000, 10_000_000, 100_000_000)
CALLS: Final = 60
#: A statement that is slower than this is called less often.
SLOW_S: Final = 1.0
#: As `rpm-cloud bench ingest` is asked: readings, by how many travel in one message.
LOADS: Final = ((1, 10_000), (100, 40_000))
HOMES: Final = 1000
INGEST_S_MAX: Final = 900
PRESSURE: Final = [BY_NAME[name].number for name in ("systolic", "diastolic", "pulse_rate")]
Made = Callable[[list[int], datetime], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A statement of the product. `people`: patients of one call; `made`: its parameters, from them and the present."""

    name: str
    file: str
    statement: str
    people: int
    made: Made


def _one(people: list[int], now: datetime, *, days: int, **more: Any) -> dict[str, Any]:
    return {"patient_id": people[0], "since": now - timedelta(days=days), "until": now, "now": now, **more}


ASKED: Final = (
    Asked("latest of a patient", "charts", "latest", 1, lambda people, now: _one(people, now, days=1)),
    Asked("chart, 90 days", "charts", "points", 1, lambda people, now: _one(people, now, days=90, codes=PRESSURE, limit=POINTS_MAX)),
    Asked("newest readings, a year", "charts", "readings", 1, lambda people, now: _one(people, now, days=365, limit=READINGS_MAX)),
    Asked("sparklines of 50", "worklist", "recent_values", 50, lambda people, now: {
        "patients": people, "codes": [PRESSURE[0]] * len(people), "since": now - timedelta(days=14), "points": 30}),
    Asked("the judge's window of 200", "series", "window", 200, lambda people, now: {
        "patients": people, "codes": [code.number for code in BY_NAME.values()], "since": now - timedelta(days=14), "until": now}),
    Asked("days of a bill, 50 patients", "billing", "data_days", 50, lambda people, now: {
        "episode_ids": people, "patient_ids": people, "sinces": [now - timedelta(days=31)] * len(people),
        "untils": [now] * len(people), "since": now - timedelta(days=31), "now": now, "zone": "America/New_York"}),
    Asked("a patient's weeks, a year", "rollups", "of_patient", 1, lambda people, now: _one(
        people, now, days=365, code=PRESSURE[0], grain="week")),
)  # fmt: skip


def measure(
    sizes: tuple[int, ...], folder: Path, step: Callable[[str], None], *, now: datetime | None = None
) -> list[dict[str, Any]]:
    """One row of figures for each size, smallest first. BenchFailed where a reading was lost."""
    folder.mkdir(parents=True, exist_ok=True)
    found: list[dict[str, Any]] = []
    for size in sizes:
        dsn = grown.grow(size, step)
        found.append(measure_one(dsn, folder, step, now=now or utc_now()))
        (folder / "growth.json").write_text(json.dumps(found, indent=1), "utf-8")
    return found


def measure_one(
    dsn: str, folder: Path, step: Callable[[str], None], *, now: datetime, loads: tuple[tuple[int, int], ...] = LOADS
) -> dict[str, Any]:
    """The figures of a database as it is: milliseconds (p50, p99), readings a second, bytes."""
    with psycopg.Connection[DictRow].connect(dsn, row_factory=dict_row, autocommit=True) as connection:
        step("sizes")
        row: dict[str, Any] = grown.sizes(connection)
        connection.execute("set statement_timeout = '60s'")
        for asked in ASKED:
            step(asked.name)
            row[asked.name] = _timed(lambda asked=asked: _call(connection, asked, now))
        for name, prepare, file, statement in (
            ("first reading of a box (F11)", grown.claimed_box, "installs", "progress"),
            ("whose 25 held readings may be", grown.held_readings, "suggestions", "users"),
        ):
            step(name)
            with connection.transaction(force_rollback=True):
                made = prepare(connection, now)
                row[name] = _timed(
                    lambda made=made, file=file, statement=statement: _run(connection, load(file)[statement], made)
                )
        connection.execute("delete from rollup_mark")
        step("daily roll-up")
        row["roll-up of 500 days"] = _rolled_up(connection, dsn, now)
    for per_message, readings in loads:
        step(f"ingest, {per_message} per message")
        row[f"ingest, {per_message} per message"] = _ingested(dsn, folder, per_message, readings)
    return row


def _call(connection: psycopg.Connection[Any], asked: Asked, now: datetime) -> float:
    people = grown.drawn(connection, asked.people)
    return _run(
        connection,
        load(asked.file)[asked.statement],
        {**asked.made(people.patients, now), "practice_id": people.practice_id},
    )


def _run(connection: psycopg.Connection[Any], statement: bytes, parameters: Mapping[str, Any]) -> float:
    began = time.monotonic()
    connection.execute(statement, parameters).fetchall()
    return time.monotonic() - began


def _timed(call: Callable[[], float]) -> dict[str, float]:
    """Milliseconds of CALLS calls, fewer of slow ones. The first opens the catalogues and is not counted."""
    first = call()
    times = sorted(call() for _ in range(CALLS if first < SLOW_S else 5))
    return {
        "p50_ms": _ms(statistics.median(times)),
        "p99_ms": _ms(times[-1 - len(times) // 100]),
        "first_ms": _ms(first),
    }


def _ms(seconds: float) -> float:
    return float(f"{seconds * 1000:.3g}")


def _rolled_up(connection: psycopg.Connection[Any], dsn: str, now: datetime) -> dict[str, float]:
    """One turn of the job over as many marks as it takes, of patients and days of the last four weeks."""
    database = Database(dsn).open()
    draw = random.Random(1)

    def turn() -> float:
        people = grown.drawn(connection, rollup.CLAIM_LIMIT)
        patients = draw.choices(people.patients, k=rollup.CLAIM_LIMIT)
        days = [(now - timedelta(days=draw.randint(1, 28))).date() for _ in patients]
        connection.execute(
            "insert into rollup_mark (patient_id, practice_id, measured_on)"
            " select patient_id, %s, day from unnest(%s::bigint[], %s::date[]) as row (patient_id, day)",
            [people.practice_id, patients, days],
        )
        began = time.monotonic()
        rollup.run_once(database)
        return time.monotonic() - began

    try:
        first = turn()
        times = sorted(turn() for _ in range(10 if first < SLOW_S else 3))
    finally:
        database.close()
    return {"p50_ms": _ms(statistics.median(times)), "p99_ms": _ms(times[-1]), "first_ms": _ms(first)}


def _ingested(dsn: str, folder: Path, per_message: int, readings: int) -> dict[str, Any]:
    home = folder.resolve() / f"broker-{per_message}"
    # What is left of another run's broker names that one's port.
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    broker = Broker(home, load=True)
    named = {"RPM_DSN": dsn, "RPM_BROKER_URL": broker.start().url(), "RPM_LOAD_URL": broker.url(LOAD)}
    # --keep: what is grown belongs to the same made-up practice.
    arguments = f"bench ingest --homes {HOMES} --readings {readings} --readings-per-message {per_message} --workers 1 --keep --json"
    try:
        done = subprocess.run(
            [sys.executable, "-m", "rpm", *arguments.split()],
            env={**os.environ, **named}, capture_output=True, text=True, timeout=INGEST_S_MAX, check=False,
        )  # fmt: skip
    finally:
        broker.stop()
    if done.returncode != 0:
        raise BenchFailed(f"ingest into a grown database: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    found = json.loads(done.stdout)
    return {name: found[name] for name in ("readings_per_s", "receipt_ms_p50", "receipt_ms_p99", "lost", "doubled")}


def table(found: list[dict[str, Any]]) -> Table:
    """A line for each figure, a column for each size."""
    made = Table(title="Growth", caption="p50 (p99); ingest: readings/s (publish → receipt, p50)")
    made.add_column("what", no_wrap=True)
    for row in found:
        made.add_column(f"{row['observations']:,}", justify="right", no_wrap=True)
    for name in found[-1]:
        made.add_row(name, *(_shown(row.get(name)) for row in found))
    return made


def _shown(figure: Any) -> str:
    if isinstance(figure, dict):
        told = cast("dict[str, float]", figure)
        if "p50_ms" in told:
            return f"{told['p50_ms']:g} ({told['p99_ms']:g}) ms"
        return f"{told['readings_per_s']:,.0f} ({told['receipt_ms_p50']:,.0f} ms)"
    return f"{figure:,}"
