"""Blood Pressure Record, 0x2B36: a stored value of another characteristic, whole or in segments (Blood Pressure Service 1.1).

segmentation header u8: 0 first segment, 1 last segment, 2-7 rolling counter; sequence number u16; UUID u16 of what was
recorded; then that value, or a part of it; then a CRC u16 where the peripheral's Blood Pressure Feature says so (bit 6).
The frame itself does not tell whether its last two bytes are a CRC, so they are left with the value.
"""

from dataclasses import dataclass
from typing import Final, Self

from devices import description
from devices.encoding import Cursor

_FIRST, _LAST = 1 << 0, 1 << 1
_COUNTER_SHIFT: Final = 2


@dataclass(frozen=True, slots=True)
class BloodPressureRecord:
    """One segment of one record. `value` is what followed the header, a CRC included."""

    sequence_number: int
    characteristic: str
    value: bytes
    first: bool = True
    last: bool = True
    counter: int = 0

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the header is not whole, or nothing follows it."""
        cursor = Cursor(data, "blood pressure record")
        header = cursor.uint8("segmentation header")
        sequence_number, uuid = cursor.uint16("sequence number"), cursor.uint16("UUID")
        return cls(
            sequence_number=sequence_number,
            characteristic=f"{uuid:04X}",
            value=cursor.take(max(cursor.rest_size, 1), "recorded characteristic"),
            first=bool(header & _FIRST),
            last=bool(header & _LAST),
            counter=header >> _COUNTER_SHIFT,
        )

    def __bytes__(self) -> bytes:
        header = self.counter << _COUNTER_SHIFT | (_FIRST if self.first else 0) | (_LAST if self.last else 0)
        uuid = int(self.characteristic, 16)
        return bytes([header]) + self.sequence_number.to_bytes(2, "little") + uuid.to_bytes(2, "little") + self.value

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it; `value` can be decoded as `characteristic` once it is whole."""
        return description.blank("blood_pressure_record") | {
            "sequence_number": self.sequence_number,
            "characteristic": self.characteristic,
            "first_segment": self.first,
            "last_segment": self.last,
            "segment": self.counter,
            "value": self.value.hex(),
        }
