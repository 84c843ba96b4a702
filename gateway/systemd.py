"""What systemd is told (sd_notify(3)): ready, still alive, in what state, stopping. Nothing where it does not ask."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping
from typing import Final

#: Pings come this much more often than the watchdog expects them (sd_watchdog_enabled(3) advises half).
PINGS_PER_WATCHDOG: Final = 2
STATUS_CHARACTERS_MAX: Final = 200


class Systemd:
    """The service manager's socket, as $NOTIFY_SOCKET and $WATCHDOG_USEC name it."""

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        microseconds = environment.get("WATCHDOG_USEC", "")
        #: Seconds between two pings; None where no watchdog waits for them.
        self.ping_every_s = int(microseconds) / 1e6 / PINGS_PER_WATCHDOG if microseconds.isdigit() else None

    @property
    def present(self) -> bool:
        """Whether a service manager started us, and so starts us again."""
        return bool(self._address)

    def ready(self) -> None:
        """Everything that was to be started is."""
        self._say("READY=1")

    def stopping(self) -> None:
        """The end has begun, and was wanted."""
        self._say("STOPPING=1")

    def status(self, text: str) -> None:
        """One line for `systemctl status`. No health data: journals keep it."""
        self._say("STATUS=" + " ".join(text.split())[:STATUS_CHARACTERS_MAX])

    async def ping(self, stop: asyncio.Event, *, alive: Callable[[], bool]) -> None:
        """Say "alive" for as long as `alive()` does; whoever hangs is then started again. Returns on `stop`.

        Runs on the program's own loop: a loop that hangs does not ping.
        """
        while not stop.is_set():
            if self.ping_every_s is not None and alive():
                self._say("WATCHDOG=1")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), self.ping_every_s)

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # "@…" is an abstract socket, whose name begins with a zero byte.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        # A manager that does not listen is no reason to stop hearing devices.
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out,
        ):
            out.setblocking(False)
            out.sendto(text.encode(), address)
