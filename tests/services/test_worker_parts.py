"""A worker that only takes in judges nobody; one that only judges needs no broker; together they are one."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from rpm.store.database import Database
from rpm.store.gateways import register_gateway
from schemas.codes import Kind
from tests.services.settling import count_of, rows_of
from tests.support.broker import Broker
from tests.support.clinic import Clinic
from tests.support.readings import pressure
from tests.support.sender import Sender, eventually

#: Somebody who judges would have by then: news wakes him.
JUDGED_WITHIN_S = 2.0
_CLINICAL = "select id from alert where kind = 'clinical'"


@contextmanager
def _only(part: str, dsn: str, **more: str) -> Generator[None]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RPM_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "rpm", "worker", "--only", part],
        env={**environment, "RPM_DSN": dsn, **more},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def test_taking_in_and_judging_may_be_two_processes(database: Database, dsn: str, broker: Broker) -> None:
    now = datetime.now(UTC)
    clinic = Clinic(database, now=now)
    _, cuff = clinic.patient("Maria", "Alvarez").devices[Kind.BLOOD_PRESSURE]
    with database.transaction() as connection:
        register_gateway(connection, "gw-home-a", practice_id=clinic.practice_id, label="Home", now=now)
    sender = Sender(broker)
    try:
        with _only("ingest", dsn, RPM_BROKER_URL=broker.url()):
            # Confirmed: a single one would wait for its second.
            twice = {seq: pressure(192, 101, now - timedelta(minutes=3 - seq), address=cuff) for seq in (1, 2)}
            assert sender.until_receipted(twice)
            time.sleep(JUDGED_WITHIN_S)
            assert (count_of(database, "patient_news"), len(rows_of(database, _CLINICAL))) == (1, 0)
    finally:
        sender.close()
    with _only("judge", dsn):
        assert eventually(lambda: count_of(database, "patient_news") == 0)
        assert len(rows_of(database, _CLINICAL)) == 1
