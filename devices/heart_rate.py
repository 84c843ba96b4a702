"""Heart Rate Measurement, 0x2A37 (Heart Rate Service; layout in the GATT Specification Supplement).

flags u8: 0 rate is u16 (else u8), 1 skin contact, 2 contact is sensed, 3 energy expended, 4 RR intervals; then the rate per
minute, energy u16 in kJ, and RR intervals u16 × 1/1024 s, oldest first, to the end of the frame.

A strap sends one every second: decoded for an installer, not a vital of its own yet.
"""

from dataclasses import dataclass
from typing import Final, Self

from devices import description
from devices.encoding import Cursor
from schemas.quantity import Quantity

_WIDE, _CONTACT, _CONTACT_SENSED, _ENERGY, _INTERVALS = (1 << bit for bit in range(5))
_INTERVALS_PER_S: Final = 1024
_NARROW_MAX: Final = 0xFF


@dataclass(frozen=True, slots=True)
class HeartRate:
    """One rate. `contact` is None where the strap cannot tell; `intervals` are raw, in 1/1024 s."""

    rate: int
    contact: bool | None = None
    energy_kj: int | None = None
    intervals: tuple[int, ...] | None = None
    #: The rate was sent in two bytes, though one may be enough.
    wide: bool = False

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """MalformedFrame where the frame is shorter or longer than its flags say, or an interval is cut in two."""
        cursor = Cursor(data, "heart rate measurement")
        flags = cursor.uint8("flags")
        found = cls(
            rate=cursor.uint16("heart rate") if flags & _WIDE else cursor.uint8("heart rate"),
            contact=bool(flags & _CONTACT) if flags & _CONTACT_SENSED else None,
            energy_kj=cursor.uint16("energy expended") if flags & _ENERGY else None,
            intervals=_intervals(cursor) if flags & _INTERVALS else None,
            wide=bool(flags & _WIDE),
        )
        cursor.end()
        return found

    def __bytes__(self) -> bytes:
        wide = self.wide or self.rate > _NARROW_MAX
        flags, fields = _WIDE if wide else 0, self.rate.to_bytes(2 if wide else 1, "little")
        if self.contact is not None:
            flags |= _CONTACT_SENSED | (_CONTACT if self.contact else 0)
        if self.energy_kj is not None:
            flags, fields = flags | _ENERGY, fields + self.energy_kj.to_bytes(2, "little")
        if self.intervals is not None:
            flags |= _INTERVALS
            fields += b"".join(interval.to_bytes(2, "little") for interval in self.intervals)
        return bytes([flags]) + fields

    def described(self) -> description.Json:
        """As `rpm-gateway decode` prints it."""
        quantities = {"heart_rate": Quantity(value=float(self.rate), unit="/min")}
        if self.energy_kj is not None:
            quantities["energy_expended"] = Quantity(value=float(self.energy_kj), unit="kJ")
        return description.blank("heart_rate") | {
            "quantities": description.quantities(quantities),
            "contact": self.contact,
            "rr_intervals_s": [interval / _INTERVALS_PER_S for interval in self.intervals or ()],
        }


def _intervals(cursor: Cursor) -> tuple[int, ...]:
    found: list[int] = []
    while cursor.rest_size:
        found.append(cursor.uint16("RR interval"))
    return tuple(found)
