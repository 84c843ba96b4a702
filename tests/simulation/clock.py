"""Virtual time. asyncio's own loop, whose waiting costs nothing; and hands that can be stopped anywhere.

The gateway's uplink is a coroutine and runs on the loop as it is. The worker's loop is plain code that would block: it runs in
a greenlet, and wherever it would wait it gives way (`pause`). What is killed is never resumed.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from greenlet import getcurrent, greenlet


class VirtualLoop(asyncio.BaseEventLoop):
    """A loop without files or sockets: where it would sleep, the time is later at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._selector = self

    def time(self) -> float:
        """Virtual seconds."""
        return self._now_s

    def select(self, timeout: float | None) -> list[Any]:
        """In a selector's place."""
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self._now_s += timeout
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        """Nobody is asleep."""


class Hand:
    """Plain code that runs until it pauses. `kill` leaves it where it stands."""

    def __init__(self, loop: asyncio.BaseEventLoop, work: Callable[["Hand"], None]) -> None:
        self._loop = loop
        self._alive = True
        self._waits = False
        self._greenlet = greenlet(lambda: work(self))

    def start(self) -> None:
        """Run until the first pause."""
        self._loop.call_soon(self._resume)

    def kill(self) -> None:
        """Never go on."""
        self._alive = False

    def bury(self) -> None:
        """When all is over: give back what its stack holds, which no garbage collector can look into."""
        self._alive = False
        if self._greenlet:
            self._greenlet.throw()

    def pause(self, seconds: float) -> None:
        """Give way for so long. Called by the hand itself."""
        self._loop.call_later(seconds, self._resume)
        self._give_way()

    def rest(self) -> None:
        """Give way until `wake`."""
        self._waits = True
        self._give_way()

    def wake(self) -> None:
        """End its rest, if it rests."""
        if self._waits:
            self._waits = False
            self._loop.call_soon(self._resume)

    def _give_way(self) -> None:
        parent = getcurrent().parent
        assert parent is not None
        parent.switch()

    def _resume(self) -> None:
        if self._alive:
            self._greenlet.switch()
