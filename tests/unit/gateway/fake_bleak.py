# ruff: noqa: ARG002, FBT001 - the signatures are bleak's
"""A bleak backend whose one peripheral does what a test says. Real bleak stands between it and the gateway."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakError, BleakGATTProtocolError

from gateway.errors import OutboxFailed
from gateway.radio import Heard, Radio


def long(uuid: str) -> str:
    return f"0000{uuid.lower()}-0000-1000-8000-00805f9b34fb"


@dataclass
class Peripheral:
    """What it offers, what it says after a subscription, and how it misbehaves."""

    address: str
    values: dict[str, bytes] = field(default_factory=dict[str, bytes])
    says: list[bytes] = field(default_factory=list[bytes])
    #: Bytes said once are forgotten, as a cuff does.
    hangs_up: bool = True
    refuses_connection: int = 0
    #: So often it hangs up while it is connected to, and bleak tries again at once, as it does on BlueZ.
    drops_connection: int = 0
    #: BlueZ has a bond with it.
    bonded: bool = False
    read_fails: Callable[["FakeClient"], None] | None = None
    #: A read that is never answered.
    read_hangs: bool = False
    connections: int = 0
    disconnects: int = 0

    def device(self) -> BLEDevice:
        return BLEDevice(self.address, None, None)

    def heard(self) -> Heard:
        return Heard(self.address, self.device(), -60, bonded=self.bonded)


class FakeClient(BaseBleakClient):
    """One connection to the peripheral at hand."""

    peripherals: ClassVar[dict[str, Peripheral]] = {}

    def __init__(self, address_or_ble_device: BLEDevice | str, services: Any = None, **settings: Any) -> None:
        settings.pop("bluez", None)
        settings.pop("winrt", None)
        super().__init__(address_or_ble_device, **settings)
        self.peripheral = self.peripherals[self.address]
        self._up = False

    @property
    def mtu_size(self) -> int:
        return 23

    @property
    def is_connected(self) -> bool:
        return self._up

    async def connect(self, pair: bool, **settings: Any) -> None:
        self.peripheral.connections += 1
        if self.peripheral.refuses_connection:
            self.peripheral.refuses_connection -= 1
            raise BleakError("failed to discover services, device disconnected")
        while self.peripheral.drops_connection:
            self.peripheral.drops_connection -= 1
            self.hang_up()
            await asyncio.sleep(0)
            self.peripheral.connections += 1
        services = BleakGATTServiceCollection()
        service = BleakGATTService(None, 1, long("1810"))
        services.add_service(service)
        for handle, uuid in enumerate([*self.peripheral.values, "2A35"], start=2):
            services.add_characteristic(
                BleakGATTCharacteristic(None, handle, long(uuid), ["read", "indicate"], lambda: 20, service)
            )
        self.services = services
        self._up = True

    def hang_up(self) -> None:
        self._up = False
        if self._disconnected_callback:
            self._disconnected_callback()

    async def disconnect(self) -> None:
        self.peripheral.disconnects += 1
        if self._up:
            self.hang_up()

    async def pair(self, *arguments: Any, **settings: Any) -> None:
        raise NotImplementedError

    async def unpair(self) -> None:
        raise NotImplementedError

    async def read_gatt_char(self, characteristic: BleakGATTCharacteristic, **settings: Any) -> bytearray:
        if self.peripheral.read_fails is not None:
            self.peripheral.read_fails(self)
        if self.peripheral.read_hangs:
            await asyncio.Event().wait()
        return bytearray(self.peripheral.values[characteristic.uuid[4:8].upper()])

    async def read_gatt_descriptor(self, *arguments: Any, **settings: Any) -> bytearray:
        raise NotImplementedError

    async def write_gatt_char(self, *arguments: Any, **settings: Any) -> None:
        raise BleakGATTProtocolError(0x03)

    async def write_gatt_descriptor(self, *arguments: Any, **settings: Any) -> None:
        raise NotImplementedError

    async def start_notify(self, characteristic: Any, callback: Callable[[bytearray], None], **settings: Any) -> None:
        async def speak() -> None:
            while self.peripheral.says:
                # What a callback raises goes to the backend's log, not to the program.
                with contextlib.suppress(OutboxFailed):
                    callback(bytearray(self.peripheral.says.pop(0)))
                await asyncio.sleep(0)
            if self.peripheral.hangs_up:
                self.hang_up()

        self._speaking = asyncio.ensure_future(speak())

    async def stop_notify(self, characteristic: Any) -> None:
        raise NotImplementedError


class FakeScanner(BaseBleakScanner):
    """Hears every peripheral a hundred times a second. `faults` counts down the starts that fail."""

    faults = 0
    starts = 0
    #: A start that never returns, as when bluetoothd hangs.
    hangs = False
    #: After this the air is empty.
    hears_for_s = float("inf")

    def __init__(self, detection_callback: Any, service_uuids: Any, scanning_mode: Any, **settings: Any) -> None:
        super().__init__(detection_callback, service_uuids)

    async def start(self) -> None:
        FakeScanner.starts += 1
        if FakeScanner.faults:
            FakeScanner.faults -= 1
            raise BleakError("org.bluez.Error.InProgress")
        if FakeScanner.hangs:
            await asyncio.Event().wait()
        self._task = asyncio.ensure_future(self._advertise())

    async def _advertise(self) -> None:
        heard = AdvertisementData(None, {}, {}, [], None, -60, ())
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self.hears_for_s
        while loop.time() < until_s:
            for peripheral in FakeClient.peripherals.values():
                self.call_detection_callbacks(peripheral.device(), heard)
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self._task.cancel()


def radio(*peripherals: Peripheral) -> Radio:
    """A radio in whose air these are."""
    FakeClient.peripherals = {peripheral.address: peripheral for peripheral in peripherals}
    FakeScanner.faults = FakeScanner.starts = 0
    FakeScanner.hangs = False
    return Radio(scanner_backend=FakeScanner, client_backend=FakeClient, name="fake")
