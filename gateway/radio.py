"""The radio: bleak, and nothing of bleak outside this file, but for its errors (`radio_faults`).

The one rule of this file is that a connection is *always* disconnected, also after the device hung up. On BlueZ 5.66 a
client that skips it stays subscribed; at the next connection the device's confirmation goes to the dead client, the
device forgets the reading and the new client never sees it (9 of 10 readings lost, measured).
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import structlog
from bleak import BleakClient, BleakScanner
from bleak.backends.characteristic import BleakGATTCharacteristic
from bleak.backends.client import BaseBleakClient
from bleak.backends.device import BLEDevice
from bleak.backends.scanner import AdvertisementData, BaseBleakScanner
from bleak.exc import BleakError, BleakGATTProtocolError

from devices.gatt import AttError, LinkLost, Property, short_uuid
from gateway.errors import UserError
from gateway.radio_faults import NotConnectable, PairingFailed, RadioFault, fault, is_drop, scan_fault
from gateway.settings import Backend
from gateway.settings import Radio as RadioSettings

log = structlog.get_logger()

#: A cuff advertises for about a minute after a measurement: a connection that takes longer than this is tried again.
CONNECT_S_MAX: Final = 15.0
#: So often a device with a bond may hang up while it is connected to: on BlueZ bleak tries again at once, up to the time-out.
DROPS_MAX: Final = 3
DISCONNECT_S_MAX: Final = 5.0
#: BlueZ answers within a second. Its daemon, hung, never does.
SCAN_START_S_MAX: Final = 10.0
#: What BlueZ reports when the link drops in the middle of a read ("Unlikely Error").
ATT_UNLIKELY: Final = 0x0E


#: Of what may be done with a characteristic, what a procedure does.
_PROPERTIES: Final[tuple[Property, ...]] = ("read", "write", "notify", "indicate")


@dataclass(frozen=True, slots=True)
class Heard:
    """A device as the scan heard it. `device` is what bleak connects by; `rssi_dbm` how strongly it was heard.

    The rest is what it says of itself to everybody, for `devices.catalogue`.
    """

    address: str
    device: BLEDevice
    rssi_dbm: int
    name: str | None = None
    services: frozenset[str] = frozenset()
    company_ids: frozenset[int] = frozenset()
    #: The bits of its Flags (Core Specification Supplement, part A, 1.3); None where it sends none, or BlueZ tells none.
    flags: int | None = None
    #: Whether BlueZ has a bond with it. No other driver says.
    bonded: bool = False


def _flags(platform_data: tuple[Any, ...]) -> int | None:
    """The first byte of what BlueZ calls AdvertisingFlags."""
    match platform_data:
        case (_, {"AdvertisingFlags": flags}) if flags:
            return int(flags[0])
        case _:
            return None


def _bonded(platform_data: tuple[Any, ...]) -> bool:
    """What BlueZ calls Paired, as it is now: `BLEDevice.details` is of when the device was first heard."""
    match platform_data:
        case (_, {"Paired": paired}):
            return bool(paired)
        case _:
            return False


def no_passkey(_address: str) -> str | None:
    """For a home whose devices pair without one."""
    return None


class AdapterControl(Protocol):
    """What helps a radio that no longer works, where its driver offers it. Both raise RadioFault where they fail."""

    async def power_cycle(self) -> None:
        """Switch the adapter off and on."""
        ...

    async def forget(self, address: str) -> None:
        """Delete the bond with a device, so that the next connection pairs anew. Nothing where there is none."""
        ...


class BleakLink:
    """A connected peripheral as `devices.gatt.Link`, over one BleakClient."""

    def __init__(self, client: BleakClient, gone: asyncio.Event) -> None:
        self._client = client
        self._gone = gone
        self._by_uuid: dict[str, BleakGATTCharacteristic] = {}
        #: Service → characteristic → what may be done with it: read, write, notify, indicate.
        self.layout: dict[str, dict[str, tuple[Property, ...]]] = {
            short_uuid(service.uuid): {
                short_uuid(each.uuid): tuple(word for word in _PROPERTIES if word in each.properties)
                for each in service.characteristics
            }
            for service in client.services
        }
        #: The newest subscription to each characteristic.
        self._takers: dict[str, Callable[[BleakGATTCharacteristic, bytearray], None]] = {}
        #: Every service offered, as `short_uuid` writes it.
        self.services = frozenset(short_uuid(service.uuid) for service in client.services)
        for service in client.services:
            for characteristic in service.characteristics:
                # The same characteristic may stand in two services (Date Time, RACP): the first one is spoken to.
                self._by_uuid.setdefault(short_uuid(characteristic.uuid), characteristic)

    @property
    def characteristics(self) -> frozenset[str]:
        """Every characteristic offered, as `short_uuid` writes it."""
        return frozenset(self._by_uuid)

    @property
    def gone(self) -> asyncio.Event:
        """Set once the peripheral hung up."""
        return self._gone

    async def read(self, uuid: str) -> bytes:
        """The value of a characteristic; LinkLost, or AttError where it refuses."""
        with self._told(uuid):
            return bytes(await self._client.read_gatt_char(self._by_uuid[uuid]))

    async def write(self, uuid: str, data: bytes) -> None:
        """Write with response; LinkLost, or AttError where it refuses."""
        with self._told(uuid):
            await self._client.write_gatt_char(self._by_uuid[uuid], data, response=True)

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        """Have `on_value` called once for each notification or indication; LinkLost, or AttError where it refuses.

        Subscribed to again, as where the device forgot it (CCCD_IMPROPERLY_CONFIGURED), only the newest is called.
        """
        characteristic = self._by_uuid[uuid]

        def heard(_sender: BleakGATTCharacteristic, data: bytearray) -> None:
            if self._takers[uuid] is heard:
                on_value(bytes(data))

        again, self._takers[uuid] = uuid in self._takers, heard
        with self._told(uuid):
            if again:
                # A backend that believes it still subscribes would not write the CCCD again.
                with contextlib.suppress(BleakError):
                    await self._client.stop_notify(characteristic)
            await self._client.start_notify(characteristic, heard)

    @contextlib.contextmanager
    def _told(self, uuid: str) -> Generator[None]:
        """bleak's errors as the words of `devices.gatt`."""
        try:
            yield
        except BleakGATTProtocolError as error:
            if int(error.code) == ATT_UNLIKELY and not self._client.is_connected:
                raise LinkLost("hung up in the middle of a request") from error
            raise AttError(uuid, int(error.code)) from error
        except (BleakError, OSError, EOFError) as error:
            told = fault(error, uuid, RadioFault)
            dropped = not self._client.is_connected or is_drop(error)
            if dropped and not isinstance(told, PairingFailed):
                raise LinkLost("hung up in the middle of a request") from error
            raise told from error


class VirtualControl:
    """AdapterControl of the virtual radio, its errors as ours."""

    def __init__(self, control: AdapterControl) -> None:
        self._control = control

    async def power_cycle(self) -> None:
        """Open the controller anew; RadioFault where it does not answer."""
        await self._told(self._control.power_cycle())

    async def forget(self, address: str) -> None:
        """Delete the bond; RadioFault where the controller does not answer."""
        await self._told(self._control.forget(address))

    @staticmethod
    async def _told(call: Awaitable[None]) -> None:
        try:
            await call
        except (BleakError, OSError) as error:
            raise RadioFault(f"the virtual radio: {type(error).__name__}") from error


class Radio:
    """Scans and connects through the backend the settings name."""

    def __init__(
        self,
        *,
        scanner_backend: type[BaseBleakScanner] | None = None,
        client_backend: type[BaseBleakClient] | None = None,
        name: str = "bluez",
        control: AdapterControl | None = None,
        bluez: bool = False,
    ) -> None:
        self.name = name
        self.control = control
        #: Whether BlueZ does the pairing, and asks an agent.
        self.bluez = bluez
        #: Set where the scan that was begun has ended and nobody was told: it has to be begun anew.
        self.scan_ended = asyncio.Event()
        self._scanner_backend = scanner_backend
        self._client_backend = client_backend

    @classmethod
    def from_settings(
        cls,
        settings: RadioSettings,
        *,
        passkey_of: Callable[[str], str | None] = no_passkey,
        bonds: Path | None = None,
    ) -> "Radio":
        """The radio of this home. The virtual one is imported only where it is asked for: a home has no bumble.

        `passkey_of`: the six digits on an enrolled device's label, by its address. `bonds`: the file in which a virtual
        radio keeps its bonds; BlueZ has its own.
        """
        if settings.backend is Backend.BLUEZ:
            from gateway.bluez import BluezControl

            return cls(control=BluezControl(), bluez=True)
        try:
            from devices.virtual import bleak_backend
        except ImportError as error:
            raise UserError("the virtual radio is not installed: pip install 'rpm-pipeline[virtual]'") from error
        assert settings.hci is not None
        bleak_backend.use_hci(settings.hci, keystore=bonds, passkey_of=passkey_of)
        return cls(
            scanner_backend=bleak_backend.BumbleScannerBackend,
            client_backend=bleak_backend.BumbleClientBackend,
            name="bumble",
            control=VirtualControl(bleak_backend.BumbleControl()),
        )

    @contextlib.asynccontextmanager
    async def scanning(self, on_seen: Callable[[Heard], None]) -> AsyncGenerator[None]:
        """Call `on_seen` for every advertisement heard inside the block; RadioFault where scanning does not start."""

        def heard(device: BLEDevice, advertisement: AdvertisementData) -> None:
            on_seen(
                Heard(
                    device.address,
                    device,
                    advertisement.rssi,
                    name=advertisement.local_name or device.name,
                    services=frozenset(short_uuid(uuid) for uuid in advertisement.service_uuids),
                    company_ids=frozenset(advertisement.manufacturer_data),
                    flags=_flags(advertisement.platform_data),
                    bonded=_bonded(advertisement.platform_data),
                )
            )

        scanner = BleakScanner(heard, backend=self._scanner_backend)
        self.scan_ended.clear()
        try:
            async with asyncio.timeout(SCAN_START_S_MAX):
                await scanner.start()
        except Exception as error:  # a driver whose daemon went away under it also says KeyError
            raise scan_fault(error) from error
        try:
            yield
        finally:
            try:
                await asyncio.wait_for(scanner.stop(), DISCONNECT_S_MAX)
            except Exception as error:  # noqa: BLE001 - the driver's edge: what is to be stopped may be gone already
                log.debug("scan_not_stopped", error=type(error).__name__)

    @contextlib.asynccontextmanager
    async def connected(self, heard: Heard, *, pair: bool = False) -> AsyncGenerator[BleakLink]:
        """A link to a device for the length of the block, and then always disconnect. RadioFault where it fails.

        `pair`: bond before anything is asked, as devices with a passkey want it.
        """
        gone = asyncio.Event()
        patience: asyncio.Timeout | None = None
        drops = 0

        def hung_up(_client: BleakClient) -> None:
            nonlocal drops
            drops += 1
            gone.set()
            if patience is not None and drops == DROPS_MAX and heard.bonded:
                patience.reschedule(0.0)

        client = BleakClient(
            heard.device,
            disconnected_callback=hung_up,
            timeout=CONNECT_S_MAX,
            pair=pair,
            backend=self._client_backend,
        )
        try:
            try:
                try:
                    async with asyncio.timeout(CONNECT_S_MAX) as patience:
                        await client.connect()
                finally:
                    patience = None
                if client.is_connected:
                    gone.clear()  # it hung up on the tries before this one
                link = BleakLink(client, gone)
            except (BleakError, OSError, EOFError, TimeoutError) as error:
                if drops >= DROPS_MAX and heard.bonded:
                    raise NotConnectable(f"it hung up {drops} times at once: it has perhaps lost its bond") from error
                raise fault(error, "cannot connect", NotConnectable) from error
            yield link
        finally:
            await self._disconnect(client)

    @staticmethod
    async def _disconnect(client: BleakClient) -> None:
        # Unconditional: `if client.is_connected` before it is the fault described above.
        try:
            await asyncio.wait_for(client.disconnect(), DISCONNECT_S_MAX)
        except (BleakError, OSError, EOFError, TimeoutError) as error:
            log.warning("disconnect_failed", error=type(error).__name__)
