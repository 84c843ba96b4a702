"""The steps of an update, each of which may be the last before the power goes.

Whatever is left then, `Updater.run` at the next start goes on from it: half an environment is made anew, a trial is watched to
its end, and a version that does not prove itself is taken back.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from gateway.errors import UserError
from gateway.health import PatientState
from gateway.pulse import NoPulse, Pulse
from gateway.update.release import BYTES_MAX, CONSTRAINTS, DESCRIPTION, WHEELS, Release, verify
from gateway.update.rollout import may_install, proven
from gateway.update.slots import Slots

#: Between two looks at a version on trial.
LOOK_EVERY_S: Final = 2.0
#: An environment, on the slowest machine and card.
MAKE_S_MAX: Final = 1800.0
RESTART_S_MAX: Final = 180.0
CHECK_S_MAX: Final = 120.0
#: Longer than any session; a device that never ends one must not hold up a mended program.
QUIET_S_MAX: Final = 120.0
RESTART: Final = ("systemctl", "restart", "rpm-gateway.service")
INCOMING: Final = "incoming-"


class Result(StrEnum):
    """What became of an update."""

    NOTHING = "nothing to do"
    HELD = "held back"
    KEPT = "kept"
    TAKEN_BACK = "taken back"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result, of which version, and why."""

    result: Result
    version: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Updater:
    """One box. `ask` is its gateway's pulse; `told` is given a line for each step; `config` is its settings' file."""

    slots: Slots
    root: Path
    config: Path
    gateway_id: str
    ask: Callable[[], Pulse | NoPulse]
    told: Callable[[str], None]
    #: How long a version has to prove itself, and how long it must have run by then.
    trial_s: float = 600.0
    settled_s: float = 60.0

    def run(self, folder: Path | None, key: Callable[[], Ed25519PublicKey]) -> Outcome:
        """Settle a trial that is under way; else try the release in `folder`, if there is one and it is this box's turn.

        UserError where the release cannot be used; nothing is changed then.
        """
        if (version := self.slots.on_trial) is not None:
            self.told(f"{version} is on trial")
            return self._judge(version, listened=True)
        self._sweep()
        if folder is None or not folder.is_dir():
            return Outcome(Result.NOTHING, None, "no release is offered")
        with self._copied(folder) as copy:
            release = verify(copy, key())
            pulse = self.ask()
            decision = may_install(
                release,
                installed=self.slots.installed(self.slots.version("good")),
                gateway_id=self.gateway_id,
                pulse=pulse,
                trials=self.slots.trials(release.version),
                free_bytes=shutil.disk_usage(self.root).free,
            )
            self.told(decision.reason)
            if not decision.go:
                return Outcome(Result.HELD, release.version, decision.reason)
            if not self.slots.is_whole(release.version):
                self._make(release, copy)
        self._check(release.version)
        self._until_quiet()
        self.slots.point("current", release.version)
        self._restart()
        return self._judge(release.version, listened=isinstance(pulse, Pulse) and pulse.scanning)

    def _judge(self, version: str, *, listened: bool) -> Outcome:
        """Wait until a version has proven itself, and keep it; or until its time is over, and go back."""
        ends_at = time.monotonic() + self.trial_s
        while True:
            decision = proven(self.ask(), version=version, settled_s=self.settled_s, listened=listened)
            if decision.go:
                before = self.slots.version("good")
                self.slots.point("good", version)
                self.slots.clear_away(keep={before})
                return Outcome(Result.KEPT, version, decision.reason)
            if time.monotonic() >= ends_at:
                break
            time.sleep(LOOK_EVERY_S)
        self.slots.count_trial(version)
        self.slots.point("current", self.slots.version("good"))
        self._restart()
        return Outcome(Result.TAKEN_BACK, version, decision.reason)

    @contextlib.contextmanager
    def _copied(self, folder: Path) -> Generator[Path]:
        """The release where nobody else can change it between the check and its use."""
        copy = Path(tempfile.mkdtemp(prefix=INCOMING, dir=self.root))
        try:
            if sum(path.lstat().st_size for path in folder.rglob("*")) > BYTES_MAX:
                raise UserError(f"{folder} is too large for a release")
            shutil.copytree(folder, copy, symlinks=True, dirs_exist_ok=True)
            yield copy
        except (OSError, shutil.Error) as error:
            raise UserError(f"{folder} cannot be read: {type(error).__name__}") from error
        finally:
            shutil.rmtree(copy, ignore_errors=True)

    def _sweep(self) -> None:
        for left in self.root.glob(INCOMING + "*"):
            shutil.rmtree(left, ignore_errors=True)

    def _make(self, release: Release, copy: Path) -> None:
        """The environment, from the release's wheels and nothing else. UserError where it cannot be made."""
        folder = self.slots.folder(release.version)
        self.told(f"making {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(exist_ok=True)
        # Not this environment's own name for Python: the new one must outlive it.
        python = os.path.realpath(sys.executable)
        _do("make an environment", MAKE_S_MAX, python, "-m", "venv", str(folder))
        _do(
            f"install {release.version}: is a wheel missing for this machine?",
            MAKE_S_MAX,
            str(folder / "bin" / "python"),
            *("-m", "pip", "--disable-pip-version-check", "--no-input", "--no-cache-dir", "install", "--quiet"),
            *("--no-index", "--only-binary", ":all:", "--find-links", str(copy / WHEELS)),
            *("--constraint", str(copy / CONSTRAINTS), f"rpm-pipeline[gateway]=={release.version}"),
        )
        self.slots.make_whole(release.version, copy / DESCRIPTION)

    def _check(self, version: str) -> None:
        """UserError where the new version cannot use this home's settings: it would not come up."""
        done = _run(CHECK_S_MAX, str(self.slots.folder(version) / "bin" / "rpm-gateway"), "status", str(self.config))
        if done.returncode not in {0, 1}:
            raise UserError(f"{version} cannot use this home's settings: {_last_line(done)}")

    def _until_quiet(self) -> None:
        """Wait until no device is being listened to: the frame in flight at a restart is lost with devices that forget it."""
        ends_at = time.monotonic() + QUIET_S_MAX
        while isinstance(pulse := self.ask(), Pulse) and pulse.state is PatientState.MEASURING:
            if time.monotonic() >= ends_at:
                return
            time.sleep(LOOK_EVERY_S)

    def _restart(self) -> None:
        """Have systemd start what `current` names. A failure is told, and no more: the trial, or its end, decides."""
        try:
            _do("restart the gateway", RESTART_S_MAX, *RESTART)
        except UserError as error:
            self.told(str(error))


def _do(what: str, seconds_max: float, *command: str) -> None:
    """Run a program; UserError, with the last thing it said, where it fails."""
    done = _run(seconds_max, *command)
    if done.returncode:
        raise UserError(f"cannot {what}: {_last_line(done)}")


def _run(seconds_max: float, *command: str) -> subprocess.CompletedProcess[str]:
    try:
        # Programs of this box, named by files that are root's.
        return subprocess.run(command, capture_output=True, text=True, timeout=seconds_max, check=False)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"cannot run {command[0]}: {type(error).__name__}") from error


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    return (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
