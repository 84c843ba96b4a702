"""What every virtual device does: advertise while it has something to say, be connected to, tell who it is.

Built on bumble's host and GATT server over an `EtherController`, so what a gateway meets is HCI, L2CAP, ATT and GATT.
"""

# bumble leaves parameters and returns unannotated here and there.
# pyright: reportUnknownMemberType=false, reportUnknownArgumentType=false, reportUnknownVariableType=false

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Final

from bumble.att import ATT_Error, Attribute, ErrorCode
from bumble.core import BaseBumbleError
from bumble.device import Connection, Device
from bumble.gatt import (
    GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
    Characteristic,
    CharacteristicValue,
    Descriptor,
    Service,
)

from devices import gatt
from devices.date_time import DATE_TIME_BYTES, DateTime
from devices.virtual.device_clock import DeviceClock
from devices.virtual.ether import EtherController, EtherLink
from devices.virtual.gatt_server import Properties, decimal_of, service, time_value, uuid_of
from devices.virtual.ledger import Ledger, Said
from devices.virtual.make import Habits, Identity, make_device

_READABLE: Final = Attribute.Permissions.READABLE
_WRITEABLE: Final = Attribute.Permissions.WRITEABLE
_READ_ENCRYPTED: Final = Attribute.Permissions.READ_REQUIRES_ENCRYPTION
_WRITE_ENCRYPTED: Final = Attribute.Permissions.WRITE_REQUIRES_ENCRYPTION

_DISCONNECT_S_MAX: Final = 5.0
_PATIENCE_STEP_S: Final = 0.1

__all__ = ["Peripheral", "Properties", "decimal_of", "service"]


class Peripheral(ABC):
    """One device at home. Subclasses say what it measures and how it hands that over."""

    service: ClassVar[str]

    def __init__(
        self,
        link: EtherLink,
        identity: Identity,
        clock: DeviceClock,
        *,
        home: str = "",
        label: str = "",
        ledger: Ledger | None = None,
        habits: Habits | None = None,
    ) -> None:
        self.identity = identity
        self.clock = clock
        self.home = home
        self.label = label
        self.habits = habits or Habits()
        self.connection: Connection | None = None
        self.connections: int = 0
        self.taken: int = 0
        self.confirmed: int = 0
        #: A fault: accepts everything, says nothing, never hangs up.
        self.mute = False
        self._frames_sent = 0
        #: Frames sent in a connection → seconds of silence that follow.
        self._silences: dict[int, float] = {}
        self._ledger = ledger
        self._gone = asyncio.Event()
        self._switched_on = False
        self._subscribed = False
        self._awake_until_s = 0.0
        self._active_at_s = 0.0
        self._asked_at_s = 0.0
        self._advertising_lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()
        self.controller = EtherController(identity.name, link=link)
        self.device = make_device(self.controller, identity, self.habits, self.service)
        self.device.on(Device.EVENT_CONNECTION, self._on_connection)
        for each in (*self.services(), self._device_information(), *self._current_time(), *self._battery()):
            self.device.add_service(each)

    # What a kind of device is made of --------------------------------------------------------------------------------

    @abstractmethod
    def services(self) -> tuple[Service, ...]:
        """The GATT services that make it what it is."""

    @property
    @abstractmethod
    def pending(self) -> int:
        """How many records it still has to hand over."""

    # Life on the air -------------------------------------------------------------------------------------------------

    async def power_on(self) -> None:
        """Be there. Silent until there is something to say."""
        await self.device.power_on()

    async def power_off(self) -> None:
        """Stop what it does and leave the air; a peer notices by silence."""
        async with self._advertising_lock:  # a command to the controller is not left half done
            for task in tuple(self._tasks):
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.controller.vanish()

    def press_button(self) -> None:
        """Somebody switches it on: be there for one connection, though there is nothing new to say."""
        self._switched_on = True
        self.wake()

    def wake(self) -> None:
        """A measurement was taken: advertise, if there is something to say."""
        self._awake_until_s = asyncio.get_running_loop().time() + self.habits.advertise_s
        self._spawn(self._advertise_as_needed())
        if self.habits.advertise_s:
            self._spawn(self._doze_off())

    @abstractmethod
    def say(self, frame: bytes) -> int:
        """Store these bytes as a record, whatever they are; its number in this device."""

    def fall_silent(self, seconds: float, *, after_frames: int = 0) -> None:
        """Out of range for a while: at once, or right after the Nth frame of a connection from now on was sent."""
        if after_frames:
            self._silences[after_frames] = seconds
            return
        self.controller.radio_silence()
        asyncio.get_running_loop().call_later(seconds, self.controller.back_in_range)

    async def hang_up(self) -> None:
        """End the connection, if there is one."""
        if self.connection is not None:
            with contextlib.suppress(BaseBumbleError, TimeoutError):
                await asyncio.wait_for(self.connection.disconnect(), _DISCONNECT_S_MAX)

    async def _doze_off(self) -> None:
        await asyncio.sleep(self.habits.advertise_s)
        await self._advertise_as_needed()

    async def _advertise_as_needed(self) -> None:
        async with self._advertising_lock:
            awake = not self.habits.advertise_s or asyncio.get_running_loop().time() < self._awake_until_s
            wanted = awake and (self.pending > 0 or self._switched_on) and self.connection is None
            if wanted and not self.device.is_advertising:
                await self.device.start_advertising(auto_restart=False)
            elif not wanted and self.device.is_advertising:
                await self.device.stop_advertising()

    def _on_connection(self, connection: Connection) -> None:
        self.connection = connection
        self.connections += 1
        self._switched_on = False
        self._subscribed = False
        self._frames_sent = 0
        self._gone = asyncio.Event()
        self._stay_awake()
        connection.on(connection.EVENT_DISCONNECTION, self._on_disconnection)
        if self.connections <= self.habits.hang_ups:
            self._spawn(self.hang_up())
            return
        self._spawn(self._lose_patience(connection))
        if self.habits.off_after_s:
            self._spawn(self._switch_off(connection, self.habits.off_after_s))
        if self.habits.subscribe_within_s:
            self._spawn(self._switch_off(connection, self.habits.subscribe_within_s, unless_subscribed=True))

    def _on_disconnection(self, _reason: int) -> None:
        self.connection = None
        self._gone.set()
        self._spawn(self._advertise_as_needed())

    def _stay_awake(self) -> None:
        """Somebody asked for something, or was told something."""
        self._active_at_s = asyncio.get_running_loop().time()

    async def _lose_patience(self, connection: Connection) -> None:
        """Hang up on somebody who asks for nothing."""
        now_s = asyncio.get_running_loop().time
        while connection is self.connection:
            idle_s = now_s() - self._active_at_s
            if idle_s >= self.habits.patience_s and not self.mute:
                await self.hang_up()
                return
            await asyncio.sleep(max(self.habits.patience_s - idle_s, _PATIENCE_STEP_S))

    async def _switch_off(self, connection: Connection, after_s: float, *, unless_subscribed: bool = False) -> None:
        await asyncio.sleep(after_s)
        if connection is self.connection and not (unless_subscribed and self._subscribed):
            await self.hang_up()

    def _asked(self, connection: Connection) -> None:
        """Somebody reads or writes."""
        self._stay_awake()
        self._asked_at_s = asyncio.get_running_loop().time()
        if self.habits.bond_first and not connection.is_encrypted:
            self._spawn(self.hang_up())
            raise ATT_Error(ErrorCode.INSUFFICIENT_AUTHENTICATION)

    def _in_peace(self) -> bool:
        """Whether a subscription that comes now is heeded."""
        return asyncio.get_running_loop().time() - self._asked_at_s >= self.habits.rest_s

    # Saying something ------------------------------------------------------------------------------------------------

    async def _indicate(self, connection: Connection, characteristic: "Characteristic[bytes]", frame: bytes) -> bool:
        """Indicate, and whether it was confirmed. bumble forgets whom it waits for when a link drops; this does not."""
        gone = self._gone
        if connection is not self.connection:
            return False
        server = self.device.gatt_server
        # `force`: asked of a connection that is gone, bumble would return as if it were confirmed.
        indication = asyncio.ensure_future(server.indicate_subscriber(connection, characteristic, frame, force=True))
        hung_up = asyncio.ensure_future(gone.wait())
        self._frame_sent()
        try:
            await asyncio.wait((indication, hung_up), return_when=asyncio.FIRST_COMPLETED)
            return indication.done() and indication.exception() is None
        finally:
            indication.cancel()
            hung_up.cancel()
            await asyncio.gather(indication, hung_up, return_exceptions=True)

    async def _notify(self, connection: Connection, characteristic: "Characteristic[bytes]", frame: bytes) -> bool:
        """Notify; whether there was still a link to do it on."""
        if connection is not self.connection:
            return False
        await self.device.gatt_server.notify_subscriber(connection, characteristic, frame)
        self._frame_sent()
        return True

    def _frame_sent(self) -> None:
        self._stay_awake()
        self._frames_sent += 1
        seconds = self._silences.pop(self._frames_sent, None)
        if seconds is not None:
            self.fall_silent(seconds)

    def _confirm(self, said: Said) -> None:
        """The reader has it: into the ledger first, then out of mind."""
        if self._ledger is not None:
            self._ledger.record(
                home=self.home,
                device=self.label,
                address=self.identity.address,
                said=said,
                confirmed_at=self.clock.now(),
            )
        self.confirmed += 1

    def _spawn(self, work: Coroutine[Any, Any, object]) -> asyncio.Task[object]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # GATT ------------------------------------------------------------------------------------------------------------

    def _characteristic(
        self,
        uuid: str,
        properties: "Characteristic.Properties",
        *,
        read: Callable[[Connection], bytes] | bytes = b"",
        write: Callable[[Connection, bytes], None] | None = None,
    ) -> "Characteristic[bytes]":
        """One characteristic. On a device that bonds, its value and its CCCD need an encrypted link."""
        permissions = Attribute.Permissions(0)
        if properties & Properties.READ:
            permissions |= _READABLE | (_READ_ENCRYPTED if self.habits.bonded else 0)
        if properties & Properties.WRITE:
            permissions |= _WRITEABLE | (_WRITE_ENCRYPTED if self.habits.bonded else 0)
        value = CharacteristicValue(self._reader(read), None if write is None else self._writer(write))
        characteristic: Characteristic[bytes] = Characteristic(uuid_of(uuid), properties, permissions, value)
        characteristic.on(Characteristic.EVENT_SUBSCRIPTION, self._on_any_subscription)
        if self.habits.bonded and properties & (Properties.NOTIFY | Properties.INDICATE):
            # bumble's own CCCD would be open to everybody.
            cccd = Descriptor(
                GATT_CLIENT_CHARACTERISTIC_CONFIGURATION_DESCRIPTOR,
                _READABLE | _WRITEABLE | _WRITE_ENCRYPTED,
                self.device.gatt_server.make_descriptor_value(characteristic),
            )
            characteristic.descriptors = (cccd,)
        return characteristic

    def _reader(self, read: Callable[[Connection], bytes] | bytes) -> Callable[[Connection], Awaitable[bytes]]:
        async def answer(connection: Connection) -> bytes:
            self._asked(connection)
            if self.habits.slow_s:
                await asyncio.sleep(self.habits.slow_s)
            return read if isinstance(read, bytes) else read(connection)

        return answer

    def _writer(self, write: Callable[[Connection, bytes], None]) -> Callable[[Connection, bytes], None]:
        def take(connection: Connection, value: bytes) -> None:
            self._asked(connection)
            write(connection, value)

        return take

    def _on_any_subscription(self, _connection: Connection, *wanted: bool) -> None:
        self._subscribed = self._subscribed or any(wanted)

    def _clock_characteristic(self, uuid: str) -> "Characteristic[bytes]":
        """Date Time or Current Time: readable, and settable as on most devices."""
        return self._characteristic(
            uuid,
            Properties.READ | Properties.WRITE,
            read=lambda _: time_value(uuid, self.clock.shows()),
            write=lambda _, value: self._set_clock(value),
        )

    def _set_clock(self, value: bytes) -> None:
        try:
            self.clock.set(DateTime.from_bytes(value[:DATE_TIME_BYTES]))
        except ValueError as error:
            raise ATT_Error(ErrorCode.OUT_OF_RANGE) from error

    def _device_information(self) -> Service:
        # Open to everybody, also on a device that bonds.
        characteristics = [
            Characteristic(uuid_of(uuid), Properties.READ, _READABLE, CharacteristicValue(self._reader(fact)))
            for uuid, fact in self.identity.told().items()
        ]
        return service(gatt.DEVICE_INFORMATION_SERVICE, characteristics)

    def _current_time(self) -> tuple[Service, ...]:
        """A Current Time Service; a cuff overrides this, its Date Time sits in its own service."""
        if self.clock.shows() is None:
            return ()
        return (service(gatt.CURRENT_TIME_SERVICE, [self._clock_characteristic(gatt.CURRENT_TIME)]),)

    def _battery(self) -> tuple[Service, ...]:
        level = self._characteristic(gatt.BATTERY_LEVEL, Properties.READ, read=self._charge)
        return () if self.habits.battery_percent is None else (service(gatt.BATTERY_SERVICE, [level]),)

    def _charge(self, _connection: Connection) -> bytes:
        return bytes([self.habits.battery_percent or 0])
