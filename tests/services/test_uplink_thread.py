"""paho's thread in the gateway: where it dies it says so, and silence is noticed within what is stated (L14, H10)."""

import asyncio

import pytest

from gateway.outbox import Outbox
from gateway.uplink.connection import KEEPALIVE_S, Connection
from gateway.uplink.uplink import PUBACK_S_MAX
from rpm.ingest.subscriber import KEEPALIVE_S as WORKER_KEEPALIVE_S
from schemas.messages import StatusKind
from tests.services.test_gateway_uplink import depth, outbox, put, running, until
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, worker

__all__ = ["outbox", "worker"]


async def test_a_callback_that_fails_ends_the_connection_and_the_next_one_works(
    broker: Broker, worker: FakeWorker, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paho's thread dies of it and still calls itself connected (L14): noticed at once, not after 20 s."""
    worker.join()
    broken = list[str]()

    def fails_once(*_: object) -> None:
        broken.append("puback")
        monkeypatch.undo()
        raise RuntimeError("a bug in a callback")

    async with running(broker, outbox) as uplink:
        await until(lambda: uplink.state.connected and len(worker.statuses) >= 1)
    before = len(worker.statuses)
    # A client is given its callbacks when it is made.
    monkeypatch.setattr(Connection, "_on_publish", fails_once)
    monkeypatch.setattr("gateway.uplink.uplink.RECONNECT_FIRST_S", 0.1)
    put(outbox, 3)
    began = asyncio.get_running_loop().time()
    async with running(broker, outbox):
        await until(lambda: depth(outbox) == 0)
        assert broken == ["puback"]
        assert asyncio.get_running_loop().time() - began < PUBACK_S_MAX
    births = [status for status in worker.statuses[before:] if status.kind is StatusKind.BIRTH]
    assert len(births) >= 2, "another connection took over"


def test_silence_is_noticed_within_the_stated_time() -> None:
    """H10: keepalive and answer bounds. The broker sends the will at one and a half times the keepalive."""
    assert KEEPALIVE_S * 1.5 <= 30
    assert KEEPALIVE_S <= 15
    assert PUBACK_S_MAX <= 20
    assert WORKER_KEEPALIVE_S <= 5
