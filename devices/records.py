"""Stored records: asking a meter, cuff or oximeter for those not yet had, through its Record Access Control Point.

The device keeps its records: nothing is deleted, so a reader that died in the middle asks again. Gateways shared with
other applications depend on that, and so does our promise to lose nothing.

Three kinds of stores: a glucose meter's (1808) and an enhanced cuff's (1810), whose records are numbered, and an oximeter's
(1822), whose records are not: it is asked for their number first, and for all of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from devices import gatt
from devices.blood_pressure_record import BloodPressureRecord, join
from devices.encoding import MalformedFrame
from devices.glucose import GlucoseMeasurement
from devices.inbox import Ending, Inbox
from devices.racp import SEQUENCE_NUMBER_MAX, Opcode, RecordAccess, Result

#: Between two records, or the last record and the answer.
RECORD_S_MAX: Final = 5.0
#: An abort is answered at once, or never.
ABORT_S_MAX: Final = 2.0
#: A meter that is still at work, or just woke up, is asked so often …
ATTEMPTS_MAX: Final = 4
#: … with twice the pause each time.
RETRY_S: Final = 0.5
#: Records that came in pieces, or fewer than were counted, are asked for again so often in one session.
ASK_AGAIN_MAX: Final = 2
#: Of one session's broken records, or of the holes between its numbers, so many are asked for one by one.
BROKEN_MAX: Final = 16

_NOT_UNDERSTOOD: Final = (
    Result.OPCODE_NOT_SUPPORTED,
    Result.INVALID_OPERATOR,
    Result.OPERATOR_NOT_SUPPORTED,
    Result.INVALID_OPERAND,
    Result.OPERAND_NOT_SUPPORTED,
)

#: Whether a frame is the very record up to which a device was read.
IsLast = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True)
class Store:
    """Records of one kind: the characteristics they come in, the measurement first; whether they are numbered."""

    characteristics: tuple[str, ...]
    numbered: bool = True


GLUCOSE: Final = Store((gatt.GLUCOSE_MEASUREMENT, gatt.GLUCOSE_CONTEXT))
BLOOD_PRESSURE: Final = Store((gatt.BLOOD_PRESSURE_RECORD,))
OXIMETER: Final = Store((gatt.OXIMETER_SPOT,), numbered=False)


def store_of(characteristics: frozenset[str]) -> Store | None:
    """The store a peripheral with these characteristics can be asked for, or None."""
    if gatt.RECORD_ACCESS_CONTROL_POINT not in characteristics:
        return None
    stores = (GLUCOSE, BLOOD_PRESSURE, OXIMETER)
    return next((store for store in stores if store.characteristics[0] in characteristics), None)


async def synchronise(
    link: gatt.Link,
    inbox: Inbox,
    store: Store = GLUCOSE,
    *,
    last_sequence: int | None,
    is_last: IsLast | None = None,
) -> Ending:
    """Have the records after `last_sequence`, or all.

    A meter that was reset counts from the start. `is_last` tells whether a record is the one `last_sequence` was; with it,
    that record is fetched once more, and where another one bears its number now, everything is asked for. Without it, a
    meter with nothing new is asked for its newest record: a lower number says the same.
    """
    talk = _Talk(link, inbox, store)
    await talk.subscribe()
    if not store.numbered:
        return _ending(await _counted(talk))
    if last_sequence is None or last_sequence >= SEQUENCE_NUMBER_MAX:
        result = await talk.ask(RecordAccess.report_all())
    else:
        result = await _since(talk, last_sequence, is_last)
    if result == Result.SUCCESS:
        await _fill(talk)
    if store is BLOOD_PRESSURE:
        await _mend(talk)
    return _ending(result)


async def _since(talk: "_Talk", last: int, is_last: IsLast | None) -> int | None:
    result = await talk.ask(RecordAccess.report_from(last if is_last else last + 1))
    everything = result in _NOT_UNDERSTOOD
    if result == Result.SUCCESS and is_last is not None:
        bearing = [data for data in talk.measured if _number(talk.store, data) == last]
        everything = bool(bearing) and not any(map(is_last, bearing))
        result = Result.SUCCESS if everything or len(talk.measured) > len(bearing) else Result.NO_RECORDS_FOUND
    elif result == Result.NO_RECORDS_FOUND:
        everything = await _was_reset(talk, last)
    return await talk.ask(RecordAccess.report_all()) if everything else result


async def _was_reset(talk: "_Talk", last: int) -> bool:
    """Whether the newest record has a lower number than one we had; the benefit of the doubt is a full history.

    Without this question a meter that was reset would have "nothing new" until it has caught up. The record it reports is
    one more copy of a reading the cloud knows by name.
    """
    result = await talk.ask(RecordAccess.report_last())
    if result in _NOT_UNDERSTOOD:
        return True
    newest = _number(talk.store, talk.measured[-1]) if talk.measured else None
    return result == Result.SUCCESS and newest is not None and newest < last


async def _counted(talk: "_Talk") -> int | None:
    """All records of a store without numbers, as many as it says it has."""
    announced = await talk.count()
    if announced == 0:
        return Result.NO_RECORDS_FOUND
    result = None
    for _ in range(1 + ASK_AGAIN_MAX):
        talk.measured.clear()
        result = await talk.ask(RecordAccess.report_all())
        if result != Result.SUCCESS or announced is None or len(talk.measured) >= announced:
            break
    return result


async def _fill(talk: "_Talk") -> None:
    """Ask once for the numbers missing in between: a notification nobody acknowledges can be lost on its way to us.

    What the device no longer has stays missing, and whoever keeps the records counts it.
    """
    numbers = sorted({number for data in talk.measured if (number := _number(talk.store, data)) is not None})
    holes = [(low + 1, high - 1) for low, high in pairwise(numbers) if high - low > 1]
    for first, last in holes[:BROKEN_MAX]:
        result = await talk.ask(RecordAccess.report_between(first, last))
        if result in _NOT_UNDERSTOOD or result is None:
            return


async def _mend(talk: "_Talk") -> None:
    """Ask once more for the records that did not come whole. What stays broken is told by `assemble`, with its bytes."""
    for _ in range(ASK_AGAIN_MAX):
        broken = _broken(talk.measured)
        if not broken:
            return
        for number in broken[:BROKEN_MAX]:
            result = await talk.ask(RecordAccess.report_between(number, number))
            if result in _NOT_UNDERSTOOD:
                await talk.ask(RecordAccess.report_all())
                break


def _broken(frames: list[bytes]) -> list[int]:
    segments: dict[int, BloodPressureRecord] = {}
    for place, data in enumerate(frames):
        try:
            segments[place] = BloodPressureRecord.from_bytes(data)
        except MalformedFrame:
            continue
    broken = join(segments).broken
    return sorted({segments[place].sequence_number for place in broken})


def _number(store: Store, data: bytes) -> int | None:
    frame = BloodPressureRecord if store is BLOOD_PRESSURE else GlucoseMeasurement
    try:
        return frame.from_bytes(data).sequence_number
    except MalformedFrame:
        return None


@dataclass
class _Talk:
    """A conversation with one control point. `measured`: the frames of the store's first characteristic, as they came."""

    link: gatt.Link
    inbox: Inbox
    store: Store
    measured: list[bytes] = field(default_factory=list[bytes])

    async def subscribe(self) -> None:
        """To the records first: a device may refuse requests of a reader who would not hear them."""
        for uuid in self.store.characteristics:
            if uuid in self.link.characteristics:
                await self.link.subscribe(uuid, self._taker(uuid))
        await self.link.subscribe(
            gatt.RECORD_ACCESS_CONTROL_POINT, lambda data: self.inbox.heard(gatt.RECORD_ACCESS_CONTROL_POINT, data)
        )

    def _taker(self, uuid: str) -> Callable[[bytes], None]:
        take = self.inbox.taker(uuid)
        if uuid != self.store.characteristics[0]:
            return take

        def note(data: bytes) -> None:
            self.measured.append(bytes(data))
            take(data)

        return note

    async def ask(self, request: RecordAccess) -> int | None:
        """The result the device gives; SERVER_BUSY where it stayed so; None where it fell silent and was told to stop."""
        answer = await self._answered(request)
        return None if answer is None else answer.result

    async def count(self) -> int | None:
        """How many records there are; None where the device does not say."""
        answer = await self._answered(RecordAccess.count_all())
        return None if answer is None else answer.count

    async def _answered(self, request: RecordAccess) -> RecordAccess | None:
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await self.inbox.pause(RETRY_S * 2 ** (attempt - 1))
            self.inbox.latest.pop(gatt.RECORD_ACCESS_CONTROL_POINT, None)
            try:
                await self.link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(request))
            except gatt.AttError as error:
                if error.code == gatt.CCCD_IMPROPERLY_CONFIGURED:
                    # It forgot what was subscribed to, as some do when they pair in between.
                    await self.subscribe()
                elif error.code == gatt.PROCEDURE_ALREADY_IN_PROGRESS:
                    if attempt == ATTEMPTS_MAX - 2:
                        # Perhaps the one a reader before us began and never ended.
                        await self._abort()
                else:
                    raise
                continue
            answer = await self._answer(request.opcode, within_s=RECORD_S_MAX)
            if answer is None:
                await self._abort()
            if answer is None or answer.result != Result.SERVER_BUSY:
                return answer
        return RecordAccess.response(request.opcode, Result.SERVER_BUSY)

    async def _answer(self, opcode: int, *, within_s: float) -> RecordAccess | None:
        """The answer to the request with this opcode; None where nothing at all came for `within_s`."""
        while True:
            said = self.inbox.latest.pop(gatt.RECORD_ACCESS_CONTROL_POINT, None)
            if said is not None:
                try:
                    access = RecordAccess.from_bytes(said)
                except MalformedFrame:
                    continue
                counted = opcode == Opcode.REPORT_COUNT and access.opcode == Opcode.COUNT_RESPONSE
                if counted or access.request_opcode == opcode:
                    return access
            elif not await self.inbox.something(within_s):
                return None

    async def _abort(self) -> None:
        try:
            await self.link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(RecordAccess.abort()))
        except gatt.AttError:
            return
        await self._answer(Opcode.ABORT, within_s=ABORT_S_MAX)


def _ending(result: int | None) -> Ending:
    match result:
        case None:
            return Ending.QUIET
        case Result.SUCCESS:
            return Ending.COMPLETE
        case Result.NO_RECORDS_FOUND:
            return Ending.NO_RECORDS
        case Result.SERVER_BUSY:
            return Ending.BUSY
        case _:
            return Ending.REFUSED
