"""A stick that is not there when the program starts, says nothing of itself, and is pulled out in the middle.

Method: `rpm-gateway run` as a process of its own, on bleak's stock backend and a real message bus; on it a stand-in for
bluetoothd, whose adapter comes and goes. What the gateway says of it is what reached the cloud's side of a real broker.
BlueZ itself runs in `make bluez`.
"""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from gateway.bluez import ADAPTER, AGENT_MANAGER, OBJECTS, PROPERTIES
from gateway.watch import ABSENT
from tests.services.test_bluez import bus, until
from tests.support.broker import Broker
from tests.support.fake_worker import FakeWorker, worker

__all__ = ["bus", "worker"]

WAIT_S_MAX = 30.0
HCI0 = "/org/bluez/hci0"
AWAY, DEAF, LISTENS = f"bluez: {ABSENT}not scanning", "bluez: not scanning", "bluez"
SETTINGS = """
gateway_id = "gw-home-a"
time_zone = "America/New_York"
heartbeat_s = 1
[broker]
url = "mqtt://127.0.0.1:{port}"
password = "{password}"
[[device]]
address = "C0:00:00:00:10:01"
kind = "blood_pressure"
label = "cuff"
"""


class Bluetoothd:
    """What bluetoothd would say of the adapter there is, or is not. `scans` and `looks` count what it was asked for:
    discoveries, and what there is."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._adapter: dict[str, Variant] | None = None
        self.scans = self.looks = 0
        bus.add_message_handler(self._asked)

    def plug(self, *, roles: bool) -> None:
        """Put a stick in; without `roles` it says of itself only that it is on."""
        self._adapter = {"Powered": Variant("b", True)}
        if roles:
            self._adapter["Roles"] = Variant("as", ["central"])
        self._tell("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", HCI0, {ADAPTER: self._adapter})

    def tell_roles(self) -> None:
        """It says what it can do after all."""
        assert self._adapter is not None
        roles = {"Roles": Variant("as", ["central"])}
        self._adapter |= roles
        self._tell(HCI0, PROPERTIES, "PropertiesChanged", "sa{sv}as", ADAPTER, roles, [])

    def pull(self) -> None:
        """Take the stick out."""
        self._adapter = None
        self._tell("/", OBJECTS, "InterfacesRemoved", "oas", HCI0, [ADAPTER])

    def _tell(self, path: str, interface: str, member: str, signature: str, *body: object) -> None:
        self._bus.send(  # pyright: ignore[reportUnknownMemberType] - the library leaves its future open
            Message.new_signal(path, interface, member, signature, list(body))
        )

    def _asked(self, message: Message) -> Message | bool:
        if message.message_type is not MessageType.METHOD_CALL or not message.member:
            return False
        if message.member == "GetManagedObjects":
            self.looks += 1
            objects = {} if self._adapter is None else {HCI0: {ADAPTER: self._adapter}}
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [objects])
        if message.path == HCI0 and self._adapter is None:
            return Message.new_error(message, "org.freedesktop.DBus.Error.UnknownObject", "no such object")
        if message.interface not in {ADAPTER, AGENT_MANAGER}:
            return False
        self.scans += message.member == "StartDiscovery"
        return Message.new_method_return(message)


@asynccontextmanager
async def bluetoothd() -> AsyncGenerator[Bluetoothd]:
    """It starts, without an adapter, and ends."""
    connected = await MessageBus(bus_type=BusType.SYSTEM).connect()
    made = Bluetoothd(connected)
    await connected.request_name("org.bluez")
    yield made
    connected.disconnect()


@pytest.mark.usefixtures("bus")
@pytest.mark.timeout(300)
async def test_an_adapter_that_comes_late_and_is_pulled_out_is_waited_for_told_and_used(
    tmp_path: Path, broker: Broker, worker: FakeWorker
) -> None:
    worker.join()
    config, log = tmp_path / "gateway.toml", tmp_path / "gateway.log"
    config.write_text(SETTINGS.format(port=broker.port, password=broker.passwords["gw-home-a"]))
    with log.open("wb") as file:
        gateway = await create_subprocess_exec(sys.executable, "-m", "gateway", "run", str(config), stderr=file)

    async def told(adapter: str) -> None:
        """Two heartbeats in a row say so."""
        await until(lambda: [each.adapter for each in worker.statuses[-2:]] == [adapter] * 2, within_s=WAIT_S_MAX)

    try:
        await told(AWAY)
        async with bluetoothd() as daemon:
            await until(lambda: daemon.looks > 0, within_s=WAIT_S_MAX)
            await told(AWAY)
            daemon.plug(roles=False)
            await told(DEAF)
            assert daemon.scans == 0
            daemon.tell_roles()
            await told(LISTENS)
            assert daemon.scans == 1
            daemon.pull()
            await told(AWAY)
            daemon.plug(roles=True)
            await told(LISTENS)
            assert daemon.scans == 2
        gateway.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(gateway.wait(), WAIT_S_MAX) == 0
    finally:
        if gateway.returncode is None:
            gateway.kill()
            await gateway.wait()
    assert "Traceback" not in log.read_text()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines].count("gateway_started") == 1, (
        "the program that waited is the one that scans"
    )
    reasons = {line["reason"] for line in lines if line["event"] == "scan_failed"}
    assert any("the adapter does not say what it can do" in reason for reason in reasons)
    assert not any("KeyError" in reason for reason in reasons)


@pytest.mark.usefixtures("bus")
async def test_scan_says_in_one_line_that_an_adapter_does_not_say_what_it_can_do() -> None:
    """bleak ends in a KeyError there."""
    async with bluetoothd() as daemon:
        daemon.plug(roles=False)
        process = await create_subprocess_exec(
            sys.executable, "-m", "gateway", "scan", "--seconds", "1", stdout=PIPE, stderr=PIPE
        )
        _, err = await asyncio.wait_for(process.communicate(), WAIT_S_MAX)
    assert process.returncode == 2
    assert err.decode().startswith("rpm-gateway: cannot scan: the adapter does not say what it can do")
    assert err.count(b"\n") == 1
