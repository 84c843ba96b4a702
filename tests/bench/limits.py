"""What ingest is held against: a loop that only receives and acknowledges, and a COPY of the same rows."""

import re
import time
from typing import Final

import psycopg
from psycopg import sql

from rpm.load.messages import Run
from rpm.store.migrate import upgrade
from rpm.store.queries import load
from tests.bench.ground import Ground, Helper
from tests.bench.ingest import publisher
from tests.bench.results import Result

#: As many readings as one transaction of the worker settles when every message holds one.
READINGS_PER_COMMIT: Final = 1000
#: Other ways to receive single messages than paho alone: by which client, whether it answers, and what that is called.
CLIENTS: Final = {
    ("paho", True): "paho with a receipt each, 1 per message",
    # It publishes no more than the broker's window holds and keeps no queue: with receipts it would need one of ours.
    ("gmqtt", False): "gmqtt alone, 1 per message",
}
_SQL: Final = load("readings")
#: Table → the statement by which the product copies into it.
_TABLES: Final = {"reading": "copy_readings", "observation": "copy_observations"}


def receive(ground: Ground, result: Result, run: Run, *, client: str = "paho", answers: bool = False) -> None:
    """One repetition of a client (paho or gmqtt) receiving and acknowledging the messages of `run`, in readings per second.

    `answers`: each message's home is sent what is as large as its receipt.
    """
    receiver = Helper(
        "receiver",
        {
            "port": ground.broker.port,
            "password": ground.broker.passwords["worker"],
            "messages": -(-run.readings // run.per_message),
            "client": client,
            "answers": answers,
        },
    )
    gateways = publisher(ground, run, receipts=False)
    try:
        with ground.meter(gateways=gateways.pid, receiver=receiver.pid) as meter:
            gateways.begin()
            ended = receiver.hear()["ended"]
        began = gateways.hear()["began"]
    finally:
        gateways.end()
        receiver.end()
    result.add(round(run.readings / (ended - began)), meter.cpus)


class Copier:
    """Copies what runs have stored into a second database, as the bytes it came out as: the database's limit."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._target = ground.server.dsn(ground.server.create())
        upgrade(self._target)

    def copy(self, result: Result, run: Run) -> None:
        """One repetition: the rows of `run`, both tables, READINGS_PER_COMMIT to a commit, in readings per second."""
        with psycopg.connect(self._ground.dsn) as source:
            found = source.execute("select reading_no from reading where epoch = %s order by reading_no", [run.epoch])
            numbers = [row[0] for row in found.fetchall()]
            for name in _TABLES:
                # One scan and an index of our own, not a scan for each commit.
                statement = sql.SQL("create temporary table {} as select * from {} where reading_no between {} and {}")
                table = sql.Identifier(name)
                source.execute(statement.format(table, sql.Identifier("public", name), numbers[0], numbers[-1]))
                source.execute(sql.SQL("create index on {} (reading_no)").format(table))
            commits = [
                [(name, _bytes_of(source, name, numbers[start : start + READINGS_PER_COMMIT])) for name in _TABLES]
                for start in range(0, len(numbers), READINGS_PER_COMMIT)
            ]
        with psycopg.connect(self._target) as target, self._ground.meter() as meter:
            began = time.monotonic()
            for commit in commits:
                for name, data in commit:
                    with target.cursor().copy(_SQL[_TABLES[name]]) as copy:
                        copy.write(data)
                target.commit()
            taken_s = time.monotonic() - began
        result.add(round(len(numbers) / taken_s), meter.cpus)


def _bytes_of(source: psycopg.Connection, table: str, numbers: list[int]) -> bytes:
    """The rows of these readings, in the format in which the product's statement for that table takes them."""
    into = re.search(rb"copy \w+ \(([^)]+)\)", _SQL[_TABLES[table]])
    assert into is not None, "the statement names its columns"
    select = b"copy (select " + into[1] + b" from " + table.encode() + b" where reading_no = any(%s))"
    with source.cursor().copy(select + b" to stdout (format binary)", [numbers]) as copy:
        return b"".join(bytes(chunk) for chunk in copy)
