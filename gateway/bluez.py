"""BlueZ over D-Bus, beyond what bleak does: the adapter switched off and on, a bond deleted.

bleak's own stock backend scans and connects; this is for when that no longer works. A connection to the bus of its own for
each call: the one that is in use may be what hangs. Interface: BlueZ 5.66, doc/adapter-api.txt.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from gateway.radio import RadioFault

BLUEZ: Final = "org.bluez"
ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
CALL_S_MAX: Final = 10.0
#: The controller forgets its links and scans while it is off.
OFF_S: Final = 1.0

#: What BlueZ answers, in words that say what to do.
PLAINLY: Final = {
    "org.freedesktop.DBus.Error.ServiceUnknown": "bluetoothd does not run: systemctl start bluetooth",
    "org.freedesktop.DBus.Error.NameHasNoOwner": "bluetoothd does not run: systemctl start bluetooth",
    "org.bluez.Error.Blocked": "the adapter is switched off by rfkill: rfkill unblock bluetooth",
}


class BluezControl:
    """AdapterControl of the machine's first Bluetooth adapter."""

    async def power_cycle(self) -> None:
        """Switch the adapter off, wait OFF_S, and on; RadioFault where there is none, or BlueZ refuses."""
        async with _bus() as bus:
            adapter = await _adapter(bus)
            await _set_power(bus, adapter, on=False)
            await asyncio.sleep(OFF_S)
            await _set_power(bus, adapter, on=True)

    async def forget(self, address: str) -> None:
        """Remove the device with this address, and with it its bond; RadioFault where BlueZ refuses."""
        async with _bus() as bus:
            adapter = await _adapter(bus)
            for path, interfaces in (await _objects(bus)).items():
                properties = interfaces.get(DEVICE)
                if properties is not None and properties["Address"].value.upper() == address.upper():
                    await _call(bus, adapter, ADAPTER, "RemoveDevice", "o", path)


@asynccontextmanager
async def _bus() -> AsyncGenerator[MessageBus]:
    try:
        async with asyncio.timeout(CALL_S_MAX):
            bus = await MessageBus(bus_type=BusType.SYSTEM).connect()
    except (OSError, EOFError, TimeoutError) as error:
        raise RadioFault("the system's message bus does not answer: systemctl status dbus") from error
    try:
        yield bus
    finally:
        bus.disconnect()


async def _call(bus: MessageBus, path: str, interface: str, member: str, signature: str = "", *body: Any) -> list[Any]:
    message = Message(
        destination=BLUEZ, path=path, interface=interface, member=member, signature=signature, body=list(body)
    )
    try:
        async with asyncio.timeout(CALL_S_MAX):
            reply = await bus.call(message)
    except (OSError, EOFError, TimeoutError) as error:
        raise RadioFault("bluetoothd does not answer") from error
    if reply is None or reply.message_type is MessageType.ERROR:
        name = reply.error_name if reply is not None and reply.error_name else "no answer"
        raise RadioFault(PLAINLY.get(name, f"BlueZ refuses {member}: {name}"))
    return reply.body


async def _objects(bus: MessageBus) -> dict[str, dict[str, dict[str, Any]]]:
    (objects,) = await _call(bus, "/", OBJECTS, "GetManagedObjects")
    return objects


async def _adapter(bus: MessageBus) -> str:
    found = sorted(path for path, interfaces in (await _objects(bus)).items() if ADAPTER in interfaces)
    if not found:
        raise RadioFault("this machine has no Bluetooth adapter, or its driver has not started")
    return found[0]


async def _set_power(bus: MessageBus, adapter: str, *, on: bool) -> None:
    await _call(bus, adapter, PROPERTIES, "Set", "ssv", ADAPTER, "Powered", Variant("b", on))
