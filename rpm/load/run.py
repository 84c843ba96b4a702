"""`rpm-cloud bench ingest`: have servers, people and workers, send, look at every receipt and every row, leave nothing."""

import asyncio
import math
import secrets
import shutil
import signal
import ssl
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from rpm.broker.tls import identity_of
from rpm.demo.processes import Child, Household
from rpm.demo.servers import private_broker, private_database
from rpm.errors import UserError
from rpm.ingest.subscriber import BrokerAddress, broker_address
from rpm.ingest.worker import STAGE
from rpm.load.fleet import Fleet, Pace, under_way_of
from rpm.load.messages import SPREAD, Run, address, gateway_id, message
from rpm.load.progress import Reporter
from rpm.load.tally import Kept, faultless, kept_of
from rpm.settings import Settings
from rpm.store import load
from rpm.store.database import Database, DatabaseBusy
from rpm.store.heartbeats import last_beat
from rpm.store.migrate import open_current, upgrade

#: Homes entered in one transaction.
HOMES_AT_ONCE: Final = 5_000
#: So many readings are written out before the clock starts; the rest while it runs.
BUILT_BEFORE: Final = 50_000
#: As many as there can be, where only a time is set.
READINGS_MAX: Final = 2**31
WORKER_READY_S_MAX: Final = 60.0
#: An ingest stage that was silent for so long is taken for none.
BEAT_S_MAX: Final = 30.0
#: What was sent twice may still be stored: it is waited for before everything is taken away.
LATE_S: Final = 3.0
#: So often what was measured is to be forgotten, where workers are at the same rows.
FORGET_TRIES_MAX: Final = 5
#: Clocks of broker, database and this machine may differ.
MARGIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to send, to whom, and what to do with it afterwards. `readings` and `seconds`: whichever is reached first."""

    homes: int
    per_message: int
    readings: int
    seconds: float
    per_second: float
    seed: int
    connections: int
    workers: int
    under_way: int
    keep: bool
    among_patients: bool
    #: As whom simulated gateways sign in; empty: as the broker's URL says.
    load_url: str


@dataclass(frozen=True, slots=True)
class Servers:
    """A database and a broker: where they are, and as whom simulated gateways sign in."""

    dsn: str
    broker_url: str
    load_url: str


def ingest(wanted: Wanted, settings: Settings, *, local: bool, console: Console) -> dict[str, Any]:
    """Carry it out; the figures. UserError with one line where it cannot be done."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="rpm-bench-"))
    with Household() as household:
        if local:
            console.print("starting a private broker and database …")
            servers = _private(household, folder)
        else:
            settings.require("dsn", "broker_url")
            servers = Servers(settings.dsn, settings.broker_url, wanted.load_url or settings.broker_url)
        tls = _tls(broker_address(servers.load_url), settings)
        database = open_current(servers.dsn)
        household.afterwards(database.close)
        _start_workers(household, servers, wanted.workers or int(local), folder)
        if not (wanted.workers or local):
            _require_worker(database)
        with _people(database, wanted, console) as practice_id:
            found = _measure(database, practice_id, wanted, broker_address(servers.load_url), tls, console)
    shutil.rmtree(folder, ignore_errors=True)
    return found


def clean(settings: Settings) -> int:
    """Take away what an earlier run left behind; how many readings."""
    database = open_current(settings.require("dsn").dsn)
    try:
        with database.transaction() as connection:
            practice_id = load.practice_of(connection)
        return 0 if practice_id is None else _forget(database, practice_id)
    finally:
        database.close()


def _private(household: Household, folder: Path) -> Servers:
    dsn = private_database(household)
    upgrade(dsn)
    broker = private_broker(household, folder, load=True)
    return Servers(dsn, broker.worker_url, broker.load_url)


def _tls(broker: BrokerAddress, settings: Settings) -> ssl.SSLContext | None:
    """How to speak to the broker: by the certificate that the settings name, or as whoever trusts its authority."""
    if not broker.tls:
        return None
    identity = identity_of(settings)
    if identity is not None:
        return identity.context()
    try:
        return ssl.create_default_context(cafile=settings.broker_ca)
    except OSError as error:
        raise UserError(f"RPM_BROKER_CA cannot be used: {error.strerror or error}") from error


def _start_workers(household: Household, servers: Servers, count: int, folder: Path) -> None:
    environment = {"RPM_DSN": servers.dsn, "RPM_BROKER_URL": servers.broker_url, "PYTHONUNBUFFERED": "1"}
    for number in range(1, count + 1):
        name = f"worker-{number}"
        worker = Child(name, [sys.executable, "-m", "rpm", "worker"], folder / f"{name}.log", environment)
        household.start(worker)
        household.wait_until(
            f"starting {name}",
            lambda worker=worker: b"worker.started" in worker.log.read_bytes(),
            child=worker,
            timeout_s=WORKER_READY_S_MAX,
        )


def _require_worker(database: Database) -> None:
    now = database.clock()
    with database.transaction() as connection:
        beat = last_beat(connection, STAGE)
    if beat is None or now - beat > timedelta(seconds=BEAT_S_MAX):
        raise UserError("no worker takes readings in: start `rpm-cloud worker`, or say --workers 1")


@contextmanager
def _people(database: Database, wanted: Wanted, console: Console) -> Generator[int]:
    """The made-up practice with its homes; what is measured there is gone afterwards, unless it is to be kept."""
    now = database.clock()
    with database.transaction() as connection:
        if load.has_real_patients(connection) and not wanted.among_patients:
            raise UserError(
                "this database holds patients who are not made up: a load test takes the processor and the disk from"
                " them. Use another database, or say --among-patients"
            )
    console.print(f"entering {wanted.homes:,} made-up home{'s' * (wanted.homes > 1)} …")
    practice_id = 0
    for start in range(0, wanted.homes, HOMES_AT_ONCE):
        homes = range(start, min(start + HOMES_AT_ONCE, wanted.homes))
        with database.transaction() as connection:
            practice_id = load.settle_in(
                connection,
                gateways=[gateway_id(home) for home in homes],
                addresses=[address(home) for home in homes],
                now=now,
            )
    with database.transaction() as connection:
        load.analyze(connection)
    try:
        yield practice_id
    finally:
        if not wanted.keep:
            _forget(database, practice_id)


def _forget(database: Database, practice_id: int) -> int:
    """A worker may still be at copies of what was sent twice, and the two may wait for each other: then once more."""
    now = database.clock()
    tries = 0
    while True:
        try:
            with database.transaction() as connection:
                load.take_time(connection)
                return load.forget(connection, practice_id, now=now)
        except DatabaseBusy:
            tries += 1
            if tries == FORGET_TRIES_MAX:
                raise


def _measure(
    database: Database,
    practice_id: int,
    wanted: Wanted,
    broker: BrokerAddress,
    tls: ssl.SSLContext | None,
    console: Console,
) -> dict[str, Any]:
    now = database.clock()
    with database.transaction() as connection:
        after = load.last_number(connection)
    run = Run(
        number=secrets.randbits(63),
        readings=wanted.readings or READINGS_MAX,
        per_message=wanted.per_message,
        gateways=wanted.homes,
        seed=wanted.seed,
    )
    fleet = Fleet(run, broker, connections=wanted.connections, tls=tls)
    first = min(run.messages, math.ceil(_built_before(wanted) / run.per_message))
    console.print(f"writing {first:,} messages …")
    built = [message(run, place, now=now) for place in range(first)]
    pace = Pace(wanted.per_second, wanted.seconds, wanted.under_way or under_way_of(wanted.per_message))
    with Reporter(console, wanted.readings) as reporter:
        asyncio.run(_send(fleet, built, pace, now=now, reporter=reporter))
    console.print("looking at every row …")
    found = fleet.tally.result(_kept(database, practice_id, run, after=after, now=now))
    if fleet.tally.repeated or fleet.tally.under_way:
        time.sleep(LATE_S)
    return {
        "homes": wanted.homes,
        "readings_per_message": wanted.per_message,
        "connections": wanted.connections,
        "rate": wanted.per_second or None,
        "seed": wanted.seed,
        "messages_under_way_max": pace.under_way,
        "bytes_per_message": round(sum(map(len, built)) / len(built)),
        **found,
        "faultless": faultless(found),
    }


def _built_before(wanted: Wanted) -> int:
    """Readings worth writing out beforehand; at a rate there is time to do it meanwhile."""
    if wanted.per_second:
        return 1
    return min(wanted.readings or BUILT_BEFORE, BUILT_BEFORE)


async def _send(fleet: Fleet, built: list[bytes], pace: Pace, *, now: datetime, reporter: Reporter) -> None:
    try:
        await fleet.open()
        await fleet.send(built, pace, now=now, progress=reporter)
    finally:
        fleet.close()


def _kept(database: Database, practice_id: int, run: Run, *, after: int, now: datetime) -> Kept:
    since, until = now - SPREAD - MARGIN, now + MARGIN
    with database.transaction() as connection:
        load.take_time(connection)
        rows = load.readings_of(connection, run.epoch, after=after, since=since, until=until)
        values = load.values_of(connection, practice_id, after=after, since=since, until=until)
    return kept_of(run, rows, values)
