"""BlueZ over D-Bus, beyond what bleak does: the adapter's switch, bonds deleted, pairing agreed to, scans that ended.

bleak's own stock backend scans and connects; this is for when that no longer works. A connection to the bus of its own for
each call: the one that is in use may be what hangs. Interfaces: BlueZ 5.66, doc/adapter-api.txt and agent-api.txt.

Pairing without a person at the box needs an agent: without one BlueZ refuses ("AuthenticationFailed"). Ours agrees for the
devices of this home and for no other, and types the digits on their labels.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import structlog
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from gateway.enrolment import Enrolled
from gateway.radio import RadioFault

log = structlog.get_logger()

BUS: Final = "org.freedesktop.DBus"
BUS_PATH: Final = "/org/freedesktop/DBus"
BLUEZ: Final = "org.bluez"
ADAPTER: Final = "org.bluez.Adapter1"
DEVICE: Final = "org.bluez.Device1"
PROPERTIES: Final = "org.freedesktop.DBus.Properties"
OBJECTS: Final = "org.freedesktop.DBus.ObjectManager"
AGENT: Final = "org.bluez.Agent1"
AGENT_MANAGER: Final = "org.bluez.AgentManager1"
AGENT_PATH: Final = "/rpm/agent"
#: It can type what a device shows, and say yes.
CAPABILITY: Final = "KeyboardDisplay"
#: Registered anew so often, beside whenever the bus says that bluetoothd, which forgets its agents, was started again.
REGISTER_EVERY_S: Final = 30.0
REJECTED: Final = "org.bluez.Error.Rejected"
ALREADY: Final = "org.bluez.Error.AlreadyExists"
_DEVICE_PATH: Final = re.compile(r"/org/bluez/[^/]+/dev_((?:[0-9A-F]{2}_){5}[0-9A-F]{2})$")
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


@dataclass(frozen=True, slots=True)
class Answer:
    """What the agent says to one question: yes, with the digits where they are asked for (`signature`, `body`), or no."""

    agreed: bool
    reason: str
    signature: str = ""
    body: tuple[str | int, ...] = ()


def answer(member: str, device: Enrolled | None) -> Answer:
    """The agent's answer to a method of Agent1 about a device; None: not one of this home."""
    if member in {"Release", "Cancel"}:
        return Answer(agreed=True, reason="nothing is asked")
    if device is None:
        return Answer(agreed=False, reason="it is not a device of this home")
    if member in {"RequestPasskey", "RequestPinCode"}:
        if device.passkey is None:
            return Answer(agreed=False, reason="it asks for the digits on its label: set passkey in its [[device]]")
        if member == "RequestPinCode":
            return Answer(agreed=True, reason="the digits on its label", signature="s", body=(device.passkey,))
        return Answer(agreed=True, reason="the digits on its label", signature="u", body=(int(device.passkey),))
    if member in {
        "RequestConfirmation",
        "RequestAuthorization",
        "AuthorizeService",
        "DisplayPasskey",
        "DisplayPinCode",
    }:
        return Answer(agreed=True, reason="it is a device of this home")
    return Answer(agreed=False, reason="it asks what nobody here understands")


#: What the bus is asked to tell: bluetoothd's coming and going, adapters', and their switches.
_NEWS: Final = (
    f"type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{BLUEZ}'",
    f"type='signal',sender='{BLUEZ}',interface='{PROPERTIES}',member='PropertiesChanged',arg0='{ADAPTER}'",
    f"type='signal',sender='{BLUEZ}',interface='{OBJECTS}',path='/'",
)


def scan_ended(member: str, body: Sequence[Any]) -> str | None:
    """Why a scan that went on goes on no longer, where this signal says so; None where it says nothing of the kind.

    bleak is not told: its scanner stays "started" when bluetoothd dies or the adapter is switched off, and hears nothing.
    """
    match member:
        case "NameOwnerChanged":
            return "bluetoothd started" if body[2] else "bluetoothd ended"
        case "PropertiesChanged" if "Powered" in body[1]:
            return "the adapter was switched on" if body[1]["Powered"].value else "the adapter was switched off"
        case "InterfacesAdded" if ADAPTER in body[1]:
            return "an adapter came"
        case "InterfacesRemoved" if ADAPTER in body[1]:
            return "an adapter went away"
        case _:
            return None


class Agent:
    """Answers BlueZ's questions about pairing, until told to stop. `find` knows this home's devices by address.

    `on_scan_ended` is called where the scan has to be begun anew (see `scan_ended`).
    """

    def __init__(
        self, find: Callable[[str], Enrolled | None], on_scan_ended: Callable[[], None] = lambda: None
    ) -> None:
        self._find = find
        self._on_scan_ended = on_scan_ended
        #: bluetoothd was started anew, and knows no agent.
        self._forgotten = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Be BlueZ's agent until `stop` is set; a bus or a bluetoothd that is away is waited for."""
        trouble: str | None = None
        while not stop.is_set():
            try:
                async with _bus() as bus:
                    bus.add_message_handler(self._asked)
                    bus.add_message_handler(self._heard)
                    for rule in _NEWS:
                        await _call(bus, BUS_PATH, BUS, "AddMatch", "s", rule, destination=BUS)
                    trouble = await self._stay(bus, stop, trouble)
            except RadioFault as error:
                trouble = _told_once(str(error), trouble)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), REGISTER_EVERY_S)

    async def _stay(self, bus: MessageBus, stop: asyncio.Event, trouble: str | None) -> str | None:
        """Register, and again every REGISTER_EVERY_S for as long as the bus is there; the trouble there is, if any."""
        while not stop.is_set() and bus.connected:
            self._forgotten.clear()
            try:
                if await _registered(bus):
                    log.info("pairing_agent_ready")
                trouble = None
            except RadioFault as error:
                trouble = _told_once(str(error), trouble)
            waits = [asyncio.ensure_future(event.wait()) for event in (stop, self._forgotten)]
            try:
                await asyncio.wait(waits, timeout=REGISTER_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()
        return trouble

    def _heard(self, message: Message) -> None:
        if message.message_type is not MessageType.SIGNAL:
            return
        reason = scan_ended(message.member or "", message.body)
        if reason is None:
            return
        log.warning("scan_ended", reason=reason)
        if message.member == "NameOwnerChanged":
            self._forgotten.set()
        self._on_scan_ended()

    def _asked(self, message: Message) -> Message | bool:
        if (
            message.message_type is not MessageType.METHOD_CALL
            or message.path != AGENT_PATH
            or message.interface != AGENT
        ):
            return False
        match = _DEVICE_PATH.search(str(message.body[0])) if message.body else None
        device = None if match is None else self._find(match[1].replace("_", ":"))
        said = answer(message.member or "", device)
        slot = None if device is None else device.slot
        log.info("pairing_asked", what=message.member, device=slot, agreed=said.agreed, reason=said.reason)
        if not said.agreed:
            return Message.new_error(message, REJECTED, said.reason)
        return Message.new_method_return(message, said.signature, list(said.body))


async def _registered(bus: MessageBus) -> bool:
    """Be the default agent; False where we were registered already."""
    new = True
    try:
        await _call(bus, "/org/bluez", AGENT_MANAGER, "RegisterAgent", "os", AGENT_PATH, CAPABILITY)
    except Refused as error:
        if error.name != ALREADY:
            raise
        new = False
    await _call(bus, "/org/bluez", AGENT_MANAGER, "RequestDefaultAgent", "o", AGENT_PATH)
    return new


def _told_once(trouble: str, before: str | None) -> str:
    if trouble != before:
        log.error("pairing_agent_away", reason=trouble)
    return trouble


class Refused(RadioFault):
    """BlueZ said no. `name` is the D-Bus error's."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


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


async def _call(
    bus: MessageBus,
    path: str,
    interface: str,
    member: str,
    signature: str = "",
    *body: Any,
    destination: str = BLUEZ,
) -> list[Any]:
    message = Message(
        destination=destination, path=path, interface=interface, member=member, signature=signature, body=list(body)
    )
    try:
        async with asyncio.timeout(CALL_S_MAX):
            reply = await bus.call(message)
    except (OSError, EOFError, TimeoutError) as error:
        raise RadioFault("bluetoothd does not answer") from error
    if reply is None or reply.message_type is MessageType.ERROR:
        name = reply.error_name if reply is not None and reply.error_name else "no answer"
        raise Refused(name, PLAINLY.get(name, f"BlueZ refuses {member}: {name}"))
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
