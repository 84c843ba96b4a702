"""A gateway that hangs ends itself, says where it stood, and has lost nothing when it is started again.

Method: a real process with a real outbox (`hanging.py`); its radio is a fake whose call neither returns nor can be cancelled,
or blocks the loop, or the whole interpreter. Whoever starts it is this test, over a real notify socket.
"""

import asyncio
import json
import linecache
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.program import RESTART_STATUS
from gateway.recovery import boot_id
from gateway.settings import Settings
from gateway.watchdog import last_words, where
from tests.support.provisioning import ROOT
from tests.unit.gateway.test_program import Manager, depth_and_events, settings

__all__ = ["settings"]

END_S_MAX = 30.0
CUFF_TABLE = """
[[device]]
address = "C0:00:00:00:10:01"
kind = "blood_pressure"
label = "cuff"
"""


class Process:
    """One start of the program."""

    def __init__(self, config: Path, how: str, notify: Path) -> None:
        self._errors = config.with_suffix(".log").open("a+b")
        self._began = self._errors.tell()
        environment = {**os.environ, "NOTIFY_SOCKET": str(notify), "WATCHDOG_USEC": "200000"}
        command = [sys.executable, "-m", "tests.unit.gateway.hanging", str(config), how]
        self.process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=self._errors)

    def ended(self) -> int:
        """Its exit status, which nobody but itself brought about."""
        return self.process.wait(END_S_MAX)

    def said(self) -> str:
        """What it wrote on stderr."""
        self._errors.seek(self._began)
        return self._errors.read().decode()

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.said().splitlines() if line.startswith("{")]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._errors.close()


@pytest.fixture
def config(tmp_path: Path, settings: Settings) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(path.read_text() + CUFF_TABLE)
    assert settings.outbox.parent == tmp_path
    return path


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(tmp_path / "notify")
    yield listening
    listening.close()


@pytest.mark.parametrize(
    "how, part, status",
    [
        ("never returns", "watch", RESTART_STATUS),
        ("blocks", "loop", RESTART_STATUS),
        # Not even the watchdog's thread runs: the timer that needs no Python ends it, and knows no other status.
        ("holds the interpreter", None, 1),
    ],
)
def test_a_gateway_that_hangs_ends_itself_and_the_next_one_goes_on(
    config: Path, settings: Settings, manager: Manager, how: str, part: str | None, status: int
) -> None:
    hanging = Process(config, how, config.with_name("notify"))
    try:
        assert hanging.ended() == status
        assert "Thread 0x" in hanging.said(), "where every thread stood"
    finally:
        hanging.close()
    assert "READY=1" in manager.words
    assert "WATCHDOG=1" in manager.words
    assert "STOPPING=1" not in manager.words, "nothing tidy came of it"
    kept, events = depth_and_events(settings)
    assert kept == 1, "the reading is still there"
    assert "gateway_hung" not in {event["name"] for event in events}

    again = Process(config, "works", config.with_name("notify"))
    try:
        deadline = time.monotonic() + END_S_MAX
        while manager.words.count("READY=1") < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert again.stop() == 0
    finally:
        again.close()
    kept, events = depth_and_events(settings)
    assert kept == 1
    hung = [event["value"] for event in events if event["name"] == "gateway_hung"]
    assert hung == ([part] if part else [])
    assert [event["value"] for event in events if event["name"] == "radio_recovery"] == (["restart"] if part else [])
    assert last_words(settings.outbox.with_name(settings.outbox.name + ".hung.json")) is None, "told once"


@pytest.mark.usefixtures("manager")
def test_the_last_words_say_where_every_task_stood(config: Path) -> None:
    hanging = Process(config, "never returns", config.with_name("notify"))
    try:
        assert hanging.ended() == RESTART_STATUS
        hanging_said, logged = hanging.said(), hanging.logged()
    finally:
        hanging.close()
    [hangs] = [line for line in logged if line["event"] == "gateway_hangs"]
    assert (hangs["part"], hangs["status"]) == ("watch", RESTART_STATUS)
    [watch] = [line for line in logged if line["event"] == "task_stands" and line["task"] == "watch"]
    [place] = [place for place in watch["at"] if place.startswith("watch.py:")]
    assert "self._radio.scanning" in linecache.getline(
        str(ROOT / "gateway" / "watch.py"), int(place.split(":")[1].split()[0])
    )
    assert not any(secret in hanging_said for secret in ("C0:00:00:00:10:01", "label"))


def test_a_gateway_told_to_stop_that_cannot_is_ended_all_the_same(config: Path, manager: Manager) -> None:
    """Its radio hangs while it says goodbye: END_S_MAX, and not systemd's minute and a half."""
    hanging = Process(config, "never returns", config.with_name("notify"))
    try:
        deadline = time.monotonic() + END_S_MAX
        while "second_scan" not in hanging.said():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        began = time.monotonic()
        assert hanging.stop() == RESTART_STATUS
        assert time.monotonic() - began < 10
    finally:
        hanging.close()
    assert "STOPPING=1" not in manager.words


@pytest.mark.parametrize("text", ["", "{", "[]", '{"part": 1}'])
def test_a_note_nobody_can_read_is_no_reason_not_to_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "hung.json").write_text(text)
    assert last_words(tmp_path / "hung.json") is None


def test_a_note_is_read_once(tmp_path: Path) -> None:
    note = tmp_path / "hung.json"
    note.write_text(json.dumps({"part": "watch", "late_s": 46.0, "boot": boot_id(), "ended_at_s": 100.0}))
    words = last_words(note)
    assert words is not None
    assert words.part == "watch"
    assert last_words(note) is None


async def test_where_a_coroutine_waits_is_named_to_the_innermost() -> None:
    async def inner() -> None:
        await asyncio.sleep(60)

    async def outer() -> None:
        await inner()

    task = asyncio.create_task(outer())
    await asyncio.sleep(0)
    assert [place.rpartition(" ")[2] for place in where(task.get_coro())] == ["outer", "inner", "sleep"]
    task.cancel()
