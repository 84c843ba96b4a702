"""A gateway in a process of its own, over a fake radio that hangs: `python -m tests.unit.gateway.hanging CONFIG HOW`.

It hears one cuff and keeps one reading; then the next scan does what HOW says. The bounds are tenths of the real ones.
"""

import asyncio
import contextlib
import ctypes
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog

import gateway.turns
import gateway.watch
import gateway.watchdog
from gateway.logs import configure
from gateway.program import run_gateway
from gateway.radio import Radio
from gateway.settings import read_settings
from tests.unit.gateway.fake_bleak import FakeScanner, Peripheral, radio
from tests.unit.gateway.frames import CUFF, PLAIN_PRESSURE

log = structlog.get_logger()
LONG_S = 3600


async def _never_returns() -> None:
    """A call that swallows its own cancellation: no time-out ends it."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(LONG_S)


async def _blocks() -> None:
    time.sleep(LONG_S)  # noqa: ASYNC251 - the loop stands still: that is the point


async def _holds_the_interpreter() -> None:
    """No other thread of this process runs any Python."""
    ctypes.PyDLL(None).sleep(LONG_S)


async def _works() -> None:
    pass


HOW = {
    "never returns": _never_returns,
    "blocks": _blocks,
    "holds the interpreter": _holds_the_interpreter,
    "works": _works,
}


def _always(air: Radio) -> Callable[..., Radio]:
    return lambda *_settings, **_wishes: air


class Scanner(FakeScanner):
    """Its first scan works."""

    how = "works"

    async def start(self) -> None:
        if Scanner.starts:
            log.info("second_scan", how=self.how)
            await HOW[self.how]()
        await super().start()


def main() -> None:
    config, Scanner.how = Path(sys.argv[1]), sys.argv[2]
    gateway.turns.TURN_S_MAX, gateway.turns.WAIT_S_MAX, gateway.turns.END_S_MAX = 2.0, 0.2, 1.0
    gateway.watch.WAIT_S_MAX, gateway.watch.SILENT_S = 0.2, 0.5
    gateway.watchdog.LOOK_S, gateway.watchdog.STUCK_S_MAX = 0.1, 3.0
    air = radio(Peripheral(CUFF, says=[] if Scanner.how == "works" else [PLAIN_PRESSURE]))
    air._scanner_backend = Scanner
    Radio.from_settings = _always(air)
    # After the first reading the air is empty: silence makes it scan anew.
    FakeScanner.hears_for_s = 1.0
    configure()
    sys.exit(asyncio.run(run_gateway(read_settings(config), watched=True)))


if __name__ == "__main__":
    main()
