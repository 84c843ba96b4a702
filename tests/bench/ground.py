"""What the benchmark stands on: a broker, a database that keeps its promises (fsync on), people, and real workers."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import DictRow, dict_row

from rpm.demo.processes import Child
from rpm.load.messages import address, gateway_id
from rpm.store import load
from rpm.store.migrate import upgrade
from tests.bench.machine import Meter
from tests.support.broker import Broker
from tests.support.database import DatabaseServer
from tests.support.provisioning import LOCAL

#: A worker is ready by then, and everything that is new is judged.
WAIT_S_MAX: Final = 60.0


class BenchFailed(RuntimeError):
    """The benchmark could not be carried out; its text is one line that says what happened."""


@dataclass(slots=True)
class Ground:
    """Servers that run, and how to start more on them."""

    folder: Path
    broker: Broker
    server: DatabaseServer
    dsn: str
    practice_id: int = 0
    runs: int = 0
    workers: list[Child] = field(default_factory=list[Child])

    def next_run(self) -> int:
        """A number no run had before."""
        self.runs += 1
        return self.runs

    def start_workers(self, count: int, *options: str) -> None:
        """Have exactly so many `rpm-cloud worker` processes, with default settings; with options: all of them anew."""
        while len(self.workers) > (0 if options else count):
            self.workers.pop().stop()
        while len(self.workers) < count:
            name = f"worker-{len(self.workers) + 1}"
            environment = {"RPM_DSN": self.dsn, "RPM_BROKER_URL": self.broker.url(), "PYTHONUNBUFFERED": "1"}
            log = self.folder / f"{name}.log"
            log.unlink(missing_ok=True)
            worker = Child(name, [sys.executable, "-m", "rpm", "worker", *options], log, environment).start()
            self.workers.append(worker)
            wait_started(worker)

    def programs(self, **more: int) -> dict[str, int]:
        """Our programs by name, for the meter."""
        workers = {worker.name: worker.pid for worker in self.workers}
        return {"broker": self.broker.pid, "database": self.server.pid, **workers, **more}

    def meter(self, **more: int) -> Meter:
        """A meter that knows our programs; `more`: name → process id."""
        return Meter(self.programs(**more))

    def wait_judged(self) -> None:
        """Wait until no patient has news: one run's judging must not slow the next one's ingest."""
        with psycopg.connect(self.dsn, autocommit=True) as connection:

            def judged() -> bool:
                return connection.execute("select 1 from patient_news limit 1").fetchone() is None

            if not _until(judged):
                raise BenchFailed(f"readings were not judged within {WAIT_S_MAX:.0f} s: the logs are in {self.folder}")


@contextmanager
def ground(folder: Path, *, homes: int, cuffs: int, process: int) -> Generator[Ground]:
    """Servers with people on them, and their end: so many gateways, and cuffs, each of one patient.

    `process`: whoever measures, so that leftovers can be told.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [gateway_id(number) for number in range(homes)]
    server = DatabaseServer(f"test-{process}-bench", settings=())
    # Their loads speak as any gateway; the first one is also met by itself.
    broker = Broker(folder, gateways=(names[0],), load=True)
    made = Ground(folder, broker, server, "")
    try:
        server.start()
        made.dsn = server.dsn(server.create())
        upgrade(made.dsn)
        with psycopg.Connection[DictRow].connect(made.dsn, row_factory=dict_row) as connection:
            addresses = [address(cuff) for cuff in range(cuffs)]
            made.practice_id = load.settle_in(connection, gateways=names, addresses=addresses, now=utc_now())
            connection.execute("analyze")
        broker.start()
        yield made
    finally:
        for worker in made.workers:
            worker.stop()
        broker.stop()
        server.destroy()
        shutil.rmtree(LOCAL / "clusters" / server.name, ignore_errors=True)


class Helper:
    """A process of the benchmark's own that is told one line, says it is ready, and says a line at its end."""

    def __init__(self, module: str, plan: dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", f"tests.bench.{module}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._name = module
        self._tell(json.dumps(plan))
        self.ready = self.hear()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def begin(self) -> None:
        """Give the word."""
        self._tell("")

    def hear(self) -> dict[str, Any]:
        """The next line it says; BenchFailed where it ends instead."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise BenchFailed(f"tests.bench.{self._name} ended early, with status {self.process.wait()}")
        said: dict[str, Any] = json.loads(line)
        return said

    def end(self) -> None:
        """Let it go."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def _tell(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()


def wait_started(worker: Child) -> None:
    """Until a worker says that it works; BenchFailed where it does not."""
    if not _until(lambda: b"worker.started" in worker.log.read_bytes() or not worker.running()):
        raise BenchFailed(f"{worker.name} did not start: its log is {worker.log}")
    if not worker.running():
        raise BenchFailed(f"{worker.name} ended at once: {worker.last_words().splitlines()[-1]}")


def _until(look: Callable[[], bool]) -> bool:
    """Whether it became so within WAIT_S_MAX."""
    deadline = time.monotonic() + WAIT_S_MAX
    while not look():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def utc_now() -> datetime:
    """The instant."""
    return datetime.now(UTC)
