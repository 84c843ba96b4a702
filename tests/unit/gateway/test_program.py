"""The whole program over a fake radio: what it tells systemd, and how it ends when only another process can go on."""

import asyncio
import json
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from os import getpid, kill
from pathlib import Path
from typing import Any

import pytest

from gateway.outbox import Outbox
from gateway.program import RESTART_STATUS, run_gateway
from gateway.radio import Radio
from gateway.settings import Settings, read_settings
from schemas.messages import EventName
from tests.unit.gateway.fake_bleak import FakeScanner, radio

SETTINGS = """
gateway_id = "gw-home-a"
time_zone = "America/New_York"
[broker]
url = "mqtt://127.0.0.1:1"
password = "x"
"""
END_S_MAX = 60.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    path = tmp_path / "gateway.toml"
    path.write_text(SETTINGS)
    return read_settings(path)


class Manager:
    """Whoever started us, and would again: reads what it is told."""

    def __init__(self, path: Path) -> None:
        self.words: list[str] = []
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._listening.bind(str(path))
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _listen(self) -> None:
        while word := self._listening.recv(4096):
            self.words.append(word.decode())

    def close(self) -> None:
        """Hear no more; what was said is in `words`."""
        if not self._thread.is_alive():
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._listening.getsockname())
        self._thread.join(END_S_MAX)
        self._listening.close()


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "100000")
    listening = Manager(tmp_path / "notify")
    yield listening
    listening.close()


class NoControl:
    async def power_cycle(self) -> None:
        """Done, and it does not help."""

    async def forget(self, address: str) -> None:
        raise AssertionError(address)


def _always(air: Radio) -> Callable[..., Radio]:
    return lambda *_settings, **_wishes: air


def depth_and_events(settings: Settings) -> tuple[int, list[dict[str, Any]]]:
    """Rows without a receipt, frames without a row counted as one each; and the events, as a program that ended left them."""
    now = datetime.now(UTC)
    opened = Outbox.open(settings.outbox, bytes_max=1 << 20, gateway_id="gw-home-a")
    try:
        stats = opened.stats(now=now)
        return stats.depth + stats.frames, [json.loads(event.body) for event in opened.events(limit=20)]
    finally:
        opened.close()


async def test_a_radio_nothing_helps_ends_the_program_to_be_started_again(
    settings: Settings, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """F10: each rung is in the outbox, for the cloud, before it is taken."""
    for name, seconds in (("CYCLE_AFTER_S", 0.2), ("CYCLE_AGAIN_S", 0.2), ("RESTART_AFTER_S", 0.8)):
        monkeypatch.setattr(f"gateway.ladder.{name}", seconds)
    monkeypatch.setattr("gateway.watch.SCAN_RETRY_FIRST_S", 0.05)
    monkeypatch.setattr("gateway.watch.SCAN_RETRY_MAX_S", 0.05)
    air = radio()
    air.control = NoControl()
    FakeScanner.faults = 1_000_000
    monkeypatch.setattr(Radio, "from_settings", _always(air))
    assert await asyncio.wait_for(run_gateway(settings), END_S_MAX) == RESTART_STATUS
    rungs = [event["value"] for event in depth_and_events(settings)[1] if event["name"] == EventName.RADIO_RECOVERY]
    assert rungs[0] == "power_cycle"
    assert rungs[-1] == "restart"
    manager.close()
    said = manager.words
    assert said[0].startswith(("STATUS=", "READY=1"))
    assert {"READY=1", "STOPPING=1", "WATCHDOG=1"} <= set(said)


async def test_a_program_told_to_stop_says_so_and_ends_well(
    settings: Settings, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    air = radio()
    monkeypatch.setattr(Radio, "from_settings", _always(air))
    running = asyncio.create_task(run_gateway(settings))
    while not FakeScanner.starts:
        await asyncio.sleep(0.01)
    kill(getpid(), signal.SIGTERM)
    assert await asyncio.wait_for(running, END_S_MAX) == 0
    manager.close()
    assert manager.words[-1] == "STOPPING=1"
