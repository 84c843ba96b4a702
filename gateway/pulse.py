"""What a running gateway answers to a person who stands at the box: one JSON object over a socket beside the outbox.

A socket and not a file: that it answers *is* the sign that the program's loop goes round; what a file says may be left
over from a program that hangs or is gone, and writing it every few seconds wears the card the box lives on.

No value, no address and no label crosses it: devices are numbered as in the settings.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Generator
from enum import StrEnum
from pathlib import Path
from typing import Final

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from gateway.errors import UserError
from gateway.health import PatientState
from schemas.messages import Status

log = structlog.get_logger()

#: A loop that goes round answers within milliseconds; the slowest box, writing to the slowest card, within a second.
ANSWER_S_MAX: Final = 3.0
BYTES_MAX: Final = 65_536
#: People who may ask at one time; the kernel lets the next one wait.
BACKLOG: Final = 4


class _Part(BaseModel):
    #: What a newer program adds is not this one's business.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Sighting(_Part):
    """When a device of this home was last heard by this process, and how strongly."""

    slot: int
    heard_s_ago: float
    rssi_dbm: int


class Helped(_Part):
    """The last rung of the ladder this process took for its radio."""

    rung: str
    reason: str
    at: AwareDatetime


class Pulse(_Part):
    """One answer. `heartbeat` is what the cloud would be told at this instant."""

    pid: int
    heartbeat: Status
    state: PatientState
    reason: str
    scanning: bool
    connected: bool
    #: Why publishing pauses although connected, in one word; None where it does not.
    paused: str | None = None
    last_receipt_at: AwareDatetime | None = None
    #: When the broker last took a heartbeat of this process: what a version on trial has to show.
    heartbeat_taken_at: AwareDatetime | None = None
    devices: tuple[Sighting, ...] = ()
    last_recovery: Helped | None = None


class NoPulse(StrEnum):
    """Why there is no answer."""

    NOT_RUNNING = "it does not run"
    #: The kernel took the question, and nobody answered: the watchdog ends such a program within a minute.
    HANGS = "it runs, but does not answer"


def socket_of(outbox: Path) -> Path:
    """Where the gateway that writes `outbox` answers."""
    return outbox.with_name(outbox.name + ".sock")


class PulseSocket:
    """Answers whoever connects with the pulse of the moment. `pulse` is called on the loop, once for each."""

    def __init__(self, path: Path, pulse: Callable[[], Pulse]) -> None:
        self._path = path
        self._pulse = pulse

    async def run(self, stop: asyncio.Event) -> None:
        """Answer until `stop` is set. A socket that cannot be made is logged, and costs no reading."""
        try:
            # Whoever holds the outbox's lock is alone here: a socket that is there already is of a program that was killed.
            self._path.unlink(missing_ok=True)
            with _reachable(self._path) as address, socket.socket(socket.AF_UNIX) as listening:
                listening.bind(address)
                self._path.chmod(0o600)
                server = await asyncio.start_unix_server(self._answer, sock=listening, backlog=BACKLOG)
                async with server:
                    await stop.wait()
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("pulse_socket_failed", error=type(error).__name__, errno=error.errno)

    async def _answer(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, TimeoutError):
            writer.write(self._pulse().model_dump_json().encode())
            async with asyncio.timeout(ANSWER_S_MAX):
                await writer.drain()
        writer.close()


def ask(path: Path) -> Pulse | NoPulse:
    """The pulse of the gateway that answers at `path`, or why there is none.

    UserError where it is not ours to ask, or where what answers is no gateway of this version's kind.
    """
    try:
        with _reachable(path) as address, socket.socket(socket.AF_UNIX) as asking:
            asking.settimeout(ANSWER_S_MAX)
            asking.connect(address)
            return _understood(_all_of(asking))
    except TimeoutError:
        return NoPulse.HANGS
    except PermissionError as error:
        raise UserError(f"{path.parent} is not yours to read: run this with sudo, or as the gateway's user") from error
    except OSError:
        return NoPulse.NOT_RUNNING


def _all_of(asking: socket.socket) -> bytes:
    parts: list[bytes] = []
    while (part := asking.recv(BYTES_MAX)) and sum(map(len, parts)) < BYTES_MAX:
        parts.append(part)
    return b"".join(parts)


def _understood(answer: bytes) -> Pulse | NoPulse:
    if not answer:
        return NoPulse.NOT_RUNNING  # it ended while it was asked
    try:
        return Pulse.model_validate_json(answer)
    except ValidationError as error:
        raise UserError(
            "the gateway that runs is of another version: restart it (systemctl restart rpm-gateway)"
        ) from error


@contextlib.contextmanager
def _reachable(path: Path) -> Generator[str]:
    """A name for `path` that fits into a socket address (107 bytes), however deep its folder lies."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
