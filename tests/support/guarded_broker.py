"""A broker as an installation has it: deploy/mosquitto.conf, two authorities, the product's own commands, its guard running.

Only places, addresses and ports of the example are replaced. Gateways come in as the product lets them in; what no
command would sign (a foreign authority's certificate, an ended one) is signed here.
"""

import getpass
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from rpm import claiming
from rpm.access import Actor, Role
from rpm.commands.ca import keeping_lists
from rpm.enrolment import Registrar, enrol
from rpm.identity.authority import Authority, Kind, key_pem, load, make_authority, pem_of, save
from rpm.identity.certificates import GATEWAY_LIFE, client_certificate
from rpm.settings import Settings
from rpm.store.database import Database
from schemas.enrolment import Certified, EnrolRequest
from tests.support.box import Key, csr_of, new_key
from tests.support.broker import wait_for_port
from tests.support.clinic import Clinic
from tests.support.provisioning import ROOT, free_port, run_script

WITHIN_S_MAX = 60.0
ADMIN = "olga"


def eventually(what: Callable[[], bool], *, within_s: float = WITHIN_S_MAX) -> float:
    """Seconds until it is so; fails where it is not in time."""
    begun = time.monotonic()
    while time.monotonic() < begun + within_s:
        if what():
            return time.monotonic() - begun
        time.sleep(0.05)
    raise AssertionError(f"not within {within_s} s")


class Credentials:
    """A certificate and its key as files."""

    def __init__(self, folder: Path, name: str, key: ec.EllipticCurvePrivateKey, chain: str) -> None:
        self.certificate, self.key = folder / f"{name}.crt", folder / f"{name}.key"
        self.certificate.write_text(chain)
        self.key.write_text(key_pem(key))


class GuardedBroker:
    """Broker, guard and whoever signs, over one database. Use as a context manager."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.keys, self.files, self.boxes = folder / "keys", folder / "etc", folder / "boxes"
        self.boxes.mkdir()
        self.gateways, self.services = free_port(), free_port()
        self.log = folder / "mosquitto.log"
        self.clinic = Clinic(database, now=database.clock())
        self.actor = Actor(self.clinic.staff(ADMIN, "admin"), self.clinic.practice_id, Role.ADMIN, "Olga")
        for kind in Kind:
            save(make_authority(kind, now=database.clock()), self.keys)
        self.settings = Settings(dsn=database.dsn, ca_folder=self.keys)
        self._broker: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._lists = ExitStack()
        self._ground = ExitStack()

    def authority(self, kind: Kind) -> Authority:
        """Whose key signs for gateways or for services."""
        return load(self.keys, kind)

    def command(self, *words: str) -> str:
        """Run `rpm-cloud`; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "rpm", *words],
            cwd=ROOT,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _environment(self) -> dict[str, str]:
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("RPM_")},
            "RPM_DSN": self.database.dsn,
            "RPM_CA_FOLDER": str(self.keys),
            "RPM_BROKER_URL": self.url,
            "RPM_BROKER_CERTIFICATE": str(self.files / "guard.crt"),
            "RPM_BROKER_KEY": str(self.files / "guard.key"),
            "RPM_BROKER_CA": str(self.files / "services.crt"),
        }

    @property
    def url(self) -> str:
        """Where services reach the broker."""
        return f"mqtts://127.0.0.1:{self.services}"

    def __enter__(self) -> Self:
        self._ground.enter_context(self._lists)
        self.make_lists()
        self.command("broker", "make", str(self.files), "--host", "127.0.0.1", "--as", ADMIN)
        eventually(lambda: self._lists_in_database() == len(Kind))
        for kind in Kind:
            (self.files / f"{kind}.crl").write_text(self._list_in_database(kind))
        self.start_broker()
        self.start_guard()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_guard()
        self.kill_broker()
        self._ground.close()

    def make_lists(self) -> None:
        """Somebody signs lists of revoked certificates, from now on."""
        self._lists.enter_context(keeping_lists(self.database, self.settings))

    def make_no_lists(self) -> None:
        """Nobody does any more."""
        self._lists.close()

    def _lists_in_database(self) -> int:
        with self.database.transaction() as connection:
            row = connection.execute("select count(distinct authority) as n from revocation_list").fetchone()
        assert row is not None
        return int(row["n"])

    def _list_in_database(self, kind: Kind) -> str:
        with self.database.transaction() as connection:
            row = connection.execute(
                "select pem from revocation_list where authority = %s order by number desc limit 1", [kind]
            ).fetchone()
        assert row is not None
        return str(row["pem"])

    def start_broker(self) -> None:
        """Mosquitto on the example's text."""
        moved = {
            "/usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so": run_script("provision.sh", "dynsec"),
            "/var/lib/mosquitto": str(self.files),
            "/run/mosquitto": str(self.folder),
            "/etc/rpm": str(self.files),
            "listener 8883": f"listener {self.gateways} 127.0.0.1",
            "listener 8884 10.0.0.5": f"listener {self.services} 127.0.0.1",
        }
        text = (ROOT / "deploy" / "mosquitto.conf").read_text("utf-8")
        for place, here in moved.items():
            assert place in text
            text = text.replace(place, here)
        config = self.folder / "mosquitto.conf"
        config.write_text(f"user {getpass.getuser()}\n{text}", "utf-8")
        program = run_script("provision.sh", "mosquitto")
        with self.log.open("ab") as output:
            self._broker = subprocess.Popen([program, "-c", config], stdout=output, stderr=output)
        assert wait_for_port(self.services, self._broker), self.log.read_text("utf-8")

    def listens(self) -> bool:
        """Whether the broker runs: one that has crashed refuses everybody, too."""
        return self._broker is not None and self._broker.poll() is None

    def kill_broker(self) -> None:
        """Kill -9, and wait."""
        if self._broker is not None:
            self._broker.kill()
            self._broker.wait()

    def start_guard(self) -> None:
        """`rpm-cloud broker guard`, as a process of its own; waits until it beats."""
        with (self.folder / "guard.log").open("ab") as output:
            self._guard = subprocess.Popen(
                [
                    *(sys.executable, "-m", "rpm", "broker", "guard", str(self.files)),
                    *("--pid-file", str(self.folder / "mosquitto.pid")),
                ],
                cwd=ROOT,
                env=self._environment(),
                stdout=output,
                stderr=output,
            )
        begun = self.database.clock()

        def beats() -> bool:
            with self.database.transaction() as connection:
                row = connection.execute("select beat_at from heartbeat where stage = 'broker_guard'").fetchone()
            return row is not None and row["beat_at"] >= begun

        eventually(beats)

    def kill_guard(self) -> None:
        """Kill -9, and wait."""
        if self._guard is not None:
            self._guard.kill()
            self._guard.wait()

    def freeze_guard(self) -> None:
        """SIGSTOP."""
        assert self._guard is not None
        self._guard.send_signal(signal.SIGSTOP)

    def thaw_guard(self) -> None:
        """SIGCONT."""
        assert self._guard is not None
        self._guard.send_signal(signal.SIGCONT)

    def register(self, gateway_id: str) -> str:
        """A gateway of the practice."""
        with self.database.transaction() as connection:
            connection.execute(
                "insert into gateway (id, practice_id, label, created_at) values (%s, %s, 'Home', 'epoch')",
                [gateway_id, self.clinic.practice_id],
            )
        return gateway_id

    def enrol(self, gateway_id: str, code: str = "") -> Credentials:
        """A box comes in, as the product lets it in: the answer waits for the guard."""
        if not code:
            with self.database.transaction() as connection:
                now = self.database.clock()
                code = claiming.open_claim(connection, gateway_id, actor=self.actor, now=now).code
        registrar = Registrar(self.authority(Kind.GATEWAYS), "mqtts://x:1", "-----BEGIN X-----\n", grant_wait_s=10.0)
        key = new_key()
        given = enrol(
            self.database,
            registrar,
            EnrolRequest(claim_code=code, csr=csr_of(key, "#")),
            address="127.0.0.1",
            now=self.database.clock(),
        )
        assert isinstance(given, Certified), given
        return self.credentials(gateway_id, key, given.certificate)

    def signed(
        self, authority: Authority, name: str, *, life: timedelta = GATEWAY_LIFE, ago: timedelta = timedelta()
    ) -> Credentials:
        """Whatever certificate one can think of, signed by an authority; nobody writes it down."""
        key = new_key()
        now = self.database.clock() - ago
        certificate: x509.Certificate = client_certificate(authority, key.public_key(), name, life=life, now=now)
        return self.credentials(f"signed-{x509.random_serial_number()}", key, pem_of(certificate))

    def credentials(self, name: str, key: Key, chain: str) -> Credentials:
        """As files."""
        folder = self.boxes / f"{name}-{x509.random_serial_number():x}"
        folder.mkdir()
        return Credentials(folder, name, key, chain)
