"""Ends a program that hangs, so that somebody starts it again: also without systemd, and also where its loop is what hangs.

Two keepers, each for what the other cannot see. A thread looks whether every part took its turn (`turns`); where one did not, it
says where everything stands, leaves a note for the next start, and ends the process. And faulthandler's timer, which needs
no Python to run, ends a process in which not even that thread gets its turn.

`os._exit`, for nothing that hangs can be asked to tidy up. That costs nothing: whatever was kept is on the disk (kill -9 is
tested for the same), and a device that was not confirmed sends again.
"""

import asyncio
import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Final, cast

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from gateway.recovery import boot_id, uptime_s
from gateway.small_file import read_json, write_json
from gateway.turns import Late, Turns

log = structlog.get_logger()

#: Between two looks.
LOOK_S: Final = 1.0
#: Looks further apart than this: the whole process stood still, and nobody is to blame.
STOOD_STILL_S: Final = 5.0
#: Not one look for so long: the timer that needs no Python ends the process. Before systemd's 60 s, for its last words' sake.
STUCK_S_MAX: Final = 50.0
#: Of a task that waits for what waits for what …
FRAMES_MAX: Final = 24


class LastWords(BaseModel):
    """What a program that hung left for the next one: which part, since when, on which start of the machine."""

    model_config = ConfigDict(frozen=True)

    part: str
    late_s: float
    boot: str
    #: Seconds since the machine started, when the program ended.
    ended_at_s: float


def last_words(file: Path) -> LastWords | None:
    """What the program before this one left, once: the note is gone when this returns. None where it ended well."""
    try:
        found = read_json(file)
        file.unlink(missing_ok=True)
        return None if found is None else LastWords.model_validate(found)
    except (OSError, ValueError, ValidationError) as error:
        log.warning("last_words_unreadable", error=type(error).__name__)
        return None


class Watchdog:
    """Looks after one Turns in a thread of its own, until the process ends. `status`: the process's exit status then."""

    def __init__(
        self,
        turns: Turns,
        *,
        file: Path,
        status: int,
    ) -> None:
        self._turns = turns
        self._file = file
        self._status = status
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._look_on, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look. Called on the program's loop, whose tasks are what the last words are about."""
        self._loop = asyncio.get_running_loop()
        # systemd's own watchdog ends with SIGABRT: then, too, the journal says where everything stood.
        faulthandler.enable()
        self._thread.start()

    def _look_on(self) -> None:
        looked_at_s = time.monotonic()
        # Not time.sleep: where a wall clock is moved beneath the process (libfaketime) that can fail, and this must go on.
        pause = threading.Event()
        while True:
            faulthandler.dump_traceback_later(STUCK_S_MAX, exit=True)
            pause.wait(LOOK_S)
            gap_s, looked_at_s = time.monotonic() - looked_at_s, time.monotonic()
            if gap_s > STOOD_STILL_S:
                log.warning("process_stood_still", for_s=round(gap_s, 1))
                self._turns.forgive(gap_s)
            late = self._turns.late()
            if late is not None:
                self._last_words(late)
                os._exit(self._status)

    def _last_words(self, late: Late) -> None:
        """On the journal and on the disk. Whatever hangs here as well, the timer ends."""
        words = LastWords(part=late.part, late_s=late.late_s, boot=boot_id(), ended_at_s=uptime_s())
        write_json(self._file, words.model_dump())
        log.critical("gateway_hangs", part=late.part, late_s=round(late.late_s, 1), status=self._status)
        # The tasks are another thread's, which may be running: what cannot be had is left out.
        with contextlib.suppress(RuntimeError):
            for task in asyncio.all_tasks(self._loop):
                log.critical("task_stands", task=task.get_name(), at=where(task.get_coro()))
        faulthandler.dump_traceback(file=sys.__stderr__ or sys.stderr, all_threads=True)


def where(coroutine: object) -> list[str]:
    """Where a coroutine waits, outermost first: file, line and function of each; never a value."""
    stands: list[str] = []
    awaited = cast(Awaitable[object] | None, coroutine)
    while awaited is not None and len(stands) < FRAMES_MAX:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is None:
            break
        stands.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return stands
