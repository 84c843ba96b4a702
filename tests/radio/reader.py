"""A reader in a process of its own, to be killed: `python -m tests.radio.reader HCI_PORT ADDRESS KEPT_FILE …`.

It does what a gateway does with one device (scan, connect, introduce, collect) over TCP, and keeps each frame as one line
of hex on disk. `--hold-after N` stops the world inside the callback once N frames are kept, `--hold-before N` inside the
callback of the Nth frame before it is kept; it says "holding" on stdout and waits to be killed.
"""

import argparse
import asyncio
import os
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from devices.procedures import Frame, collect, introduce
from devices.virtual import bleak_backend
from gateway.radio import Heard, Radio

SEEN_S_MAX = 30.0


def now() -> datetime:
    return datetime.now(UTC)


async def read(arguments: argparse.Namespace) -> None:
    bleak_backend.use_hci(f"tcp-client:127.0.0.1:{arguments.port}")
    radio = Radio(
        scanner_backend=bleak_backend.BumbleScannerBackend,
        client_backend=bleak_backend.BumbleClientBackend,
        name="bumble",
    )
    descriptor = os.open(arguments.kept, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    kept = 0

    def keep(frame: Frame) -> None:
        nonlocal kept
        if kept + 1 == arguments.hold_before:
            hold()
        os.write(descriptor, f"{frame.characteristic} {frame.data.hex()}\n".encode())
        os.fsync(descriptor)
        kept += 1
        if kept == arguments.hold_after:
            hold()

    found: asyncio.Future[Heard] = asyncio.get_running_loop().create_future()

    def on_seen(heard: Heard) -> None:
        if heard.address == arguments.address and not found.done():
            found.set_result(heard)

    async with radio.scanning(on_seen):
        device = await asyncio.wait_for(found, SEEN_S_MAX)
    async with radio.connected(device) as link:
        facts = await introduce(link, utc_now=now, zone=ZoneInfo("America/New_York"))
        ending = await collect(
            link, keep=keep, utc_now=now, last_sequence=arguments.last_sequence, model=facts.catalogued
        )
    sys.stdout.write(f"{ending}\n")
    sys.stdout.flush()
    await bleak_backend.close_adapter()


def hold() -> None:
    """Nothing moves in this process any more, until it is killed."""
    sys.stdout.write("holding\n")
    sys.stdout.flush()
    threading.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("address")
    parser.add_argument("kept", type=Path)
    parser.add_argument("--hold-after", type=int, default=0)
    parser.add_argument("--hold-before", type=int, default=0)
    parser.add_argument("--last-sequence", type=int, default=None)
    asyncio.run(read(parser.parse_args()))


if __name__ == "__main__":
    main()
