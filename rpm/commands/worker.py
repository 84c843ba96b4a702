"""`rpm-cloud worker`: take in readings, judge, call and send, without the pages. Run as many as the load needs."""

import gc
import signal
import threading
from enum import StrEnum
from typing import Annotated, Final

import structlog
import typer

from rpm.settings import read_settings
from rpm.store.migrate import open_current

_log = structlog.get_logger()

POOL_SIZE: Final = 10
#: How long a worker that is told to stop finishes what it has in hand.
SHUTDOWN_S_MAX: Final = 10.0
#: Allocations between two looks for cycles (Python's own: 700, 10, 10). A batch is a hundred thousand objects in no
#: cycle, and to walk them again and again was a third of what a reading costs.
COLLECT_AFTER: Final = (50_000, 20, 50)


class Part(StrEnum):
    """What a worker may do alone."""

    INGEST = "ingest"
    #: Everything else, which is also:
    JUDGE = "judge"
    EVALUATE = "evaluate"
    ESCALATE = "escalate"
    SEND = "send"
    #: Whoever misses the others, and what is tidied up.
    UPKEEP = "upkeep"


def worker(
    only: Annotated[
        list[Part] | None,
        typer.Option(
            help="take in readings and nothing else (ingest), do everything else (judge), or one part of that; may be"
            " given again. Every part needs a process somewhere"
        ),
    ] = None,
) -> None:
    """Take in readings, judge them, call for help. Any number of workers may run; they share the work."""
    from rpm.ingest import worker as ingest
    from rpm.jobs import loops

    parts = frozenset(only or Part)
    settings = read_settings().require("dsn", *(("broker_url",) if Part.INGEST in parts else ()))
    database = open_current(settings.dsn, size_max=POOL_SIZE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    threads: list[threading.Thread] = []
    try:
        # The loops first: a wrong rules file is told before the broker hands anything over.
        if parts != {Part.INGEST}:
            threads += loops.start(database, settings, stop, only=() if Part.JUDGE in parts else parts)
        if Part.INGEST in parts:
            threads += ingest.start(database, settings, stop)
        _log.info("worker.started", only=sorted(only or ()))
        stop.wait()
    finally:
        stop.set()
        for thread in threads:
            thread.join(timeout=SHUTDOWN_S_MAX)
        database.close()
    _log.info("worker.stopped")


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(worker)
