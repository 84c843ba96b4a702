"""What the machine knows of its clocks, asked in one place: the wall clock, how long it has run, who vouches for the time."""

import ctypes
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: adjtimex(2): the kernel's clock is not disciplined by anybody. Settimeofday sets it, network time clears it.
STA_UNSYNC: Final = 0x0040
#: struct timex: `modes` (int) at 0, `status` (int) behind offset, freq, maxerror and esterror (long each).
_TIMEX_BYTES: Final = 512
_LONG_BYTES: Final = ctypes.sizeof(ctypes.c_long)
_STATUS_AT: Final = 5 * _LONG_BYTES

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
#: systemd-timesyncd touches it whenever it has set the clock (systemd-timesyncd.service(8)); /run begins empty at each boot.
TIMESYNCD_MARK: Final = Path("/run/systemd/timesync/synchronized")
#: "1" of the clock chip the kernel set its clock from when it started.
CLOCK_CHIPS: Final = Path("/sys/class/rtc")


@dataclass(frozen=True, slots=True)
class Look:
    """One look at the clocks. `running_ns` counts from the machine's start and is never set, also not while it sleeps.

    Who vouches for the wall clock: the kernel (`disciplined`), a file that a time service touches (`mark`: which touch of
    it, None where there is none), or the chip it was set from at the start.
    """

    running_ns: int
    wall_ns: int
    disciplined: bool = False
    mark: int | None = None
    chip: bool = False


class Machine:
    """The machine we run on. With a `mark_file` of the settings, that file alone vouches for the time."""

    def __init__(self, mark_file: Path | None = None) -> None:
        self._only_mark = mark_file is not None
        self._mark_file = mark_file or TIMESYNCD_MARK
        self._adjtimex = None if self._only_mark else _adjtimex()
        self._chip = not self._only_mark and _set_from_a_chip()

    @staticmethod
    def boot_id() -> str:
        """The kernel's name for this boot; one that holds until the next start where it gives none."""
        try:
            return BOOT_ID.read_text("ascii").strip()
        except OSError:
            return f"unnamed-{time.clock_gettime_ns(time.CLOCK_REALTIME) - running_ns()}"

    def look(self) -> Look:
        """The clocks now."""
        return Look(running_ns(), time.time_ns(), self._disciplined(), self._mark(), self._chip)

    def _disciplined(self) -> bool:
        if self._adjtimex is None:
            return False
        timex = ctypes.create_string_buffer(_TIMEX_BYTES)
        if self._adjtimex(timex) < 0:
            return False
        status = int.from_bytes(timex.raw[_STATUS_AT : _STATUS_AT + 4], "little")
        return not status & STA_UNSYNC

    def _mark(self) -> int | None:
        try:
            return self._mark_file.stat().st_mtime_ns
        except OSError:
            return None


def running_ns() -> int:
    """How long the machine has run: CLOCK_BOOTTIME, the same for every process, and not stopped by sleep."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def _adjtimex() -> "ctypes._NamedFuncPointer | None":  # pyright: ignore[reportPrivateUsage]
    """The C library's adjtimex; None where it has none."""
    return getattr(ctypes.CDLL(None, use_errno=True), "adjtimex", None)


def _set_from_a_chip() -> bool:
    try:
        return any((chip / "hctosys").read_text("ascii").strip() == "1" for chip in CLOCK_CHIPS.iterdir())
    except OSError:
        return False
