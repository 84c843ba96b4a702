"""What stands below the gateway here: Debian's bluetoothd, and a controller at the kernel's virtual HCI port.

Only inside the machine (`machine/guest.sh`): the message bus runs already, everything is root, /var/lib/bluetooth is memory.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from bumble.transport.common import Transport
from bumble.transport.vhci import open_vhci_transport
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from devices.virtual.ether import EtherController, EtherLink

#: The machine's parts, and the folder that the computer outside reads.
PARTS: Final = Path(os.environ["RPM_BLUEZ_PARTS"])
OUT: Final = Path(os.environ["RPM_BLUEZ_OUT"])
STATE: Final = Path("/var/lib/bluetooth")
LOG: Final = Path("/run/bluetoothd.log")

ADDRESS: Final = "00:AA:01:00:00:42"
BLUEZ: Final = "org.bluez"
BUS: Final = "org.freedesktop.DBus"
ADAPTER: Final = "org.bluez.Adapter1"
#: The emulated machine is ten times slower than the one it runs on.
READY_S_MAX: Final = 30.0
CALL_S_MAX: Final = 20.0
STEP_S: Final = 0.1


class Asked(Exception):
    """BlueZ, or the bus, answered a call with this error."""


@asynccontextmanager
async def _bus() -> AsyncGenerator[MessageBus]:
    bus = await asyncio.wait_for(MessageBus(bus_type=BusType.SYSTEM).connect(), CALL_S_MAX)
    try:
        yield bus
    finally:
        bus.disconnect()


async def ask(
    path: str, interface: str, member: str, signature: str = "", *body: Any, destination: str = BLUEZ
) -> list[Any]:
    """One D-Bus call from a connection of its own; Asked where the answer is an error."""
    message = Message(
        destination=destination, path=path, interface=interface, member=member, signature=signature, body=list(body)
    )
    async with _bus() as bus:
        reply = await asyncio.wait_for(bus.call(message), CALL_S_MAX)
    assert reply is not None
    if reply.message_type is MessageType.ERROR:
        raise Asked(f"{reply.error_name}: {reply.body}")
    return reply.body


async def objects() -> dict[str, dict[str, dict[str, Variant]]]:
    """Everything BlueZ knows, by path and interface."""
    (found,) = await ask("/", "org.freedesktop.DBus.ObjectManager", "GetManagedObjects")
    return found


async def adapter_path() -> str | None:
    """Where BlueZ has the adapter; None while it has none."""
    try:
        return next((path for path, interfaces in (await objects()).items() if ADAPTER in interfaces), None)
    except Asked:
        return None


async def powered() -> bool:
    """Whether BlueZ has an adapter, and it is on."""
    path = await adapter_path()
    return path is not None and (await objects())[path][ADAPTER]["Powered"].value


async def switch(*, on: bool) -> None:
    """What `bluetoothctl power off` does, or on."""
    path = await adapter_path()
    assert path is not None
    await ask(path, "org.freedesktop.DBus.Properties", "Set", "ssv", ADAPTER, "Powered", Variant("b", on))


async def device_of(address: str) -> dict[str, Any] | None:
    """What BlueZ knows of a device; None: nothing."""
    for interfaces in (await objects()).values():
        known = interfaces.get("org.bluez.Device1")
        if known is not None and known["Address"].value == address:
            return {name: variant.value for name, variant in known.items()}
    return None


async def connections_to_the_bus() -> int:
    """How many connections the message bus serves, without the one that asks."""
    (names,) = await ask("/org/freedesktop/DBus", BUS, "ListNames", destination=BUS)
    return len([name for name in names if name.startswith(":")]) - 1


async def until(holds: Callable[[], Any], *, within_s: float) -> float:
    """Wait until `holds()`, or what it is awaited to, is true; how many seconds that took."""
    loop = asyncio.get_running_loop()
    begun_s = loop.time()
    while True:
        answer = holds()
        if await answer if asyncio.iscoroutine(answer) else answer:
            return loop.time() - begun_s
        assert loop.time() - begun_s < within_s, f"it did not come true within {within_s:.0f} s"
        await asyncio.sleep(STEP_S)


class Bluetoothd:
    """BlueZ's daemon, with the settings Debian ships. Bonds survive it in STATE, as on a Raspberry Pi."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it; ready when it has its name on the bus."""
        # Without Debian's main.conf BlueZ 5.66 leaves the adapter off: AutoEnable is in there.
        log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            self._process = await asyncio.create_subprocess_exec(
                PARTS / "run",
                "usr/libexec/bluetooth/bluetoothd",
                "--nodetach",
                "--debug",
                f"--configfile={PARTS}/etc/bluetooth/main.conf",
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        finally:
            os.close(log)
        await until(self._is_ready, within_s=READY_S_MAX)

    async def kill(self) -> None:
        """As a crash would end it."""
        assert self._process is not None
        self._process.kill()
        await asyncio.wait_for(self._process.wait(), CALL_S_MAX)

    @staticmethod
    async def _is_ready() -> bool:
        try:
            await objects()
        except Asked:
            return False
        return True


class Vhci:
    """The gateway's adapter: a virtual controller in this home's air, plugged into the kernel."""

    def __init__(self, link: EtherLink) -> None:
        self._link = link
        self._transport: Transport | None = None
        self.controller: EtherController | None = None

    async def plug_in(self) -> None:
        """Be there; ready when BlueZ has switched it on, as it does by itself."""
        self._transport = transport = await open_vhci_transport(None)
        self.controller = EtherController("vhci", link=self._link, host_sink=transport.sink, public_address=ADDRESS)
        transport.source.set_packet_sink(self.controller)
        await until(powered, within_s=READY_S_MAX)

    async def pull_out(self) -> None:
        """Be gone, as a dongle that is pulled out."""
        assert self._transport is not None
        assert self.controller is not None
        self.controller.vanish()
        await self._transport.close()
        self._transport = None

    @property
    def present(self) -> bool:
        """Whether it is plugged in."""
        return self._transport is not None


@asynccontextmanager
async def bluez(link: EtherLink, *, log_as: str) -> AsyncGenerator[tuple[Bluetoothd, Vhci]]:
    """A BlueZ that never met anybody, and its adapter. Its log is left in OUT."""
    shutil.rmtree(STATE, ignore_errors=True)
    STATE.mkdir(parents=True)
    LOG.unlink(missing_ok=True)
    daemon, adapter = Bluetoothd(), Vhci(link)
    await daemon.start()
    try:
        await adapter.plug_in()
        yield daemon, adapter
    finally:
        if adapter.present:
            await adapter.pull_out()
        await daemon.kill()
        shutil.copy(LOG, OUT / f"bluetoothd.{log_as}.log")
