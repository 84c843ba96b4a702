"""`rpm-cloud watch`: on another host, with another provider, alarm when the pipeline falls silent."""

import signal
import threading
from pathlib import Path
from typing import Annotated

import typer

from rpm.errors import UserError


def watch(
    settings_file: Annotated[Path, typer.Argument(metavar="SETTINGS", help="The watcher's own TOML file")],
    status: Annotated[
        bool,
        typer.Option("--status", help="Say what stands, by the state on disk; 0 well, 1 not, 3 the watcher is silent"),
    ] = False,
    test: Annotated[bool, typer.Option("--test", help="Send one test message over every channel, and end")] = False,
) -> int:
    """Ask the pages how the pipeline is, wait for the synthetic patient's messages, and alarm when either stops.

    Needs no account at the database, the broker or the pages. SETTINGS is told in deploy/watch/README.md.
    """
    from rpm.watch import run
    from rpm.watch.judge import Alarm
    from rpm.watch.settings import read_watch_settings
    from rpm.watch.state import read_memory, status_lines

    settings = read_watch_settings(settings_file)
    if status:
        stale_after_s = 3 * settings.look_every_s + run.ask.WAIT_S_MAX + 60
        code, lines = status_lines(read_memory(settings.state), stale_after_s=stale_after_s, now=run.wall_clock())
        print("\n".join(lines))
        return code
    if test:
        message = Alarm(f"{settings.name}: test of the watcher", "If you read this, this channel works.", ())
        refused = [
            number
            for number, way in enumerate(run.channels(settings), start=1)
            if not way.send(subject=message.subject, body=message.body).accepted
        ]
        if refused:
            raise UserError(f"alarm_urls: not taken by number {', '.join(map(str, refused))}")
        print("every channel took the test message: see that it arrived")
        return 0
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stop.set())
    arrivals = run.door(settings.synthetic)
    try:
        run.Watcher(settings, arrivals).run(stop)
    finally:
        arrivals.close()
    return 0


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command()(watch)
