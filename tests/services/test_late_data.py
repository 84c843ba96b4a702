"""A box that was cut off for a month sends all of it: into chunks long past, quickly, and every sum follows (F36)."""

import time
from datetime import timedelta

from rpm.ingest.batch import settle
from rpm.jobs import rollup
from rpm.store.database import Database
from tests.services.settling import NOW, count_of, cuff_of, message_of, rows_of, two_homes
from tests.support.readings import pressure

READINGS = 300
SECONDS_MAX = 1.0


def test_a_months_backlog_into_old_chunks_takes_less_than_a_second(database: Database) -> None:
    clinic = two_homes(database)
    maria, jose = clinic.patient("Maria", "Alvarez"), clinic.patient("José", "Alvarez")
    for day in range(45):  # the chunks are there, and in use
        squeeze = pressure(120, 80, NOW - timedelta(days=day), address=cuff_of(jose))
        settle(database, [message_of(squeeze, first_seq=day + 1)], now=NOW)
    late = [
        pressure(100 + number % 60, 70, NOW - timedelta(days=30, minutes=30 * number), address=cuff_of(maria))
        for number in range(READINGS)
    ]
    messages = [message_of(*late[at : at + 100], first_seq=1000 + at) for at in range(0, READINGS, 100)]
    chunks = "timescaledb_information.chunks where hypertable_name in ('reading', 'observation')"
    before = count_of(database, chunks)
    began = time.monotonic()
    settle(database, messages, now=NOW)
    while rollup.run_once(database).more:
        pass
    taken_s = time.monotonic() - began
    assert count_of(database, chunks) == before, "all of it went into chunks that were there"
    assert count_of(database, "reading where late") == READINGS + 44
    (summed,) = rows_of(
        database, "select sum(count) as n from rollup where patient_id = %s and grain = 'week'", maria.id
    )
    assert summed["n"] == 4 * READINGS
    assert taken_s < SECONDS_MAX
