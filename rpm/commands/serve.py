"""`rpm-cloud serve`: the pages, and (unless told otherwise) a worker beside them.

It takes in readings in this process, and judges them in another: see `rpm.beside`.
"""

import errno
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import structlog
import typer

from rpm import beside
from rpm.commands.ca import keeping_lists
from rpm.commands.worker import Part
from rpm.errors import UserError
from rpm.settings import Settings, read_settings
from rpm.store.database import Database
from rpm.store.migrate import open_current
from rpm.web.app import create_app
from rpm.web.live import Watcher
from rpm.web.pages import missing_assets
from rpm.web.server import SHUTDOWN_S_MAX, PageServer

_log = structlog.get_logger()

POOL_SIZE: Final = 12


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket that listens, or a UserError that says what to do about the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is in use: stop what listens there, or set RPM_WEB_PORT") from error
        raise UserError(f"cannot listen on {host} port {port} ({error.strerror}): check RPM_WEB_HOST") from error
    listening.listen()
    return listening


def check_web_certificate(settings: Settings) -> None:
    """UserError where the pages are to speak TLS, and cannot: uvicorn would tell it with a traceback."""
    if settings.web_certificate is None and settings.web_key is None:
        return
    settings.require("web_certificate", "web_key")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(str(settings.web_certificate), str(settings.web_key))
    except OSError as error:
        raise UserError(f"RPM_WEB_CERTIFICATE and RPM_WEB_KEY cannot be used: {error.strerror or error}") from error


def serve(
    web_only: bool = typer.Option(False, "--web-only", help="Only the pages: workers run as processes of their own."),
) -> None:
    """Serve the pages, and judge, escalate and take in readings beside them unless --web-only is given."""
    settings = read_settings().require("dsn", *(() if web_only else ("broker_url",)))
    missing = missing_assets()
    if missing:
        raise UserError(f"the pages' {missing[0]} is not there: run `make assets` (it needs npm once)")
    if not web_only:
        _check_broker_url(settings)
    check_web_certificate(settings)
    # uvicorn raises what it was told by once more when it has ended: only then is everything else to end, in order.
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    listening = bound_socket(settings.web_host, settings.web_port)
    database = open_current(settings.dsn, size_max=POOL_SIZE)
    try:
        app = create_app(database, settings, database.clock)
        _log.info("serving", host=settings.web_host, port=settings.web_port, worker=not web_only)
        server = PageServer(app)
        with keeping_lists(database, settings, spares=True), watch_silence(database, settings, app.state.watcher):
            if web_only:
                server.run(sockets=[listening])
            else:
                with worker(database, settings, when_alone=server.leave) as judge:
                    server.run(sockets=[listening])
                if judge.gone:
                    raise SystemExit(beside.EXIT_ALONE)
    finally:
        database.close()


@contextmanager
def watch_silence(database: Database, settings: Settings, watcher: Watcher) -> Generator[None]:
    """Beside the pages: who misses those who judge must not be one of them. If it hangs, or `watcher` does, the process ends."""
    from rpm.jobs import loops

    stop = threading.Event()
    threads = loops.start_silence(database, settings, stop, also=[watcher.round])
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=SHUTDOWN_S_MAX)


def _check_broker_url(settings: Settings) -> None:
    """UserError before anything is started: threads would have to be stopped again."""
    from rpm.ingest.subscriber import broker_address

    broker_address(settings.broker_url)


@contextmanager
def worker(database: Database, settings: Settings, *, when_alone: Callable[[], object]) -> Generator[beside.Judge]:
    """Take in readings in this process, with a judge beside it. Imported only now: `--web-only` needs no MQTT."""
    from rpm.ingest import worker as ingest

    stop = threading.Event()
    threads: list[threading.Thread] = []
    judge = beside.Judge.start({Part.JUDGE}, when_gone=when_alone)
    try:
        threads += ingest.start(database, settings, stop)
        yield judge
    finally:
        stop.set()
        judge.stop()
        for thread in threads:
            thread.join(timeout=SHUTDOWN_S_MAX)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(serve)
