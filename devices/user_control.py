"""User Control Point, 0x2A9F (User Data Service): by which a scale is told whose data is asked for.

Some scales keep the history of each user behind a consent code that the scale itself showed when the user was made. Request:
opcode u8, then for "register" the code u16, for "consent" user index u8 and code u16, for "delete" nothing. Answer: 0x20,
opcode of the request, result, then what a result carries (the index of a user just registered).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from devices import description
from devices.encoding import Cursor

CONSENT_CODE_MAX: Final = 9999


class Opcode(IntEnum):
    """What is asked or answered."""

    REGISTER_NEW_USER = 0x01
    CONSENT = 0x02
    DELETE_USER_DATA = 0x03
    RESPONSE = 0x20


class Result(IntEnum):
    """How a request ended."""

    SUCCESS = 1
    OPCODE_NOT_SUPPORTED = 2
    INVALID_PARAMETER = 3
    OPERATION_FAILED = 4
    #: The code is wrong.
    USER_NOT_AUTHORIZED = 5


_PARAMETER_BYTES: Final[dict[int, int]] = {
    Opcode.REGISTER_NEW_USER: 2,
    Opcode.CONSENT: 3,
    Opcode.DELETE_USER_DATA: 0,
}


@dataclass(frozen=True, slots=True)
class UserControl:
    """One request or answer. Its consent code is a secret: `described` and `repr` do not tell it."""

    opcode: int
    parameter: bytes = b""

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the parameter does not fit the opcode; that of an unknown opcode is kept as it is."""
        cursor = Cursor(data, "user control point")
        opcode = cursor.uint8("opcode")
        start = cursor.offset
        if opcode == Opcode.RESPONSE:
            cursor.uint8("request opcode")
            cursor.uint8("result")
        elif opcode in _PARAMETER_BYTES:
            cursor.take(_PARAMETER_BYTES[opcode], "parameter")
            cursor.end()
        return cls(opcode, bytes(data[start:]))

    def __bytes__(self) -> bytes:
        return bytes([self.opcode]) + self.parameter

    @classmethod
    def consent(cls, user_index: int, code: int) -> Self:
        """Ask for the data of a user, with the code the scale showed. ValueError where no scale shows such a code."""
        if not 0 <= code <= CONSENT_CODE_MAX:
            raise ValueError(f"a consent code is 0 to {CONSENT_CODE_MAX}")
        return cls(Opcode.CONSENT, bytes([user_index]) + code.to_bytes(2, "little"))

    @property
    def user_index(self) -> int | None:
        """Whose data: of a consent, or of an answer that carries an index."""
        if self.opcode == Opcode.CONSENT:
            return self.parameter[0]
        return self.parameter[2] if self.opcode == Opcode.RESPONSE and len(self.parameter) > 2 else None

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        found = description.blank("user_control") | description.named("opcode", Opcode, self.opcode)
        found["user_slot"] = self.user_index
        if self.opcode == Opcode.RESPONSE:
            request, result = self.parameter[:2]
            found |= description.named("request_opcode", Opcode, request)
            found |= description.named("result", Result, result)
        return found

    def __repr__(self) -> str:
        return f"UserControl(opcode={self.opcode}, hidden)"
