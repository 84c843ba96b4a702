"""bleak 3.1's own API over the virtual radio: what a gateway runs instead of BlueZ where there is no radio.

    BleakScanner(callback, backend=BumbleScannerBackend)
    BleakClient(device, callback, backend=BumbleClientBackend)

Kept true to BlueZ where that could hide a loss: an indication is confirmed *before* the program's callback runs, and a
value that was confirmed is handed over even where the link is gone by then.
"""

# bumble leaves parameters and returns unannotated here and there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, cast

from bleak import BleakScanner
from bleak.args import SizedBuffer
from bleak.assigned_numbers import CharacteristicPropertyName
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient, NotifyCallback
from bleak.backends.descriptor import BleakGATTDescriptor
from bleak.backends.device import BLEDevice
from bleak.backends.service import BleakGATTService, BleakGATTServiceCollection
from bleak.exc import BleakDeviceNotFoundError, BleakError, BleakGATTProtocolError
from bumble import core, hci
from bumble.att import ATT_Error, ErrorCode
from bumble.device import Connection, Peer
from bumble.gatt_client import CharacteristicProxy
from typing_extensions import override

from devices.virtual.adapter import (
    Adapter,
    BumbleControl,
    close_adapter,
    forget,
    power_cycle,
    running_adapter,
    use_device,
    use_hci,
)
from devices.virtual.bleak_scanner import BumbleScannerBackend, uuid_text

__all__ = [
    "BumbleClientBackend",
    "BumbleControl",
    "BumbleScannerBackend",
    "close_adapter",
    "forget",
    "power_cycle",
    "running_adapter",
    "use_device",
    "use_hci",
]

#: The largest ATT MTU a GATT client asks for over LE, as BlueZ does.
ATT_MTU: Final = 517
ATT_MTU_DEFAULT: Final = 23
DISCONNECT_S_MAX: Final = 5.0
LATE_CONNECTION_S_MAX: Final = 1.0
_T = TypeVar("_T")
_NEEDS_SECURITY: Final = (ErrorCode.INSUFFICIENT_AUTHENTICATION, ErrorCode.INSUFFICIENT_ENCRYPTION)


class BumbleClientBackend(BaseBleakClient):
    """One connection to one peripheral."""

    def __init__(
        self,
        address_or_ble_device: BLEDevice | str,
        services: set[str] | None = None,
        *,
        disconnected_callback: Callable[[], None] | None,
        timeout: float,
        **_platform_settings: Any,
    ) -> None:
        super().__init__(address_or_ble_device, disconnected_callback=disconnected_callback, timeout=timeout)
        known = isinstance(address_or_ble_device, BLEDevice)
        self._peer_address: hci.Address | None = address_or_ble_device.details if known else None
        self._name: str | None = address_or_ble_device.name if known else None
        self._wanted_services = services
        self._adapter: Adapter | None = None
        self._connection: Connection | None = None
        self._peer: Peer | None = None
        self._pairing_lock = asyncio.Lock()
        self._answering: set[asyncio.Task[None]] = set()

    @property
    @override
    def name(self) -> str:
        return self._name or self.address.replace(":", "-")

    @property
    @override
    def mtu_size(self) -> int:
        return self._peer.gatt_client.mtu if self._peer else ATT_MTU_DEFAULT

    @property
    @override
    def is_connected(self) -> bool:
        return self._connection is not None

    # Connecting ------------------------------------------------------------------------------------------------------

    @override
    async def connect(self, pair: bool, **kwargs: Any) -> None:
        if self._connection is not None:
            raise BleakError("already connected")
        self._adapter = await running_adapter()
        timeout_s: float = kwargs.get("timeout", self._timeout)
        async with asyncio.timeout(timeout_s):
            if self._peer_address is None:
                self._peer_address = await self._find(timeout_s)
            async with self._adapter.connect_lock:
                connection = await self._create_connection(self._adapter, self._peer_address)
            self._connection, self._peer = connection, Peer(connection)
            connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)
            connection.on(connection.EVENT_SECURITY_REQUEST, self._on_security_request)
            try:
                if pair or await self._has_bond(connection):
                    await self._secure()
                await self._operation(self._peer.request_mtu(ATT_MTU))
                self.services = await self._discover(self._peer)
            except BaseException:
                await self.disconnect()
                raise

    async def _find(self, timeout_s: float) -> hci.Address:
        device = await BleakScanner.find_device_by_address(self.address, timeout_s, backend=BumbleScannerBackend)
        if device is None:
            raise BleakDeviceNotFoundError(self.address, f"Device with address {self.address} was not found.")
        self._name = device.name
        return device.details

    @staticmethod
    async def _create_connection(adapter: Adapter, address: hci.Address) -> Connection:
        task = asyncio.ensure_future(adapter.device.connect(address))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if adapter.lost and not _own_cancellation():
                raise BleakError("the radio went away") from None
            # Tell the controller to give up, and wait until it has: it may have connected meanwhile.
            with contextlib.suppress(core.BaseBumbleError, TimeoutError):
                await adapter.device.send_sync_command(hci.HCI_LE_Create_Connection_Cancel_Command())
            with contextlib.suppress(core.BaseBumbleError, TimeoutError, asyncio.CancelledError):
                late = await asyncio.wait_for(task, LATE_CONNECTION_S_MAX)
                await late.disconnect()
            raise
        except core.BaseBumbleError as error:
            raise BleakError(f"connect failed: {error}") from error

    async def _discover(self, peer: Peer) -> BleakGATTServiceCollection:
        collection = BleakGATTServiceCollection()
        for service in await self._operation(peer.discover_services()):
            if self._wanted_services and uuid_text(service.uuid) not in self._wanted_services:
                continue
            bleak_service = BleakGATTService(service, service.handle, uuid_text(service.uuid))
            collection.add_service(bleak_service)
            for proxy in await self._operation(service.discover_characteristics()):
                characteristic = BleakGATTCharacteristic(
                    proxy,
                    proxy.handle,
                    uuid_text(proxy.uuid),
                    _properties(proxy),
                    lambda: self.mtu_size - 3,
                    bleak_service,
                )
                collection.add_characteristic(characteristic)
                for descriptor in await self._operation(proxy.discover_descriptors()):
                    kind = uuid_text(descriptor.type)
                    bleak_descriptor = BleakGATTDescriptor(descriptor, descriptor.handle, kind, characteristic)
                    collection.add_descriptor(bleak_descriptor)
        return collection

    @override
    async def disconnect(self) -> None:
        await asyncio.sleep(0)  # values that came with the hang-up are handed over first
        connection = self._connection
        if connection is not None:
            try:
                with contextlib.suppress(core.BaseBumbleError, TimeoutError):
                    await asyncio.wait_for(connection.disconnect(), DISCONNECT_S_MAX)
            except asyncio.CancelledError:
                if _own_cancellation():
                    raise

    def _on_disconnection(self, _reason: int) -> None:
        self._connection = self._peer = self.services = None
        if self._disconnected_callback is not None:
            # Queued behind the values that came before it, which are queued too: see start_notify.
            asyncio.get_running_loop().call_soon(self._disconnected_callback)

    # Security --------------------------------------------------------------------------------------------------------

    async def _has_bond(self, connection: Connection) -> bool:
        keystore = connection.device.keystore
        return keystore is not None and await keystore.get(str(connection.peer_address)) is not None

    async def _secure(self) -> None:
        """Encrypt with the stored key, else pair, as BlueZ does by itself."""
        async with self._pairing_lock:
            connection = self._connection
            if connection is None or connection.is_encrypted:
                return
            try:
                if await self._has_bond(connection):
                    await connection.encrypt()
                else:
                    await connection.pair()
            except asyncio.CancelledError:
                if self._connection is None and not _own_cancellation():
                    raise BleakError("disconnected while pairing") from None
                raise
            except core.BaseBumbleError as error:
                raise BleakError(f"pairing failed: {error}") from error

    def _on_security_request(self, _request: object) -> None:
        """A peripheral asks for an encrypted link; where that fails, it refuses the next request and says why."""
        task = asyncio.ensure_future(self._secure())
        self._answering.add(task)
        task.add_done_callback(self._on_answered)

    def _on_answered(self, task: asyncio.Task[None]) -> None:
        self._answering.discard(task)
        if not task.cancelled():
            task.exception()

    @override
    async def pair(self, *args: Any, **kwargs: Any) -> None:
        self._connected_peer()
        await self._secure()

    @override
    async def unpair(self) -> None:
        adapter = await running_adapter()
        await self.disconnect()
        if adapter.device.keystore is not None:
            with contextlib.suppress(KeyError):
                await adapter.device.keystore.delete(str(self._peer_address or hci.Address(self.address)))

    # GATT ------------------------------------------------------------------------------------------------------------

    def _connected_peer(self) -> Peer:
        if self._peer is None:
            raise BleakError("Not connected")
        return self._peer

    async def _operation(self, request: Awaitable[_T]) -> _T:
        """One ATT request, its failure as bleak names it."""
        try:
            return await request
        except ATT_Error as error:
            raise BleakGATTProtocolError(int(error.error_code)) from error
        except asyncio.CancelledError:
            # bumble cancels the pending request when the link drops: not to be taken for our own task's cancellation.
            if self._connection is None and not _own_cancellation():
                raise BleakError("disconnected") from None
            raise
        except core.BaseBumbleError as error:
            raise BleakError(f"GATT request failed: {error}") from error

    async def _secured(self, request: Callable[[], Awaitable[_T]]) -> _T:
        """The same, tried once more after pairing where the peripheral asks for an encrypted link."""
        try:
            return await self._operation(request())
        except BleakGATTProtocolError as error:
            wants_security = error.code in _NEEDS_SECURITY
            if not wants_security or self._connection is None or self._connection.is_encrypted:
                raise
        await self._secure()
        return await self._operation(request())

    @override
    async def read_gatt_char(
        self, characteristic: BleakGATTCharacteristic, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        client = self._connected_peer().gatt_client
        return bytearray(await self._secured(lambda: client.read_value(characteristic.obj)))

    @override
    async def read_gatt_descriptor(
        self, descriptor: BleakGATTDescriptor, *, use_cached: bool = False, **kwargs: Any
    ) -> bytearray:
        client = self._connected_peer().gatt_client
        return bytearray(await self._secured(lambda: client.read_value(descriptor.obj)))

    @override
    async def write_gatt_char(self, characteristic: BleakGATTCharacteristic, data: SizedBuffer, response: bool) -> None:
        client = self._connected_peer().gatt_client
        await self._secured(lambda: client.write_value(characteristic.obj, bytes(data), with_response=response))

    @override
    async def write_gatt_descriptor(self, descriptor: BleakGATTDescriptor, data: SizedBuffer) -> None:
        client = self._connected_peer().gatt_client
        await self._secured(lambda: client.write_value(descriptor.obj, bytes(data), with_response=True))

    @override
    async def start_notify(
        self, characteristic: BleakGATTCharacteristic, callback: NotifyCallback, **kwargs: Any
    ) -> None:
        client = self._connected_peer().gatt_client
        loop = asyncio.get_running_loop()

        def on_value(value: bytes) -> None:
            # bumble sends the confirmation when this returns. The program is called after that, as with BlueZ, so
            # that a reading lost between the two is lost here as well.
            loop.call_soon(callback, bytearray(value))

        await self._secured(lambda: client.subscribe(characteristic.obj, on_value, prefer_notify=True))

    @override
    async def stop_notify(self, characteristic: BleakGATTCharacteristic) -> None:
        client = self._connected_peer().gatt_client
        await self._operation(client.unsubscribe(characteristic.obj, force=True))


def _own_cancellation() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _properties(proxy: "CharacteristicProxy[bytes]") -> list[CharacteristicPropertyName]:
    names = [flag.name.lower().replace("_", "-") for flag in proxy.properties if flag.name]
    return cast("list[CharacteristicPropertyName]", names)
