"""The gateway's end of the virtual radio: one bumble host per event loop, opened on first use.

    use_hci("tcp-client:127.0.0.1:6402", address="F0:00:00:00:00:01")    # a program of its own
    use_device(device)                                                   # the same process, in tests

What bleak's backends in `bleak_backend` stand on, as BlueZ's daemon is what bleak's own backend stands on.
"""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

import asyncio
import contextlib
import json
import os
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bleak.exc import BleakBluetoothNotAvailableError, BleakBluetoothNotAvailableReason
from bumble import hci
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.keys import JsonKeyStore
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport import open_transport
from bumble.transport.common import Transport
from typing_extensions import override

#: A random static address (its two top bits are set). Bonds are filed under it, so a home keeps its own.
GATEWAY_ADDRESS: Final = "F0:00:00:00:00:01"
POWER_ON_S_MAX: Final = 10.0
CLOSE_S_MAX: Final = 2.0

#: The six digits on the label of the device with this address; None where nobody gave any.
PasskeyOf = Callable[[str], str | None]


def no_passkey(_address: str) -> str | None:
    """For a home whose devices pair without one."""
    return None


@dataclass(frozen=True, slots=True)
class HciSettings:
    """Where this process finds its radio. `keystore`: a JSON file of bonds, in clear, so readable by its owner only."""

    hci: str
    address: str = GATEWAY_ADDRESS
    keystore: Path | None = None
    passkey_of: PasskeyOf = no_passkey


class PrivateKeyStore(JsonKeyStore):
    """bumble's, in a file that nobody but its owner can read, not even while it is written."""

    @override
    async def save(self, db: dict[str, dict[str, dict[str, Any]]]) -> None:
        new = self.filename.with_name(self.filename.name + ".new")
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(db, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.filename)


class _Agent(PairingDelegate):
    """Types the code a device shows; without one, pairs with whoever asks to (Just Works)."""

    def __init__(self, passkey: str | None) -> None:
        typed, silent = PairingDelegate.KEYBOARD_INPUT_ONLY, PairingDelegate.NO_OUTPUT_NO_INPUT
        super().__init__(silent if passkey is None else typed)
        self._passkey = passkey

    @override
    async def get_number(self) -> int | None:
        return None if self._passkey is None else int(self._passkey)


class Adapter:
    """A Bluetooth adapter: bumble's host on a controller that lives elsewhere."""

    def __init__(
        self, device: Device, transport: Transport | None = None, *, passkey_of: PasskeyOf = no_passkey
    ) -> None:
        self.device = device
        self.passkey_of = passkey_of
        #: One LE Create Connection at a time per controller.
        self.connect_lock = asyncio.Lock()
        self.lost = False
        self._transport = transport
        self._scans = 0
        device.pairing_config_factory = self._pairing_config
        if transport is not None:
            transport.source.terminated.add_done_callback(lambda _: self._on_lost())

    async def start_scan(self, *, active: bool) -> None:
        """Scan, or share the scan that runs."""
        self._scans += 1
        if self._scans == 1:
            await self.device.start_scanning(active=active, filter_duplicates=False)

    async def stop_scan(self) -> None:
        """Stop scanning with the last one that wanted it."""
        self._scans -= 1
        if self._scans == 0 and not self.lost:
            await self.device.stop_scanning()

    async def close(self) -> None:
        """Give the radio back: its links end, its controller leaves the air."""
        for loop, adapter in tuple(_adapters.items()):
            if adapter is self:
                del _adapters[loop]
        if self._transport is not None:
            if not self.lost:
                with contextlib.suppress(BaseBumbleError, TimeoutError):
                    await asyncio.wait_for(self.device.power_off(), CLOSE_S_MAX)
            await self._transport.close()

    def _on_lost(self) -> None:
        """The controller went away: whoever has a link or waits for an answer is told, as an unplugged dongle does."""
        self.lost = True
        for connection in tuple(self.device.connections.values()):
            self.device.on_disconnection(connection.handle, hci.HCI_ErrorCode.HARDWARE_FAILURE_ERROR)

    def _pairing_config(self, connection: Connection) -> PairingConfig:
        passkey = self.passkey_of(connection.peer_address.to_string(with_type_qualifier=False).upper())
        return PairingConfig(sc=True, mitm=passkey is not None, bonding=True, delegate=_Agent(passkey))


_adapters: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Adapter]" = weakref.WeakKeyDictionary()
_settings: list[HciSettings] = []


def use_hci(
    transport: str,
    *,
    address: str = GATEWAY_ADDRESS,
    keystore: Path | None = None,
    passkey_of: PasskeyOf = no_passkey,
) -> None:
    """Name the radio every scanner and client of this process opens from now on: any bumble transport."""
    _settings[:] = [HciSettings(transport, address, keystore, passkey_of)]


def use_device(device: Device) -> Adapter:
    """Take a bumble device that is already powered on as the adapter of the running loop."""
    adapter = _adapters[asyncio.get_running_loop()] = Adapter(device)
    return adapter


async def running_adapter() -> Adapter:
    """The running loop's adapter, opened where it is not open yet or was lost.

    Raises:
        BleakBluetoothNotAvailableError: none is configured, or the port does not answer.
    """
    loop = asyncio.get_running_loop()
    adapter = _adapters.get(loop)
    if adapter is not None and adapter.lost:
        await adapter.close()
        adapter = None
    if adapter is None:
        if not _settings:
            raise _unavailable("no virtual radio: call use_hci() first")
        adapter = _adapters[loop] = await _open(_settings[0])
    return adapter


async def close_adapter() -> None:
    """Close the running loop's adapter, if it has one."""
    adapter = _adapters.get(asyncio.get_running_loop())
    if adapter is not None:
        await adapter.close()


async def power_cycle() -> None:
    """Close the running loop's adapter, also one that answers nothing any more, and open it anew.

    Raises:
        BleakBluetoothNotAvailableError: none is configured, or the port does not answer.
    """
    await close_adapter()
    await running_adapter()


async def forget(address: str) -> None:
    """Delete the bond with a device; nothing where there is none."""
    keystore = (await running_adapter()).device.keystore
    if keystore is not None:
        with contextlib.suppress(KeyError):
            await keystore.delete(str(hci.Address(address)))


class BumbleControl:
    """What helps a virtual radio that no longer works: the gateway's AdapterControl.

    Both raise bleak's BleakBluetoothNotAvailableError where the controller does not answer.
    """

    async def power_cycle(self) -> None:
        """See `power_cycle`."""
        await power_cycle()

    async def forget(self, address: str) -> None:
        """See `forget`."""
        await forget(address)


async def _open(settings: HciSettings) -> Adapter:
    try:
        transport = await open_transport(settings.hci)
    except OSError as error:
        raise _unavailable(f"no virtual radio at {settings.hci}: {error}") from error
    # The identity key only has to be this adapter's own: home devices do not use private addresses.
    configuration = DeviceConfiguration(name="gateway", address=hci.Address(settings.address), irk=os.urandom(16))
    device = Device.from_config_with_hci(configuration, transport.source, transport.sink)
    if settings.keystore is not None:
        # Bonds are filed under the gateway's own address.
        device.keystore = PrivateKeyStore(settings.address, str(settings.keystore))
    try:
        await asyncio.wait_for(device.power_on(), POWER_ON_S_MAX)
    except (BaseBumbleError, TimeoutError) as error:
        await transport.close()
        raise _unavailable(f"the virtual radio at {settings.hci} does not answer") from error
    return Adapter(device, transport, passkey_of=settings.passkey_of)


def _unavailable(message: str) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError(message, BleakBluetoothNotAvailableReason.NO_BLUETOOTH)
