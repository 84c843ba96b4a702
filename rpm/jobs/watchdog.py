"""Whether each loop of this process still comes round. One that does not ends the process, for its supervisor to start anew.

What the table of heartbeats misses is work that nobody does: another worker's beat, or the other sender's, stands for a loop
that hangs here. So each process minds its own threads, too (as ingest's watchdog does), and well before anybody is called.

Turns are counted by looks of its own: while the whole process stands still (its machine sleeps), nobody is late.
"""

import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

_log = structlog.get_logger()

LOOK_EVERY_S: Final = 5.0
#: Told to whoever started the process: it ended itself, start it again (EX_SOFTWARE).
EXIT_HANGS: Final = 70


@dataclass(slots=True)
class Round:
    """A loop's turns, counted by itself. `turn_s_max`: no sound turn takes as long; `since_s`: without one, by our looks."""

    name: str
    turn_s_max: float
    turns: int = 0
    seen: int = 0
    since_s: float = 0.0


def late(rounds: Sequence[Round], *, passed_s: float) -> Round | None:
    """The loop that is longest without a turn, of those that may not be; None where all come round.

    `passed_s`: since the last look.
    """
    for each in rounds:
        each.since_s = 0.0 if each.turns != each.seen else each.since_s + passed_s
        each.seen = each.turns
    overdue = [each for each in rounds if each.since_s > each.turn_s_max]
    return max(overdue, key=lambda each: each.since_s, default=None)


def watch(
    rounds: Sequence[Round],
    stop: threading.Event,
    *,
    every_s: float = LOOK_EVERY_S,
    leave: Callable[[int], None] = os._exit,
) -> None:
    """Look until `stop` is set; end the process where a loop hangs, or its thread is gone."""
    while not stop.wait(every_s):
        if (found := late(rounds, passed_s=every_s)) is not None:
            _log.critical("loop_hangs", loop=found.name, for_s=round(found.since_s))
            leave(EXIT_HANGS)
            return
