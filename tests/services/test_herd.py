"""A hundred gateways at one real broker that is killed and started again (F21, S1): nobody is lost, nobody waits for long.

Method: real uplinks with real outboxes in one process, a real Mosquitto, kill -9 while every gateway has a reading to send, the
product's own waits. What ten thousand would do is simulated in `tests/unit/gateway/test_herd.py`.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from pydantic import SecretStr

from gateway.health import status
from gateway.outbox import Outbox
from gateway.settings import Broker as BrokerSettings
from gateway.uplink import Uplink
from gateway.uplink.door import OneDoor
from schemas.messages import Status, StatusKind
from tests.services.test_gateway_uplink import depth, put
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, stored
from tests.unit.gateway.frames import open_outbox

log = structlog.get_logger()

#: One process holds no more: paho waits by select(), which ends at 1,024 open files, and a gateway has seven.
HERD = 100
BACK_S_MAX = 120.0
NAMES = tuple(f"gw-herd-{number:04}" for number in range(HERD))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    started = Broker(tmp_path, gateways=NAMES).start()
    yield started
    started.stop()


def uplink_of(name: str, outbox: Outbox, broker: Broker) -> Uplink:
    def say(kind: StatusKind, now: datetime) -> Status:
        return status(kind, gateway_id=name, adapter="none", stats=outbox.stats(now=now), uptime_s=1.0, now=now)

    place = BrokerSettings(url=f"mqtt://127.0.0.1:{broker.port}", password=SecretStr(broker.passwords[name]))
    return Uplink(
        gateway_id=name,
        doors=OneDoor(place),
        outbox=outbox,
        status=say,
        heartbeat_s=60,
        utc_now=lambda: datetime.now(UTC),
    )


@pytest.mark.timeout(2 * BACK_S_MAX + 60)
async def test_a_herd_comes_back_after_its_broker_was_killed(broker: Broker, tmp_path: Path) -> None:
    worker = FakeWorker(broker, stored).join()
    homes: dict[str, tuple[Outbox, Uplink]] = {}
    for name in NAMES:
        (tmp_path / name).mkdir()
        outbox = open_outbox(tmp_path / name)
        put(outbox, 1)
        homes[name] = (outbox, uplink_of(name, outbox, broker))
    stop = asyncio.Event()
    tasks = [asyncio.create_task(uplink.run(stop)) for _, uplink in homes.values()]
    try:
        await settled(homes)
        broker.kill()
        worker.leave()
        for outbox, uplink in homes.values():
            put(outbox, 1)
            uplink.wake()
        broker.start()
        worker.join()
        began = time.monotonic()
        await settled(homes)
        log.info("herd_is_back", gateways=HERD, after_s=round(time.monotonic() - began, 1))
    finally:
        stop.set()
        await asyncio.gather(*tasks)
        worker.leave()
    heard = Counter((batch.gateway_id, item.seq) for batch in worker.batches for item in batch.items)
    assert set(heard) == {(name, seq) for name in NAMES for seq in (1, 2)}
    for outbox, _ in homes.values():
        outbox.close()


async def settled(homes: dict[str, tuple[Outbox, Uplink]]) -> None:
    """Every outbox is empty by receipts alone; AssertionError where one is not within BACK_S_MAX."""
    deadline = time.monotonic() + BACK_S_MAX
    waiting = dict(homes)
    while waiting:
        assert time.monotonic() < deadline, f"{len(waiting)} gateways still wait"
        await asyncio.sleep(0.2)
        waiting = {name: home for name, home in waiting.items() if depth(home[0])}
