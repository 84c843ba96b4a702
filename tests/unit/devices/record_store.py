"""A store of records in memory, of any of the three kinds, and the faults of its control point."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from devices import gatt
from devices.blood_pressure import BloodPressureMeasurement
from devices.blood_pressure_record import BloodPressureRecord, crc
from devices.date_time import DateTime
from devices.enhanced_blood_pressure import EnhancedBloodPressure, Tail
from devices.glucose import GlucoseContext, GlucoseMeasurement
from devices.oximeter import SpotMeasurement
from devices.racp import Opcode, Operator, RecordAccess, Result
from tests.unit.devices.peripheral import TURNS_PER_INDICATION, Peripheral

EPOCH_2000 = datetime(2000, 1, 1)  # noqa: DTZ001 - what a clock on the wall shows
NOON = datetime(2026, 11, 22, 12)  # noqa: DTZ001
#: One frame of a record: its characteristic and its bytes.
Part = tuple[str, bytes]


@dataclass(frozen=True)
class Record:
    """What a store has under one number, frame by frame."""

    number: int
    parts: tuple[Part, ...]


def glucose(number: int, *, context: bool = True, mg_dl: int = 104) -> Record:
    measured = GlucoseMeasurement(
        sequence_number=number,
        base_time=DateTime.of(NOON + timedelta(minutes=number)),
        concentration=Decimal(f"{mg_dl}e-5"),
        sample_type=1,
        location=1,
        context_follows=context,
    )
    parts: list[Part] = [(gatt.GLUCOSE_MEASUREMENT, bytes(measured))]
    if context:
        parts.append((gatt.GLUCOSE_CONTEXT, bytes(GlucoseContext(number, meal=1))))
    return Record(number, tuple(parts))


def spot(number: int) -> Record:
    shown = DateTime.of(NOON + timedelta(minutes=number))
    return Record(number, ((gatt.OXIMETER_SPOT, bytes(SpotMeasurement(Decimal(97), Decimal(70), time_stamp=shown))),))


def squeeze(number: int, *, dated: bool = True, user: int | None = None) -> EnhancedBloodPressure:
    seconds = int((NOON + timedelta(minutes=number) - EPOCH_2000).total_seconds())
    tail = Tail(seconds if dated else None, pulse_rate=Decimal(70), user=user, status=0, epoch_2000=True)
    return EnhancedBloodPressure(Decimal(124), Decimal(86), Decimal(97), tail=tail)


def stored(
    number: int,
    recorded: EnhancedBloodPressure | BloodPressureMeasurement,
    *,
    size: int = 6,
    checked: bool = True,
    counter: int = 0,
) -> Record:
    """A record in segments of `size` bytes of value, with a CRC at its end where `checked`."""
    uuid = (
        gatt.ENHANCED_BLOOD_PRESSURE if isinstance(recorded, EnhancedBloodPressure) else gatt.BLOOD_PRESSURE_MEASUREMENT
    )
    value = bytes(recorded) + (b"\0\0" if checked else b"")
    pieces = [value[start : start + size] for start in range(0, len(value), size)]
    frames = [
        bytes(
            BloodPressureRecord(
                number,
                uuid,
                piece,
                first=place == 0,
                last=place == len(pieces) - 1,
                counter=(counter + place) % 64,
            )
        )
        for place, piece in enumerate(pieces)
    ]
    if checked:
        # A CRC may be torn between two segments; header bytes are not part of it there.
        whole = b"".join(frames)
        ours = crc(_without_crc(frames, pieces)).to_bytes(2, "little")
        tail = len(pieces[-1])
        if tail >= len(ours):
            frames[-1] = frames[-1][:-2] + ours
        else:
            frames[-2] = frames[-2][:-1] + ours[:1]
            frames[-1] = frames[-1][:-1] + ours[1:]
        assert len(b"".join(frames)) == len(whole)
    return Record(number, tuple((gatt.BLOOD_PRESSURE_RECORD, frame) for frame in frames))


def _without_crc(frames: list[bytes], pieces: list[bytes]) -> bytes:
    if len(pieces[-1]) > 1:
        return b"".join(frames)[:-2]
    return b"".join(frames[:-2]) + frames[-2][:-1] + frames[-1][:-1]


@dataclass
class Store(Peripheral):
    """Records in the order they are reported, and a control point."""

    kind: tuple[str, ...] = (gatt.GLUCOSE_MEASUREMENT, gatt.GLUCOSE_CONTEXT)
    records: list[Record] = field(default_factory=list[Record])
    #: For each write in turn, the ATT error it is refused with; 0: it is not.
    att_errors: list[int] = field(default_factory=list[int])
    #: For each request in turn, the result it is answered with at once; 0: it is done.
    results: list[int] = field(default_factory=list[int])
    understands: tuple[int, ...] = tuple(Operator)
    counts: bool = True
    #: Frames of the n-th report that are swallowed (None in the list), or sent in another order, by their places.
    mangle: list[list[int]] = field(default_factory=list[list[int]])
    requests: list[RecordAccess] = field(default_factory=list[RecordAccess])

    @property
    def characteristics(self) -> frozenset[str]:
        return super().characteristics | {*self.kind, gatt.RECORD_ACCESS_CONTROL_POINT}

    async def write(self, uuid: str, data: bytes) -> None:
        if uuid != gatt.RECORD_ACCESS_CONTROL_POINT:
            return await super().write(uuid, data)
        await self._asked("write", uuid)
        error = self.att_errors.pop(0) if self.att_errors else 0
        if error:
            raise gatt.AttError(uuid, error)
        request = RecordAccess.from_bytes(data)
        self.requests.append(request)
        self.soon(self._work(request))
        return None

    def _work(self, request: RecordAccess) -> Iterable[None]:
        result = self.results.pop(0) if self.results else 0
        answer = RecordAccess.response(request.opcode, result or Result.SUCCESS)
        if not result and request.opcode in {Opcode.REPORT_RECORDS, Opcode.REPORT_COUNT}:
            chosen = self._chosen(request)
            if chosen is None or (request.opcode == Opcode.REPORT_COUNT and not self.counts):
                refusal = Result.OPERATOR_NOT_SUPPORTED if chosen is None else Result.OPCODE_NOT_SUPPORTED
                answer = RecordAccess.response(request.opcode, refusal)
            elif request.opcode == Opcode.REPORT_COUNT:
                answer = RecordAccess.count_response(len(chosen))
            else:
                frames = [part for record in chosen for part in record.parts]
                order = self.mangle.pop(0) if self.mangle and frames else range(len(frames))
                for place in order:
                    self.send(*frames[place])
                    yield
                if not chosen:
                    answer = RecordAccess.response(request.opcode, Result.NO_RECORDS_FOUND)
        self.send(gatt.RECORD_ACCESS_CONTROL_POINT, bytes(answer))
        yield from [None] * TURNS_PER_INDICATION

    def _chosen(self, request: RecordAccess) -> list[Record] | None:
        if request.operator not in self.understands:
            return None
        if request.operator == Operator.LAST:
            return sorted(self.records, key=lambda record: record.number)[-1:]
        limits = [int.from_bytes(limit, "little") for limit in request.limits]
        least = limits[0] if limits else 0
        greatest = limits[1] if request.operator == Operator.WITHIN_RANGE else 0xFFFF
        return [record for record in self.records if least <= record.number <= greatest]
