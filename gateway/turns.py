"""Whether every loop of this program still takes its turns. Facts in, who is late out; `watchdog` and systemd act on it.

A loop says so itself, each time it comes round; and none sleeps longer than WAIT_S_MAX without coming round. So a call that
neither returns nor can be cancelled is noticed wherever it is, and not only where the next loop happens to look.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: A loop that took no turn for so long hangs. Longer than any bounded call between two turns (the adapter's power-cycle).
TURN_S_MAX: Final = 45.0
#: No loop sleeps longer than this without a turn.
WAIT_S_MAX: Final = 10.0
#: From the word to stop until nothing runs any more: disconnects and the uplink's farewell, all bounded, fit in.
END_S_MAX: Final = 15.0


class Part(StrEnum):
    """The loops without which the gateway is silent."""

    WATCH = "watch"
    UPLINK = "uplink"
    HOUSE = "house"
    #: What carries the others: where it stands still, they do, and it is to blame.
    LOOP = "loop"


#: What is late where the program was told to end and does not.
END: Final = "end"


@dataclass(frozen=True, slots=True)
class Late:
    """A part that took no turn for `late_s` seconds, which is more than it may."""

    part: str
    late_s: float


@dataclass(frozen=True, slots=True)
class _Turn:
    at_s: float
    within_s: float


class Turns:
    """The last turn of each part. Written by the program's loop and read from any thread.

    `clock` is one that nobody sets.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._turns: dict[str, _Turn] = {}

    def turn(self, part: str, *, within_s: float | None = None) -> None:
        """Note that this part came round; it will again within `within_s`, TURN_S_MAX where it is not given."""
        self._turns[part] = _Turn(self._clock(), TURN_S_MAX if within_s is None else within_s)

    def ended(self, part: str) -> None:
        """Note that this part is over, as it should be."""
        self._turns.pop(part, None)

    def ending(self) -> None:
        """The program was told to end, or has to: from now on only that it does counts."""
        if END not in self._turns:
            self._turns = {END: _Turn(self._clock(), END_S_MAX)}

    def late(self) -> Late | None:
        """The part that is longest overdue, or the loop where that is why; None where all is well."""
        now_s = self._clock()
        turns = dict(self._turns)
        judged = {END: turns[END]} if END in turns else turns
        overdue = [Late(part, now_s - turn.at_s) for part, turn in judged.items() if now_s - turn.at_s > turn.within_s]
        loop = judged.get(Part.LOOP)
        if overdue and loop is not None and now_s - loop.at_s > 2 * WAIT_S_MAX:
            return Late(Part.LOOP, now_s - loop.at_s)
        return max(overdue, key=lambda late: late.late_s, default=None)

    def forgive(self, lost_s: float) -> None:
        """The whole process stood still for so long (stopped, or its machine was): nobody could take a turn."""
        self._turns = {part: _Turn(turn.at_s + lost_s, turn.within_s) for part, turn in self._turns.copy().items()}

    async def go_round(self, stop: asyncio.Event) -> None:
        """Be the loop's own sign of life, until `stop` is set."""
        while not stop.is_set():
            await self.rest(Part.LOOP, WAIT_S_MAX, stop)

    async def rest(self, part: str, wait_s: float, stop: asyncio.Event) -> None:
        """Sleep until `stop` is set, for `wait_s` at most, with a turn at least every WAIT_S_MAX."""
        until_s = self._clock() + wait_s
        while not stop.is_set() and (left_s := until_s - self._clock()) > 0:
            self.turn(part)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), min(left_s, WAIT_S_MAX))
        self.turn(part)
