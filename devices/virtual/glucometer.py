"""The virtual glucose meter: a store of records that a reader asks for through the Record Access Control Point.

Records stay in the meter. It advertises while it holds one that nobody is known to have, and forgets that wish when its
"success" to a report was confirmed. A reader's radio stack may confirm that before the reader has handled the records it
answers for; one that dies in between asks again when the meter is next switched on (`press_button`).
"""

# bumble leaves parameters unannotated here and there.
# pyright: reportUnknownMemberType=false

import asyncio
from dataclasses import replace
from typing import Final

from bumble.att import ATT_Error, ErrorCode
from bumble.device import Connection
from bumble.gatt import Service
from typing_extensions import override

from devices import gatt
from devices.encoding import MalformedFrame
from devices.glucose import GlucoseContext, GlucoseMeasurement
from devices.racp import SEQUENCE_NUMBER_MAX, Filter, Opcode, Operator, RecordAccess, Result
from devices.virtual.ledger import Said
from devices.virtual.peripheral import Peripheral, Properties, decimal_of, service

#: Glucose Feature: every detection bit, but one bond only.
_FEATURE: Final = (0x03FF).to_bytes(2, "little")
_MEALS: Final = {"preprandial": 1, "postprandial": 2, "fasting": 3, "casual": 4, "bedtime": 5}
_CAPILLARY_WHOLE_BLOOD: Final = 1
_FINGER: Final = 1
_MG_DL, _MMOL_L = "mg/dL", "mmol/L"


class Glucometer(Peripheral):
    """A glucose meter (0x1808) in mg/dL or mmol/L. `time_offset_min`: what its user moved the base time by."""

    service = gatt.GLUCOSE_SERVICE
    time_offset_min: int | None = None

    @override
    def services(self) -> tuple[Service, ...]:
        self._records: list[Said] = []
        #: Sequence numbers that were notified in some connection, and those the reader is known to have.
        self._notified: set[int] = set()
        self._known: set[int] = set()
        self._procedure: asyncio.Task[object] | None = None
        self._measurement = self._characteristic(gatt.GLUCOSE_MEASUREMENT, Properties.NOTIFY)
        self._context = self._characteristic(gatt.GLUCOSE_CONTEXT, Properties.NOTIFY)
        self._control_point = self._characteristic(
            gatt.RECORD_ACCESS_CONTROL_POINT, Properties.WRITE | Properties.INDICATE, write=self._on_request
        )
        feature = self._characteristic(gatt.GLUCOSE_FEATURE, Properties.READ, read=_FEATURE)
        return (service(self.service, [self._measurement, self._context, feature, self._control_point]),)

    @property
    @override
    def pending(self) -> int:
        return len(self._records) - len(self._known)

    # Measuring -------------------------------------------------------------------------------------------------------

    def prick(
        self,
        *,
        mg_dl: float | None = None,
        mmol_l: float | None = None,
        meal: str | None = None,
        status: int | None = None,
    ) -> int:
        """Take one drop of blood: `mg_dl` or `mmol_l`, as the meter is set; its sequence number.

        `meal` is a word of `Reading.context`, sent in a context record. `status` is the raw annunciation word.
        """
        if (mg_dl is None) == (mmol_l is None):
            raise ValueError("a meter shows mg/dL or mmol/L, one of them")
        shown = self.clock.shows()
        if shown is None:
            raise ValueError("a glucose meter stamps every record: its clock cannot be 'none'")
        molar = mmol_l is not None
        number = decimal_of(mmol_l if mmol_l is not None else mg_dl or 0.0)
        sequence = self._records[-1].sequence_number or 0 if self._records else 0
        sequence = sequence % SEQUENCE_NUMBER_MAX + 1
        offset = self.time_offset_min
        frame = GlucoseMeasurement(
            sequence_number=sequence,
            base_time=shown.plus(-offset) if offset else shown,
            time_offset_min=offset,
            concentration=number.scaleb(-3 if molar else -5),
            molar=molar,
            sample_type=_CAPILLARY_WHOLE_BLOOD,
            location=_FINGER,
            status=status,
            context_follows=meal is not None,
        )
        context = None if meal is None else bytes(GlucoseContext(sequence_number=sequence, meal=_MEALS[meal]))
        said = Said(
            0,
            gatt.GLUCOSE_MEASUREMENT,
            bytes(frame),
            self.clock.now(),
            values={"glucose": {"value": float(number), "unit": _MMOL_L if molar else _MG_DL}},
            device_time=shown.text(),
            sequence_number=sequence,
            context_frame=context,
        )
        return self._store(said)

    @override
    def say(self, frame: bytes, context: bytes | None = None) -> int:
        sequence = sequence_of(frame)
        said = Said(
            0,
            gatt.GLUCOSE_MEASUREMENT,
            frame,
            self.clock.now(),
            sequence_number=sequence,
            context_frame=context,
        )
        return self._store(said)

    def _store(self, said: Said) -> int:
        self.taken += 1
        self._records.append(replace(said, number=self.taken))
        self._records.sort(key=_sequence)
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
        else:
            self._procedure = self._spawn(self._run(connection, request))

    def _is_subscribed(self, connection: Connection) -> bool:
        server = self.device.gatt_server
        answers = server.read_cccd(connection, self._control_point)[0] & 2
        return bool(answers and server.read_cccd(connection, self._measurement)[0] & 1)

    async def _run(self, connection: Connection, request: RecordAccess) -> None:
        """One request, to its answer."""
        if request.opcode not in {Opcode.REPORT_RECORDS, Opcode.REPORT_COUNT}:
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
        """The records a request means; None where this meter does not know the operator."""
        limits = [int.from_bytes(limit, "little") for limit in request.limits]
        if limits and request.filter != Filter.SEQUENCE_NUMBER:
            return None
        match request.operator:
            case Operator.ALL:
                return list(self._records)
            case Operator.FIRST:
                return self._records[:1]
            case Operator.LAST:
                return self._records[-1:]
            case Operator.GREATER_OR_EQUAL:
                return [said for said in self._records if _sequence(said) >= limits[0]]
            case Operator.LESS_OR_EQUAL:
                return [said for said in self._records if _sequence(said) <= limits[0]]
            case Operator.WITHIN_RANGE:
                return [said for said in self._records if limits[0] <= _sequence(said) <= limits[1]]
            case _:
                return None

    async def _report(self, connection: Connection, request: RecordAccess, chosen: list[Said]) -> None:
        for said in chosen:
            if not await self._notify(connection, self._measurement, said.frame):
                return
            if said.context_frame is not None:
                await self._notify(connection, self._context, said.context_frame)
            self._notified.add(_sequence(said))
            await asyncio.sleep(0)  # a dropped link is noticed between two records
        result = Result.SUCCESS if chosen else Result.NO_RECORDS_FOUND
        if await self._answer(connection, RecordAccess.response(Opcode.REPORT_RECORDS, result)):
            self._learn(request, chosen)

    def _learn(self, request: RecordAccess, chosen: list[Said]) -> None:
        """The reader has what was reported now, and what it heard in an earlier connection and did not ask for again."""
        now_known = {_sequence(said) for said in chosen}
        if request.operator == Operator.GREATER_OR_EQUAL:
            start = int.from_bytes(request.limits[0], "little")
            now_known |= {sequence for sequence in self._notified if sequence < start}
        for said in self._records:
            if _sequence(said) in now_known - self._known:
                self._confirm(said)
        self._known |= now_known

    async def _answer(self, connection: Connection, answer: RecordAccess) -> bool:
        return await self._indicate(connection, self._control_point, bytes(answer))


def _sequence(said: Said) -> int:
    assert said.sequence_number is not None
    return said.sequence_number


def sequence_of(frame: bytes) -> int:
    """The sequence number in the bytes of a record or a context: both have it after one byte of flags."""
    return int.from_bytes(frame[1:3], "little")
