"""The uplink against a real Mosquitto with the product's own accounts, and a worker that does what the test says.

The worker is a real MQTT client with the worker's account and the product's share filter; what it receipts is scripted,
because the property under test is the gateway's: without a receipt nothing settles, whatever the broker says.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr

from gateway.health import status
from gateway.intake import rows_of
from gateway.outbox import Outbox
from gateway.requests import Requests
from gateway.settings import Broker as BrokerSettings
from gateway.uplink import Uplink
from gateway.uplink.door import OneDoor
from schemas.messages import (
    MESSAGE_BYTES_MAX,
    Channel,
    Event,
    ReadingBatch,
    Receipt,
    Request,
    Status,
    StatusKind,
    topic,
)
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, silent, stored, worker
from tests.unit.gateway.frames import CUFF, FACTS, GATEWAY, frame, open_outbox

__all__ = ["worker"]

WAIT_S_MAX = 45.0


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return open_outbox(tmp_path)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same back-off, in tenths: what is tested is that rows go again, not for how long they rest."""
    monkeypatch.setattr("gateway.uplink.batches.RESEND_FIRST_S", 0.5)
    monkeypatch.setattr("gateway.uplink.batches.RESEND_MAX_S", 2.0)
    monkeypatch.setattr("gateway.uplink.uplink.RECONNECT_FIRST_S", 0.1)
    monkeypatch.setattr("gateway.uplink.uplink.PAUSE_FIRST_S", 0.2)
    monkeypatch.setattr("gateway.uplink.uplink.PAUSE_MAX_S", 1.0)


@pytest.fixture
def once(_impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A row is sent once, however long its receipt takes: for whoever counts what was sent."""
    del _impatient
    monkeypatch.setattr("gateway.uplink.batches.RESEND_FIRST_S", 600.0)


@contextlib.asynccontextmanager
async def running(
    broker: Broker, outbox: Outbox, *, gateway_id: str = GATEWAY, requests: Requests | None = None
) -> AsyncGenerator[Uplink]:
    """An uplink at work."""

    def say(kind: StatusKind, now: datetime) -> Status:
        return status(kind, gateway_id=gateway_id, adapter="none", stats=outbox.stats(now=now), uptime_s=1.0, now=now)

    uplink = Uplink(
        gateway_id=gateway_id,
        doors=OneDoor(
            BrokerSettings(
                url=f"mqtt://127.0.0.1:{broker.port}", password=SecretStr(broker.passwords.get(gateway_id, "wrong"))
            )
        ),
        outbox=outbox,
        status=say,
        heartbeat_s=60,
        utc_now=lambda: datetime.now(UTC),
        on_request=lambda payload: requests.receive(payload, now=datetime.now(UTC)) if requests else None,
    )
    stop = asyncio.Event()
    task = asyncio.create_task(uplink.run(stop))
    yield uplink
    stop.set()
    await asyncio.wait_for(task, WAIT_S_MAX)


async def until(holds: Callable[[], bool]) -> None:
    """Look until it holds: the broker and the worker live in other threads, and have no event to wait for."""
    deadline = asyncio.get_running_loop().time() + WAIT_S_MAX
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it never came to hold"
        await asyncio.sleep(0.02)


def put(outbox: Outbox, count: int, *, data: bytes | None = None) -> None:
    """Real readings, as a session leaves them: each of a frame of its own, received when it was."""
    session = outbox.begin_session(address=CUFF, facts=FACTS, now=datetime.now(UTC))
    base = outbox.stats(now=datetime.now(UTC))
    for number in range(count):
        made = frame(base.depth + base.ring + number)
        outbox.keep(session, made if data is None else frame(base.depth + base.ring + number, data))
    kept = outbox.session(session)
    rows, _ = rows_of(kept, zone=ZoneInfo("America/New_York"))
    outbox.finish_session(session, rows, now=datetime.now(UTC))


def depth(outbox: Outbox) -> int:
    return outbox.stats(now=datetime.now(UTC)).depth


async def test_a_receipt_settles_and_a_puback_does_not(broker: Broker, worker: FakeWorker, outbox: Outbox) -> None:
    worker.answer = silent
    worker.join()
    put(outbox, 3)
    async with running(broker, outbox):
        await until(lambda: len(worker.batches) >= 3)
        assert depth(outbox) == 3, "the broker acknowledged every publication, and nothing settled"
        assert set(worker.seqs) == {1, 2, 3}
        worker.answer = stored
        await until(lambda: depth(outbox) == 0)
    assert outbox.stats(now=datetime.now(UTC)).ring == 3


async def test_nobody_listening_costs_no_try_and_delivery_resumes(
    broker: Broker, worker: FakeWorker, outbox: Outbox
) -> None:
    put(outbox, 2)
    async with running(broker, outbox) as uplink:
        await until(lambda: uplink.state.paused is not None)
        await asyncio.sleep(1.5)
        # While one is in the air, which is tried now and then, none is due; a try that had cost something would stay.
        await until(lambda: [row.attempts for row in outbox.due(now=datetime.now(UTC), limit=5)] == [0, 0])
        assert depth(outbox) == 2
        worker.join()
        await until(lambda: depth(outbox) == 0)
        assert uplink.state.paused is None


async def test_a_refused_publication_keeps_the_row_and_is_told(
    broker: Broker, worker: FakeWorker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.join()
    put(outbox, 1)

    def to_a_neighbour(gateway_id: str, channel: Channel) -> str:
        """The broker's own access list refuses that."""
        return topic("gw-home-b" if channel is Channel.READINGS else gateway_id, channel)

    monkeypatch.setattr("gateway.uplink.connection.topic", to_a_neighbour)
    async with running(broker, outbox) as uplink:
        await until(lambda: uplink.state.paused is not None)
        assert str(uplink.state.paused) == "gateway_refused"
        assert depth(outbox) == 1
        assert worker.batches == []
        monkeypatch.undo()
        await until(lambda: depth(outbox) == 0)


async def test_a_wrong_password_keeps_everything_and_goes_on_trying(broker: Broker, outbox: Outbox) -> None:
    put(outbox, 1)
    async with running(broker, outbox, gateway_id="gw-stranger") as uplink:
        await asyncio.sleep(1.0)
        assert not uplink.state.connected
        assert depth(outbox) == 1


async def test_a_backlog_travels_in_bounded_messages_newest_first(
    broker: Broker, worker: FakeWorker, outbox: Outbox
) -> None:
    worker.join()
    put(outbox, 1500)
    async with running(broker, outbox):
        await until(lambda: depth(outbox) == 0)
    assert sorted(set(worker.seqs)) == list(range(1, 1501))
    assert max(worker.sizes) <= MESSAGE_BYTES_MAX // 2
    assert len(worker.batches) > 1500 * 400 // MESSAGE_BYTES_MAX
    firsts = [batch.items[0].seq for batch in worker.batches[:3]]
    assert firsts == sorted(firsts, reverse=True)
    assert firsts[0] == 1500


async def test_a_fresh_reading_does_not_wait_behind_the_backlog(
    broker: Broker, worker: FakeWorker, outbox: Outbox
) -> None:
    worker.answer = silent
    worker.join()
    put(outbox, 3000)
    async with running(broker, outbox) as uplink:
        await until(lambda: len(worker.batches) >= 4)
        before = len(worker.batches)
        worker.answer = stored
        put(outbox, 1)
        uplink.wake()
        await until(lambda: 3001 in worker.seqs)
        position = next(i for i, batch in enumerate(worker.batches) if batch.items and batch.items[0].seq == 3001)
        assert position - before <= 8, "at most the messages already in the window went before it"
        await until(lambda: depth(outbox) == 0)


@pytest.mark.usefixtures("once")
async def test_a_frame_nobody_could_decode_reaches_the_cloud_and_is_settled(
    broker: Broker, worker: FakeWorker, outbox: Outbox
) -> None:
    worker.join()
    put(outbox, 1, data=b"\x00\x78")
    async with running(broker, outbox):
        await until(lambda: depth(outbox) == 0)
    (batch,) = worker.batches
    assert batch.items == ()
    assert (batch.undecoded[0].raw, batch.undecoded[0].address) == ("0078", CUFF)
    assert batch.undecoded[0].reason


async def test_a_killed_broker_costs_nothing(broker: Broker, worker: FakeWorker, outbox: Outbox) -> None:
    worker.answer = silent
    worker.join()
    put(outbox, 200)
    async with running(broker, outbox):
        await until(lambda: len(worker.batches) >= 1)
        broker.kill()
        worker.leave()
        put(outbox, 50)
        broker.start()
        worker.answer = stored
        worker.join()
        await until(lambda: depth(outbox) == 0)
    assert set(worker.seqs) == set(range(1, 251))


async def test_a_frozen_broker_is_noticed_and_left(
    broker: Broker, worker: FakeWorker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket stays open and takes every byte: only the missing answer tells (H10, L14)."""
    monkeypatch.setattr("gateway.uplink.uplink.PUBACK_S_MAX", 0.5)
    monkeypatch.setattr("gateway.uplink.connection.CLOSE_S_MAX", 0.5)
    monkeypatch.setattr("gateway.uplink.connection.OPEN_S_MAX", 0.5)
    worker.join()
    async with running(broker, outbox) as uplink:
        await until(lambda: uplink.state.connected)
        broker.freeze()
        put(outbox, 1)
        uplink.wake()
        await until(lambda: not uplink.state.connected)
        assert depth(outbox) == 1
        broker.thaw()
        await until(lambda: depth(outbox) == 0)


async def test_a_reading_no_worker_survives_holds_back_no_other(
    broker: Broker, worker: FakeWorker, outbox: Outbox
) -> None:
    """One row of a hundred kills whoever takes it (L24): sent in vain, it travels in ever smaller company."""
    poison = 60

    def dies_of_it(batch: ReadingBatch) -> Receipt | None:
        return None if any(item.seq == poison for item in batch.items) else stored(batch)

    worker.answer = dies_of_it
    worker.join()
    put(outbox, 101)
    async with running(broker, outbox):
        await until(lambda: depth(outbox) == 1)
        assert [row.seq for row in outbox.due(now=datetime(2100, 1, 1, tzinfo=UTC), limit=5)] == [poison]


async def test_birth_and_will_tell_the_cloud_who_is_there(broker: Broker, worker: FakeWorker, outbox: Outbox) -> None:
    worker.join()
    async with running(broker, outbox):
        await until(lambda: len(worker.statuses) >= 1)
    await until(lambda: len(worker.statuses) >= 2)
    birth, will = worker.statuses
    assert (birth.kind, birth.epoch, birth.gateway_id) == (StatusKind.BIRTH, outbox.epoch, GATEWAY)
    assert will.kind is StatusKind.WILL


async def test_receipts_that_are_not_ours_settle_nothing(broker: Broker, worker: FakeWorker, outbox: Outbox) -> None:
    worker.answer = silent
    worker.join()
    put(outbox, 1)
    async with running(broker, outbox):
        await until(lambda: len(worker.batches) >= 1)
        other_epoch = Receipt(gateway_id=GATEWAY, epoch="0" * 16, stored=(1,))
        other_gateway = Receipt(gateway_id="gw-home-b", epoch=outbox.epoch, stored=(1,))
        for payload in (b"no json", b"{}", *(r.model_dump_json().encode() for r in (other_epoch, other_gateway))):
            worker.tell(GATEWAY, payload)
        sent = len(worker.batches)
        await until(lambda: len(worker.batches) > sent)
        assert depth(outbox) == 1


async def test_telemetry_goes_after_vitals_and_is_settled_by_the_broker(
    broker: Broker, worker: FakeWorker, outbox: Outbox
) -> None:
    worker.join()
    outbox.add_event(Event(gateway_id=GATEWAY, at=datetime.now(UTC), name="device_clock", value=3.0))
    put(outbox, 1)
    async with running(broker, outbox):
        await until(lambda: len(worker.events) == 1 and depth(outbox) == 0)
        await until(lambda: outbox.stats(now=datetime.now(UTC)).events == 0)


@pytest.mark.usefixtures("once")
async def test_a_restored_cloud_asks_for_a_replay(
    broker: Broker, worker: FakeWorker, outbox: Outbox, tmp_path: Path
) -> None:
    worker.join()
    put(outbox, 5)
    requests = Requests(gateway_id=GATEWAY, outbox=outbox, file=tmp_path / "requests.json", measures=())
    async with running(broker, outbox, requests=requests):
        await until(lambda: depth(outbox) == 0)
        worker.batches.clear()
        asked = Request(
            gateway_id=GATEWAY,
            request_id="r-1",
            kind="replay",
            expires_at=datetime(2100, 1, 1, tzinfo=UTC),
            arguments={"epoch": outbox.epoch, "from_seq": 3},
        )
        worker.request(asked)
        worker.request(asked.model_copy(update={"kind": "dance", "request_id": "r-2"}))
        for seq in (2**80, 0, -1):
            wrong = {"epoch": outbox.epoch, "from_seq": seq}
            worker.request(asked.model_copy(update={"arguments": wrong, "request_id": f"r{seq}"}))
        await until(lambda: {3, 4, 5} <= set(worker.seqs) and depth(outbox) == 0)
        names = ["replaying"] + ["request_unknown"] * 4
        await until(lambda: sorted(event.name for event in worker.events) == names)
    assert set(worker.seqs) == {3, 4, 5}
