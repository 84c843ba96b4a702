"""Brokers and databases for the demo and for load tests: the user's own where they are named, else private ones."""

import getpass
import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from rpm.broker import WORKER, accounts, configuration
from rpm.broker.roles import LOAD
from rpm.demo.processes import Child, Household, free_port, port_answers
from rpm.errors import UserError
from rpm.store.fresh import recreate

ROOT: Final = Path(__file__).resolve().parents[2]
PROVISION: Final = ROOT / "deploy" / "provision.sh"
CLUSTER: Final = "demo"
DATABASE: Final = "rpm_demo"
#: A first run fetches and unpacks the servers.
PROVISION_S_MAX: Final = 900
READY_S_MAX: Final = 20.0


def provision(*arguments: str) -> str:
    """The last line `deploy/provision.sh` prints; UserError with its last word where it fails."""
    if not PROVISION.exists():
        raise UserError(
            "private servers are made from a copy of the source: deploy/provision.sh is not beside this package"
        )
    done = subprocess.run(
        [PROVISION, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROVISION_S_MAX,
        check=False,
    )
    if done.returncode:
        raise UserError((done.stderr.strip().splitlines() or ["deploy/provision.sh failed"])[-1])
    return (done.stdout.strip().splitlines() or [""])[-1]


def private_database(household: Household) -> str:
    """An empty database on a server of this process's own; the DSN. Server and data are gone when the household ends."""
    cluster = f"bench-{os.getpid()}"
    household.afterwards(lambda: provision("destroy", cluster))
    server, _, _ = provision("up", cluster).rpartition("/")
    return recreate(server, DATABASE)


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """Where the broker is, and the accounts on it."""

    worker_url: str
    gateway_url: str
    gateway_passwords: dict[str, str]
    #: As any gateway; empty where nobody may.
    load_url: str = ""


def start_database(household: Household) -> tuple[str, bool]:
    """A DSN, and whether the database is ours to fill afresh. TSDB_DSN is honoured."""
    if own := os.environ.get("TSDB_DSN"):
        return own, False
    server, _, _ = provision("up", CLUSTER).rpartition("/")
    household.afterwards(lambda: provision("down", CLUSTER))
    return recreate(server, DATABASE), True


def start_broker(household: Household, folder: Path, gateways: tuple[str, ...]) -> BrokerAccess:
    """A broker with an account for every gateway. RPM_BROKER_URL is honoured.

    On a broker of the user's own each gateway signs in under its own id with the password of that URL.
    """
    if own := os.environ.get("RPM_BROKER_URL"):
        parts = urlsplit(own)
        scheme = parts.scheme or "mqtt"
        url = f"{scheme}://{parts.hostname}:{parts.port or (8883 if scheme == 'mqtts' else 1883)}"
        return BrokerAccess(own, url, dict.fromkeys(gateways, parts.password or "none"))
    return private_broker(household, folder, gateways)


def private_broker(
    household: Household, folder: Path, gateways: tuple[str, ...] = (), *, load: bool = False
) -> BrokerAccess:
    """A broker of our own on loopback. `load`: with an account that speaks as any gateway."""
    port = free_port()
    passwords = {name: secrets.token_hex(16) for name in gateways}
    worker, any_gateway = secrets.token_hex(16), secrets.token_hex(16) if load else ""
    accounts_file, config = folder / "broker-accounts.json", folder / "mosquitto.conf"
    told = accounts(worker_password=worker, gateways=passwords, load_password=any_gateway)
    accounts_file.write_text(told, "utf-8")
    accounts_file.chmod(0o600)
    plugin = Path(provision("dynsec"))
    config.write_text(
        configuration(port=port, plugin=plugin, accounts_file=accounts_file, run_as=getpass.getuser()), "utf-8"
    )
    child = Child("broker", [provision("mosquitto"), "-c", str(config)], folder / "broker.log")
    household.start(child)
    household.wait_until("starting the broker", lambda: port_answers(port), child=child, timeout_s=READY_S_MAX)
    here = f"127.0.0.1:{port}"
    load_url = f"mqtt://{LOAD}:{any_gateway}@{here}" if load else ""
    return BrokerAccess(f"mqtt://{WORKER}:{worker}@{here}", f"mqtt://{here}", passwords, load_url)
