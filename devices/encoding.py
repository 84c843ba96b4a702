"""How numbers travel in medical GATT characteristics: IEEE 11073 decimal floats, and fields that follow flags.

SFLOAT (16 bits: 4 of exponent, 12 of mantissa) and FLOAT (32 bits: 8 and 24) are decimal, little-endian on the air, both
parts two's complement (IEEE 11073-20601 annex F.8; `medfloat16` and `medfloat32` of the Bluetooth SIG's GATT
Specification Supplement). Five whole words are no numbers and become `Absent`. A number is a `Decimal` that keeps the
exponent it was sent with, so decoding and encoding again gives the same bytes.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from devices.date_time import DATE_TIME_BYTES, DateTime
from schemas.quantity import Absent

#: A number as the device sent it, or why there is none.
MedicalFloat = Decimal | Absent


class MalformedFrame(ValueError):
    """A frame that does not keep to its characteristic's layout.

    The message is one line and names what is wrong at which byte; `offset` is that byte, counted from 0. It never holds
    a measured value.
    """

    def __init__(self, message: str, *, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class _Float:
    """One of the two formats: how many bits the mantissa (low end) and the exponent (high end) have."""

    name: str
    mantissa_bits: int
    exponent_bits: int

    @property
    def size(self) -> int:
        return (self.mantissa_bits + self.exponent_bits) // 8

    @property
    def special(self) -> dict[int, Absent]:
        """The words that are no numbers: they sit around the most negative mantissa, with exponent 0."""
        middle = 1 << (self.mantissa_bits - 1)
        return {
            middle - 2: Absent.POSITIVE_INFINITY,
            middle - 1: Absent.NAN,
            middle: Absent.NRES,
            middle + 1: Absent.RESERVED,
            middle + 2: Absent.NEGATIVE_INFINITY,
        }

    def decode(self, word: int) -> MedicalFloat:
        # The whole word is compared: 0x17FF is the number 20470, only 0x07FF is "not a number".
        absent = self.special.get(word)
        if absent is not None:
            return absent
        mantissa = _signed(word & ((1 << self.mantissa_bits) - 1), self.mantissa_bits)
        exponent = _signed(word >> self.mantissa_bits, self.exponent_bits)
        return Decimal(f"{mantissa}E{exponent}")

    def encode(self, value: MedicalFloat) -> bytes:
        if isinstance(value, Absent):
            for word, absent in self.special.items():
                if absent is value:
                    return word.to_bytes(self.size, "little")
            raise ValueError(f"no {self.name} says {value.value!r}")
        return self._word(value).to_bytes(self.size, "little")

    def _word(self, value: Decimal) -> int:
        sign, digits, exponent = value.as_tuple()
        if isinstance(exponent, str):
            raise ValueError(f"a {self.name} that is no number is an Absent, not a Decimal")  # noqa: TRY004 - its value is wrong
        mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
        limit, exponent_max = 1 << (self.mantissa_bits - 1), (1 << (self.exponent_bits - 1)) - 1
        while exponent > exponent_max and 0 < abs(mantissa) < limit:
            mantissa, exponent = mantissa * 10, exponent - 1
        while exponent < -exponent_max - 1 or not -limit <= mantissa < limit:
            if mantissa % 10 and mantissa:
                break
            mantissa, exponent = mantissa // 10, exponent + 1
        fits = -limit <= mantissa < limit and -exponent_max - 1 <= exponent <= exponent_max
        word = (exponent & ((1 << self.exponent_bits) - 1)) << self.mantissa_bits | mantissa & (2 * limit - 1)
        if not fits or word in self.special:
            raise ValueError(f"no {self.name} says this number exactly")
        return word


def _signed(bits: int, width: int) -> int:
    return bits - (1 << width) if bits >> (width - 1) else bits


_SFLOAT: Final = _Float("SFLOAT", mantissa_bits=12, exponent_bits=4)
_FLOAT: Final = _Float("FLOAT", mantissa_bits=24, exponent_bits=8)


def sfloat_from_bytes(data: bytes) -> MedicalFloat:
    """The number two little-endian bytes say; MalformedFrame where there are not two."""
    cursor = Cursor(data, "SFLOAT")
    value = cursor.sfloat("number")
    cursor.end()
    return value


def sfloat_to_bytes(value: MedicalFloat) -> bytes:
    """Two bytes, with the exponent the Decimal has where that fits; ValueError where no SFLOAT is equal to it."""
    return _SFLOAT.encode(value)


def float_from_bytes(data: bytes) -> MedicalFloat:
    """The number four little-endian bytes say; MalformedFrame where there are not four."""
    cursor = Cursor(data, "FLOAT")
    value = cursor.float("number")
    cursor.end()
    return value


def float_to_bytes(value: MedicalFloat) -> bytes:
    """Four bytes, with the exponent the Decimal has where that fits; ValueError where no FLOAT is equal to it."""
    return _FLOAT.encode(value)


class Cursor:
    """Reads one frame field by field, left to right. Each method takes the field's name, for the error alone."""

    def __init__(self, data: bytes, frame: str) -> None:
        self.data = bytes(data)
        #: What the frame is, in the words of an error message.
        self.frame = frame
        #: The byte that is read next.
        self.offset = 0

    def take(self, size: int, field: str) -> bytes:
        """The next `size` bytes; MalformedFrame where the frame ends before."""
        left = self.rest_size
        if left < size:
            raise self.error(f"{field} needs {size} byte{'s' * (size > 1)} and the frame has {left} left")
        self.offset += size
        return self.data[self.offset - size : self.offset]

    def uint8(self, field: str) -> int:
        """One byte."""
        return self.take(1, field)[0]

    def uint16(self, field: str) -> int:
        """Two bytes, unsigned."""
        return int.from_bytes(self.take(2, field), "little")

    def int16(self, field: str) -> int:
        """Two bytes, two's complement."""
        return int.from_bytes(self.take(2, field), "little", signed=True)

    def sfloat(self, field: str) -> MedicalFloat:
        """Two bytes: an SFLOAT."""
        return _SFLOAT.decode(self.uint16(field))

    def float(self, field: str) -> MedicalFloat:
        """Four bytes: a FLOAT."""
        return _FLOAT.decode(int.from_bytes(self.take(4, field), "little"))

    def date_time(self, field: str) -> DateTime:
        """Seven bytes, kept as sent: an impossible date does not make a frame malformed."""
        return DateTime.from_bytes(self.take(DATE_TIME_BYTES, field))

    @property
    def rest_size(self) -> int:
        """How many bytes are left."""
        return len(self.data) - self.offset

    def end(self) -> None:
        """MalformedFrame where bytes are left: a frame longer than its flags say was not understood."""
        left = self.rest_size
        if left:
            raise self.error(f"{left} byte{'s' * (left > 1)} left over after the last field the flags announce")

    def error(self, what: str) -> MalformedFrame:
        """An error at the byte that would be read next."""
        return MalformedFrame(f"{self.frame}: at byte {self.offset}, {what}", offset=self.offset)
