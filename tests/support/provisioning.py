"""The product's own provisioner, asked from a test; and ports nobody uses."""

import os
import subprocess
from pathlib import Path

from rpm.demo.processes import free_port
from tests.support.small_disk import SmallDisk

__all__ = ["INSTALL_S_MAX", "LOCAL", "ROOT", "NotProvided", "free_port", "run_script"]

ROOT = Path(__file__).resolve().parents[2]
LOCAL = Path(os.environ.get("RPM_LOCAL", ROOT / ".local"))
#: Fetching and unpacking on a slow line; afterwards an answer takes a tenth of a second.
INSTALL_S_MAX = 600


class NotProvided(RuntimeError):
    """A server or browser that the tests need cannot be had; the text says what to install."""


def run_script(script: str, *arguments: str, disk: SmallDisk | None = None) -> str:
    """The last line that `deploy/{script}` prints; NotProvided with its own words where it fails. `disk`: it runs inside."""
    command = [str(ROOT / "deploy" / script), *arguments]
    done = subprocess.run(
        disk.inside(command) if disk else command,
        capture_output=True,
        text=True,
        timeout=INSTALL_S_MAX,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        raise NotProvided((done.stderr.strip().splitlines() or [f"{script} failed"])[-1])
    return (done.stdout.strip().splitlines() or [""])[-1]
