"""What a session hears: keeps each value at once, and lets the procedure wait for the next, for silence, or for the end."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from devices.assemble import Frame
from devices.gatt import LinkLost


class Ending(StrEnum):
    """How a session ended; all but BUSY, REFUSED and TOO_LONG are as it should be."""

    #: The peripheral hung up: most do, when they have nothing more to say.
    HUNG_UP = "hung_up"
    #: Nothing came for a while.
    QUIET = "quiet"
    #: The meter reported every record asked for.
    COMPLETE = "complete"
    #: The meter has nothing new.
    NO_RECORDS = "no_records"
    #: The meter stayed busy through every attempt.
    BUSY = "busy"
    #: The meter does not do what was asked.
    REFUSED = "refused"
    #: It went on until the radio was needed elsewhere.
    TOO_LONG = "too_long"
    #: None of the characteristics this program reads.
    NOTHING_OFFERED = "nothing_offered"


class NotKept(RuntimeError):
    """A frame came and could not be kept; the session stops before the peripheral gives away more."""


class Inbox:
    """Callbacks only keep and set an event; the procedure does the rest at its own pace."""

    def __init__(self, *, keep: Callable[[Frame], None], utc_now: Callable[[], datetime], gone: asyncio.Event) -> None:
        self._keep = keep
        self._utc_now = utc_now
        self._gone = gone
        self._came = asyncio.Event()
        self._not_kept = False
        #: The latest value of each characteristic.
        self.latest: dict[str, bytes] = {}

    def taker(self, characteristic: str) -> Callable[[bytes], None]:
        """A callback that keeps every value of a characteristic as a frame."""

        def take(data: bytes) -> None:
            kept = False
            try:
                self._keep(Frame(characteristic, bytes(data), self._utc_now()))
                kept = True
            finally:
                self._not_kept = self._not_kept or not kept
                self.heard(characteristic, data)

        return take

    def heard(self, characteristic: str, data: bytes) -> None:
        """Note a value that is no measurement, and wake whoever waits."""
        self.latest[characteristic] = bytes(data)
        self._came.set()

    async def something(self, within_s: float) -> bool:
        """True once anything came since the last call, False where nothing did; LinkLost after the last of a hang-up."""
        await self._first_of(self._came, self._gone, within_s=within_s)
        if self._not_kept:
            raise NotKept("a frame could not be kept")
        if self._came.is_set():
            self._came.clear()
            return True
        if self._gone.is_set():
            raise LinkLost("the peripheral hung up")
        return False

    async def pause(self, seconds: float) -> None:
        """Wait; LinkLost where the peripheral hangs up meanwhile."""
        await self._first_of(self._gone, within_s=seconds)
        if self._gone.is_set():
            raise LinkLost("the peripheral hung up")

    async def _first_of(self, *events: asyncio.Event, within_s: float) -> None:
        waiters = [asyncio.ensure_future(event.wait()) for event in events]
        try:
            await asyncio.wait(waiters, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for waiter in waiters:
                waiter.cancel()
