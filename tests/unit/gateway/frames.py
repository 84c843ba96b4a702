"""Frames, sessions and instants that the gateway's tests share."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from devices.procedures import Frame, SessionFacts
from gateway.intake import facts_text
from gateway.outbox import Form, NewRow, Outbox, engine

CUFF = "C0:00:00:00:10:01"
GATEWAY = "gw-home-a"
NOON = datetime(2026, 11, 22, 17, 0, tzinfo=UTC)
MEGABYTE = 1 << 20
FACTS = facts_text(SessionFacts(manufacturer="A&D", model="UA-651BLE"))
#: 120/80 mmHg, mean 93, no time, no pulse: 2A35 with flags 00 (layout: GATT Specification Supplement, blood_pressure).
PLAIN_PRESSURE = bytes.fromhex("00780050005d00")


#: An encrypted outbox's key.
KEY = bytes(range(32))


class Encryption:
    """Whether outboxes are encrypted in this test: see `both_forms`."""

    key: bytes | None = None


@pytest.fixture(params=[None, KEY], ids=["plain", "encrypted"])
def both_forms(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bytes | None:
    """The test runs twice: on a plain outbox and on an encrypted one. Its key."""
    monkeypatch.setattr(Encryption, "key", request.param)
    return request.param


def open_outbox(folder: Path, *, bytes_max: int = 8 * MEGABYTE) -> Outbox:
    return Outbox.open(folder / "outbox.sqlite3", bytes_max=bytes_max, gateway_id=GATEWAY, key=Encryption.key)


def peek(folder: Path) -> sqlite3.Connection:
    """The file as another process sees it."""
    return engine.connect(folder / "outbox.sqlite3", key=Encryption.key)


def frame(number: int, data: bytes = PLAIN_PRESSURE) -> Frame:
    """Frame number `number` of a test: each is received a second after the one before."""
    return Frame("2A35", data, NOON + timedelta(seconds=number))


def row(number: int, *, body_bytes: int = 40) -> NewRow:
    """A row of its own name."""
    body = '{"filler":"' + "x" * body_bytes + '"}'
    return NewRow(Form.READING, f"reading-{number}", "", NOON + timedelta(seconds=number), body)


def put(outbox: Outbox, *numbers: int, body_bytes: int = 40) -> None:
    """Rows as a session leaves them."""
    session = outbox.begin_session(address=CUFF, facts=FACTS, now=NOON)
    outbox.finish_session(session, [row(number, body_bytes=body_bytes) for number in numbers], now=NOON)
