"""BlueZ's side of the gateway over a real message bus: pairing agreed to for this home's devices alone, the adapter
switched off and on, a bond forgotten.

Method: a dbus-daemon of the test's own, and on it a stand-in that speaks BlueZ's interfaces (Adapter1, Device1,
AgentManager1, ObjectManager) and asks the agent as bluetoothd does. It shows the wire and the decisions; BlueZ itself
runs in `make bluez`.
"""

import asyncio
import subprocess
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from gateway.bluez import (
    ADAPTER,
    AGENT_MANAGER,
    AGENT_PATH,
    DEVICE,
    OBJECTS,
    PROPERTIES,
    Agent,
    BluezControl,
    answer,
    scan_ended,
)
from gateway.enrolment import Enrolment
from gateway.radio import RadioFault
from gateway.settings import Device
from schemas.codes import Kind
from tests.support.provisioning import run_script

WAIT_S_MAX = 30.0
CUFF, METER, STRANGER = "C0:00:00:00:10:01", "C0:00:00:00:10:03", "C0:00:00:00:99:99"
BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_type="signal"/>
<allow send_requested_reply="true" send_type="method_return"/><allow send_requested_reply="true" send_type="error"/>
<allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
<allow receive_type="signal"/></policy></busconfig>
"""


def path_of(address: str) -> str:
    return f"/org/bluez/hci0/dev_{address.replace(':', '_')}"


class Bluez:
    """What bluetoothd would say. `powered` is every value Powered was set to; `adapters` 0: there is none."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.adapters = 1
        self.devices = {CUFF, METER}
        self.powered: list[bool] = []
        self.blocked = False
        self.agent: tuple[str, str] | None = None
        self.default: str | None = None
        self.registrations = 0
        bus.add_message_handler(self._asked)

    def _objects(self) -> dict[str, dict[str, dict[str, Variant]]]:
        found = {
            f"/org/bluez/hci{number}": {ADAPTER: {"Powered": Variant("b", True)}} for number in range(self.adapters)
        }
        return found | {path_of(address): {DEVICE: {"Address": Variant("s", address)}} for address in self.devices}

    def _asked(self, message: Message) -> Message | bool:
        if message.message_type is not MessageType.METHOD_CALL or not message.member:
            return False
        if message.member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects()])
        if message.member == "Set" and self.blocked:
            return Message.new_error(message, "org.bluez.Error.Blocked", "Blocked through rfkill")
        if message.member == "Set":
            assert message.body[:2] == [ADAPTER, "Powered"]
            self.powered.append(message.body[2].value)
            return Message.new_method_return(message)
        if message.member == "RemoveDevice":
            self.devices = {address for address in self.devices if path_of(address) != message.body[0]}
            return Message.new_method_return(message)
        if message.interface == AGENT_MANAGER:
            return self._agent(message)
        return False

    def _agent(self, message: Message) -> Message:
        if message.member == "RequestDefaultAgent":
            self.default = message.body[0]
        elif self.agent is not None:
            return Message.new_error(message, "org.bluez.Error.AlreadyExists", "Already Exists")
        else:
            assert message.sender
            self.agent, self.registrations = (message.sender, message.body[0]), self.registrations + 1
        return Message.new_method_return(message)

    async def tell(self, path: str, interface: str, member: str, signature: str, *body: Any) -> None:
        """A signal, as bluetoothd sends it."""
        self._bus.send(  # pyright: ignore[reportUnknownMemberType] - dbus_fast leaves its future's type open
            Message.new_signal(path, interface, member, signature, list(body))
        )

    async def ask(self, member: str, signature: str, *body: Any) -> Message:
        """Ask the agent, as bluetoothd does in the middle of a pairing."""
        assert self.agent is not None
        sender, path = self.agent
        message = Message(
            destination=sender,
            path=path,
            interface="org.bluez.Agent1",
            member=member,
            signature=signature,
            body=list(body),
        )
        reply = await asyncio.wait_for(self._bus.call(message), WAIT_S_MAX)
        assert reply is not None
        return reply


@pytest_asyncio.fixture
async def bus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[None]:
    """A message bus of this test's own, which everybody here takes for the system's."""
    config = tmp_path / "bus.conf"
    config.write_text(BUS.format(socket=tmp_path / "bus"))
    program = await asyncio.to_thread(run_script, "tools.sh", "dbus")
    process = await asyncio.create_subprocess_exec(
        program, f"--config-file={config}", "--nofork", "--nopidfile", "--print-address", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    address = (await asyncio.wait_for(process.stdout.readline(), WAIT_S_MAX)).decode().strip()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
    yield
    process.terminate()
    await asyncio.wait_for(process.wait(), WAIT_S_MAX)


@asynccontextmanager
async def daemon() -> AsyncGenerator[Bluez]:
    """bluetoothd starts, and ends."""
    connected = await MessageBus(bus_type=BusType.SYSTEM).connect()
    made = Bluez(connected)
    await connected.request_name("org.bluez")
    yield made
    connected.disconnect()


@asynccontextmanager
async def agent(on_scan_ended: Callable[[], None] = lambda: None) -> AsyncGenerator[None]:
    """The gateway's agent at work, for a home with a cuff and a meter that asks for the digits on its label."""
    enrolment = Enrolment(
        [
            Device(address=CUFF, kind=Kind.BLOOD_PRESSURE, label="cuff"),
            Device.model_validate({"address": METER, "kind": "glucose", "label": "meter", "passkey": "012345"}),
        ]
    )
    stop = asyncio.Event()
    running = asyncio.create_task(Agent(enrolment.find, on_scan_ended).run(stop))
    yield
    stop.set()
    await asyncio.wait_for(running, WAIT_S_MAX)


async def until(holds: Callable[[], bool], *, within_s: float = WAIT_S_MAX) -> None:
    deadline = asyncio.get_running_loop().time() + within_s
    while not holds():
        assert asyncio.get_running_loop().time() < deadline, "it never came to hold"
        await asyncio.sleep(0.02)


@pytest.mark.usefixtures("bus")
async def test_the_devices_of_this_home_are_paired_with_and_a_strangers_is_not() -> None:
    async with daemon() as bluez, agent():
        await until(lambda: bluez.default == AGENT_PATH)
        for member, signature, more in (
            ("RequestAuthorization", "o", ()),
            ("RequestConfirmation", "ou", (123456,)),
            ("AuthorizeService", "os", ("00001810-0000-1000-8000-00805f9b34fb",)),
        ):
            agreed = await bluez.ask(member, signature, path_of(CUFF), *more)
            assert agreed.message_type is MessageType.METHOD_RETURN, member
            refused = await bluez.ask(member, signature, path_of(STRANGER), *more)
            assert refused.error_name == "org.bluez.Error.Rejected", member


@pytest.mark.usefixtures("bus")
async def test_the_digits_on_the_label_are_typed_where_they_are_known() -> None:
    async with daemon() as bluez, agent():
        await until(lambda: bluez.default == AGENT_PATH)
        assert (await bluez.ask("RequestPasskey", "o", path_of(METER))).body == [12345]
        assert (await bluez.ask("RequestPinCode", "o", path_of(METER))).body == ["012345"]
        for address in (CUFF, STRANGER):
            refused = await bluez.ask("RequestPasskey", "o", path_of(address))
            assert refused.error_name == "org.bluez.Error.Rejected"


@pytest.mark.usefixtures("bus")
@pytest.mark.parametrize("path", ["/", "/org/bluez/hci0", "/org/bluez/hci0/dev_nonsense", path_of(CUFF) + "/service0"])
async def test_a_path_that_names_no_device_is_a_strangers(path: str) -> None:
    async with daemon() as bluez, agent():
        await until(lambda: bluez.default == AGENT_PATH)
        assert (await bluez.ask("RequestAuthorization", "o", path)).error_name == "org.bluez.Error.Rejected"


@pytest.mark.usefixtures("bus")
async def test_the_agent_waits_for_a_daemon_and_survives_its_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    """bluetoothd forgets its agents when it is started again, and tells nobody."""
    monkeypatch.setattr("gateway.bluez.REGISTER_EVERY_S", 0.05)
    async with agent():
        await asyncio.sleep(0.2)
        for _ in range(2):
            async with daemon() as bluez:
                await until(lambda bluez=bluez: bluez.default == AGENT_PATH)
                await asyncio.sleep(0.2)
                assert bluez.registrations == 1, "registered once, though it asks again and again"


@pytest.mark.usefixtures("bus")
async def test_a_bluetoothd_that_was_started_anew_has_its_agent_at_once_and_the_scan_is_begun_anew() -> None:
    ended: list[int] = []
    async with agent(lambda: ended.append(1)):
        async with daemon() as bluez:
            await until(lambda: bluez.default == AGENT_PATH)
        await until(lambda: len(ended) >= 1)
        before = len(ended)
        async with daemon() as bluez:
            await until(lambda: bluez.default == AGENT_PATH)
            await until(lambda: len(ended) > before)


@pytest.mark.usefixtures("bus")
async def test_an_adapter_that_is_switched_off_or_comes_ends_the_scan_and_a_device_that_comes_does_not() -> None:
    ended: list[int] = []
    async with daemon() as bluez, agent(lambda: ended.append(1)):
        await until(lambda: bluez.default == AGENT_PATH)
        hci0 = "/org/bluez/hci0"
        device: dict[str, dict[str, Variant]] = {DEVICE: {}}
        adapter: dict[str, dict[str, Variant]] = {ADAPTER: {}}
        await bluez.tell(
            hci0, PROPERTIES, "PropertiesChanged", "sa{sv}as", ADAPTER, {"Discovering": Variant("b", False)}, []
        )
        await bluez.tell("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", path_of(CUFF), device)
        await bluez.tell("/", OBJECTS, "InterfacesRemoved", "oas", path_of(CUFF), [DEVICE])
        powered = {"Powered": Variant("b", False)}
        for number, told in enumerate(
            (
                bluez.tell(hci0, PROPERTIES, "PropertiesChanged", "sa{sv}as", ADAPTER, powered, []),
                bluez.tell("/", OBJECTS, "InterfacesRemoved", "oas", hci0, [ADAPTER]),
                bluez.tell("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", hci0, adapter),
            ),
            start=1,
        ):
            await told
            await until(lambda number=number: len(ended) >= number)
            assert len(ended) == number


@pytest.mark.usefixtures("bus")
async def test_the_adapter_is_switched_off_and_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.bluez.OFF_S", 0.01)
    async with daemon() as bluez:
        await BluezControl().power_cycle()
        assert bluez.powered == [False, True]


@pytest.mark.usefixtures("bus")
async def test_one_bond_is_forgotten_and_the_others_stay() -> None:
    async with daemon() as bluez:
        await BluezControl().forget(CUFF.lower())
        await BluezControl().forget(STRANGER)
        assert bluez.devices == {METER}


@pytest.mark.usefixtures("bus")
async def test_what_is_wrong_is_said_in_words_that_help(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RadioFault, match="systemctl start bluetooth"):
        await BluezControl().power_cycle()
    async with daemon() as bluez:
        bluez.blocked = True
        with pytest.raises(RadioFault, match="rfkill unblock bluetooth"):
            await BluezControl().power_cycle()
        bluez.adapters = 0
        with pytest.raises(RadioFault, match="no Bluetooth adapter"):
            await BluezControl().power_cycle()
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus")
    with pytest.raises(RadioFault, match="message bus does not answer"):
        await BluezControl().power_cycle()


def test_every_question_has_an_answer_and_an_unknown_one_is_refused() -> None:
    [cuff] = [Enrolment([Device(address=CUFF, kind=Kind.BLOOD_PRESSURE, label="cuff")]).find(CUFF)]
    assert answer("Release", None).agreed
    assert not answer("SingASong", cuff).agreed
    assert not answer("DisplayPasskey", None).agreed
    assert all(answer(member, cuff).reason for member in ("Cancel", "RequestPasskey", "DisplayPinCode"))


def test_why_a_scan_ended_is_said() -> None:
    assert scan_ended("NameOwnerChanged", ["org.bluez", ":1.5", ""]) == "bluetoothd ended"
    assert scan_ended("NameOwnerChanged", ["org.bluez", "", ":1.6"]) == "bluetoothd started"
    on = {"Powered": Variant("b", True)}
    assert scan_ended("PropertiesChanged", [ADAPTER, on, []]) == "the adapter was switched on"
    assert scan_ended("PropertiesChanged", [ADAPTER, {"Discovering": Variant("b", False)}, []]) is None
    assert scan_ended("NameAcquired", [":1.7"]) is None
