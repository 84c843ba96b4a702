"""A TCP port behind which every client finds a fresh Bluetooth controller in one home's air.

Open it with bumble's `tcp-client:127.0.0.1:PORT`. A client that dies leaves nothing behind but the silence its peers
notice. (bumble's own `tcp-server` transport keeps one controller for ever and never resets it.)
"""

import asyncio
from typing import Final

from bumble.core import BaseBumbleError
from bumble.transport.common import PacketParser, TransportSink
from typing_extensions import override

from devices.virtual.ether import EtherController, EtherLink

#: The air is for this machine's programs only.
LOOPBACK: Final = "127.0.0.1"


class _TransportSink:
    """Takes the controller's packets to the client."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def on_packet(self, packet: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(packet)


class Firmware:
    """What runs on the controllers behind one port. `hangs`: they take every packet, do nothing, and say nothing."""

    def __init__(self) -> None:
        self.hangs = False


class _Gate:
    """Passes packets on while the firmware works."""

    def __init__(self, firmware: Firmware, sink: TransportSink) -> None:
        self._firmware, self._sink = firmware, sink

    def on_packet(self, packet: bytes) -> None:
        if not self._firmware.hangs:
            self._sink.on_packet(packet)


class _HciClient(asyncio.Protocol):
    """One TCP client and the controller that is its own."""

    def __init__(self, link: EtherLink, firmware: Firmware) -> None:
        self._link = link
        self._firmware = firmware
        self._parser = PacketParser()
        self._controller: EtherController | None = None
        self._transport: asyncio.WriteTransport | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        answers = _Gate(self._firmware, _TransportSink(transport))
        self._controller = EtherController("HCI client", host_sink=answers, link=self._link)
        self._parser.set_packet_sink(_Gate(self._firmware, self._controller))

    @override
    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (BaseBumbleError, ValueError):
            # Not HCI: whoever it is has the wrong port.
            assert self._transport is not None
            self._transport.abort()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        assert self._controller is not None
        self._controller.vanish()


async def serve_hci(link: EtherLink, *, port: int = 0, firmware: Firmware | None = None) -> tuple[asyncio.Server, int]:
    """Open the port (0: any free one); the server and the port it got. OSError where it is taken."""
    runs = firmware or Firmware()
    server = await asyncio.get_running_loop().create_server(lambda: _HciClient(link, runs), LOOPBACK, port)
    return server, server.sockets[0].getsockname()[1]
