"""What systemd is told, over a real datagram socket; and that a program which hangs says nothing."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.systemd import Systemd

READY_S_MAX = 30.0


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.settimeout(READY_S_MAX)
        yield listening


def said(manager: socket.socket) -> list[str]:
    """Everything that waits to be read."""
    manager.setblocking(False)
    words: list[str] = []
    with contextlib.suppress(BlockingIOError):
        while True:
            words.append(manager.recv(4096).decode())
    return words


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": str(tmp_path / "notify"), **more}


def test_ready_status_and_the_end_are_said(manager: socket.socket, tmp_path: Path) -> None:
    systemd = Systemd(environment(tmp_path))
    assert systemd.present
    systemd.ready()
    systemd.status("kept: two\nlines " + "x" * 500)
    systemd.stopping()
    ready, status, stopping = said(manager)
    assert (ready, stopping) == ("READY=1", "STOPPING=1")
    assert status.startswith("STATUS=kept: two lines x")
    assert len(status) < 300
    assert "\n" not in status


async def test_it_pings_for_as_long_as_it_lives_and_its_loop_goes_round(manager: socket.socket, tmp_path: Path) -> None:
    systemd = Systemd(environment(tmp_path, WATCHDOG_USEC="40000"))
    assert systemd.ping_every_s == pytest.approx(0.02)
    stop, alive = asyncio.Event(), True
    pinging = asyncio.create_task(systemd.ping(stop, alive=lambda: alive))
    await asyncio.sleep(0.3)
    assert set(said(manager)) == {"WATCHDOG=1"}
    time.sleep(0.2)  # noqa: ASYNC251 - the loop hangs: that is the point
    assert said(manager) == [], "a loop that hangs does not ping"
    alive = False
    await asyncio.sleep(0.05)
    said(manager)
    await asyncio.sleep(0.2)
    assert said(manager) == [], "nor does one of whose parts one hangs"
    stop.set()
    await asyncio.wait_for(pinging, READY_S_MAX)


async def test_without_a_manager_nothing_is_said_and_nothing_is_waited_for() -> None:
    systemd = Systemd({})
    assert not systemd.present
    systemd.ready()
    stop = asyncio.Event()
    pinging = asyncio.create_task(systemd.ping(stop, alive=lambda: True))
    stop.set()
    await asyncio.wait_for(pinging, READY_S_MAX)


def test_a_manager_that_has_gone_is_no_trouble(tmp_path: Path) -> None:
    Systemd(environment(tmp_path, WATCHDOG_USEC="nonsense")).ready()


def test_an_abstract_socket_is_spoken_to() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0rpm-test-" + str(time.monotonic_ns()))
        name = listening.getsockname()[1:].decode()
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert said(listening) == ["READY=1"]
