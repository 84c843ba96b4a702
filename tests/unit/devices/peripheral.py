"""A peripheral in memory that speaks the profiles to a procedure: stored readings, a clock, a meter's control point.

Faults are what real ones do: hang up after so many values, refuse with an ATT error, fall silent, forget nothing.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from devices import gatt
from devices.racp import Opcode, Operator, RecordAccess, Result

TURNS_PER_INDICATION = 10


@dataclass
class Peripheral:
    """A `gatt.Link`. `log` is everything that was asked of it, in order."""

    values: dict[str, bytes] = field(default_factory=dict[str, bytes])
    #: Indicated once their characteristic is subscribed to; a hang-up follows where `hangs_up`.
    stored: dict[str, list[bytes]] = field(default_factory=dict[str, list[bytes]])
    hangs_up: bool = True
    refuses: dict[str, int] = field(default_factory=dict[str, int])
    #: The link is lost after so many values sent; None: never.
    values_until_lost: int | None = None
    log: list[str] = field(default_factory=list[str])
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    subscribed: dict[str, Callable[[bytes], None]] = field(default_factory=dict[str, Callable[[bytes], None]])
    #: What the reader's callbacks raised: a radio library notes it and goes on.
    raised: list[OSError] = field(default_factory=list[OSError])

    @property
    def characteristics(self) -> frozenset[str]:
        return frozenset(self.values) | frozenset(self.stored)

    async def read(self, uuid: str) -> bytes:
        await self._asked("read", uuid)
        return self.values[uuid]

    async def write(self, uuid: str, data: bytes) -> None:
        await self._asked("write", uuid)
        self.values[uuid] = data

    async def subscribe(self, uuid: str, on_value: Callable[[bytes], None]) -> None:
        await self._asked("subscribe", uuid)
        self.subscribed[uuid] = on_value
        if uuid in self.stored:
            self.soon(self._push(uuid))

    def soon(self, steps: Iterable[None]) -> None:
        """Do one step per turn of the loop, as a radio would between connection events."""
        iterator = iter(steps)

        def step() -> None:
            try:
                next(iterator)
            except StopIteration:
                return
            except gatt.LinkLost:
                self.gone.set()
                return
            asyncio.get_running_loop().call_soon(step)

        asyncio.get_running_loop().call_soon(step)

    def send(self, uuid: str, data: bytes) -> None:
        if self.values_until_lost is not None:
            self.values_until_lost -= 1
            if self.values_until_lost < 0:
                raise gatt.LinkLost("out of range")
        if not self.gone.is_set():
            try:
                self.subscribed[uuid](data)
            except OSError as error:
                self.raised.append(error)

    def _push(self, uuid: str) -> Iterable[None]:
        for data in self.stored[uuid]:
            self.send(uuid, data)
            yield
        if self.hangs_up:
            self.gone.set()

    async def _asked(self, what: str, uuid: str) -> None:
        self.log.append(f"{what} {uuid}")
        await asyncio.sleep(0)
        if self.gone.is_set():
            raise gatt.LinkLost("the peripheral hung up")
        if uuid in self.refuses:
            raise gatt.AttError(uuid, self.refuses[uuid])


@dataclass
class Meter(Peripheral):
    """A glucose meter: records by sequence number, each with its context frame or none."""

    records: list[tuple[int, bytes, bytes | None]] = field(default_factory=list[tuple[int, bytes, bytes | None]])
    #: How many requests are answered "busy" first: by ATT error, or by result.
    busy_errors: int = 0
    busy_results: int = 0
    #: Reports records and never says that it is done.
    silent: bool = False
    understands: tuple[int, ...] = (Operator.ALL, Operator.GREATER_OR_EQUAL, Operator.LAST)
    #: Indicated by the control point before the answer.
    noise: tuple[bytes, ...] = ()
    requests: list[RecordAccess] = field(default_factory=list[RecordAccess])

    @property
    def characteristics(self) -> frozenset[str]:
        own = {gatt.GLUCOSE_MEASUREMENT, gatt.GLUCOSE_CONTEXT, gatt.RECORD_ACCESS_CONTROL_POINT}
        return super().characteristics | own

    async def write(self, uuid: str, data: bytes) -> None:
        if uuid != gatt.RECORD_ACCESS_CONTROL_POINT:
            return await super().write(uuid, data)
        await self._asked("write", uuid)
        if self.busy_errors:
            self.busy_errors -= 1
            raise gatt.AttError(uuid, gatt.PROCEDURE_ALREADY_IN_PROGRESS)
        request = RecordAccess.from_bytes(data)
        self.requests.append(request)
        self.soon(self._answer(request))
        return None

    def _answer(self, request: RecordAccess) -> Iterable[None]:
        result = Result.SUCCESS
        if self.busy_results:
            self.busy_results -= 1
            result = Result.SERVER_BUSY
        elif request.opcode == Opcode.REPORT_RECORDS and request.operator not in self.understands:
            result = Result.OPERATOR_NOT_SUPPORTED
        elif request.opcode == Opcode.REPORT_RECORDS:
            chosen = self._chosen(request)
            result = Result.SUCCESS if chosen else Result.NO_RECORDS_FOUND
            for _, measurement, context in chosen:
                self.send(gatt.GLUCOSE_MEASUREMENT, measurement)
                yield
                if context is not None:
                    self.send(gatt.GLUCOSE_CONTEXT, context)
                    yield
            if self.silent:
                return
        for data in (*self.noise, bytes(RecordAccess.response(request.opcode, result))):
            self.send(gatt.RECORD_ACCESS_CONTROL_POINT, data)
            # An indication waits for its confirmation: the reader has had time to look at it.
            yield from [None] * TURNS_PER_INDICATION

    def _chosen(self, request: RecordAccess) -> list[tuple[int, bytes, bytes | None]]:
        if request.operator == Operator.LAST:
            return self.records[-1:]
        least = int.from_bytes(request.limits[0], "little") if request.operator == Operator.GREATER_OR_EQUAL else 0
        return [record for record in self.records if record[0] >= least]
