"""The database's clock between two questions: for a loop that needs the time more often than it is worth a way to the server."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from rpm.store.database import Clock

#: A clock that is set shows after so long at the latest; what two machines drift apart meanwhile is microseconds.
ASK_EVERY_S: Final = 1.0


class SteadyClock:
    """A clock that is asked once a second and carried on by this machine's monotonic one. Any number of threads may ask.

    Never ahead of the one it asks, but for drift: its answer counts from when it arrived. Raises what that one raises.
    """

    def __init__(self, clock: Clock, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._monotonic = clock, monotonic
        #: The instant, and when by the monotonic clock it was told; replaced as a whole.
        self._told: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """The instant, aware and in UTC."""
        told = self._told
        if told is None or self._monotonic() - told[1] >= ASK_EVERY_S:
            instant = self._clock()
            told = self._told = instant, self._monotonic()
        return told[0] + timedelta(seconds=self._monotonic() - told[1])
