"""Another program at the same work, measured as ours is: the same broker, the same messages, the same tables on the same server."""

import time
from typing import Final

import psycopg
from psycopg.rows import DictRow, dict_row

from rpm.load.messages import Run, address, gateway_id
from rpm.store import load
from rpm.store.migrate import upgrade
from tests.bench.ground import BenchFailed, Ground, Helper, utc_now
from tests.bench.ingest import publisher
from tests.bench.results import Result

NAME: Final = "mq-bridge"
#: Its own settings: so many batches at once, of so many messages at most.
CONCURRENCY: Final = 4
BATCH: Final = 2000
POLL_S: Final = 0.02
STORED_S_MAX: Final = 120.0
#: It derives no mean pressure.
VALUES_PER_READING: Final = 3

_STORED: Final = b"select count(*) from reading where epoch = %(epoch)s"
_VALUES: Final = b"""
select count(*) from observation where reading_no in (select reading_no from reading where epoch = %(epoch)s)
"""


class Peer:
    """Takes what runs publish into a database of its own, whose people are the same."""

    def __init__(self, ground: Ground, *, homes: int, cuffs: int) -> None:
        self._ground = ground
        self._dsn = ground.server.dsn(ground.server.create())
        upgrade(self._dsn)
        with psycopg.Connection[DictRow].connect(self._dsn, row_factory=dict_row) as connection:
            load.settle_in(
                connection,
                gateways=[gateway_id(number) for number in range(homes)],
                addresses=[address(cuff) for cuff in range(cuffs)],
                now=utc_now(),
            )
            connection.execute("analyze")

    def measure(self, result: Result, run: Run) -> None:
        """One repetition, in readings per second, from the first publish until every reading can be seen by others."""
        password = self._ground.broker.passwords["worker"]
        told = {"port": self._ground.broker.port, "password": password, "url": self._dsn}
        peer = Helper("peer", {**told, "concurrency": CONCURRENCY, "batch": BATCH})
        gateways = publisher(self._ground, run, receipts=False)
        try:
            with self._ground.meter(gateways=gateways.pid, worker_peer=peer.pid) as meter:
                gateways.begin()
                ended = self._stored(run)
            began = gateways.hear()["began"]
        finally:
            gateways.end()
            peer.end()
        result.add(round(run.readings / (ended - began)), meter.cpus)

    def _stored(self, run: Run) -> float:
        """When all were stored; BenchFailed where they are not within STORED_S_MAX, or not with all their values."""
        deadline = time.monotonic() + STORED_S_MAX
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while (found := _count(connection, _STORED, run)) < run.readings:
                if time.monotonic() > deadline:
                    raise BenchFailed(f"{NAME} has stored {found} of {run.readings} readings")
                time.sleep(POLL_S)
            ended = time.monotonic()
            if _count(connection, _VALUES, run) != VALUES_PER_READING * run.readings:
                raise BenchFailed(f"{NAME} has not stored all values")
        return ended


def _count(connection: psycopg.Connection, statement: bytes, run: Run) -> int:
    row = connection.execute(statement, {"epoch": run.epoch}).fetchone()
    assert row is not None
    count: int = row[0]
    return count
