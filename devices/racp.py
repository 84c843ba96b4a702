"""Record Access Control Point, 0x2A52: asking a meter for its records, and its answers.

opcode u8, operator u8, operand (Glucose Service 1.0.1 and the GATT Specification Supplement). A peripheral and its
reader share this file.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from devices.date_time import DATE_TIME_BYTES
from devices.encoding import Cursor

SEQUENCE_NUMBER_MAX: Final = 0xFFFF


class Opcode(IntEnum):
    """What is asked or answered."""

    REPORT_RECORDS = 1
    DELETE_RECORDS = 2
    ABORT = 3
    REPORT_COUNT = 4
    COUNT_RESPONSE = 5
    RESPONSE = 6


class Operator(IntEnum):
    """Which records."""

    NULL = 0
    ALL = 1
    LESS_OR_EQUAL = 2
    GREATER_OR_EQUAL = 3
    WITHIN_RANGE = 4
    FIRST = 5
    LAST = 6


class Filter(IntEnum):
    """What the operand of an operator counts."""

    SEQUENCE_NUMBER = 1
    USER_FACING_TIME = 2


class Result(IntEnum):
    """How a request ended. NO_RECORDS_FOUND is how a session with nothing new ends, not an error."""

    SUCCESS = 1
    OPCODE_NOT_SUPPORTED = 2
    INVALID_OPERATOR = 3
    OPERATOR_NOT_SUPPORTED = 4
    INVALID_OPERAND = 5
    NO_RECORDS_FOUND = 6
    ABORT_UNSUCCESSFUL = 7
    PROCEDURE_NOT_COMPLETED = 8
    OPERAND_NOT_SUPPORTED = 9
    SERVER_BUSY = 10


_REQUESTS: Final = (Opcode.REPORT_RECORDS, Opcode.DELETE_RECORDS, Opcode.REPORT_COUNT)
#: How many bytes a value of each filter has.
_VALUE_BYTES: Final[dict[int, int]] = {Filter.SEQUENCE_NUMBER: 2, Filter.USER_FACING_TIME: DATE_TIME_BYTES}
#: How many values follow the filter.
_VALUES: Final[dict[int, int]] = {Operator.LESS_OR_EQUAL: 1, Operator.GREATER_OR_EQUAL: 1, Operator.WITHIN_RANGE: 2}
_NO_OPERAND: Final = (Operator.NULL, Operator.ALL, Operator.FIRST, Operator.LAST)


@dataclass(frozen=True, slots=True)
class RecordAccess:
    """One request or answer. Numbers this program does not know are kept as they are, their operand too."""

    opcode: int
    operator: int = Operator.NULL
    operand: bytes = b""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the operand does not fit what opcode and operator announce."""
        cursor = Cursor(data, "record access control point")
        opcode, operator = cursor.uint8("opcode"), cursor.uint8("operator")
        start = cursor.offset
        _check_operand(cursor, opcode, operator)
        return cls(opcode, operator, bytes(data[start:]))

    def __bytes__(self) -> bytes:
        return bytes([self.opcode, self.operator]) + self.operand

    @classmethod
    def report_all(cls) -> Self:
        """Every record."""
        return cls(Opcode.REPORT_RECORDS, Operator.ALL)

    @classmethod
    def report_from(cls, sequence_number: int) -> Self:
        """Every record whose sequence number is `sequence_number` or greater."""
        operand = bytes([Filter.SEQUENCE_NUMBER]) + sequence_number.to_bytes(2, "little")
        return cls(Opcode.REPORT_RECORDS, Operator.GREATER_OR_EQUAL, operand)

    @classmethod
    def report_between(cls, least: int, greatest: int) -> Self:
        """Every record whose sequence number is within these, both included."""
        operand = bytes([Filter.SEQUENCE_NUMBER]) + least.to_bytes(2, "little") + greatest.to_bytes(2, "little")
        return cls(Opcode.REPORT_RECORDS, Operator.WITHIN_RANGE, operand)

    @classmethod
    def count_all(cls) -> Self:
        """How many records there are."""
        return cls(Opcode.REPORT_COUNT, Operator.ALL)

    @classmethod
    def report_last(cls) -> Self:
        """The newest record."""
        return cls(Opcode.REPORT_RECORDS, Operator.LAST)

    @classmethod
    def abort(cls) -> Self:
        """Stop what is running."""
        return cls(Opcode.ABORT)

    @classmethod
    def response(cls, request_opcode: int, result: int) -> Self:
        """A peripheral's answer to a request."""
        return cls(Opcode.RESPONSE, Operator.NULL, bytes([request_opcode, result]))

    @classmethod
    def count_response(cls, count: int) -> Self:
        """A peripheral's answer to REPORT_COUNT."""
        return cls(Opcode.COUNT_RESPONSE, Operator.NULL, count.to_bytes(2, "little"))

    @property
    def request_opcode(self) -> int | None:
        """Which request this answers; None where this is not an answer."""
        return self.operand[0] if self.opcode == Opcode.RESPONSE else None

    @property
    def result(self) -> int | None:
        """How that request ended."""
        return self.operand[1] if self.opcode == Opcode.RESPONSE else None

    @property
    def count(self) -> int | None:
        """How many records there are, in the answer that says so."""
        return int.from_bytes(self.operand, "little") if self.opcode == Opcode.COUNT_RESPONSE else None

    @property
    def filter(self) -> int | None:
        """What `limits` count; None for a request without limits."""
        return self.operand[0] if self.opcode in _REQUESTS and self.operator in _VALUES else None

    @property
    def limits(self) -> tuple[bytes, ...]:
        """The values of a filter this program knows: u16 sequence numbers, or Date Times; minimum before maximum."""
        size = _VALUE_BYTES.get(self.filter or 0)
        if size is None:
            return ()
        values = self.operand[1:]
        return tuple(values[start : start + size] for start in range(0, len(values), size))


def _check_operand(cursor: Cursor, opcode: int, operator: int) -> None:
    if opcode == Opcode.RESPONSE:
        cursor.uint8("request opcode")
        cursor.uint8("result")
    elif opcode == Opcode.COUNT_RESPONSE:
        # The Glucose Service says u16; peripherals that send one byte are in use (see vectors).
        cursor.uint8("number of records")
        if cursor.rest_size == 1:
            cursor.uint8("number of records")
    elif opcode in _REQUESTS and operator in _VALUES:
        size = _VALUE_BYTES.get(cursor.uint8("filter"))
        if size is None:
            return
        for _ in range(_VALUES[operator]):
            cursor.take(size, "limit of the filter")
    elif opcode != Opcode.ABORT and not (opcode in _REQUESTS and operator in _NO_OPERAND):
        return
    cursor.end()
