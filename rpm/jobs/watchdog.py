"""Whether each loop of this process still comes round. One that does not ends the process, for its supervisor to start anew.

What can wait (`rpm.outage.CAN_WAIT`) ends nothing: it would take those that call with it, again and again where it hangs for a
reason that lasts. It is said once, and missed by its own name where no other worker does it.

What the table of heartbeats misses is work that nobody does: another worker's beat, or the other sender's, stands for a loop
that hangs here. So each process minds its own threads, too (as ingest's watchdog does), and well before anybody is called.

Beside the pages it is whoever misses the others, and whoever looks for the open pages: if one of them hangs no page is live, or
nobody is missed where that process alone does it. Whoever makes lists of revoked certificates spares the pages (a list is good
for a week, and its maker is missed after a quarter of an hour), and ends a process that is for the keys alone.

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
    can_wait: bool = False
    turns: int = 0
    seen: int = 0
    since_s: float = 0.0
    said: bool = False


def late(rounds: Sequence[Round], *, passed_s: float) -> list[Round]:
    """The loops that are without a turn for longer than they may be, the longest first. `passed_s`: since the last look."""
    for each in rounds:
        comes_round = each.turns != each.seen
        each.since_s = 0.0 if comes_round else each.since_s + passed_s
        each.said = each.said and not comes_round
        each.seen = each.turns
    overdue = [each for each in rounds if each.since_s > each.turn_s_max]
    return sorted(overdue, key=lambda each: each.since_s, reverse=True)


def watch(
    rounds: Sequence[Round],
    stop: threading.Event,
    *,
    every_s: float = LOOK_EVERY_S,
    leave: Callable[[int], None] = os._exit,
) -> None:
    """Look until `stop` is set; end the process where a loop that cannot wait hangs, or its thread is gone."""
    while not stop.wait(every_s):
        overdue = late(rounds, passed_s=every_s)
        for found in overdue:
            if not found.said:
                _log.critical("loop_hangs", loop=found.name, for_s=round(found.since_s))
                found.said = True
        if not all(found.can_wait for found in overdue):
            leave(EXIT_HANGS)
            return
