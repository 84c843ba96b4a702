"""A database that has been in use for a year: as many observations as wanted, made by the server itself, day by day.

More rows are more patients, each with the same year behind them: that is how an installation grows. Every day's rows lie in
the order in which they arrived, so that those of one patient are as far apart on the disk as in real life. What was made
is written down with it (`grown_slice`), so that an interrupted growing goes on where it was.
"""

import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.rows import DictRow, dict_row

from rpm.ingest.admit import Quality
from rpm.load.messages import address, gateway_id
from rpm.store import load
from rpm.store.migrate import upgrade
from rpm.store.suggestions import ASKED_MAX, VALUES_MAX
from rpm.suggestion import PEOPLE_MAX, USUAL_WITHIN
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


def server(settings: tuple[str, ...], *, cluster: str = CLUSTER) -> DatabaseServer:
    """The grown database's own server, started with these settings; its data stays."""
    made = DatabaseServer(cluster, settings=settings)
    made.stop()
    return made.start()


def grow(observations: int, step: Callable[[str], None], *, cluster: str = CLUSTER) -> str:
    """Have about so many observations; the DSN. The server is left running with settings to be measured with."""
    growing = server(GROWING, cluster=cluster)
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
        # What a migration or an earlier measurement marked is not what is measured.
        connection.execute("delete from rollup_mark")
        step("growing: statistics")
        connection.execute("checkpoint")
        connection.execute("analyze")
        connection.commit()
    return server(MEMORY, cluster=cluster).dsn(DATABASE)


def end(*, keep: bool, cluster: str = CLUSTER) -> None:
    """Stop the server; without `keep` its data is gone."""
    made = DatabaseServer(cluster, settings=())
    if keep:
        made.stop()
    else:
        made.destroy()


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
        # The newest first: what was interrupted is already of use.
        day = until - timedelta(days=number)
        base = load.last_number(connection)
        connection.execute(_SQL, {**facts, "base": base, "day": day, "number": number})
        connection.execute("update grown_slice set days = %s where last = %s", [number + 1, row["last"]])
        connection.commit()
    connection.execute(_LATEST, {"since": until - timedelta(days=5), "first": row["first"]})
    connection.execute(
        "select setval(pg_get_serial_sequence('reading_key', 'reading_no'), max(reading_no)) from reading_key"
    )
    connection.commit()


@dataclass(frozen=True, slots=True)
class People:
    """Some patients, drawn by chance, and their practice."""

    practice_id: int
    patients: list[int]


def drawn(connection: psycopg.Connection[Any], count: int) -> People:
    """So many patients (fewer where there are fewer), each time others."""
    row = connection.execute("select count(*) as count from grown_patient").fetchone()
    assert row is not None
    numbers = random.sample(range(1, row["count"] + 1), min(count, row["count"]))
    found = connection.execute("select patient_id from grown_patient where number = any(%s)", [numbers])
    practice_id = load.practice_of(connection)
    assert practice_id is not None
    return People(practice_id, [each["patient_id"] for each in found])


def sizes(connection: psycopg.Connection[Any]) -> dict[str, Any]:
    """How many patients, observations (nearly) and readings there are, and the bytes of each table with its indexes."""
    row = connection.execute(
        "select (select count(*) from grown_patient) as patients, approximate_row_count('observation') as observations,"
        " approximate_row_count('reading') as readings, hypertable_size('observation') as observation_bytes,"
        " hypertable_size('reading') as reading_bytes, pg_total_relation_size('reading_key') as reading_key_bytes,"
        " pg_total_relation_size('delivery') as delivery_bytes, pg_total_relation_size('latest') as latest_bytes"
    ).fetchone()
    assert row is not None
    return dict(row)


def claimed_box(connection: psycopg.Connection[Any], now: datetime) -> dict[str, Any]:
    """A gateway whose newest code was made three weeks ago and brought a certificate that has been seen: parameters."""
    home = connection.execute("select gateway_id from grown_patient order by random() limit 1").fetchone()
    assert home is not None
    people = drawn(connection, 1)
    opened = now - timedelta(days=21)
    facts = {"practice_id": people.practice_id, "gateway_id": home["gateway_id"], "now": now}
    connection.execute(
        "insert into staff (practice_id, username, display_name, role, password_hash, created_at)"
        " values (%s, 'installer', 'Installer', 'support', '', %s)",
        [people.practice_id, opened],
    )
    connection.execute(
        "insert into certificate (serial, authority, practice_id, name, role, public_key, pem, issued_at, not_after, seen_at)"
        " values ('1', 'gateways', %s, %s, 'gateway', '', '', %s, %s, %s)",
        [people.practice_id, home["gateway_id"], opened, now, opened + timedelta(minutes=5)],
    )
    connection.execute(
        "insert into gateway_claim (practice_id, gateway_id, code_hash, opened_by, opened_at, expires_at, used_at, serial)"
        " select %s, %s, '', id, %s, %s, %s, '1' from staff where username = 'installer'",
        [people.practice_id, home["gateway_id"], opened, opened + timedelta(minutes=15), opened + timedelta(minutes=4)],
    )
    return facts


def held_readings(connection: psycopg.Connection[Any], now: datetime) -> dict[str, Any]:
    """As many held readings as a list says something of, each of another device: parameters of that statement."""
    people = drawn(connection, ASKED_MAX)
    rows = connection.execute(
        "insert into held (practice_id, why, reason, item, topic, device_id, measured_at, held_at)"
        " select %s, 'unassigned', 'nobody', jsonb_build_object('reading', jsonb_build_object('device',"
        " jsonb_build_object('address', device.address))), '', device.id, %s, %s"
        " from grown_patient join device on device.id = device_id where patient_id = any(%s) returning id",
        [people.practice_id, now - timedelta(days=30), now, people.patients],
    ).fetchall()
    codes = [BY_NAME[name].number for name in ("systolic", "diastolic", "pulse_rate")]
    return {
        "practice_id": people.practice_id,
        "held": [row["id"] for row in rows for _ in codes],
        "codes": [code for _ in rows for code in codes],
        "within": USUAL_WITHIN,
        "people": PEOPLE_MAX,
        "values": VALUES_MAX,
        "not_these": int(Quality.VOID | Quality.CLOCK_DOUBTED),
    }
