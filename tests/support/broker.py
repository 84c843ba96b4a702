"""A real Mosquitto with the product's own configuration and accounts, on a port of its own."""

import getpass
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import pytest

from rpm.broker import WORKER, accounts, configuration
from rpm.broker.roles import LOAD
from tests.support.provisioning import free_port, run_script

#: Gateways that have an account from the start.
GATEWAYS = ("gw-home-a", "gw-home-b", "gw-home-c")
READY_S_MAX = 30.0


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether a server listens on its port before it ends, and before READY_S_MAX."""
    deadline = time.monotonic() + READY_S_MAX
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return True
    return False


class Broker:
    """One broker. `start`, `stop` and `kill` may follow one another; port, accounts and passwords stay."""

    def __init__(self, folder: Path, *, gateways: tuple[str, ...] = GATEWAYS, load: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        #: `load`: with an account that speaks as any gateway.
        self.passwords = {name: secrets.token_hex(16) for name in (WORKER, *gateways, *([LOAD] if load else []))}
        self._gateways = gateways
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, username: str = WORKER) -> str:
        """`mqtt://user:password@host:port` of one account."""
        return f"mqtt://{username}:{self.passwords[username]}@127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The running broker's process id."""
        assert self._process is not None, "the broker runs"
        return self._process.pid

    @property
    def log(self) -> Path:
        """What the broker says."""
        return self.folder / "mosquitto.log"

    def start(self) -> Self:
        """Start it and wait until it listens; RuntimeError with its last words where it does not."""
        config = self.folder / "mosquitto.conf"
        accounts_file = self.folder / "accounts.json"
        if not config.exists():
            plugin = Path(run_script("provision.sh", "dynsec"))
            passwords = {name: self.passwords[name] for name in self._gateways}
            told = accounts(
                worker_password=self.passwords[WORKER], gateways=passwords, load_password=self.passwords.get(LOAD, "")
            )
            accounts_file.write_text(told, "utf-8")
            accounts_file.chmod(0o600)
            text = configuration(port=self.port, plugin=plugin, accounts_file=accounts_file, run_as=getpass.getuser())
            config.write_text(text + self._more_configuration(), "utf-8")
        program = run_script("provision.sh", "mosquitto")
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [program, "-c", config], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder
            )
        if wait_for_port(self.port, self._process):
            return self
        self.kill()
        last_words = self.log.read_text("utf-8", errors="replace").strip().splitlines()[-3:]
        raise RuntimeError(f"the broker did not start: {' / '.join(last_words)}")

    def _more_configuration(self) -> str:
        """Further lines of mosquitto.conf, for a broker that listens elsewhere too."""
        return ""

    def stop(self) -> None:
        """SIGTERM, and wait."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9, and wait. Persistence is off: it forgets every session and message."""
        self._end(signal.SIGKILL)

    def freeze(self) -> None:
        """SIGSTOP: its sockets stay open, and nobody answers."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            # A frozen one takes the signal once it is thawed.
            self._process.send_signal(signal.SIGCONT)
            self._process.wait(timeout=READY_S_MAX)
            self._process = None


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this test's own, started, with accounts for the workers and for GATEWAYS."""
    started = Broker(tmp_path_factory.mktemp("broker")).start()
    yield started
    started.stop()
