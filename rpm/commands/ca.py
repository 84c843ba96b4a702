"""`rpm-cloud ca`: the installation's certificate authorities."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import structlog
import typer

from rpm.identity.authority import Kind, load, make_authority, save
from rpm.outage import LISTS
from rpm.settings import Settings, read_settings
from rpm.store.database import Database
from rpm.store.migrate import open_current

_log = structlog.get_logger()

POOL_SIZE: Final = 6
SHUTDOWN_S_MAX: Final = 5.0

authorities = typer.Typer(help="Certificate authorities: make them, sign for boxes.", no_args_is_help=True)


@authorities.command()
def make(
    folder: Annotated[Path, typer.Argument(help="Where the keys are made; they are for this account's eyes only")],
) -> None:
    """Make the two authorities of an installation: one vouches for gateways, one for services and the broker.

    Keep a copy of FOLDER where nobody can get at it: without its keys no gateway can be let in or cut off.
    """
    now = datetime.now(UTC)
    for kind in Kind:
        save(make_authority(kind, now=now), folder)
    typer.echo(f"made {', '.join(f'{kind}.key and {kind}.crt' for kind in Kind)} in {folder}")


@authorities.command()
def serve() -> None:
    """Answer boxes that ask for certificates, and make the lists of revoked ones, without the pages.

    For a host of its own that alone has the keys: the proxy before the pages sends it what begins with /gateway/.
    """
    from rpm.commands.serve import bound_socket, check_web_certificate
    from rpm.web.app import create_enrolment_app
    from rpm.web.server import PageServer

    settings = read_settings().require("dsn", "ca_folder", "gateway_broker_url")
    check_web_certificate(settings)
    listening = bound_socket(settings.web_host, settings.web_port)
    database = open_current(settings.dsn, size_max=POOL_SIZE)
    try:
        app = create_enrolment_app(database, settings, database.clock)
        _log.info("enrolling", host=settings.web_host, port=settings.web_port)
        with keeping_lists(database, settings):
            PageServer(app).run(sockets=[listening])
    finally:
        database.close()


@contextmanager
def keeping_lists(database: Database, settings: Settings, *, spares: bool = False) -> Generator[None]:
    """A thread that makes the lists of revoked certificates, where this process has the keys.

    If it hangs the process ends, for its supervisor to start anew, unless it `spares` it.
    """
    if settings.ca_folder is None:
        yield
        return
    from rpm.jobs import loops, revoke

    folder = settings.ca_folder
    keys = [load(folder, kind) for kind in Kind]
    loop = loops.Loop(LISTS, lambda now: revoke.run_once(database, now=now, authorities=keys), spares=spares)
    stop = threading.Event()
    threads = loops.start_watched(loop, database, stop)
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=SHUTDOWN_S_MAX)


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(authorities, name="ca")
