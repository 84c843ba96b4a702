"""The loop against a real broker and a real database: what is receipted is committed, and nothing is lost whoever dies.

Losses are looked for in the database by plain SQL. The sender sends again what has no receipt, as a gateway does.
"""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice

import psycopg
import pytest

from rpm.ingest.batch import settle
from rpm.ingest.inbox import Delivery, Inbox
from rpm.ingest.subscriber import Subscriber
from rpm.ingest.unpack import Message
from rpm.ingest.worker import STAGE, IngestLoop
from rpm.store.database import Database
from rpm.store.gateways import register_gateway
from rpm.store.heartbeats import last_beat
from schemas.codes import Kind
from schemas.messages import Channel, Receipt, Request
from schemas.reading import Reading
from tests.support.broker import Broker
from tests.support.clinic import Clinic
from tests.support.database import DatabaseServer
from tests.support.readings import batch, pressure
from tests.support.sender import Sender, eventually, subscribed

WAIT_S_MAX = 30.0


@pytest.fixture
def cuff(database: Database) -> str:
    """The address of Maria's cuff, in a home whose gateways are registered."""
    now = datetime.now(UTC)
    clinic = Clinic(database, now=now)
    maria = clinic.patient("Maria", "Alvarez")
    with database.transaction() as connection:
        for gateway_id in ("gw-home-a", "gw-home-b"):
            register_gateway(connection, gateway_id, practice_id=clinic.practice_id, label="Home", now=now)
    return maria.devices[Kind.BLOOD_PRESSURE][1]


@pytest.fixture
def sender(broker: Broker) -> Iterator[Sender]:
    made = Sender(broker)
    yield made
    made.close()


@contextmanager
def _working(database: Database, broker: Broker) -> Generator[Subscriber]:
    """A worker's ingest in this process."""
    stop = threading.Event()
    with subscribed(broker) as subscriber:
        thread = threading.Thread(target=IngestLoop(database, subscriber, stop).run)
        thread.start()
        try:
            yield subscriber
        finally:
            stop.set()
            thread.join()


@contextmanager
def _worker_process(dsn: str, broker: Broker) -> Generator[subprocess.Popen[bytes]]:
    """A worker as a process of its own, for killing."""
    environment = {**os.environ, "RPM_DSN": dsn, "RPM_BROKER_URL": broker.url()}
    log = broker.folder / "worker.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "rpm", "worker"], env=environment, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _squeezes(count: int, cuff: str, *, first_seq: int = 1) -> dict[int, Reading]:
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        first_seq + n: pressure(100 + n % 80, 60, now - timedelta(seconds=first_seq + n), address=cuff)
        for n in range(count)
    }


def _stored(dsn: str) -> list[str]:
    with psycopg.connect(dsn) as connection:
        return [str(row[0]) for row in connection.execute("select reading_id from reading").fetchall()]


def _assert_each_stored_once(dsn: str, readings: dict[int, Reading]) -> None:
    stored = _stored(dsn)
    assert sorted(stored) == sorted(str(reading.reading_id) for reading in readings.values())


def test_what_is_sent_while_no_worker_listens_is_taken_in_later(
    database: Database, dsn: str, broker: Broker, cuff: str, sender: Sender
) -> None:
    """The broker says "success" to each and keeps none (L2): what has no receipt is sent again."""
    readings = _squeezes(3000, cuff)
    for seq, reading in readings.items():
        sender.send(reading, first_seq=seq)
    assert not sender.wait([1], timeout_s=1.0)
    with _working(database, broker):
        assert sender.until_receipted(readings, timeout_s=60.0)
    _assert_each_stored_once(dsn, readings)


def test_a_squeeze_comes_back_as_a_receipt(database: Database, broker: Broker, cuff: str, sender: Sender) -> None:
    readings = _squeezes(3, cuff)
    with _working(database, broker):
        sender.send(*readings.values())
        assert sender.wait(readings)
        assert eventually(lambda: _beaten(database))
    assert [receipt.stored for receipt in sender.receipts] == [(1, 2, 3)]
    _assert_each_stored_once(database.dsn, readings)


def test_a_batch_that_waits_for_a_lock_holds_up_no_other(
    database: Database, broker: Broker, cuff: str, sender: Sender
) -> None:
    """Somebody holds a row that Maria's readings need; a stranger's reading is settled meanwhile."""
    waiting, others = _squeezes(1, cuff), _squeezes(1, "C0:00:00:00:99:99", first_seq=2)
    with _working(database, broker), psycopg.connect(database.dsn) as locker:
        locker.execute("lock table latest in share mode")
        sender.send(*waiting.values())
        assert eventually(lambda: _waits_for_a_lock(database))
        sender.send(*others.values(), first_seq=2)
        assert sender.wait(others)
        assert [receipt.unassigned for receipt in sender.receipts] == [(2,)]
        locker.rollback()
        assert sender.wait(waiting)
    _assert_each_stored_once(database.dsn, waiting)


def _waits_for_a_lock(database: Database) -> bool:
    with database.transaction() as connection:
        return connection.execute("select 1 from pg_locks where not granted").fetchone() is not None


def _beaten(database: Database) -> bool:
    with database.transaction() as connection:
        return last_beat(connection, STAGE) is not None


class _Refusal:
    """A database that refuses to commit what settles a reading, for as long as it is told to."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        # A sequence is not rolled back: it counts what was refused.
        self._run("""
            create sequence refused;
            create function refuse() returns trigger language plpgsql as $$ begin
                perform nextval('refused');
                raise exception 'no commit today' using errcode = 'io_error';
            end $$;
            create constraint trigger refuse after insert on delivery deferrable initially deferred
                for each row execute function refuse();
        """)

    @property
    def times(self) -> int:
        """How many commits were refused."""
        with psycopg.connect(self._dsn) as connection:
            row = connection.execute("select case when is_called then last_value else 0 end from refused").fetchone()
        assert row is not None
        times: int = row[0]
        return times

    def end(self) -> None:
        """Commits succeed from now on."""
        self._run("drop trigger refuse on delivery")

    def _run(self, statements: str) -> None:
        with psycopg.connect(self._dsn) as connection:
            connection.execute(statements.encode())


def test_no_receipt_before_the_commit(database: Database, broker: Broker, cuff: str, sender: Sender) -> None:
    readings = _squeezes(2, cuff)
    refusal = _Refusal(database.dsn)
    with _working(database, broker):
        sender.send(*readings.values())
        assert eventually(lambda: refusal.times >= 3)
        assert sender.receipts == []
        assert _stored(database.dsn) == []
        refusal.end()
        assert sender.wait(readings)
    _assert_each_stored_once(database.dsn, readings)


class _Witness:
    """The broker's side of a loop: whenever something is said to it, looks at what another connection finds stored."""

    def __init__(self, dsn: str) -> None:
        self.inbox = Inbox()
        self.alive = self.connected = True
        self.heard: list[tuple[str, int]] = []
        self._dsn = dsn

    def send(self, receipts: Sequence[Receipt]) -> int:
        assert receipts
        self.heard.append(("receipt", len(_stored(self._dsn))))
        return 0

    def ask(self, asked: Sequence[Request]) -> int:
        raise AssertionError(asked)

    def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        assert deliveries
        self.heard.append(("acknowledgement", len(_stored(self._dsn))))
        return 0


def test_commit_then_receipt_then_acknowledgement(database: Database, cuff: str) -> None:
    """In this order and no other: an acknowledgement before the commit has the broker forget what nobody has (L5)."""
    witness, stop = _Witness(database.dsn), threading.Event()
    loop = IngestLoop(database, witness, stop)
    message = Message(*batch("gw-home-a", *_squeezes(2, cuff).values()))
    witness.inbox.put(Delivery(message, mid=1, generation=1))
    assert loop.turn(wait_s=1) == 1
    assert witness.heard == [("receipt", 2), ("acknowledgement", 2)]


def test_nothing_is_acknowledged_while_the_database_commits_nothing(database: Database, cuff: str) -> None:
    """Not even when the worker is told to stop: the broker gives it to another."""
    refusal = _Refusal(database.dsn)
    witness, stop = _Witness(database.dsn), threading.Event()
    witness.inbox.put(Delivery(Message(*batch("gw-home-a", *_squeezes(1, cuff).values())), mid=1, generation=1))
    thread = threading.Thread(target=IngestLoop(database, witness, stop).run)
    thread.start()
    assert eventually(lambda: refusal.times >= 2)
    stop.set()
    thread.join()
    assert witness.heard == []


def test_poison_is_receipted_and_holds_nobody_up(database: Database, broker: Broker, cuff: str, sender: Sender) -> None:
    readings = _squeezes(60, cuff)
    with _working(database, broker):
        for seq, reading in readings.items():
            sender.say(b"\x00poison", Channel.READINGS if seq % 2 else Channel.STATUS)
            sender.send(reading, first_seq=seq)
        assert sender.wait(readings)
    _assert_each_stored_once(database.dsn, readings)
    with database.transaction() as connection:
        held = connection.execute("select topic, reason from held").fetchall()
    assert {row["reason"] for row in held} == {"unreadable"}
    assert len(held) == 2


def test_the_broker_is_killed_mid_stream(database: Database, broker: Broker, cuff: str, sender: Sender) -> None:
    readings = _squeezes(150, cuff)
    with _working(database, broker):
        for seq, reading in readings.items():
            sender.send(reading, first_seq=seq)
            if seq == 75:
                broker.kill()
                broker.start()
        assert sender.until_receipted(readings)
    _assert_each_stored_once(database.dsn, readings)


def test_the_database_is_killed_mid_stream(
    database_server: DatabaseServer, database: Database, broker: Broker, cuff: str, sender: Sender
) -> None:
    readings = _squeezes(120, cuff)
    with _working(database, broker):
        for seq, reading in readings.items():
            sender.send(reading, first_seq=seq)
            if seq == 60:
                assert sender.wait({1})
                database_server.kill()
        assert not sender.wait(readings, timeout_s=2)
        database_server.start()
        assert sender.until_receipted(readings)
    _assert_each_stored_once(database.dsn, readings)


def test_a_worker_is_killed_and_nothing_is_lost(dsn: str, broker: Broker, cuff: str, sender: Sender) -> None:
    readings = _squeezes(400, cuff)
    sent = iter(readings.items())
    unsettled = 0
    for _ in range(3):
        with _worker_process(dsn, broker) as worker:
            seq, reading = next(sent)
            assert sender.until_receipted({seq: reading}), (broker.folder / "worker.log").read_text("utf-8")[-2000:]
            for seq, reading in islice(sent, 100):
                sender.send(reading, first_seq=seq)
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        unsettled += len({each for each in readings if each <= seq} - sender.settled())
    assert unsettled, "every kill came after the work was done: this proves nothing"
    with _worker_process(dsn, broker) as worker:
        assert sender.until_receipted(readings)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=WAIT_S_MAX) == 0
    _assert_each_stored_once(dsn, readings)


def test_two_workers_share_the_work(database: Database, broker: Broker, cuff: str, sender: Sender) -> None:
    readings = _squeezes(60, cuff)
    with _working(database, broker) as one, _working(database, broker) as other:
        for seq, reading in readings.items():
            sender.send(reading, first_seq=seq)
        assert sender.wait(readings)
        assert one.client_id != other.client_id
    _assert_each_stored_once(database.dsn, readings)
    assert all(not receipt.duplicate for receipt in sender.receipts)


def test_settling_does_not_need_a_broker(database: Database, cuff: str) -> None:
    """The demonstration's history goes this way."""
    ((seq, reading),) = _squeezes(1, cuff).items()
    outcomes = settle(database, [Message(*batch("gw-home-a", reading, first_seq=seq))], now=database.clock())
    assert [each.outcome.value for each in outcomes] == ["stored"]


def test_the_worker_says_what_is_missing() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RPM_")}
    done = subprocess.run(
        [sys.executable, "-m", "rpm", "worker"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=WAIT_S_MAX,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("rpm-cloud: RPM_DSN is not set")
    assert done.stderr.count("\n") == 1
