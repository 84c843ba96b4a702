"""bleak's scanner over the virtual radio."""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from typing import Any, Final, Literal

from bleak.backends.scanner import AdvertisementData, AdvertisementDataCallback, BaseBleakScanner
from bumble.core import UUID, AdvertisingData
from bumble.device import Advertisement, Device
from typing_extensions import override

from devices.virtual.adapter import Adapter, running_adapter

_SERVICE_LISTS: Final = (
    AdvertisingData.INCOMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_16_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.INCOMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
    AdvertisingData.COMPLETE_LIST_OF_128_BIT_SERVICE_CLASS_UUIDS,
)


def uuid_text(uuid: UUID) -> str:
    """A UUID as bleak writes it: 128 bits, lower case, with dashes."""
    if len(uuid.uuid_bytes) == 16:
        return uuid.to_hex_str("-").lower()
    return short_uuid_text(int.from_bytes(uuid.uuid_bytes, "little"))


def short_uuid_text(number: int) -> str:
    """A 16-bit UUID on the Bluetooth base UUID."""
    return f"{number:08x}-0000-1000-8000-00805f9b34fb"


class BumbleScannerBackend(BaseBleakScanner):
    """Hears every advertisement of one home. Deaf for good if its adapter is lost: start another."""

    def __init__(
        self,
        detection_callback: AdvertisementDataCallback | None,
        service_uuids: list[str] | None,
        scanning_mode: Literal["active", "passive"],
        **_platform_settings: Any,
    ) -> None:
        super().__init__(detection_callback, service_uuids)
        self._active = scanning_mode == "active"
        self._adapter: Adapter | None = None

    @override
    async def start(self) -> None:
        self.seen_devices = {}
        self._adapter = await running_adapter()
        self._adapter.device.on(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
        await self._adapter.start_scan(active=self._active)

    @override
    async def stop(self) -> None:
        adapter, self._adapter = self._adapter, None
        if adapter is not None:
            adapter.device.remove_listener(Device.EVENT_ADVERTISEMENT, self._on_advertisement)
            await adapter.stop_scan()

    def _on_advertisement(self, advertisement: Advertisement) -> None:
        heard = _advertisement_data(advertisement)
        if not self.is_allowed_uuid(heard.service_uuids):
            return
        address = advertisement.address.to_string(False)
        known = self.seen_devices.get(address)
        name = heard.local_name or (known[0].name if known else None)
        device = self.create_or_update_device(address, address, name, advertisement.address, heard)
        self.call_detection_callbacks(device, heard)


def _properties(data: AdvertisingData) -> dict[str, Any]:
    flags = data.get(AdvertisingData.FLAGS, raw=True)
    return {} if flags is None else {"AdvertisingFlags": flags}


def _advertisement_data(advertisement: Advertisement) -> AdvertisementData:
    data = advertisement.data
    services = [uuid_text(uuid) for kind in _SERVICE_LISTS for uuids in data.get_all(kind) for uuid in uuids]
    name = data.get(AdvertisingData.COMPLETE_LOCAL_NAME) or data.get(AdvertisingData.SHORTENED_LOCAL_NAME)
    manufacturer = data.get_all(AdvertisingData.MANUFACTURER_SPECIFIC_DATA, raw=True)
    service = data.get_all(AdvertisingData.SERVICE_DATA_16_BIT_UUID, raw=True)
    return AdvertisementData(
        local_name=name,
        manufacturer_data={int.from_bytes(block[:2], "little"): block[2:] for block in manufacturer},
        service_data={short_uuid_text(int.from_bytes(block[:2], "little")): block[2:] for block in service},
        service_uuids=list(dict.fromkeys(services)),
        tx_power=None,
        rssi=advertisement.rssi,
        # As BlueZ's backend has it: who, and BlueZ's properties (org.bluez.Device1) that are nowhere else.
        platform_data=(advertisement.address.to_string(False), _properties(data)),
    )
