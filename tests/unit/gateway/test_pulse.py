"""The socket a running gateway answers on: real sockets, in real folders."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from gateway.errors import UserError
from gateway.pulse import NoPulse, Pulse, PulseSocket, ask, socket_of
from tests.unit.gateway.test_condition import WELL


@contextlib.asynccontextmanager
async def answering(path: Path, pulse: Pulse = WELL) -> AsyncGenerator[None]:
    stop = asyncio.Event()
    running = asyncio.create_task(PulseSocket(path, lambda: pulse).run(stop))
    try:
        async with asyncio.timeout(10):
            while await asyncio.to_thread(ask, path) is NoPulse.NOT_RUNNING:
                await asyncio.sleep(0.01)
        yield
    finally:
        stop.set()
        await running


async def test_a_running_gateway_answers_and_its_socket_goes_with_it(tmp_path: Path) -> None:
    path = socket_of(tmp_path / "outbox.sqlite3")
    async with answering(path):
        assert path.stat().st_mode & 0o777 == 0o600
        for _ in range(3):
            assert await asyncio.to_thread(ask, path) == WELL
    assert not path.exists()
    assert ask(path) is NoPulse.NOT_RUNNING


async def test_however_deep_its_folder_lies(tmp_path: Path) -> None:
    """A socket's address holds 107 bytes; a practice's folder may be longer."""
    folder = tmp_path / ("a" * 90) / ("b" * 90)
    folder.mkdir(parents=True)
    path = folder / "outbox.sqlite3.sock"
    async with answering(path):
        assert await asyncio.to_thread(ask, path) == WELL


async def test_a_socket_left_by_a_killed_program_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert ask(path) is NoPulse.NOT_RUNNING
    async with answering(path):
        assert await asyncio.to_thread(ask, path) == WELL


def test_a_program_that_hangs_is_told_from_one_that_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.pulse.ANSWER_S_MAX", 0.2)
    path = tmp_path / "outbox.sqlite3.sock"
    assert ask(path) is NoPulse.NOT_RUNNING
    with socket.socket(socket.AF_UNIX) as hanging:
        hanging.bind(str(path))
        hanging.listen()
        assert ask(path) is NoPulse.HANGS


async def test_another_versions_answer_is_one_line_for_a_person(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3.sock"

    async def other(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'{"pid": 1}')
        writer.close()

    async with await asyncio.start_unix_server(other, path):
        with pytest.raises(UserError, match="another version"):
            await asyncio.to_thread(ask, path)


async def test_what_a_newer_program_adds_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite3.sock"
    newer = WELL.model_dump_json()[:-1].encode() + b', "mood": "sunny"}'

    async def other(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(newer)
        writer.close()

    async with await asyncio.start_unix_server(other, path):
        assert await asyncio.to_thread(ask, path) == WELL


async def test_a_folder_that_cannot_be_written_costs_a_line_in_the_log_and_no_more(tmp_path: Path) -> None:
    stop = asyncio.Event()
    stop.set()
    await PulseSocket(tmp_path / "nowhere" / "outbox.sqlite3.sock", lambda: WELL).run(stop)
