"""Devices that do not only keep the book: a cuff that lets its clock be set at one moment only, one nobody can read."""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

from bumble.att import ATT_Error, ErrorCode
from bumble.device import Connection
from bumble.gatt import Characteristic, Service
from typing_extensions import override

from devices import gatt
from devices.virtual.gatt_server import time_value
from devices.virtual.ledger import Said
from devices.virtual.peripheral import Peripheral, Properties, service
from devices.virtual.peripherals import BloodPressureCuff


class TimeKeepingCuff(BloodPressureCuff):
    """A cuff with a Current Time Service that notifies its time, and takes another only as the answer to that (Omron)."""

    @override
    def _own_clock(self) -> "tuple[Characteristic[bytes], ...]":
        return ()

    @override
    def _current_time(self) -> tuple[Service, ...]:
        self._told_time_to: Connection | None = None
        self._time = self._characteristic(
            gatt.CURRENT_TIME,
            Properties.READ | Properties.WRITE | Properties.NOTIFY,
            read=lambda _: self._shown(),
            write=self._take_time,
        )
        self._time.on(Characteristic.EVENT_SUBSCRIPTION, self._on_time_subscription)
        return (service(gatt.CURRENT_TIME_SERVICE, [self._time]),)

    def _shown(self) -> bytes:
        return time_value(gatt.CURRENT_TIME, self.clock.shows())

    def _on_time_subscription(self, connection: Connection, *wanted: bool) -> None:
        if wanted[0] and self._pushing_to is connection:
            self._spawn(self._tell_time(connection))

    async def _tell_time(self, connection: Connection) -> None:
        if await self._notify(connection, self._time, self._shown()):
            self._told_time_to = connection

    def _take_time(self, connection: Connection, value: bytes) -> None:
        if self._told_time_to is not connection:
            raise ATT_Error(ErrorCode.WRITE_NOT_PERMITTED)
        self._told_time_to = None
        self._set_clock(value)


class VendorDevice(Peripheral):
    """A device that speaks its vendor's own protocol only: it advertises what it has, and no reader gets it."""

    service = "FFF0"

    @override
    def services(self) -> tuple[Service, ...]:
        self._records: list[Said] = []
        return (
            service(
                self.identity.vendor_service or self.service,
                [self._characteristic(_OWN_CHARACTERISTIC, Properties.NOTIFY)],
            ),
        )

    @property
    @override
    def pending(self) -> int:
        return len(self._records)

    @override
    def say(self, frame: bytes) -> int:
        self.taken += 1
        self._records.append(Said(self.taken, _OWN_CHARACTERISTIC, frame, self.clock.now()))
        self.wake()
        return self.taken


_OWN_CHARACTERISTIC = "FFF4"
