"""A database that has been in use for a year: as many observations as wanted, made by the server itself, day by day.

More rows are more patients, each with the same year behind them: that is how an installation grows. Every day's rows lie in
the order in which they arrived, so that those of one patient are as far apart on the disk as in real life. What was made
is written down with it (`grown_slice`), so that an interrupted growing goes on where it was.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import psycopg
from psycopg.rows import DictRow, dict_row

from rpm.load.messages import address, gateway_id
from rpm.store import load
from rpm.store.migrate import upgrade
from schemas.codes import BY_NAME, UNIT_NUMBER
from tests.bench.ground import utc_now
from tests.support.database import DatabaseServer

DAYS: Final = 364
#: A blood pressure of four values a day, a weight every fourth.
PER_PATIENT: Final = DAYS * 17 // 4
#: Gateways and cuffs below are those that send while it is measured.
FIRST_HOME: Final = 100_000
DATABASE: Final = "growth"
CLUSTER: Final = "bench-growth"
#: A quarter of a machine of 4 GB: what is measured must not all lie in memory.
MEMORY: Final = ("shared_buffers=1GB", "max_wal_size=4GB")
#: While it grows a crash costs no more than the day in hand, and the growing is not what is measured.
GROWING: Final = (*MEMORY, "fsync=off", "full_page_writes=off", "autovacuum=off")
_SQL: Final = (Path(__file__).parent / "grown.sql").read_bytes()
_TABLES: Final = b"""
create table if not exists grown_patient (number integer primary key, patient_id bigint, device_id bigint, gateway_id text);
create table if not exists grown_slice (last integer primary key, first integer not null, until timestamptz not null,
    days integer not null default 0);
"""
_PEOPLE: Final = b"""
insert into grown_patient (number, patient_id, device_id, gateway_id)
select wanted.number, device_assignment.patient_id, device.id, wanted.gateway_id
from unnest(%(numbers)s::integer[], %(addresses)s::text[], %(gateways)s::text[]) as wanted (number, address, gateway_id)
    join device on device.address = wanted.address and device.practice_id = %(practice_id)s
    join device_assignment on device_assignment.device_id = device.id
"""
#: Every patient's newest values, of the last four days.
_LATEST: Final = b"""
insert into latest (patient_id, code, practice_id, measured_at, value, unit, reading_no)
select distinct on (patient_id, code) patient_id, code, practice_id, measured_at, value, unit, reading_no
from observation
where measured_at > %(since)s and patient_id in (select patient_id from grown_patient where number > %(first)s)
order by patient_id, code, measured_at desc
on conflict do nothing
"""
_MEASURED: Final = (("systolic", "mm[Hg]", 108.0), ("diastolic", "mm[Hg]", 66.0), ("mean_arterial", "mm[Hg]", 80.0), ("pulse_rate", "/min", 62.0), ("body_weight", "kg", 60.0))  # fmt: skip

Connection = psycopg.Connection[DictRow]


@contextmanager
def connected(dsn: str) -> Generator[Connection]:
    """A connection that binds on this side: a file of several statements is one call."""
    with Connection.connect(dsn, row_factory=dict_row, cursor_factory=psycopg.ClientCursor[DictRow]) as connection:
        yield connection


def server(settings: tuple[str, ...]) -> DatabaseServer:
    """The grown database's own server, started with these settings; its data stays."""
    made = DatabaseServer(CLUSTER, settings=settings)
    made.stop()
    return made.start()


def grow(observations: int, step: Callable[[str], None]) -> str:
    """Have about so many observations; the DSN. The server is left running with settings to be measured with."""
    growing = server(GROWING)
    dsn = growing.dsn(DATABASE)
    with psycopg.connect(growing.dsn(), autocommit=True) as connection:
        if connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone() is None:
            connection.execute(f"create database {DATABASE}".encode())
    upgrade(dsn)
    with connected(dsn) as connection:
        connection.execute(_TABLES)
        connection.commit()
        wanted = max(1, round(observations / PER_PATIENT))
        _people(connection, wanted)
        for row in connection.execute("select * from grown_slice where days < %s order by last", [DAYS]).fetchall():
            _days(connection, row, step)
        step("growing: statistics")
        connection.execute("checkpoint")
        connection.execute("analyze")
        connection.commit()
    return server(MEMORY).dsn(DATABASE)


def _people(connection: Connection, wanted: int) -> None:
    row = connection.execute("select coalesce(max(last), 0) as last from grown_slice").fetchone()
    assert row is not None
    first, now = row["last"], utc_now()
    if first >= wanted:
        return
    numbers = range(first + 1, wanted + 1)
    homes = [FIRST_HOME + number for number in numbers]
    names = {"gateways": [gateway_id(home) for home in homes], "addresses": [address(home) for home in homes]}
    practice_id = load.settle_in(connection, **names, now=now)
    connection.execute(_PEOPLE, {**names, "numbers": list(numbers), "practice_id": practice_id})
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    connection.execute(
        "insert into grown_slice (first, last, until) values (%s, %s, %s)",
        [first, wanted, midnight - timedelta(days=1)],
    )
    connection.execute("analyze grown_patient")
    connection.commit()


def _days(connection: Connection, row: DictRow, step: Callable[[str], None]) -> None:
    """Make the days that a slice of patients still lacks, a transaction each."""
    practice_id = load.practice_of(connection)
    until: datetime = row["until"]
    facts = {
        "practice_id": practice_id,
        "first": row["first"],
        "last": row["last"],
        "extras": [int(name == "body_weight") for name, _, _ in _MEASURED],
        "codes": [BY_NAME[name].number for name, _, _ in _MEASURED],
        "units": [UNIT_NUMBER[unit] for _, unit, _ in _MEASURED],
        "levels": [level for _, _, level in _MEASURED],
    }
    people = row["last"] - row["first"]
    for number in range(row["days"], DAYS):
        if number % 7 == 0:
            step(f"growing: {people:,} patients more, day {number} of {DAYS}")
        day = until - timedelta(days=DAYS - number)
        base = load.last_number(connection)
        connection.execute(_SQL, {**facts, "base": base, "day": day, "number": number})
        connection.execute("update grown_slice set days = %s where last = %s", [number + 1, row["last"]])
        connection.commit()
    connection.execute(_LATEST, {"since": until - timedelta(days=5), "first": row["first"]})
    connection.execute(
        "select setval(pg_get_serial_sequence('reading_key', 'reading_no'), max(reading_no)) from reading_key"
    )
    connection.commit()
