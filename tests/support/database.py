"""A real PostgreSQL with TimescaleDB, and a fresh migrated database for every test that asks.

One server per test run, with its own data folder and port; TSDB_DSN is ignored. It is migrated once, into a template:
copying that takes 40 ms, so that tests share nothing. A template works only because this server runs no TimescaleDB
background workers (its scheduler would sit in the template and forbid the copy); nothing here needs their jobs.
fsync is off: a killed server loses nothing that way, only a machine that loses power does.
"""

import os
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from rpm.store.database import Database
from rpm.store.migrate import upgrade
from tests.support.provisioning import LOCAL, run_script
from tests.support.small_disk import SmallDisk

SETTINGS = (
    "timescaledb.max_background_workers=0",
    "fsync=off",
    "full_page_writes=off",
    "shared_buffers=128MB",
    "max_connections=200",
)
TEMPLATE = "migrated"
#: A server that was killed is asked for this long whether its last process is gone.
GONE_S_MAX = 30.0
_numbers = count(1)


def cluster_folder(name: str) -> Path:
    """Where deploy/provision.sh keeps the cluster `name`."""
    return LOCAL / "clusters" / name


class DatabaseServer:
    """A cluster of its own under deploy/provision.sh. `name` begins with `test-` and this process's id."""

    def __init__(self, name: str, *, settings: Sequence[str] = SETTINGS, disk: SmallDisk | None = None) -> None:
        """`disk`: mounted at `cluster_folder(name)`."""
        self.name = name
        self._disk = disk
        self._settings = settings
        self._port = "0"
        self._url = ""

    def start(self) -> "DatabaseServer":
        """Make it or start it again, on the same port."""
        dsn = run_script("provision.sh", "up", self.name, self._port, *self._settings, disk=self._disk)
        self._url, _, _ = dsn.rpartition("/")
        self._port = self._url.rpartition(":")[2]
        return self

    def dsn(self, database: str = "postgres") -> str:
        """The DSN of one database on this server."""
        return f"{self._url}/{database}"

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        folder = self._disk.seen_at if self._disk else cluster_folder(self.name)
        pid_file = folder / "data" / "postmaster.pid"
        return int(pid_file.read_text("utf-8").splitlines()[0])

    def kill(self) -> None:
        """Kill -9 the postmaster; its backends notice and go. `start` brings the server back."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + GONE_S_MAX
        while Path(f"/proc/{pid}/cwd").exists() and time.monotonic() < deadline:
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it in order."""
        run_script("provision.sh", "down", self.name, disk=self._disk)

    def destroy(self) -> None:
        """Stop it and delete its data (those on a disk of its own go with that)."""
        if self._disk:
            self.stop()
            shutil.rmtree(cluster_folder(self.name), ignore_errors=True)
        else:
            run_script("provision.sh", "destroy", self.name)

    def create(self, *, template: str | None = None) -> str:
        """The name of a new database: a copy of `template`, else empty."""
        name = f"t{next(_numbers)}"
        # "file_copy" writes no log of the copy: half the time.
        copied = (
            sql.SQL(" template {} strategy file_copy").format(sql.Identifier(template)) if template else sql.SQL("")
        )
        self._run(sql.SQL("create database {}").format(sql.Identifier(name)) + copied)
        return name

    def drop(self, name: str) -> None:
        """Delete a database, whoever is still connected."""
        self._run(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def make_template(self) -> None:
        """Migrate a database once; `create(template=TEMPLATE)` copies it."""
        self._run(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        upgrade(self.dsn(TEMPLATE))

    def _run(self, statement: sql.Composed) -> None:
        try:
            psycopg.connect(self.dsn(), connect_timeout=10).close()
        except psycopg.OperationalError:
            # A test that killed the server failed before it started it again: that is one failure, not all that follow.
            self.start()
        with psycopg.connect(self.dsn(), autocommit=True, connect_timeout=10) as connection:
            connection.execute(statement)


def _sweep() -> None:
    """Destroy clusters of test runs that were killed: their process no longer exists."""
    for left in sorted((LOCAL / "clusters").glob("test-*")):
        owner = left.name.split("-")[1]
        if not owner.isdigit() or not Path(f"/proc/{owner}").exists():
            run_script("provision.sh", "destroy", left.name)
            shutil.rmtree(left, ignore_errors=True)


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The run's server with a migrated template. A test that kills it starts it again."""
    _sweep()
    server = DatabaseServer(f"test-{os.getpid()}")
    try:
        server.start().make_template()
        yield server
    finally:
        server.destroy()


@pytest.fixture
def dsn(database_server: DatabaseServer) -> Iterator[str]:
    """A fresh migrated database, for programs that open it themselves."""
    name = database_server.create(template=TEMPLATE)
    yield database_server.dsn(name)
    database_server.drop(name)


@pytest.fixture
def empty_dsn(database_server: DatabaseServer) -> Iterator[str]:
    """A fresh database without any table, for tests of the migrations."""
    name = database_server.create()
    yield database_server.dsn(name)
    database_server.drop(name)


@pytest.fixture
def database(dsn: str) -> Iterator[Database]:
    """A fresh migrated database, opened. `database.dsn` is its DSN."""
    opened = Database(dsn).open()
    yield opened
    opened.close()


@pytest.fixture
def target(database_server: DatabaseServer) -> Iterator[Database]:
    """A second database, migrated and empty."""
    name = database_server.create(template=TEMPLATE)
    opened = Database(database_server.dsn(name)).open()
    yield opened
    opened.close()
    database_server.drop(name)
