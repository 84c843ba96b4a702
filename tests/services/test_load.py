"""`rpm-cloud bench` as a person runs it: a real broker, database and workers; what it says is true and it leaves nothing.

The faults it must find are made in the database, by a trigger that swallows or doubles a row: then a receipt is untrue.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from rpm.broker.roles import LOAD
from rpm.demo.processes import Child
from rpm.store.database import Database
from rpm.store.load import PRACTICE
from tests.support.broker import Broker
from tests.support.clinic import Clinic
from tests.support.clock import MORNING

RUN_S_MAX = 120.0
SWALLOWS = """
create function swallow() returns trigger language plpgsql as $$ begin return null; end $$;
create trigger swallow before insert on observation for each row when (new.value = 113) execute function swallow();
"""


@dataclass
class Bench:
    """`rpm-cloud bench` with this test's servers in its environment."""

    dsn: str
    broker: Broker

    @property
    def environment(self) -> dict[str, str]:
        named = {"RPM_DSN": self.dsn, "RPM_BROKER_URL": self.broker.url(), "RPM_LOAD_URL": self.broker.url(LOAD)}
        return {**os.environ, **named}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "rpm", "bench", *arguments]
        return subprocess.Popen(
            command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as running:
            out, err = running.communicate(timeout=RUN_S_MAX)
        return running.returncode, out, err

    @contextmanager
    def worker(self, name: str, folder: Path) -> Generator[Child]:
        child = Child(name, [sys.executable, "-m", "rpm", "worker"], folder / f"{name}.log", self.environment).start()
        try:
            deadline = time.monotonic() + RUN_S_MAX
            while b"worker.started" not in child.log.read_bytes():
                assert child.running(), child.last_words()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield child
        finally:
            child.stop()

    def count(self, what: str) -> int:
        with psycopg.connect(self.dsn) as connection:
            row = connection.execute(f"select count(*) from {what}".encode()).fetchone()
        assert row is not None
        return row[0]


@pytest.fixture
def bench(dsn: str, tmp_path: Path) -> Iterator[Bench]:
    broker = Broker(tmp_path, load=True).start()
    yield Bench(dsn, broker)
    broker.stop()


def test_every_reading_is_looked_for_and_nothing_is_left(bench: Bench) -> None:
    wanted = ["--homes", "30", "--readings", "900", "--readings-per-message", "20", "--workers", "1"]
    status, out, err = bench.run("ingest", *wanted, "--json", "--keep")
    assert status == 0, err
    found: dict[str, Any] = json.loads(out)
    assert (found["sent"], found["stored"], found["lost"], found["doubled"], found["unreceipted"]) == (
        900,
        900,
        0,
        0,
        0,
    )
    assert (found["faultless"], found["wire_factor"], found["connections"]) == (True, 1.0, 20)
    assert 0 < found["receipt_ms_p50"] <= found["receipt_ms_p90"] <= found["receipt_ms_p99"] <= found["receipt_ms_max"]
    assert bench.count("observation") == 900 * 4
    assert (
        bench.count(f"patient join practice on practice.id = practice_id where name = '{PRACTICE}' and synthetic") == 30
    )
    for nobodys in ("enrolment", "alert", "held", "patient where not synthetic"):
        assert bench.count(nobodys) == 0, nobodys
    assert bench.count("staff join practice on practice.id = practice_id where practice.id > 0") == 0
    assert bench.run("clean")[:2] == (0, "900 readings of made-up patients are gone\n")
    for gone in ("observation", "reading", "reading_key", "delivery", "latest", "message", "rollup", "rollup_mark"):
        assert bench.count(gone) == 0, gone
    assert bench.count("gateway where retired_at is null") == 0


def test_the_same_homes_serve_again_at_a_rate(bench: Bench) -> None:
    wanted = ["--homes", "5", "--connections", "5", "--rate", "100", "--seconds", "1", "--workers", "1"]
    for _ in range(2):
        status, out, err = bench.run("ingest", *wanted)
        assert status == 0, err
        assert "lost 0  doubled 0  without receipt 0  held 0" in out
        assert "every reading has its receipt and stands in the database once" in out
    assert bench.count("patient") == 5
    assert bench.count("observation") == 0


def test_a_receipt_that_is_untrue_is_found(bench: Bench) -> None:
    with psycopg.connect(bench.dsn) as connection:
        connection.execute(SWALLOWS)
    status, out, _ = bench.run("ingest", "--homes", "4", "--readings", "96", "--workers", "1")
    assert status == 1
    assert "lost 4  doubled 0" in out
    assert "NOT every reading" in out


def test_a_worker_may_come_and_another_be_killed_in_the_midst_of_it(bench: Bench, tmp_path: Path) -> None:
    with bench.worker("first", tmp_path) as first:
        wanted = ["--homes", "200", "--seconds", "25", "--under-way", "800", "--json"]
        with bench.start("ingest", *wanted) as running:
            assert running.stderr is not None
            while "receipted" not in running.stderr.readline():
                assert running.poll() is None
            with bench.worker("second", tmp_path) as second:
                assert running.poll() is None, "it is in the midst of it"
                first.kill()
                out, err = running.communicate(timeout=RUN_S_MAX)
                assert second.running()
    assert running.returncode == 0, out + err
    found: dict[str, Any] = json.loads(out)
    assert found["sent"] > 800
    assert (found["lost"], found["doubled"], found["unreceipted"], found["held"]) == (0, 0, 0, {})
    assert found["took_s"] >= 24.0, "the other one had its share"


def test_what_is_to_go_while_others_are_at_it_goes_after_them(bench: Bench) -> None:
    """Two who wait for each other: the server ends one of them, which is made to be the one that takes away."""
    wanted = ["--homes", "2", "--readings", "4", "--workers", "1", "--keep"]
    assert bench.run("ingest", *wanted)[0] == 0
    with psycopg.connect(bench.dsn, autocommit=True) as connection:
        connection.execute(f"alter database {connection.info.dbname} set deadlock_timeout = '5s'".encode())
    with psycopg.connect(bench.dsn, options="-c deadlock_timeout=60s") as worker, bench.start("clean") as cleaning:
        worker.execute("update latest set value = value")
        while not blocked_by(bench.dsn, worker):
            assert cleaning.poll() is None
            time.sleep(0.02)
        with psycopg.connect(bench.dsn) as other:
            deadlocks = "select deadlocks from pg_stat_database where datname = current_database()"
            before = other.execute(deadlocks).fetchone()
        # Now it waits for them, and they for it.
        worker.execute("update reading set seq = seq")
        worker.rollback()
        out, err = cleaning.communicate(timeout=RUN_S_MAX)
    assert (cleaning.returncode, out) == (0, "4 readings of made-up patients are gone\n"), err
    with psycopg.connect(bench.dsn) as other:
        assert other.execute(deadlocks).fetchone() != before, "they never met"
    assert bench.count("reading") == 0


def blocked_by(dsn: str, holder: psycopg.Connection) -> bool:
    """Whether somebody waits for what a connection holds."""
    asked = "select exists (select from pg_stat_activity where %s = any(pg_blocking_pids(pid)))"
    with psycopg.connect(dsn) as connection:
        row = connection.execute(asked, [holder.info.backend_pid]).fetchone()
    return row is not None and row[0]


def test_nobodys_patients_are_put_to_it_unasked(bench: Bench, database: Database) -> None:
    Clinic(database, now=MORNING).patient("Maria", "Alvarez")
    status, out, err = bench.run("ingest", "--homes", "1", "--readings", "1", "--workers", "1")
    assert (status, out) == (2, "")
    assert err.startswith("rpm-cloud: this database holds patients who are not made up")
    assert bench.count("gateway where label = 'Simulated'") == 0
    status, out, err = bench.run("ingest", "--homes", "1", "--readings", "3", "--workers", "1", "--among-patients")
    assert (status, "lost 0" in out) == (0, True), err
    assert bench.count("reading") == 0


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["--homes", "1", "--readings", "1"], "no worker takes readings in: start `rpm-cloud worker`, or say --workers 1"),
        (["--workers", "1", "--load-url", "{worker}"], "the broker does not let account worker subscribe"),
        (["--workers", "1", "--load-url", "mqtt://load:wrong@127.0.0.1:{port}"], "the broker refuses the connection: reason 0x87 (account load)"),
        (["--workers", "1", "--load-url", "mqtt://load@127.0.0.1:1"], "the broker at 127.0.0.1:1 cannot be reached"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line(bench: Bench, arguments: list[str], told: str) -> None:
    filled = [each.format(worker=bench.broker.url(), port=bench.broker.port) for each in arguments]
    status, out, err = bench.run("ingest", *filled)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith(f"rpm-cloud: {told}"), err
    assert "Traceback" not in err
