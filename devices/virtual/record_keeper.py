"""A virtual device with a store of records, which a reader asks for through the Record Access Control Point.

Records stay in the device. It advertises while it holds one that nobody is known to have, and forgets that wish when its
"success" to a report was confirmed. A reader's radio stack may confirm that before the reader has handled the records it
answers for; one that dies in between asks again when the device is next switched on (`press_button`).
"""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

import asyncio
from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Annotated, ClassVar, Final

from bumble.att import ATT_Error, ErrorCode
from bumble.device import Connection
from bumble.gatt import Characteristic, Service
from pydantic import ConfigDict, Field
from typing_extensions import override

from devices import gatt
from devices.encoding import MalformedFrame
from devices.racp import Filter, Opcode, Operator, RecordAccess, Result
from devices.virtual.ledger import Said
from devices.virtual.peripheral import Peripheral, Properties, service

#: A record's frames, in the order they are sent: characteristic and bytes.
Frames = list[tuple[str, bytes]]


class Torn(StrEnum):
    """How a report goes wrong, once."""

    LOST = "lost"
    SWAPPED = "swapped"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreHabits:
    """How a store answers. In a scenario: `store = {newest_first = true, operators = ["all"]}`."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    newest_first: bool = False
    #: Names of `devices.racp.Operator` it knows, in small letters; none: all of them.
    operators: tuple[str, ...] = ()
    #: Whether it says how many records it has.
    counts: bool = True
    #: What a frame takes of a record that is sent in segments.
    segment_bytes: Annotated[int, Field(ge=2, le=500)] = 15
    #: Whether such a record ends with a CRC.
    checked: bool = True


class RecordKeeper(Peripheral):
    """One store. `store` is its habits; `refusals` ATT errors, and `busy` results, for its next requests."""

    #: What a record is notified or indicated by, the measurement first.
    record_uuids: ClassVar[tuple[str, ...]]
    record_properties: ClassVar["Characteristic.Properties"] = Properties.NOTIFY
    feature: ClassVar[tuple[str, bytes]]
    store: StoreHabits = StoreHabits()

    @override
    def services(self) -> tuple[Service, ...]:
        self._records: list[Said] = []
        #: Numbers of records that were told in some connection, and of those the reader is known to have.
        self._told: set[int] = set()
        self._known: set[int] = set()
        self._procedure: asyncio.Task[object] | None = None
        self.refusals: deque[int] = deque()
        self.busy = 0
        self.torn: Torn | None = None
        #: Record number → how often its frames are lost in the air; below 0 for ever, as if it had been overwritten.
        self.lost: dict[int, int] = {}
        self._by_uuid = {uuid: self._characteristic(uuid, self.record_properties) for uuid in self.record_uuids}
        self._control_point = self._characteristic(
            gatt.RECORD_ACCESS_CONTROL_POINT, Properties.WRITE | Properties.INDICATE, write=self._on_request
        )
        feature, bits = self.feature
        features = self._characteristic(feature, Properties.READ, read=bits)
        own = [*self._by_uuid.values(), features, self._control_point, *self._beside()]
        return (service(self.service, own),)

    def _beside(self) -> "tuple[Characteristic[bytes], ...]":
        """What else its service has."""
        return ()

    @abstractmethod
    def frames(self, said: Said) -> Frames:
        """How this record is sent."""

    @property
    @override
    def pending(self) -> int:
        return len(self._records) - len(self._known)

    def forget_records(self) -> None:
        """A reset: the store is empty, and counts from the start."""
        self._records.clear()
        self._told.clear()
        self._known.clear()

    def _store(self, said: Said) -> int:
        self.taken += 1
        self._records.append(replace(said, number=self.taken))
        self._records.sort(key=number_of)
        self.wake()
        return self.taken

    # The Record Access Control Point ---------------------------------------------------------------------------------

    def _on_request(self, connection: Connection, data: bytes) -> None:
        if not self._is_subscribed(connection):
            raise ATT_Error(ErrorCode.CCCD_IMPROPERLY_CONFIGURED)
        running = self._procedure is not None and not self._procedure.done()
        self._stay_awake()
        if self.mute:
            return
        if self.refusals:
            raise ATT_Error(ErrorCode(self.refusals.popleft()))
        try:
            request = RecordAccess.from_bytes(data)
        except MalformedFrame as error:
            if not data:
                raise ATT_Error(ErrorCode.INVALID_ATTRIBUTE_LENGTH) from error
            self._spawn(self._answer(connection, RecordAccess.response(data[0], Result.INVALID_OPERAND)))
            return
        if request.opcode == Opcode.ABORT:
            if self._procedure is not None:
                self._procedure.cancel()
            self._spawn(self._answer(connection, RecordAccess.response(Opcode.ABORT, Result.SUCCESS)))
        elif running:
            raise ATT_Error(ErrorCode.PROCEDURE_ALREADY_IN_PROGRESS)
        elif self.busy:
            self.busy -= 1
            self._spawn(self._answer(connection, RecordAccess.response(request.opcode, Result.SERVER_BUSY)))
        else:
            self._procedure = self._spawn(self._run(connection, request))

    def _is_subscribed(self, connection: Connection) -> bool:
        server = self.device.gatt_server
        wanted = 1 if self.record_properties & Properties.NOTIFY else 2
        answers = server.read_cccd(connection, self._control_point)[0] & 2
        return bool(answers and server.read_cccd(connection, self._by_uuid[self.record_uuids[0]])[0] & wanted)

    async def _run(self, connection: Connection, request: RecordAccess) -> None:
        """One request, to its answer."""
        known = {Opcode.REPORT_RECORDS, *([Opcode.REPORT_COUNT] if self.store.counts else [])}
        if request.opcode not in known:
            await self._answer(connection, RecordAccess.response(request.opcode, Result.OPCODE_NOT_SUPPORTED))
            return
        chosen = self._chosen(request)
        if chosen is None:
            await self._answer(connection, RecordAccess.response(request.opcode, Result.OPERATOR_NOT_SUPPORTED))
        elif request.opcode == Opcode.REPORT_COUNT:
            await self._answer(connection, RecordAccess.count_response(len(chosen)))
        else:
            await self._report(connection, request, chosen)

    def _chosen(self, request: RecordAccess) -> list[Said] | None:
        """The records a request means; None where this device does not know the operator."""
        try:
            operator = Operator(request.operator)
        except ValueError:
            return None
        if self.store.operators and operator.name.lower() not in self.store.operators:
            return None
        limits = [int.from_bytes(limit, "little") for limit in request.limits]
        if limits and request.filter != Filter.SEQUENCE_NUMBER:
            return None
        match operator:
            case Operator.ALL:
                return list(self._records)
            case Operator.FIRST:
                return self._records[:1]
            case Operator.LAST:
                return self._records[-1:]
            case Operator.GREATER_OR_EQUAL:
                return [said for said in self._records if number_of(said) >= limits[0]]
            case Operator.LESS_OR_EQUAL:
                return [said for said in self._records if number_of(said) <= limits[0]]
            case Operator.WITHIN_RANGE:
                return [said for said in self._records if limits[0] <= number_of(said) <= limits[1]]
            case _:
                return None

    async def _report(self, connection: Connection, request: RecordAccess, chosen: list[Said]) -> None:
        torn, self.torn = self.torn, None
        for said in chosen[::-1] if self.store.newest_first else chosen:
            if left := self.lost.get(number_of(said), 0):
                self.lost[number_of(said)] = left - (left > 0)
                continue
            for uuid, frame in _tear(self.frames(said), torn):
                if not await self._send(connection, self._by_uuid[uuid], frame):
                    return
            if torn is None:
                self._told.add(number_of(said))
            await asyncio.sleep(0)  # a dropped link is noticed between two records
        result = Result.SUCCESS if chosen else Result.NO_RECORDS_FOUND
        if await self._answer(connection, RecordAccess.response(Opcode.REPORT_RECORDS, result)) and torn is None:
            self._learn(request, chosen)

    async def _send(self, connection: Connection, characteristic: "Characteristic[bytes]", frame: bytes) -> bool:
        if self.record_properties & Properties.NOTIFY:
            return await self._notify(connection, characteristic, frame)
        return await self._indicate(connection, characteristic, frame)

    def _learn(self, request: RecordAccess, chosen: list[Said]) -> None:
        """The reader has what was reported now, and what it heard in an earlier connection and did not ask for again."""
        now_known = {number_of(said) for said in chosen}
        if request.operator == Operator.GREATER_OR_EQUAL:
            start = int.from_bytes(request.limits[0], "little")
            now_known |= {number for number in self._told if number < start}
        for said in self._records:
            if number_of(said) in now_known - self._known:
                self._confirm(said)
        self._known |= now_known

    async def _answer(self, connection: Connection, answer: RecordAccess) -> bool:
        return await self._indicate(connection, self._control_point, bytes(answer))


def number_of(said: Said) -> int:
    """The number its store keeps a record by."""
    assert said.sequence_number is not None
    return said.sequence_number


_MIDDLE: Final = 1


def _tear(frames: Frames, torn: Torn | None) -> Sequence[tuple[str, bytes]]:
    """What becomes of a record's frames in the air; a record of one frame is lost, doubled, or as it was."""
    middle = min(_MIDDLE, len(frames) - 1)
    match torn:
        case None:
            return frames
        case Torn.LOST:
            return frames[:middle] + frames[middle + 1 :]
        case Torn.REPEATED:
            return frames[: middle + 1] + frames[middle:]
        case Torn.SWAPPED:
            return frames[:middle] + frames[middle:][::-1]
