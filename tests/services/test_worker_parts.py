"""A worker that only takes in judges nobody; one that only judges needs no broker; together they are one."""

import os
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime

from rpm.store.database import Database
from tests.services.settling import confirmed_red, count_of, home_with_a_cuff, rows_of
from tests.support.broker import Broker
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
    cuff = home_with_a_cuff(database, now=now)
    sender = Sender(broker)
    try:
        with _only("ingest", dsn, RPM_BROKER_URL=broker.url()):
            assert sender.until_receipted(confirmed_red(cuff, now=now))
            time.sleep(JUDGED_WITHIN_S)
            assert (count_of(database, "patient_news"), len(rows_of(database, _CLINICAL))) == (1, 0)
    finally:
        sender.close()
    with _only("judge", dsn):
        assert eventually(lambda: count_of(database, "patient_news") == 0)
        assert len(rows_of(database, _CLINICAL)) == 1
