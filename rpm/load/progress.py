"""What a run shows while it is under way: a moving bar on a terminal, a line every few seconds elsewhere."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from rpm.load.tally import Tally

LINE_EVERY_S: Final = 2.0


class Reporter:
    """Call it with a tally, as often as wanted. `readings`: how many there will be; 0: nobody knows."""

    def __init__(self, console: Console, readings: int) -> None:
        self._console = console
        columns = TextColumn("{task.description}"), BarColumn(bar_width=24), TimeElapsedColumn()
        self._progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._progress.add_task("sending", total=readings or None)
        self._said_at = self._before_at = time.monotonic()
        self._before = 0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def __call__(self, tally: Tally) -> None:
        """Show how far it is."""
        if self._console.is_terminal:
            self._progress.update(self._task, completed=tally.settled, description=_said(tally))
            return
        clock = time.monotonic()
        if clock - self._said_at >= LINE_EVERY_S:
            rate = (tally.settled - self._before) / (clock - self._said_at)
            self._said_at, self._before = clock, tally.settled
            self._console.print(f"{_said(tally)}, {rate:,.0f} readings/s")


def _said(tally: Tally) -> str:
    return f"{tally.sent:,} sent, {tally.settled:,} receipted"
