"""`rpm-cloud worker`: take in readings, judge, call and send, without the pages. Run as many as the load needs.

A worker that takes in and does more besides is two processes: see `rpm.beside`.
"""

import gc
import signal
import threading
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Final

import structlog
import typer

from rpm import beside
from rpm.settings import Settings, read_settings
from rpm.store.database import Database
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
    stand_beside: Annotated[bool, typer.Option("--beside", hidden=True)] = False,
) -> None:
    """Take in readings, judge them, call for help. Any number of workers may run; they share the work."""
    parts = frozenset(only or Part)
    settings = read_settings().require("dsn", *(("broker_url",) if Part.INGEST in parts else ()))
    database = open_current(settings.dsn, size_max=POOL_SIZE)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # A terminal and a supervisor tell all processes at once: who stands beside another ends when that one says so.
        signal.signal(number, signal.SIG_IGN if stand_beside else lambda _number, _frame: stop.set())
    line = beside.Line(stop) if stand_beside else None
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    threads: list[threading.Thread] = []
    judge: beside.Judge | None = None
    try:
        # The judge first: a wrong rules file is told before the broker hands anything over.
        if others := parts - {Part.INGEST}:
            if Part.INGEST in parts:
                judge = beside.Judge.start({Part.JUDGE} if Part.JUDGE in parts else others, when_gone=stop.set)
            else:
                threads += _judging(database, settings, stop, others)
        if Part.INGEST in parts:
            threads += _taking_in(database, settings, stop)
        if line is not None:
            line.ready()
        _log.info("worker.judge_started" if stand_beside else "worker.started", only=sorted(only or ()))
        stop.wait()
    finally:
        stop.set()
        if judge is not None:
            judge.stop()
        for thread in threads:
            thread.join(timeout=SHUTDOWN_S_MAX)
        database.close()
    _log.info("worker.stopped")
    if judge is not None and judge.gone:
        raise SystemExit(beside.EXIT_ALONE)


# Imported only where they are used: each half of a worker is spared the other's libraries.


def _judging(
    database: Database, settings: Settings, stop: threading.Event, parts: Collection[Part]
) -> list[threading.Thread]:
    from rpm.jobs import loops

    return loops.start(database, settings, stop, only=() if Part.JUDGE in parts else parts)


def _taking_in(database: Database, settings: Settings, stop: threading.Event) -> list[threading.Thread]:
    from rpm.ingest import worker as ingest

    return ingest.start(database, settings, stop)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(worker)
