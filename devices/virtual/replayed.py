"""A virtual device made of a recording: it advertises, offers, answers and sends what a device did once."""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

import asyncio
from typing import ClassVar, Final

from bumble.att import ATT_Error, ErrorCode
from bumble.device import Connection
from bumble.gatt import Characteristic, Service
from typing_extensions import override

from devices import gatt, records, user_control
from devices.encoding import MalformedFrame
from devices.inbox import Ending
from devices.racp import Opcode, RecordAccess, Result
from devices.recording import Recording
from devices.user_control import UserControl
from devices.virtual.ledger import Said
from devices.virtual.make import Identity
from devices.virtual.peripheral import Peripheral, Properties, service

#: The longest pause of a recording that is waited for.
PAUSE_S_MAX: Final = 0.05
_PROPERTIES: Final = {
    "read": Properties.READ,
    "write": Properties.WRITE,
    "notify": Properties.NOTIFY,
    "indicate": Properties.INDICATE,
}
#: Every host has them by itself.
_OWN_SERVICES: Final = frozenset({"1800", "1801", gatt.DEVICE_INFORMATION_SERVICE})


class Replayed(Peripheral):
    """One recording. It tells each frame until a reader has it: what is asked for by records, each time it is asked."""

    recording: ClassVar[Recording]

    @override
    def services(self) -> tuple[Service, ...]:
        self._by_uuid: dict[str, Characteristic[bytes]] = {}
        self._heard_out = False
        self._pushing_to: Connection | None = None
        #: What it was told through characteristics it lets be written.
        self.writes: list[tuple[str, bytes]] = []
        store = records.store_of(self.recording.characteristics)
        asked_for = () if store is None else store.characteristics
        self._reported = [sent for sent in self.recording.frames if sent.characteristic in asked_for]
        self._pushed = [sent for sent in self.recording.frames if sent.characteristic not in asked_for]
        self.taken = len(self.recording.frames)
        return tuple(
            service(uuid, [self._made(each, properties) for each, properties in offered.items()])
            for uuid, offered in self.recording.services.items()
            if uuid not in _OWN_SERVICES
        )

    @override
    def _current_time(self) -> tuple[Service, ...]:
        return ()

    @override
    def _battery(self) -> tuple[Service, ...]:
        return ()

    @property
    @override
    def pending(self) -> int:
        return 0 if self._heard_out else len(self.recording.frames)

    @override
    def say(self, frame: bytes) -> int:
        raise ValueError("a replayed device says what was recorded")

    def _made(self, uuid: str, properties: tuple[str, ...]) -> "Characteristic[bytes]":
        flags = Properties(0)
        for each in properties:
            flags |= _PROPERTIES[each]
        made = self._characteristic(
            uuid,
            flags,
            read=lambda _: self._value(uuid),
            write=lambda connection, data: self._on_write(connection, uuid, data),
        )
        made.on(Characteristic.EVENT_SUBSCRIPTION, self._on_subscription)
        self._by_uuid.setdefault(uuid, made)
        return made

    def _value(self, uuid: str) -> bytes:
        return bytes.fromhex(self.recording.values.get(uuid, ""))

    def _on_write(self, connection: Connection, uuid: str, data: bytes) -> None:
        self.writes.append((uuid, data))
        if uuid == gatt.RECORD_ACCESS_CONTROL_POINT:
            try:
                request = RecordAccess.from_bytes(data)
            except MalformedFrame as error:
                raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH) from error
            self._spawn(self._answer(connection, request))
        elif uuid == gatt.USER_CONTROL_POINT:
            self._spawn(self._consent(connection, data))

    async def _answer(self, connection: Connection, request: RecordAccess) -> None:
        """All it has, whatever part of it is asked for: what was recorded is one answer."""
        control = self._by_uuid[gatt.RECORD_ACCESS_CONTROL_POINT]
        if request.opcode == Opcode.REPORT_COUNT:
            await self._indicate(connection, control, bytes(RecordAccess.count_response(len(self._reported))))
            return
        if request.opcode == Opcode.REPORT_RECORDS:
            for sent in self._reported:
                await self._send(connection, sent.characteristic, bytes.fromhex(sent.hex))
        result = Result.SUCCESS if self._reported or request.opcode == Opcode.ABORT else Result.NO_RECORDS_FOUND
        if await self._indicate(connection, control, bytes(RecordAccess.response(request.opcode, result))):
            self._is_heard_out(len(self._reported))

    async def _consent(self, connection: Connection, data: bytes) -> None:
        said = bytes(UserControl(user_control.Opcode.RESPONSE, bytes([data[0], user_control.Result.SUCCESS])))
        if await self._indicate(connection, self._by_uuid[gatt.USER_CONTROL_POINT], said):
            self._begin(connection)

    def _on_subscription(self, connection: Connection, *_wanted: bool) -> None:
        """What it pushes comes once everything it pushes is listened to, and consented to where it wants that."""
        if gatt.USER_CONTROL_POINT not in self._by_uuid:
            self._begin(connection)

    def _begin(self, connection: Connection) -> None:
        server = self.device.gatt_server
        wanted = {self._by_uuid[sent.characteristic] for sent in self._pushed}
        if (
            self._pushed
            and self._pushing_to is not connection
            and all(any(server.read_cccd(connection, each)) for each in wanted)
        ):
            self._pushing_to = connection
            self._spawn(self._push(connection))

    async def _push(self, connection: Connection) -> None:
        before_s = 0.0
        for sent in self._pushed:
            await asyncio.sleep(min(max(sent.after_s - before_s, 0), PAUSE_S_MAX))
            before_s = sent.after_s
            if not await self._send(connection, sent.characteristic, bytes.fromhex(sent.hex)):
                return  # all of it, from the beginning, to the next reader
        self._is_heard_out(len(self._pushed))
        if self.recording.ending == Ending.HUNG_UP:
            await self.hang_up()

    async def _send(self, connection: Connection, uuid: str, frame: bytes) -> bool:
        characteristic = self._by_uuid[uuid]
        if characteristic.properties & Properties.INDICATE:
            return await self._indicate(connection, characteristic, frame)
        return await self._notify(connection, characteristic, frame)

    def _is_heard_out(self, frames: int) -> None:
        if frames and not self._heard_out:
            self._heard_out = True
            for number, sent in enumerate(self.recording.frames, start=1):
                self._confirm(Said(number, sent.characteristic, bytes.fromhex(sent.hex), self.clock.now()))


def replayed(recording: Recording) -> type[Replayed]:
    """The kind of device that replays this."""
    listed = next(iter(recording.advertised.services), next(iter(recording.services), gatt.DEVICE_INFORMATION_SERVICE))
    return type("Replayed", (Replayed,), {"service": listed, "recording": recording})


def identity_of(recording: Recording, address: str) -> Identity:
    """Who it says it is, at an address of ours; its serial number was not recorded."""
    return Identity(
        address=address,
        name=recording.advertised.name or "",
        manufacturer=recording.text(gatt.MANUFACTURER_NAME) or "",
        model=recording.text(gatt.MODEL_NUMBER) or "",
        serial="",
        firmware=recording.text(gatt.FIRMWARE_REVISION) or "",
        company_id=next(iter(recording.advertised.company_ids), None),
    )
