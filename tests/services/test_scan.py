"""`rpm-gateway scan` as a process of its own: over the virtual radio, and over bleak's stock backend on a real message bus.

On the bus stands a stand-in for bluetoothd that answers what a scan asks and writes down whatever it is asked: a scan that
connected or paired would be seen. BlueZ itself was not run here.
"""

import asyncio
import json
import subprocess
import sys
from asyncio.subprocess import PIPE, create_subprocess_exec
from pathlib import Path
from typing import Any

import pytest
from dbus_fast import BusType, Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from gateway.bluez import ADAPTER, DEVICE
from gateway.settings import read_settings
from tests.services.test_bluez import bus, path_of
from tests.services.test_gateway_home import CUFF, NEIGHBOUR, SCALE, Home, home
from tests.unit.gateway.test_settings import GOOD, write

__all__ = ["bus", "home"]

SCAN = [sys.executable, "-m", "gateway", "scan"]
BLUEZ_CUFF = "C0:00:00:00:10:07"


def scan(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SCAN, *words], capture_output=True, text=True, timeout=60, check=False)


def heard(home: Home) -> dict[str, dict[str, Any]]:
    done = scan(str(home.config), "--seconds", "2", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return {found["address"]: found for found in map(json.loads, done.stdout.splitlines())}


def test_what_is_in_the_air_is_listed_and_nothing_is_connected_to(home: Home) -> None:
    home.ask("cuff", "measure", systolic=120, diastolic=80, mean=93, pulse=70)
    home.ask("neighbour", "measure", systolic=120, diastolic=80, mean=93, pulse=70)
    found = heard(home)
    assert (found[CUFF]["kinds"], found[CUFF]["enrolled"], found[CUFF]["standing"]) == (["blood_pressure"], 1, "read")
    assert (found[NEIGHBOUR]["kinds"], found[NEIGHBOUR]["enrolled"]) == (["blood_pressure"], None)
    assert found[CUFF]["pairing"] == "perhaps"
    assert found[CUFF]["rssi_dbm"] < 0
    for device in ("cuff", "neighbour"):
        state = home.ask(device, "state")
        assert (state["connections"], state["pending"]) == (0, 1), "heard, and let alone"
    told = scan(str(home.config), "--seconds", "1").stdout
    assert "cuff in the kitchen" in told
    assert f"not heard: scale ({SCALE})" in told


def test_a_device_is_added_once_it_was_heard_and_then_it_is_this_homes(home: Home) -> None:
    arguments = (str(home.config), "--add", NEIGHBOUR.lower(), "--label", "cuff upstairs", "--yes", "--seconds")
    done = scan(*arguments, "1")
    assert done.returncode == 2
    assert (
        done.stderr
        == f"rpm-gateway: {NEIGHBOUR} was not heard: use the device, or hold its button, while this listens\n"
    )
    home.ask("neighbour", "measure", systolic=120, diastolic=80, mean=93, pulse=70)
    done = scan(*arguments, "20")
    assert (done.returncode, done.stderr) == (0, "")
    assert f'[[device]]\naddress = "{NEIGHBOUR}"\nkind = "blood_pressure"\nlabel = "cuff upstairs"\n' in done.stdout
    added = read_settings(home.config).device[-1]
    assert (added.address, added.label) == (NEIGHBOUR, "cuff upstairs")
    again = scan(*arguments, "20")
    assert (again.returncode, "already, as 'cuff upstairs'" in again.stdout) == (0, True)
    assert len(read_settings(home.config).device) == 4
    assert home.ask("neighbour", "state")["connections"] == 0


@pytest.mark.parametrize(
    "words, told",
    [
        (("--add", CUFF), "name the file"),
        (("--label", "x"), "--add ADDRESS"),
        (("CONFIG", "--add", "nonsense"), "--add nonsense"),
        (("CONFIG", "--add", CUFF, "--kind", "tea"), "one of blood_pressure, body_weight"),
        (("CONFIG", "--seconds", "0"), "seconds"),
    ],
)
def test_a_slip_of_the_fingers_is_one_line(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    config = write(tmp_path, GOOD)
    done = scan(*(str(config) if word == "CONFIG" else word for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


class Bluetoothd:
    """Hears one cuff, which somebody holds the button of. `asked` is every method it was asked."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self.asked: list[str] = []
        bus.add_message_handler(self._asked)

    def _asked(self, message: Message) -> Message | bool:
        if message.message_type is not MessageType.METHOD_CALL or not message.member:
            return False
        if message.member == "GetManagedObjects":
            adapter = {ADAPTER: {"Powered": Variant("b", True), "Roles": Variant("as", ["central"])}}
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [{"/org/bluez/hci0": adapter}])
        if message.interface not in {ADAPTER, DEVICE}:
            return False
        self.asked.append(message.member)
        if message.member == "StartDiscovery":
            asyncio.get_running_loop().call_later(0.2, self._hears)
        return Message.new_method_return(message)

    def _hears(self) -> None:
        device = {
            "Address": Variant("s", BLUEZ_CUFF),
            "AddressType": Variant("s", "random"),
            "Alias": Variant("s", "A&D_UA-651BLE_0001"),
            "Name": Variant("s", "A&D_UA-651BLE_0001"),
            "UUIDs": Variant("as", ["00001810-0000-1000-8000-00805f9b34fb"]),
            "RSSI": Variant("n", -58),
            "AdvertisingFlags": Variant("ay", bytes([5])),
            "Adapter": Variant("o", "/org/bluez/hci0"),
            "Connected": Variant("b", False),
            "ServicesResolved": Variant("b", False),
        }
        self._bus.send(  # pyright: ignore[reportUnknownMemberType] - the library leaves its future open
            Message.new_signal(
                "/",
                "org.freedesktop.DBus.ObjectManager",
                "InterfacesAdded",
                "oa{sa{sv}}",
                [path_of(BLUEZ_CUFF), {DEVICE: device}],
            )
        )


@pytest.mark.usefixtures("bus")
async def test_over_bluez_the_stock_backend_hears_and_asks_for_nothing_but_a_discovery() -> None:
    connected = await MessageBus(bus_type=BusType.SYSTEM).connect()
    daemon = Bluetoothd(connected)
    await connected.request_name("org.bluez")
    process = await create_subprocess_exec(*SCAN, "--seconds", "2", "--json", stdout=PIPE, stderr=PIPE)
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, err) == (0, b"")
    (found,) = map(json.loads, out.splitlines())
    assert (found["address"], found["model"], found["kinds"], found["rssi_dbm"], found["pairing"]) == (
        BLUEZ_CUFF,
        "and-ua-651ble",
        ["blood_pressure"],
        -58,
        "yes",
    )
    assert set(daemon.asked) == {"SetDiscoveryFilter", "StartDiscovery", "StopDiscovery"}
    connected.disconnect()


@pytest.mark.usefixtures("bus")
async def test_without_bluetooth_one_line_says_where_to_look() -> None:
    process = await create_subprocess_exec(*SCAN, "--seconds", "1", stdout=PIPE, stderr=PIPE)
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert err.decode().startswith("rpm-gateway: cannot scan: ")
    assert "systemctl status bluetooth" in err.decode()
    assert err.count(b"\n") == 1
