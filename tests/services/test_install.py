"""deploy/gateway as an installer meets it: the project's own wheel, in an environment that has nothing else, below a folder
that stands for a machine's root.

Wheels of what the gateway needs come from pip's index once, and are then kept beside the servers. Stood in for: useradd and
systemctl (they would change this machine), and bluetoothctl (BlueZ need not be on it).
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.update.release import Release, read, sign
from tests.support.certifier import Authority, Certifier, HttpsServer
from tests.support.provisioning import ROOT, run_script
from tests.support.small_release import Maker
from tests.support.tree import files
from tests.unit.gateway.test_settings import GOOD, write

HERE = ROOT / "deploy" / "gateway"
INSTALL = HERE / "install.sh"
LOCAL = Path(os.environ.get("RPM_LOCAL", ROOT / ".local"))
UNITS = ("rpm-gateway.service", "rpm-gateway-update.service", "rpm-gateway-update.timer")
#: What systemd-analyze may call it, of 100: 0 is locked in, 100 is not at all.
EXPOSURE_MAX = {"rpm-gateway.service": 20, "rpm-gateway-update.service": 55}
CODE = "7K2M-9QXA-B3TD-01ZE"
#: Nothing of the cloud, of the virtual radio, or of the tests is on a box.
NOT_ON_A_BOX = {"psycopg", "psycopg-binary", "fastapi", "numpy", "bumble", "sqlalchemy", "uvicorn", "pytest", "apprise"}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Maker]:
    """A release of this tree, signed: the project's wheel and those of what the gateway needs."""
    folder = tmp_path_factory.mktemp("made")
    for path in files():
        target = folder / "tree" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, target)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    build = [*pip, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*build, "--wheel-dir", folder / "wheels", folder / "tree"], check=True, timeout=120)
    (ours,) = (folder / "wheels").glob("*.whl")
    wanted = hashlib.sha256((ROOT / "constraints.txt").read_bytes() + (ROOT / "pyproject.toml").read_bytes())
    kept = LOCAL / f"gateway-wheels-{sys.version_info.minor}-{wanted.hexdigest()[:16]}"
    if not kept.is_dir():
        new = kept.with_name(f"{kept.name}.{os.getpid()}")
        fetch = [*pip, "download", "--quiet", "--only-binary", ":all:", "--constraint", ROOT / "constraints.txt"]
        subprocess.run([*fetch, "--dest", new, f"rpm-pipeline[gateway] @ {ours.as_uri()}"], check=True, timeout=300)
        for copy in new.glob("rpm_pipeline-*"):
            copy.unlink()
        try:
            new.rename(kept)
        except OSError:  # another run was quicker
            shutil.rmtree(new)
    for wheel in kept.iterdir():
        shutil.copy(wheel, folder / "wheels")
    shutil.copy(ROOT / "constraints.txt", folder)
    shutil.rmtree(folder / "tree")
    maker = Maker(Ed25519PrivateKey.generate())
    sign(folder, Release(version=ours.name.split("-")[1], number=1, stage_percent=100), maker.key)
    return folder, maker


class Machine:
    """The root of a machine, and the programs that are stood in for: `asked` is what they were asked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._log = root.parent / "asked"
        programs = root.parent / "programs"
        programs.mkdir()
        adds = f'echo "rpm-gateway:x:999:999::/var/lib/rpm-gateway:/usr/sbin/nologin" >> {root}/etc/passwd'
        for name, does in (("systemctl", ""), ("useradd", adds), ("bluetoothctl", "echo 'bluetoothctl: 5.66'")):
            (programs / name).write_text(f'#!/bin/sh\necho "{name} $*" >> {self._log}\n{does}\n')
            (programs / name).chmod(0o755)
        (root / "etc").mkdir(parents=True)
        (root / "etc" / "os-release").write_text('PRETTY_NAME="Raspbian GNU/Linux 12"\nID=raspbian\nID_LIKE=debian\n')
        (root / "etc" / "passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"}

    def install(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [INSTALL, *words, "--root", self.root, "--python", sys.executable],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )

    @property
    def asked(self) -> list[str]:
        return [line for line in self._log.read_text().splitlines() if not line.startswith("bluetoothctl")]

    def files(self) -> dict[str, bytes]:
        """What is on the disk, environments left out: a link by where it leads."""
        return {
            path.relative_to(self.root).as_posix(): str(path.readlink()).encode()
            if path.is_symlink()
            else path.read_bytes()
            for path in self.root.rglob("*")
            if (path.is_symlink() or path.is_file()) and "versions" not in path.parts
        }

    def gateway(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        """What is installed, as a person types it."""
        program = self.root / "opt" / "rpm" / "current" / "bin" / "rpm-gateway"
        return subprocess.run([program, *words], capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, release: tuple[Path, Maker]) -> Machine:
    folder, maker = release
    made = Machine(tmp_path_factory.mktemp("machine") / "root")
    key = maker.public(made.root.parent / "key.pem")
    done = made.install("install", "--release", folder, "--key", key)
    assert (done.returncode, done.stderr) == (0, "")
    return made


def test_what_is_installed_has_all_the_gateway_needs_and_nothing_of_the_cloud(machine: Machine) -> None:
    python = machine.root / "opt" / "rpm" / "current" / "bin" / "python"
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    names = {package["name"].lower() for package in json.loads(listed.stdout)}
    assert {"rpm-pipeline", "bleak", "paho-mqtt", "cryptography"} <= names
    assert names & NOT_ON_A_BOX == set()


def test_it_is_a_program_an_installer_can_use(machine: Machine, tmp_path: Path) -> None:
    told = machine.gateway("--help")
    assert told.returncode == 0
    for verb in ("decode", "display", "outbox", "run", "scan", "status", "update"):
        assert f" {verb} " in told.stdout
        helped = machine.gateway(verb, "--help")
        assert (helped.returncode, helped.stderr) == (0, "")
    decoded = machine.gateway("decode", "2A35", "00780050005d00")
    assert json.loads(decoded.stdout)["quantities"]["systolic"]["value"] == 120
    config = write(tmp_path, GOOD.replace("kept/", ""))
    well = machine.gateway("status", config)
    assert (well.returncode, well.stderr, "it does not run" in well.stdout) == (1, "", True)
    for verb in ("run", "status", "scan"):
        wrong = machine.gateway(verb, write(tmp_path, "lamp = 1\n" + GOOD))
        assert (wrong.returncode, wrong.stdout) == (2, "")
        assert "lamp: there is no such setting" in wrong.stderr
        assert wrong.stderr.count("\n") == 1


def test_the_readmes_steps_from_the_example_to_an_enrolled_box(machine: Machine, tmp_path: Path) -> None:
    """Steps 5, 6 and 9 by the program that was installed; the example's places are below this machine's root."""
    clinic = Authority("Clinic CA")
    certifier = Certifier(Authority("gateways"), clinic.pem, "mqtts://127.0.0.1:8883", {CODE: "gw-home-a"})
    config = tmp_path / "gateway.toml"
    example = (machine.root / "etc" / "rpm" / "gateway.toml.example").read_text("utf-8")
    config.write_text(example.replace("/var/lib/rpm-gateway", str(tmp_path)), "utf-8")
    assert "rpm-gateway enrol" in machine.gateway("status", config).stderr, "not enrolled, it says what to do"
    with HttpsServer(certifier, *clinic.certify_server(tmp_path, "web", "127.0.0.1")) as cloud:
        ca = clinic.write(tmp_path, "ca.pem")
        done = machine.gateway("enrol", config, "--cloud", cloud.url, "--ca", ca, "--code", CODE)
    assert (done.returncode, done.stderr, "This box is gw-home-a until" in done.stdout) == (0, "", True)
    assert "it does not run" in machine.gateway("status", config).stdout


def test_a_virtual_radio_that_is_not_there_is_one_line(machine: Machine, tmp_path: Path) -> None:
    config = write(tmp_path, GOOD.replace("kept/", ""))
    done = machine.gateway("run", config)
    assert done.returncode == 2
    assert "rpm-pipeline[virtual]" in done.stderr.splitlines()[-1]


def test_everything_is_where_the_readme_says_and_a_second_run_changes_nothing(
    machine: Machine, release: tuple[Path, Maker]
) -> None:
    folder, _ = release
    version = read(folder / "release.json").version
    before = machine.files()
    for path in (
        *(f"etc/systemd/system/{unit}" for unit in UNITS),
        "etc/udev/rules.d/70-rpm-gateway.rules",
        "etc/polkit-1/rules.d/50-rpm-gateway.rules",
        "etc/tmpfiles.d/rpm-gateway.conf",
        "etc/rpm/gateway.toml.example",
        "etc/rpm/release-key.pem",
        "opt/rpm/README.md",
    ):
        assert before[path]
    assert before["opt/rpm/current"] == before["opt/rpm/good"] == f"versions/{version}".encode()
    assert before["usr/local/bin/rpm-gateway"] == b"/opt/rpm/current/bin/rpm-gateway"
    assert "etc/rpm/gateway.toml" not in before
    assert [line.split()[0] for line in machine.asked] == ["useradd", "systemctl"]
    (machine.root / "etc" / "rpm" / "gateway.toml").write_text("a person's own")
    again = machine.install("install", "--release", folder)
    assert (again.returncode, again.stderr) == (0, "")
    assert "is there already" in again.stdout
    assert machine.files() == {**before, "etc/rpm/gateway.toml": b"a person's own"}
    assert [line.split()[0] for line in machine.asked] == ["useradd", "systemctl", "systemctl"], "one account"


def test_it_goes_and_what_people_would_miss_stays(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "root")
    maker = Maker(Ed25519PrivateKey.generate())
    key = maker.public(tmp_path / "key.pem")
    done = machine.install("install", "--release", maker.release(tmp_path / "release", 1), "--key", key)
    assert (done.returncode, done.stderr) == (0, "")
    kept = {"etc/rpm/gateway.toml": b"settings", "var/lib/rpm-gateway/outbox.sqlite3": b"readings"}
    for path, data in kept.items():
        (machine.root / path).parent.mkdir(parents=True, exist_ok=True)
        (machine.root / path).write_bytes(data)
    done = machine.install("uninstall")
    assert (done.returncode, done.stderr) == (0, "")
    system = {"etc/os-release", "etc/passwd"}
    assert {path: data for path, data in machine.files().items() if path not in system} == {
        **kept,
        "etc/rpm/release-key.pem": key.read_bytes(),
    }
    assert not (machine.root / "opt" / "rpm").exists()
    assert machine.install("uninstall").returncode == 0, "once more is no error"


@pytest.mark.parametrize(
    "words, told",
    [
        ((), "--release FOLDER and --wheels FOLDER"),
        (("--release", "nowhere"), "needs --key FILE"),
        (("--wheels", "nowhere"), "there is no folder nowhere"),
        (("--wheels",), "needs a value"),
        (("--colour", "red"), "unknown option '--colour'"),
    ],
)
def test_a_slip_of_the_fingers_is_one_line_and_changes_nothing(
    tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    machine = Machine(tmp_path / "root")
    before = machine.files()
    done = subprocess.run(
        [INSTALL, "install", "--root", machine.root, *words],
        env=machine.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, told in done.stderr, done.stderr.count("\n")) == (2, True, 1)
    assert machine.files() == before


@pytest.mark.parametrize(
    "lacks, remedy",
    [
        ("debian", "is not Debian or Raspberry Pi OS"),
        ("python", "no Python 3.11 or newer"),
        ("bluez", "apt install bluez"),
    ],
)
def test_a_machine_that_will_not_do_is_told_what_it_lacks(tmp_path: Path, lacks: str, remedy: str) -> None:
    machine = Machine(tmp_path / "root")
    assert machine.install("check").returncode == 0
    arguments: list[str | Path] = [INSTALL, "check", "--root", machine.root]
    path = machine.environment["PATH"]
    if lacks == "debian":
        (machine.root / "etc" / "os-release").write_text('PRETTY_NAME="Other Linux"\nID=other\n')
    elif lacks == "python":
        arguments += ["--python", "/bin/false"]
    else:
        (tmp_path / "programs" / "bluetoothctl").unlink()
        path = f"{tmp_path / 'programs'}:{_without_bluez(tmp_path)}"
    done = subprocess.run(
        arguments, env={**machine.environment, "PATH": path}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if "!!" in line]
    assert remedy in done.stdout


def _without_bluez(folder: Path) -> Path:
    """The programs install.sh asks for, where this machine may have BlueZ as well."""
    tools = folder / "tools"
    tools.mkdir()
    for name in ("bash", "sh", "dirname", "realpath", "sed", "grep", "df", "tail", "tr", "python3", "env", "cat"):
        found = shutil.which(name)
        assert found, name
        (tools / name).symlink_to(found)
    return tools


def test_scripts_are_clean() -> None:
    scripts = [*(ROOT / "deploy").glob("*.sh"), INSTALL]
    done = subprocess.run(
        [Path(sys.executable).with_name("shellcheck"), "-x", *scripts],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("unit", UNITS)
def test_systemd_takes_the_unit_as_it_is_meant(tmp_path: Path, unit: str) -> None:
    """Every line is one systemd knows, in the section it belongs to; the program itself is not on this machine."""
    for name in UNITS:
        lines = (HERE / name).read_text().splitlines()
        told = [line.split(" ")[0].replace("/opt/rpm/current/bin/rpm-gateway", "/bin/true") for line in lines]
        told = [line.replace("/opt/rpm/good/bin/rpm-gateway", "/bin/true") for line in told]
        whole = [short if line.startswith("Exec") else line for line, short in zip(lines, told, strict=True)]
        (tmp_path / name).write_text("\n".join(whole) + "\n")
    done = _analyze("verify", tmp_path / unit, units=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", list(EXPOSURE_MAX))
def test_the_unit_is_locked_in(unit: str) -> None:
    done = _analyze("security", "--offline=true", f"--threshold={EXPOSURE_MAX[unit]}", "--no-pager", HERE / unit)
    assert done.returncode == 0, done.stdout


def test_the_unit_leaves_what_the_gateway_asks_the_kernel_for() -> None:
    """The clock's state (adjtimex) and the lamps: both were forbidden once, and nothing but a box would have shown it."""
    unit = (HERE / "rpm-gateway.service").read_text()
    settings = [line for line in unit.splitlines() if "=" in line and not line.startswith("#")]
    allowed = [line.split("=", 1)[1] for line in settings if line.startswith("SystemCallFilter=")]
    assert "adjtimex" in allowed[-1].split(), "after what is forbidden, or it is forbidden again"
    assert "SystemCallErrorNumber=EPERM" in settings
    assert not any(line.startswith("ProtectClock=yes") for line in settings), "it forbids asking, too"
    assert "ReadWritePaths=-/sys/devices/platform" in settings


def _analyze(*words: str | Path, units: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = Path(run_script("tools.sh", "analyze"))
    private = program.parent / "lib" / "systemd" / "system"
    path = f"{units}:{private}" if private.is_dir() else f"{units}:"
    return subprocess.run(
        [program, *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **({"SYSTEMD_UNIT_PATH": path} if units else {})},
    )
