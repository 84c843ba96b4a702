"""A machine without a clock chip, made of this one: its wall clock says what a test says, and each boot is a boot of its own.

libfaketime moves the wall clock and leaves the others alone; a time namespace lets the time since the start begin anew, and a
mount namespace gives the boot another id. None of it needs a privilege. What vouches for the clock is a file the test touches.
"""

import os
import subprocess
import time
from pathlib import Path

from tests.support.provisioning import run_script

_ENTER = 'mount --bind "$1" /proc/sys/kernel/random/boot_id && shift && exec "$@"'


class WrongClock:
    """The clocks of one box."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._offset = folder / "faketime"
        self._boot_id = folder / "boot_id"
        self._library = run_script("tools.sh", "faketime")
        self._boots = 0
        self._booted_s = 0.0
        self.mark = folder / "clock.synchronised"
        self.says(behind_s=0)

    def boot(self) -> None:
        """Switch it off and on: /run begins empty, the time since the start at nothing."""
        self._boots += 1
        self._booted_s = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._boot_id.write_text(f"00000000-0000-4000-8000-{self._boots:012}\n")
        self.mark.unlink(missing_ok=True)

    def says(self, *, behind_s: float) -> None:
        """Set the wall clock so far behind the true time, at once and in one piece."""
        new = self._offset.with_suffix(".new")
        new.write_text(f"{-behind_s:+.3f}\n")
        new.replace(self._offset)

    def vouch(self) -> None:
        """A time service has set the clock, and says so."""
        self.says(behind_s=0)
        self.mark.unlink(missing_ok=True)
        self.mark.touch()

    def command(self, *command: str | Path) -> list[str]:
        """The command that runs another inside this boot."""
        enter = ["unshare", "-Ur", "-m", "-T", f"--boottime=-{int(self._booted_s)}"]
        faked = [
            f"LD_PRELOAD={self._library}",
            f"FAKETIME_TIMESTAMP_FILE={self._offset}",
            "FAKETIME_NO_CACHE=1",
            # Waiting goes by a clock that nobody moves; files keep their true times.
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            "DONT_FAKE_MONOTONIC=1",
            "NO_FAKE_STAT=1",
        ]
        return [*enter, "sh", "-c", _ENTER, "sh", str(self._boot_id), "env", *faked, *map(str, command)]

    def shown(self) -> float:
        """The wall clock of this box, seconds since 1970."""
        said = subprocess.run(
            self.command("date", "+%s.%N"), capture_output=True, text=True, check=True, env=os.environ
        )
        return float(said.stdout)
