"""Child processes that end when we do: each with a log file, each ended by its own process id."""

import contextlib
import http
import http.client
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rpm.errors import UserError

#: How long a process may take to end on SIGTERM before it is killed.
TERMINATE_S = 8.0
#: How much of a dead process's log is shown to the person who must mend it.
LOG_LINES_SHOWN = 12
#: Below those that the kernel gives to whoever connects (32768 and up), and below those of deploy/provision.sh.
PORTS = range(10_000, 20_000)
PORTS_TRIED_MAX = 100


def free_port() -> int:
    """A loopback port on which nobody listened a moment ago; UserError where none is found.

    None of the kernel's own: it would give it to any connection made before our server listens there, or while it is away.
    """
    for port in random.SystemRandom().sample(PORTS, PORTS_TRIED_MAX):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
    raise UserError(f"no free port among {PORTS.start} to {PORTS.stop - 1}: see what listens there")


def port_answers(port: int, *, host: str = "127.0.0.1") -> bool:
    """Whether something listens there now."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=0.5):
        return True
    return False


def page_answers(port: int, path: str = "/login") -> bool:
    """Whether a page is served on this loopback port now (a port may listen before its program is ready)."""
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        asked.request("GET", path)
        return asked.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()


@dataclass
class Child:
    """One program we started."""

    name: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        """Start it; its output goes to `log`. The child gets a session of its own, so Ctrl-C reaches only us."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                list(self.arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        return self

    @property
    def pid(self) -> int:
        """Its process id; RuntimeError before it was started."""
        if self.process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self.process.pid

    def running(self) -> bool:
        """Whether it is alive."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self) -> None:
        """Ask it to end; kill it where it does not within TERMINATE_S."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(TERMINATE_S)
        except subprocess.TimeoutExpired:
            self.kill()

    def last_words(self) -> str:
        """The end of its log, for the person who must mend it."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-LOG_LINES_SHOWN:])
        return ""


class Household:
    """Everything that was started, ended in the opposite order."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._endings: list[Callable[[], object]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for ending in reversed(self._endings):
            ending()

    def start(self, child: Child) -> Child:
        """Start a child that ends with us."""
        child.start()
        self.children.append(child)
        self._endings.append(child.stop)
        return child

    def afterwards(self, ending: Callable[[], object]) -> None:
        """Do this when the rest has ended."""
        self._endings.append(ending)

    def wait_until(self, what: str, ready: Callable[[], bool], *, child: Child, timeout_s: float) -> None:
        """Wait for a child to be of use; UserError with the end of its log where it dies or takes too long."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if not child.running():
                raise UserError(f"{what}: {child.name} ended at once. Its log ({child.log}):\n{child.last_words()}")
            if time.monotonic() > deadline:
                raise UserError(f"{what}: nothing after {timeout_s:.0f} s. Log of {child.name}: {child.log}")
            time.sleep(0.1)
