"""What stands between a gateway and its broker: passes bytes on, and misbehaves as lines do when told to.

`tc netem` does not exist in every kernel, so delay, silence and resets come from here; loss, refusal and a narrow line
come from the kernel (`tests.support.network`). Works in a thread of its own; one instance for each listening socket.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import Self

CHUNK = 16_384
READY_S_MAX = 30.0


@dataclass(slots=True)
class Faults:
    """What the line does now. All False and 0: it passes everything on."""

    #: Accepts, and nothing arrives at either end: the worst, for nobody is told.
    swallow: bool = False
    #: Up it is swallowed, down it arrives: a half-open connection.
    swallow_up: bool = False
    #: Whoever connects is hung up on at once.
    refuse: bool = False
    delay_s: float = 0.0


class Forwarder:
    """Forwards every connection made to `listening` to 127.0.0.1:`port`. Use as a context manager."""

    def __init__(self, listening: socket.socket, port: int) -> None:
        self.faults = Faults()
        #: Bytes that went up and came down, and connections made.
        self.up = self.down = self.connections = 0
        self._listening, self._port = listening, port
        self._writers: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="forwarder", daemon=True)
        self._started = threading.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(READY_S_MAX), "the forwarder started"
        return self

    def __exit__(self, *_: object) -> None:
        self.reset()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(READY_S_MAX)
        self._listening.close()

    def reset(self) -> None:
        """End every connection with a RST, as a router that forgot it does."""
        self._loop.call_soon_threadsafe(self._reset)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(asyncio.start_server(self._connected, sock=self._listening))
        self._started.set()
        self._loop.run_forever()
        self._loop.run_until_complete(asyncio.sleep(0.05))  # those that were reset end by themselves
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    def _reset(self) -> None:
        for writer in tuple(self._writers):
            sock = writer.get_extra_info("socket")
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if self.faults.refuse:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            writer.transport.abort()
            return
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass(reader, far_writer, up=True))
                group.create_task(self._pass(far_reader, writer, up=False))
        except* OSError:
            pass
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        while data := await reader.read(CHUNK):
            if up:
                self.up += len(data)
            else:
                self.down += len(data)
            if self.faults.delay_s:
                await asyncio.sleep(self.faults.delay_s)
            if self.faults.swallow or (up and self.faults.swallow_up):
                continue
            writer.write(data)
            await writer.drain()
        writer.transport.abort()


def settle(seconds: float) -> None:
    """Let a fault last: time on the line is real time."""
    time.sleep(seconds)
