"""A box is updated, by itself: real wheels in real environments, the real installer, processes that are really killed.

systemd is stood in for by a script that ends the program and starts what `current` names, as the unit does. The versions are
small: each answers as a gateway would, and is broken in one way. One box for all tests: each offers it the next release.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.pulse import NoPulse, Pulse, ask
from gateway.update.rollout import TRIALS_MAX
from tests.support.provisioning import ROOT
from tests.support.small_release import Maker, trials
from tests.unit.gateway.test_settings import GOOD

INSTALL = ROOT / "deploy" / "gateway" / "install.sh"
WAIT_S_MAX = 30.0
#: A sound version does so at once; its process has to be started first.
PROVES_ITSELF_S_MAX = 60.0
SYSTEMCTL = """#!/bin/bash
case "$*" in
  *enable*) exit 0 ;;
esac
if [ -e "$BOX/cut" ]; then rm "$BOX/cut"; kill -9 "$PPID"; exit 1; fi
[ ! -e "$BOX/pid" ] || kill -9 "$(cat "$BOX/pid")" 2>/dev/null || true
setsid "$BOX/opt/rpm/current/bin/rpm-gateway" run "$BOX/gateway.toml" >/dev/null 2>&1 </dev/null &
echo $! >"$BOX/pid"
"""


class Box:
    """A machine below a folder, with the first release on it."""

    def __init__(self, folder: Path, maker: Maker) -> None:
        self.folder = folder
        self.maker = maker
        self.root = folder / "opt" / "rpm"
        self._numbers = itertools.count(1)
        self._programs = folder / "programs"
        self._programs.mkdir()
        for name, text in (
            ("systemctl", SYSTEMCTL),
            ("useradd", "#!/bin/sh\n"),
            ("bluetoothctl", "#!/bin/sh\necho 'bluetoothctl: 5.66'\n"),
        ):
            (self._programs / name).write_text(text)
            (self._programs / name).chmod(0o755)
        (folder / "etc").mkdir()
        (folder / "etc" / "os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n')
        (folder / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (folder / "gateway.toml").write_text(GOOD.replace("kept/", ""))

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": f"{self._programs}:{os.environ['PATH']}", "BOX": str(self.folder)}

    def release(self, *, manners: str = "well", stage_percent: int = 100) -> tuple[str, Path]:
        """The next release: its version, and where it is."""
        number = next(self._numbers)
        made = self.maker.release(
            self.folder / f"release-{number}", number, manners=manners, stage_percent=stage_percent
        )
        return f"0.{number}.0", made

    def install(self) -> None:
        version, release = self.release()
        key = self.maker.public(self.folder / "key.pem")
        done = subprocess.run(
            [INSTALL, "install", "--root", self.folder, "--release", release, "--key", key, "--python", sys.executable],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (self.links, done.stderr) == ((version, version), "")

    def boot(self) -> None:
        """The machine starts, and systemd the gateway."""
        subprocess.run([self._programs / "systemctl", "restart"], env=self.environment, check=True)

    def update(
        self, release: Path | None = None, *, seconds: float = PROVES_ITSELF_S_MAX
    ) -> subprocess.CompletedProcess[str]:
        """What the timer starts. `seconds`: how long a version has to prove itself; one that cannot is given few."""
        arguments = [sys.executable, "-m", "gateway", "update", self.folder / "gateway.toml", "--root", self.root]
        arguments += ["--minutes", str(seconds / 60), "--settled", "0.2", "--key", self.folder / "key.pem"]
        arguments += [] if release is None else ["--release", release]
        return subprocess.run(
            arguments, env=self.environment, capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
        )

    @property
    def links(self) -> tuple[str, str]:
        """What runs, and what is good."""
        return (self.root / "current").readlink().name, (self.root / "good").readlink().name

    @property
    def running(self) -> str | None:
        """The version that answers."""
        deadline = time.monotonic() + WAIT_S_MAX
        while isinstance(pulse := ask(self.folder / "outbox.sqlite3.sock"), NoPulse):
            if time.monotonic() > deadline:
                return None
            time.sleep(0.1)
        assert isinstance(pulse, Pulse)
        return pulse.heartbeat.version

    def close(self) -> None:
        if (self.folder / "pid").exists():
            os.kill(int((self.folder / "pid").read_text()), signal.SIGKILL)


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    made = Box(tmp_path_factory.mktemp("box"), Maker(Ed25519PrivateKey.generate()))
    made.install()
    made.boot()
    yield made
    made.close()


@pytest.fixture
def good(box: Box) -> str:
    """The version that works, and runs, before a test begins."""
    version, runs = box.links[1], box.running
    assert (box.links, runs) == ((version, version), version)
    return version


def test_a_version_that_proves_itself_is_kept_and_the_one_before_it_stays_at_hand(box: Box, good: str) -> None:
    version, release = box.release()
    done = box.update(release)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == f"kept: {version}: it runs, hears, and its heartbeat was taken"
    assert (box.links, box.running) == ((version, version), version)
    assert {folder.name for folder in (box.root / "versions").iterdir()} == {version, good}
    again = box.update(release)
    assert again.stdout.splitlines()[-1].startswith(f"held back: {version}: {version} is installed")


def test_a_version_whose_heartbeat_nobody_takes_is_taken_back(box: Box, good: str) -> None:
    """F15. That it runs and answers is not enough."""
    version, release = box.release(manners="mute")
    # It must have been heard by then: what is said of it is that it lacks the heartbeat.
    done = box.update(release, seconds=10.0)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout.splitlines()[-1] == f"taken back: {version}: no heartbeat of it was taken by the practice's broker"
    )
    assert (box.links, box.running) == ((good, good), good)
    assert trials(box.root)[version] == 1


def test_a_version_that_fails_time_and_again_is_let_alone(box: Box, good: str) -> None:
    version, release = box.release(manners="dies")
    (box.root / "trials.json").write_text(json.dumps({version: TRIALS_MAX - 1}))
    assert "taken back" in box.update(release, seconds=0.0).stdout
    assert "was tried 3 times" in box.update(release, seconds=0.0).stdout
    assert (box.links, box.running) == ((good, good), good)


def test_a_version_that_cannot_use_this_homes_settings_never_runs(box: Box, good: str) -> None:
    _, release = box.release(manners="picky")
    done = box.update(release)
    assert (done.returncode, "cannot use this home's settings" in done.stderr) == (2, True)
    assert done.stderr.count("\n") == 1
    assert (box.links, box.running) == ((good, good), good)


@pytest.mark.parametrize("manners", ["well", "hangs"])
def test_a_power_cut_right_after_the_switch_is_gone_on_from(box: Box, good: str, manners: str) -> None:
    """kill -9 between the link and the restart; then the machine starts, with the version on trial, and the timer runs."""
    version, release = box.release(manners=manners)
    (box.folder / "cut").touch()
    assert box.update(release).returncode == -signal.SIGKILL
    assert box.links == (version, good), "cut in the middle of a trial"
    box.boot()
    done = box.update(None, seconds=PROVES_ITSELF_S_MAX if manners == "well" else 3.0)
    assert done.returncode == 0
    kept = version if manners == "well" else good
    assert (box.links, box.running) == ((kept, kept), kept)


@pytest.mark.usefixtures("good")
def test_a_power_cut_while_an_environment_is_made_leaves_nothing_that_counts(box: Box) -> None:
    version, release = box.release()
    half = box.root / "versions" / version
    (half / "bin").mkdir(parents=True)
    (half / "bin" / "python").write_text("half of a file")
    left = box.root / "incoming-left"
    left.mkdir()
    assert "kept" in box.update(release).stdout
    assert (box.links, box.running) == ((version, version), version)
    assert not left.exists()


def test_a_box_whose_turn_is_later_waits_for_the_next_stage(box: Box, good: str) -> None:
    _, release = box.release(stage_percent=0)
    done = box.update(release)
    assert (done.returncode, "its turn is later: 0 % of all boxes" in done.stdout) == (0, True)
    assert box.links == (good, good)


@pytest.mark.parametrize(
    "spoil, told",
    [
        ("strangers key", "is not signed with the key this box trusts"),
        ("another wheel", "is not signed: do not use it"),
        ("changed wheel", "is not as it was signed"),
        ("missing wheel", "is missing"),
        ("changed stage", "is not as it was signed"),
        ("a link", "neither a file nor a folder"),
    ],
)
def test_a_release_that_was_tampered_with_is_refused_by_the_box_and_by_the_installer(
    box: Box, good: str, spoil: str, told: str
) -> None:
    _, release = box.release()
    (wheel,) = (release / "wheels").glob("*.whl")
    if spoil == "strangers key":
        (release / "SHA256SUMS.sig").write_bytes(
            Ed25519PrivateKey.generate().sign((release / "SHA256SUMS").read_bytes())
        )
    elif spoil == "another wheel":
        (release / "wheels" / "rpm_pipeline-9.9-py3-none-any.whl").write_bytes(wheel.read_bytes())
    elif spoil == "changed wheel":
        wheel.write_bytes(wheel.read_bytes() + b"\0")
    elif spoil == "missing wheel":
        wheel.unlink()
    elif spoil == "a link":
        (release / "wheels" / "link.whl").symlink_to(wheel)
    else:
        description = release / "release.json"
        description.write_text(description.read_text().replace('"stage_percent":100', '"stage_percent":99'))
    done = box.update(release)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1
    installer = subprocess.run(
        [INSTALL, "install", "--root", box.folder, "--release", release, "--key", box.folder / "key.pem"],
        env=box.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert installer.returncode == 2
    assert (box.links, box.running) == ((good, good), good)
