"""The judge beside whoever takes in: a process of its own, for two busy threads of one Python wait for each other.

Measured on two processors, 500 readings a second coming in and being judged: a receipt after 39 ms (p50) and 66 (p99) where
one process did both, after 12 and 24 with two.

The two hold one line, which is the judge's standard input. However one of them goes (kill -9), the other hears it at once:
the judge finishes its turn and ends; who takes in ends too, for its supervisor to start both anew. The judge gives a sign of
life on it as well: one that stands still as a whole is killed, for another worker's beats would hide it (`rpm.outage`), and its
own watchdog stands still with it.
"""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from typing import Final, Self

import structlog

from rpm.errors import UserError

#: The judge reads its rules and meets the database before it says that it works.
READY_S_MAX: Final = 60.0
#: It finishes the turn it is in.
END_S_MAX: Final = 12.0
SIGN_EVERY_S: Final = 5.0
#: No sign for so long: it stands still, and is over before somebody is called for it.
STANDS_S_MAX: Final = 60.0
#: Told to whoever started the process: it ended because its judge did, start it again (EX_SOFTWARE).
EXIT_ALONE: Final = 70
_READY: Final = b"r"
_SIGN: Final = b"."
_SIGNS_MAX: Final = 4096
_HALVES: Final = 2
_STANDARD_INPUT: Final = 0

_log = structlog.get_logger()


class Judge:
    """The process that judges, seen from the one that started it. `gone` once it has ended without being told to."""

    def __init__(self, process: subprocess.Popen[bytes], line: socket.socket) -> None:
        self.gone = False
        self._process, self._line = process, line
        self._told = threading.Event()

    @classmethod
    def start(cls, parts: Collection[str], *, when_gone: Callable[[], object]) -> Self:
        """Have one that does these parts of a worker's; back when it works. `when_gone` is called if it ends by itself.

        SystemExit with its own status where it cannot start: it has said why, in one line.
        """
        ours, its = socket.socketpair()
        options = [word for part in sorted(parts) for word in ("--only", part)]
        command = [sys.executable, "-m", "rpm", "worker", *options, "--beside"]
        with its:
            process = subprocess.Popen(command, stdin=its.fileno())  # noqa: S603 - our own program
        judge = cls(process, ours)
        if not judge._is_ready():
            judge.stop()
            raise SystemExit(process.returncode or EXIT_ALONE)
        threading.Thread(target=judge._listen, args=(when_gone,), name="judge-beside", daemon=True).start()
        return judge

    def stop(self) -> None:
        """Tell it to end, and wait; a judge that does not is killed."""
        self._told.set()
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(END_S_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._line.close()

    def _is_ready(self) -> bool:
        self._line.settimeout(READY_S_MAX)
        with contextlib.suppress(OSError):
            said = self._line.recv(1)
            self._line.settimeout(None)
            return said == _READY
        return False

    def _listen(self, when_gone: Callable[[], object]) -> None:
        if not self._lives_on():
            _log.critical("worker.judge_stands_still", for_s=STANDS_S_MAX)
            self._process.kill()
        if not self._told.is_set():
            self.gone = True
            _log.critical("worker.judge_gone", status=self._process.wait())
            when_gone()

    def _lives_on(self) -> bool:
        """False as soon as it stands still; True when it has ended."""
        # In two halves: where both of us stood still, it has its time to say so after that.
        self._line.settimeout(STANDS_S_MAX / 2)
        missed = 0
        with contextlib.suppress(ConnectionError):
            while missed < _HALVES:
                try:
                    if not self._line.recv(_SIGNS_MAX):
                        return True
                    missed = 0
                except TimeoutError:
                    missed += 1
            return False
        return True


class Line:
    """The judge's own end of the line. `stop` is set once whoever started it is gone. UserError where there is no line."""

    def __init__(self, stop: threading.Event) -> None:
        try:
            self._line = socket.socket(fileno=os.dup(_STANDARD_INPUT))
        except OSError as error:
            raise UserError("--beside is for a worker that starts another; say --only judge") from error
        self._stop = stop

    def ready(self) -> None:
        """Say that the work has begun, and listen from now on."""
        with contextlib.suppress(OSError):
            self._line.sendall(_READY)
        threading.Thread(target=self._listen, name="line", daemon=True).start()

    def _listen(self) -> None:
        """Until the other end is closed: nobody says anything on it. A sign of life every so often."""
        self._line.settimeout(SIGN_EVERY_S)
        with contextlib.suppress(OSError):
            while True:
                try:
                    if not self._line.recv(_SIGNS_MAX):
                        break
                except TimeoutError:
                    # Who stands still itself does not read, and its line fills: that is no reason to end.
                    with contextlib.suppress(TimeoutError):
                        self._line.sendall(_SIGN)
        self._stop.set()
