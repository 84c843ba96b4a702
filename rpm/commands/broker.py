"""`rpm-cloud broker`: who may come in at Mosquitto, by certificate over a network or by password on loopback."""

import json
import re
import secrets
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import TypeAdapter, ValidationError

from rpm import audit
from rpm.access import Actor, Role
from rpm.acting import As, acting
from rpm.broker.passwords import accounts as password_accounts
from rpm.broker.roles import GUARD, WORKER, deny_all, guard_role
from rpm.errors import UserError
from rpm.identity.authority import Authority, Kind, key_pem, load, pem_of, write_private
from rpm.identity.certificates import SERVICE_LIFE, client_certificate, server_certificate
from rpm.settings import read_settings
from rpm.store import certificates
from rpm.store.database import Connection, DatabaseUnavailable
from rpm.store.migrate import open_current
from schemas.ids import GATEWAY_ID_PATTERN

_log = structlog.get_logger()

PASSWORD_BYTES = 16
_PASSWORDS = TypeAdapter(dict[str, str])
#: A service's name is its account and client id; none can be mistaken for a gateway's.
SERVICE_PATTERN: Final = re.compile(r"^(?!gw-)[a-z][a-z0-9-]{1,40}$")
TURN_EVERY_S: Final = 1.0
POOL_SIZE: Final = 2

Folder = Annotated[Path, typer.Argument(help="Where the files are written")]

control = typer.Typer(help="The MQTT broker: set up, certify services, guard.", no_args_is_help=True)


@control.command()
def make(
    folder: Folder,
    username: As,
    host: Annotated[
        list[str], typer.Option(help="Name or address the broker is reached by; may be given several times")
    ],
) -> None:
    """Make what the broker's host needs: its own certificate, whom to trust, the guard's certificate and account.

    Needs RPM_CA_FOLDER, so run it where the keys are, and bring FOLDER to the broker's host.
    """
    with _signing(username) as (connection, actor, now):
        gateways, services = (load(_ca_folder(), kind) for kind in Kind)
        key = ec.generate_private_key(ec.SECP256R1())
        own = server_certificate(services, key.public_key(), host, life=SERVICE_LIFE, now=now)
        with _written(folder):
            (folder / "gateways.crt").write_text(gateways.pem, "utf-8")
            write_private(folder / "broker.key", key_pem(key))
            (folder / "broker.crt").write_text(pem_of(own) + services.pem, "utf-8")
            if not (folder / "accounts.json").exists():
                write_private(folder / "accounts.json", first_accounts(GUARD))
        _certify(connection, services, GUARD, GUARD, folder, now=now)
        audit.record(connection, actor, audit.Action.SERVICE_CERTIFIED, now=now, service="broker", host=host[0])
    typer.echo(
        f"{folder} holds what mosquitto.conf and `rpm-cloud broker guard` need; the broker's certificate ends {own.not_valid_after_utc:%Y-%m-%d}"
    )


@control.command()
def certify(
    name: Annotated[str, typer.Argument(help="The worker's own name, e.g. worker-2: its account and client id")],
    folder: Folder,
    username: As,
) -> None:
    """Give a worker its own certificate: FOLDER/NAME.crt and NAME.key. The broker's guard lets it in. Renews it, too."""
    if not SERVICE_PATTERN.fullmatch(name) or name == GUARD:
        raise UserError(f"{name!r} is no worker's name: a letter, then a-z, 0-9 and -, and not gw-")
    with _signing(username) as (connection, actor, now):
        services = load(_ca_folder(), Kind.SERVICES)
        _certify(connection, services, name, WORKER, folder, now=now)
        audit.record(connection, actor, audit.Action.SERVICE_CERTIFIED, now=now, service=name)
    typer.echo(
        f"RPM_BROKER_CERTIFICATE={folder / name}.crt RPM_BROKER_KEY={folder / name}.key RPM_BROKER_CA={folder}/services.crt"
    )


@control.command()
def revoke(name: Annotated[str, typer.Argument(help="The worker's name")], username: As) -> None:
    """Cut a worker off, within a minute; its certificate is no longer good."""
    with _signing(username) as (connection, actor, now):
        count = certificates.revoke_service(connection, name, now=now)
        if not count:
            raise UserError(f"no service {name} has a certificate that is good")
        audit.record(connection, actor, audit.Action.SERVICE_REVOKED, now=now, service=name)
    typer.echo(f"{name} is revoked: the broker's guard cuts it off")


@control.command()
def guard(
    folder: Annotated[Path, typer.Argument(help="What `broker make` made; the lists of revoked ones are written here")],
    pid_file: Annotated[Path, typer.Option(help="Mosquitto's pid_file: it is told to read a new list")] = Path(
        "/run/mosquitto/mosquitto.pid"
    ),
) -> None:
    """Run beside the broker: let in who was certified, cut off who was revoked. Bears a broker or a database that is away."""
    from rpm.broker.control import BrokerAway
    from rpm.broker.guard import Guard
    from rpm.broker.tls import identity_of
    from rpm.ingest.subscriber import broker_address

    settings = read_settings().require("dsn", "broker_url", "broker_certificate")
    identity = identity_of(settings)
    assert identity is not None
    address = broker_address(settings.broker_url)
    database = open_current(settings.dsn, size_max=POOL_SIZE)
    watching = Guard(database, folder, host=address.host, port=address.port, identity=identity, pid_file=pid_file)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    while not stop.is_set():
        try:
            watching.turn(database.clock())
        except (BrokerAway, DatabaseUnavailable) as error:
            _log.warning("guard_waits", said=str(error))
        stop.wait(TURN_EVERY_S)
    watching.close()
    database.close()


@control.command()
def accounts(
    folder: Annotated[Path, typer.Argument(help="Where accounts.json (for Mosquitto) and passwords.json are written")],
    gateways: Annotated[list[str], typer.Argument(help="Gateway ids, such as gw-home-a")],
) -> None:
    """Write accounts with passwords, for a broker on loopback: one for the workers, one for each gateway.

    Run it again with more gateways: passwords already in FOLDER/passwords.json stay as they are. Mosquitto reads
    accounts.json when it starts.
    """
    for gateway in gateways:
        if not re.match(GATEWAY_ID_PATTERN, gateway):
            raise UserError(f"{gateway} is not a gateway id: gw- and then 4 to 40 of a-z, 0-9 and -")
    passwords_file = folder / "passwords.json"
    passwords = _read(passwords_file)
    for name in (WORKER, *gateways):
        passwords.setdefault(name, secrets.token_hex(PASSWORD_BYTES))
    others = {name: password for name, password in passwords.items() if name != WORKER}
    with _written(folder):
        write_private(passwords_file, json.dumps(passwords, indent=1))
        text = password_accounts(worker_password=passwords[WORKER], gateways=others)
        write_private(folder / "accounts.json", text)
    typer.echo(f"{len(others)} gateways and the workers have accounts; their passwords are in {passwords_file}")


def first_accounts(guard_name: str) -> str:
    """The dynamic-security file of a new broker: nobody but the guard, who lets the others in."""
    return json.dumps(
        {
            "defaultACLAccess": deny_all(),
            "clients": [{"username": guard_name, "roles": [{"rolename": GUARD}]}],
            "groups": [],
            "roles": [guard_role()],
        },
        indent=1,
    )


def _certify(connection: Connection, services: Authority, name: str, role: str, folder: Path, *, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    signed = client_certificate(services, key.public_key(), name, life=SERVICE_LIFE, now=now)
    certificates.add_certificate(
        connection, signed, Kind.SERVICES, role=role, practice_id=certificates.INSTALLATION, now=now
    )
    with _written(folder):
        write_private(folder / f"{name}.key", key_pem(key))
        (folder / f"{name}.crt").write_text(pem_of(signed), "utf-8")
        (folder / "services.crt").write_text(services.pem, "utf-8")


@contextmanager
def _signing(username: str) -> Generator[tuple[Connection, Actor, datetime]]:
    with acting(username) as (connection, actor, now):
        if actor.role is not Role.ADMIN:
            raise UserError("services are certified by an administrator")
        yield connection, actor, now


def _ca_folder() -> Path:
    settings = read_settings().require("ca_folder")
    assert settings.ca_folder is not None
    return settings.ca_folder


@contextmanager
def _written(folder: Path) -> Generator[None]:
    """Files are written here; UserError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        return _PASSWORDS.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{path} cannot be read: mend it, or remove it to draw every password anew") from error


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(control, name="broker")
