"""Glucose: asking a meter for the records not yet had, through its Record Access Control Point.

The meter keeps its records: nothing is deleted, so a reader that died in the middle asks again. Gateways shared with
other applications depend on that, and so does our promise to lose nothing.
"""

from typing import Final

from devices import gatt
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

_BUSY_ERRORS: Final = (gatt.CCCD_IMPROPERLY_CONFIGURED, gatt.PROCEDURE_ALREADY_IN_PROGRESS)
_NOT_UNDERSTOOD: Final = (
    Result.INVALID_OPERATOR,
    Result.OPERATOR_NOT_SUPPORTED,
    Result.INVALID_OPERAND,
    Result.OPERAND_NOT_SUPPORTED,
)


async def synchronise(link: gatt.Link, inbox: Inbox, *, last_sequence: int | None) -> Ending:
    """Have the records after `last_sequence`, or all; where there are none, make sure that the meter was not reset."""
    for uuid in (gatt.GLUCOSE_MEASUREMENT, gatt.GLUCOSE_CONTEXT):
        if uuid in link.characteristics:
            await link.subscribe(uuid, inbox.taker(uuid))
    await link.subscribe(
        gatt.RECORD_ACCESS_CONTROL_POINT, lambda data: inbox.heard(gatt.RECORD_ACCESS_CONTROL_POINT, data)
    )
    if last_sequence is None or last_sequence >= SEQUENCE_NUMBER_MAX:
        return _ending(await _ask(link, inbox, RecordAccess.report_all()))
    result = await _ask(link, inbox, RecordAccess.report_from(last_sequence + 1))
    if result in _NOT_UNDERSTOOD or (
        result == Result.NO_RECORDS_FOUND and await _was_reset(link, inbox, last_sequence)
    ):
        result = await _ask(link, inbox, RecordAccess.report_all())
    return _ending(result)


async def _was_reset(link: gatt.Link, inbox: Inbox, last_sequence: int) -> bool:
    """Whether the meter's newest record has a lower number than one we had: it counts from the start again.

    Without this question such a meter would have "nothing new" until it has caught up. The record it reports is one
    more copy of a reading the cloud knows by name.
    """
    if await _ask(link, inbox, RecordAccess.report_last()) != Result.SUCCESS:
        return False
    try:
        newest = GlucoseMeasurement.from_bytes(inbox.latest.get(gatt.GLUCOSE_MEASUREMENT, b""))
    except MalformedFrame:
        return False
    return newest.sequence_number < last_sequence


async def _ask(link: gatt.Link, inbox: Inbox, request: RecordAccess) -> int | None:
    """The result the meter gives; SERVER_BUSY where it stayed so; None where it fell silent and was told to stop."""
    for attempt in range(ATTEMPTS_MAX):
        if attempt:
            await inbox.pause(RETRY_S * 2 ** (attempt - 1))
        inbox.latest.pop(gatt.RECORD_ACCESS_CONTROL_POINT, None)
        try:
            await link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(request))
        except gatt.AttError as error:
            if error.code not in _BUSY_ERRORS:
                raise
            continue
        result = await _answer(inbox, request.opcode, within_s=RECORD_S_MAX)
        if result is None:
            await _abort(link, inbox)
        if result != Result.SERVER_BUSY:
            return result
    return Result.SERVER_BUSY


async def _answer(inbox: Inbox, opcode: int, *, within_s: float) -> int | None:
    """The result of the request with this opcode; None where nothing at all came for `within_s`."""
    while True:
        answer = inbox.latest.pop(gatt.RECORD_ACCESS_CONTROL_POINT, None)
        if answer is not None:
            try:
                access = RecordAccess.from_bytes(answer)
            except MalformedFrame:
                continue
            if access.request_opcode == opcode:
                return access.result
        elif not await inbox.something(within_s):
            return None


async def _abort(link: gatt.Link, inbox: Inbox) -> None:
    try:
        await link.write(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(RecordAccess.abort()))
    except gatt.AttError:
        return
    await _answer(inbox, Opcode.ABORT, within_s=ABORT_S_MAX)


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
