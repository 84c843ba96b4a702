"""What the broker answers to a publication, code by code (MQTT 5, 3.4.2.1): none of it settles a reading."""

from datetime import datetime
from pathlib import Path

import pytest

from gateway.settings import Broker
from gateway.uplink import Uplink
from gateway.uplink.connection import Puback
from gateway.uplink.door import OneDoor
from gateway.uplink.uplink import _InAir  # pyright: ignore[reportPrivateUsage]
from schemas.messages import Event, Status, StatusKind
from tests.unit.gateway.frames import GATEWAY, NOON, open_outbox, put

CODES = (0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x95, 0x97, 0x99)
TAKEN, TOO_LARGE, BAD_FORMAT = 0x00, 0x95, 0x99


def _status(kind: StatusKind, now: datetime) -> Status:
    return Status(gateway_id=GATEWAY, kind=kind, sent_at=now)


@pytest.mark.parametrize("code", CODES)
async def test_no_answer_settles_a_reading_and_few_settle_an_event(tmp_path: Path, code: int) -> None:
    outbox = open_outbox(tmp_path)
    uplink = Uplink(
        gateway_id=GATEWAY,
        doors=OneDoor(Broker.model_validate({"url": "mqtt://127.0.0.1:1", "password": "secret"})),
        outbox=outbox,
        status=_status,
        heartbeat_s=60,
        utc_now=lambda: NOON,
    )
    put(outbox, 1)
    outbox.mark_sent([(1, NOON)], now=NOON)
    outbox.add_event(Event(gateway_id=GATEWAY, at=NOON, name="battery"))
    [event] = outbox.events(limit=1)
    for mid, flight in ((1, _InAir((1,), None, 0.0)), (2, _InAir((), event.number, 0.0))):
        uplink._in_air[mid] = flight  # pyright: ignore[reportPrivateUsage]
        uplink._hear(Puback(mid, code))  # pyright: ignore[reportPrivateUsage]
    stats = outbox.stats(now=NOON)
    assert (stats.depth, stats.ring) == (1, 0)
    assert stats.events == (0 if code in {TAKEN, TOO_LARGE, BAD_FORMAT} else 1)
