"""What a device is: who it says it is, how it behaves on the air, and the bumble host that makes it so."""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Final

from bumble import hci
from bumble.core import UUID, AdvertisingData
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.transport.common import AsyncPipeSink
from pydantic import ConfigDict, Field

from devices import gatt
from devices.virtual.bonding import pairing_config_factory
from devices.virtual.ether import EtherController


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a device says it is."""

    address: str
    name: str
    manufacturer: str
    model: str
    serial: str
    firmware: str = "1.0"
    #: What it advertises beside its name: a service of its vendor's own instead of the standard's, its vendor's number.
    vendor_service: str | None = None
    company_id: int | None = None

    @property
    def system_id(self) -> bytes:
        """EUI-64 from the address, least significant byte first (Device Information Service 1.1)."""
        octets = bytes.fromhex(self.address.replace(":", ""))
        return (octets[:3] + b"\xff\xfe" + octets[3:])[::-1]

    def told(self) -> dict[str, bytes]:
        """What its Device Information Service says, by characteristic."""
        return {
            gatt.SYSTEM_ID: self.system_id,
            gatt.MANUFACTURER_NAME: self.manufacturer.encode(),
            gatt.MODEL_NUMBER: self.model.encode(),
            gatt.SERIAL_NUMBER: self.serial.encode(),
            gatt.FIRMWARE_REVISION: self.firmware.encode(),
        }


_SHORT_UUID_BYTES: Final = 2
_Seconds = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How a device behaves on the air, and how it differs from the book. In a scenario: `habits = {gap_s = 3.0, …}`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    advertise_every_s: Annotated[float, Field(gt=0)] = 0.1
    #: After a measurement; 0: for as long as it has something to say.
    advertise_s: _Seconds = 0.0
    #: How long it waits for more after the last record, before it hangs up.
    linger_s: _Seconds = 0.05
    #: How long it stays connected to somebody who asks for nothing.
    patience_s: _Seconds = 20.0
    #: … and to anybody at all, whatever it has left to say; 0: for as long as that takes.
    off_after_s: _Seconds = 0.0
    name_in_scan_response: bool = False
    bonded: bool = False
    #: Hangs up on whoever asks anything before the link is encrypted.
    bond_first: bool = False
    passkey: Annotated[int, Field(ge=0, le=999_999)] | None = None
    #: Hangs up where nobody has subscribed to anything so long after the connection; 0: it waits.
    subscribe_within_s: _Seconds = 0.0
    #: A subscription so soon after the last question is confirmed, and forgotten.
    rest_s: _Seconds = 0.0
    #: Ends so many connections as soon as they are there, and is in the air again.
    hang_ups: Annotated[int, Field(ge=0)] = 0
    #: Answers about itself take so long.
    slow_s: _Seconds = 0.0
    #: Between two records.
    gap_s: _Seconds = 0.0
    #: Each record is sent so often.
    repeats: Annotated[int, Field(ge=1)] = 1
    #: Sends everything it ever measured at each connection.
    keeps_history: bool = False
    #: Sends zeros before it sends what it has.
    fillers: bool = False
    #: Bits set in the first byte of every frame, beside those that mean something.
    reserved_flags: Annotated[int, Field(ge=0, le=255)] = 0
    #: None: it has no Battery Service.
    battery_percent: Annotated[int, Field(ge=0, le=255)] | None = None


def make_device(controller: EtherController, identity: Identity, habits: Habits, service: str) -> Device:
    """A bumble host on this controller that advertises `service` (a UUID in hex), or its vendor's. Not yet powered on."""
    configuration = DeviceConfiguration(name=identity.name, address=hci.Address(identity.address))
    interval_ms = round(habits.advertise_every_s * 1000)
    configuration.advertising_interval_min = configuration.advertising_interval_max = interval_ms
    device = Device(config=configuration, host=Host(controller, AsyncPipeSink(controller)))
    device.keystore = MemoryKeyStore()
    device.pairing_config_factory = pairing_config_factory(habits.passkey)
    name = [(AdvertisingData.COMPLETE_LOCAL_NAME, identity.name.encode())]
    listed = UUID(identity.vendor_service or service)
    is_short = len(listed.to_bytes()) == _SHORT_UUID_BYTES
    services = (
        AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS
        if is_short
        else AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS
    )
    advertised = [(AdvertisingData.FLAGS, b"\x06"), (services, listed.to_bytes())]
    if identity.company_id is not None:
        advertised.append((AdvertisingData.MANUFACTURER_SPECIFIC_DATA, identity.company_id.to_bytes(2, "little")))
    # 31 bytes are all there is.
    in_response = habits.name_in_scan_response or not is_short
    device.advertising_data = bytes(AdvertisingData(advertised + ([] if in_response else name)))
    device.scan_response_data = bytes(AdvertisingData(name)) if in_response else b""
    return device
