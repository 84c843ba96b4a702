"""What was measured between a backup and the loss of the database comes back from the homes (L19).

Method: the gateway's own outbox, uplink and requests over a real broker, a worker's ingest, and a database that is dropped. What
is in it afterwards is looked at by plain SQL.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from gateway.health import status
from gateway.intake import rows_of as outbox_rows
from gateway.outbox import Outbox
from gateway.requests import Requests
from gateway.settings import Broker as BrokerSettings
from gateway.uplink import Uplink
from gateway.uplink.door import OneDoor
from rpm.ingest.worker import IngestLoop
from rpm.store.database import Database
from rpm.store.replays import after_restore
from schemas.codes import Kind
from schemas.messages import Status, StatusKind
from tests.services.settling import GATEWAY, OTHER_GATEWAY, count_of, rows_of, two_homes
from tests.support.broker import Broker
from tests.support.clinic import Clinic, Person
from tests.support.commands import command
from tests.support.sender import subscribed
from tests.unit.gateway.frames import FACTS, frame, open_outbox

WAIT_S_MAX = 30.0
ZONE = ZoneInfo("America/New_York")


@pytest.fixture
def clinic(database: Database) -> Clinic:
    made = two_homes(database)
    made.staff("rosa")
    return made


@pytest.fixture
def maria(clinic: Clinic) -> Person:
    return clinic.patient("Maria", "Alvarez")


def put(outbox: Outbox, *numbers: int, cuff: str) -> None:
    """Readings as a session leaves them: each of a frame of its own."""
    session = outbox.begin_session(address=cuff, facts=FACTS, now=datetime.now(UTC))
    for number in numbers:
        pressure = bytes([0x00, 100 + number, 0, 80, 0, 93, 0])
        outbox.keep(session, frame(number, pressure))
    rows, _ = outbox_rows(outbox.session(session), zone=ZONE)
    outbox.finish_session(session, rows, now=datetime.now(UTC))


def depth(outbox: Outbox) -> int:
    return outbox.stats(now=datetime.now(UTC)).depth


async def until(what: str, holds: Callable[[], object]) -> None:
    deadline = asyncio.get_running_loop().time() + WAIT_S_MAX
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, f"it never came about that {what}"
        await asyncio.sleep(0.05)


@contextmanager
def cloud(dsn: str, broker: Broker) -> Generator[Database]:
    """A worker's ingest over its own pool."""
    database, stop = Database(dsn).open(), threading.Event()
    with subscribed(broker) as subscriber:
        worker = threading.Thread(target=IngestLoop(database, subscriber, stop).run)
        worker.start()
        try:
            yield database
        finally:
            stop.set()
            worker.join()
            database.close()


@asynccontextmanager
async def home(broker: Broker, outbox: Outbox, folder: Path) -> AsyncGenerator[None]:
    """The gateway's own uplink and requests."""
    asked = Requests(gateway_id=GATEWAY, outbox=outbox, file=folder / "requests.json", measures=())

    def say(kind: StatusKind, now: datetime) -> Status:
        return status(kind, gateway_id=GATEWAY, adapter="none", stats=outbox.stats(now=now), uptime_s=1.0, now=now)

    doors = OneDoor(
        BrokerSettings.model_validate({"url": f"mqtt://127.0.0.1:{broker.port}", "password": broker.passwords[GATEWAY]})
    )
    uplink = Uplink(
        gateway_id=GATEWAY, doors=doors, outbox=outbox, status=say, heartbeat_s=60, utc_now=lambda: datetime.now(UTC),
        on_request=lambda payload: asked.receive(payload, now=datetime.now(UTC)),
    )  # fmt: skip
    stop = asyncio.Event()
    task = asyncio.create_task(uplink.run(stop))
    yield
    stop.set()
    await asyncio.wait_for(task, WAIT_S_MAX)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.uplink.batches.RESEND_FIRST_S", 0.5)
    monkeypatch.setattr("gateway.uplink.uplink.RECONNECT_FIRST_S", 0.1)


@pytest.mark.parametrize("flashed_anew", [False, True], ids=["the same outbox", "another outbox since"])
async def test_a_restored_cloud_gets_back_what_was_measured_since(
    dsn: str, broker: Broker, maria: Person, tmp_path: Path, *, flashed_anew: bool
) -> None:
    """L19, end to end: backup, more readings, the database dropped, restore; everything is there, once."""
    cuff = maria.devices[Kind.BLOOD_PRESSURE][1]
    outbox, dump = open_outbox(tmp_path), tmp_path / "b.dump"
    name = str(conninfo_to_dict(dsn)["dbname"])
    with cloud(dsn, broker) as database:
        async with home(broker, outbox, tmp_path):
            put(outbox, *range(1, 6), cuff=cuff)
            await until("five are settled", lambda: depth(outbox) == 0)
            assert (await asyncio.to_thread(command, dsn, "backup", dump)).status == 0
            if not flashed_anew:
                put(outbox, *range(6, 11), cuff=cuff)
                await until("five more are settled", lambda: depth(outbox) == 0)
        if flashed_anew:
            outbox.close()
            (tmp_path / "new").mkdir()
            outbox = open_outbox(tmp_path / "new")
            async with home(broker, outbox, tmp_path / "new"):
                put(outbox, *range(6, 11), cuff=cuff)
                await until("five more are settled", lambda: depth(outbox) == 0)
        assert count_of(database, "reading") == 10
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as connection:
        connection.execute(f'drop database "{name}" with (force)'.encode())
    restored = await asyncio.to_thread(command, dsn, "restore", dump)
    assert restored.status == 0, restored.err
    assert restored.out.splitlines()[1].startswith("3 gateways are asked to send again"), "two of them are silent"
    with cloud(dsn, broker) as database:
        assert count_of(database, "reading") == 5
        async with home(broker, outbox, tmp_path / "new" if flashed_anew else tmp_path):
            await until("all ten are there", lambda: count_of(database, "reading") == 10)
            await until("the box has answered", lambda: answered(database) == {"done": 1, "sent": 2})
        systolics = rows_of(database, "select value from observation where value between 101 and 199 order by value")
        assert [row["value"] for row in systolics] == [101.0 + number for number in range(10)]
    outbox.close()


def answered(database: Database) -> dict[str, int]:
    states = (
        "select state, count(*)::int as n from gateway_request where kind = 'replay' and asked_by is null group by 1"
    )
    return {row["state"]: row["n"] for row in rows_of(database, states)}


def test_a_box_is_asked_from_the_first_hole_on_not_from_the_last_row(database: Database, clinic: Clinic) -> None:
    """Newest goes before the backlog: 3 and 4 came after the backup, and were receipted by what is gone."""
    now = database.clock()
    with database.transaction() as connection:
        connection.execute(
            "insert into delivery (gateway_id, epoch, seq, outcome) select %s, 'e', seq, 'stored' from unnest(%s) as seq",
            [GATEWAY, [1, 2, 5, 6]],
        )
        connection.execute(
            "insert into gateway_status (gateway_id, practice_id, heard_at, kind, version, uptime_s, epoch, outbox_depth,"
            " outbox_oldest_s, outbox_dropped, adapter) values (%s, %s, %s, 'heartbeat', '1', 1, 'e', 0, 0, 0, 'hci0')",
            [GATEWAY, clinic.practice_id, now],
        )
        connection.execute("update gateway set retired_at = %s where id = %s", [now, OTHER_GATEWAY])
        assert after_restore(connection, taken_at=now, now=now) == 2
    asked = rows_of(database, "select arguments from gateway_request where gateway_id = %s", GATEWAY)
    assert asked == [{"arguments": {"epoch": "e", "from_seq": 3, "other_epochs_from": 1}}]
    assert rows_of(database, "select from gateway_request where gateway_id = %s", OTHER_GATEWAY) == []
