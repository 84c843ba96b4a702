"""Measurement: what a device said, in its own unit and by its own clock. Knows no patient and no gateway."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from devices.encoding import MedicalFloat
from schemas.codes import Kind
from schemas.quantity import Absent, Quantity


@dataclass(frozen=True, slots=True)
class Measurement:
    """One squeeze, one weighing, one drop of blood.

    `quantities` is keyed by the names of `schemas.codes`, each value in the unit the device used. `device_time` is
    `YYYY-MM-DDThh:mm:ss` without a zone, unknown parts 00 or 0000, a glucose meter's offset already added; None where
    the device gave none. `user_slot` 255 is a device's "unknown user". `status` holds the words of README.md.
    """

    kind: Kind
    quantities: dict[str, Quantity]
    device_time: str | None = None
    user_slot: int | None = None
    sequence_number: int | None = None
    status: tuple[str, ...] = ()
    context: dict[str, str] = field(default_factory=dict[str, str])

    def __repr__(self) -> str:
        """Neither values nor context: they are protected health information, and a log line may print this."""
        return f"Measurement({self.kind}, {sorted(self.quantities)}, hidden)"


def quantity(value: MedicalFloat, unit: str, *, scale: int = 0) -> Quantity:
    """`value` × 10^scale in `unit`, as the double nearest to that decimal; a special value keeps its reason.

    Scaling shifts the decimal exponent, so it is exact: 104e-5 kg/L with scale 5 is the double 104.0.
    """
    if isinstance(value, Absent):
        return Quantity(value=None, unit=unit, absent=value)
    return Quantity(value=float(value * Decimal(f"1E{scale}")), unit=unit)


def bit_words(bits: int, words: Mapping[int, str], *, width: int = 16) -> tuple[str, ...]:
    """The word of each set bit, lowest first; a bit without a word is `reserved_bit_N`, kept for the record."""
    return tuple(words.get(bit, f"reserved_bit_{bit}") for bit in range(width) if bits >> bit & 1)
