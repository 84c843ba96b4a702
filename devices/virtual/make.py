"""What a device is: who it says it is, how it behaves on the air, and the bumble host that makes it so."""

from dataclasses import dataclass

from bumble import hci
from bumble.core import AdvertisingData
from bumble.device import Device, DeviceConfiguration
from bumble.host import Host
from bumble.keys import MemoryKeyStore
from bumble.transport.common import AsyncPipeSink

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

    @property
    def system_id(self) -> bytes:
        """EUI-64 from the address, least significant byte first (Device Information Service 1.1)."""
        octets = bytes.fromhex(self.address.replace(":", ""))
        return (octets[:3] + b"\xff\xfe" + octets[3:])[::-1]


@dataclass(frozen=True, slots=True)
class Habits:
    """How a device behaves on the air. `advertise_s` 0: for as long as it has something to say."""

    advertise_every_s: float = 0.1
    advertise_s: float = 0.0
    #: How long it waits for more after the last record, before it hangs up.
    linger_s: float = 0.05
    #: How long it stays connected to somebody who asks for nothing.
    patience_s: float = 20.0
    name_in_scan_response: bool = False
    bonded: bool = False
    passkey: int | None = None


def make_device(controller: EtherController, identity: Identity, habits: Habits, service: str) -> Device:
    """A bumble host on this controller that advertises `service` (a 16-bit UUID in hex). Not yet powered on."""
    configuration = DeviceConfiguration(name=identity.name, address=hci.Address(identity.address))
    interval_ms = round(habits.advertise_every_s * 1000)
    configuration.advertising_interval_min = configuration.advertising_interval_max = interval_ms
    device = Device(config=configuration, host=Host(controller, AsyncPipeSink(controller)))
    device.keystore = MemoryKeyStore()
    device.pairing_config_factory = pairing_config_factory(habits.passkey)
    name = [(AdvertisingData.COMPLETE_LOCAL_NAME, identity.name.encode())]
    advertised = [
        (AdvertisingData.FLAGS, b"\x06"),
        (AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS, bytes.fromhex(service)[::-1]),
    ]
    in_response = habits.name_in_scan_response
    device.advertising_data = bytes(AdvertisingData(advertised + ([] if in_response else name)))
    device.scan_response_data = bytes(AdvertisingData(name)) if in_response else b""
    return device
