"""A value that never travels without its unit, or the reason why there is none."""

from decimal import Decimal
from enum import StrEnum
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, model_validator

#: Exact by definition (international avoirdupois pound).
KG_PER_LB: Final = 0.45359237
#: mmHg → kPa, conventional millimetre of mercury.
KPA_PER_MMHG: Final = 0.133322387415
#: Molar mass of glucose 180.156 g/mol: mmol/L → mg/dL.
MG_DL_PER_MMOL_L: Final = 18.0156


class Absent(StrEnum):
    """Why a device sent no number: the special values of IEEE 11073 floats, and a scale's "unsuccessful"."""

    NAN = "nan"
    NRES = "nres"
    POSITIVE_INFINITY = "+inf"
    NEGATIVE_INFINITY = "-inf"
    RESERVED = "reserved"
    UNSUCCESSFUL = "unsuccessful"


class Quantity(BaseModel):
    """A number with its UCUM unit exactly as the device sent it, or `value=None` with the reason in `absent`.

    `value` is the double nearest to the decimal the device sent (13.9 is `float("13.9")`), so comparing with a limit
    written in the same unit is exact. The raw bytes keep the device's own precision.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    value: float | None
    unit: str
    absent: Absent | None = None

    @model_validator(mode="after")
    def _either_value_or_reason(self) -> Self:
        if (self.value is None) == (self.absent is None):
            raise ValueError("a quantity has a value or a reason for its absence, never both or neither")
        return self

    def __repr__(self) -> str:
        """Values are protected health information: a log line or a traceback shows the unit alone."""
        return f"Quantity(hidden, {self.unit!r})"

    __str__ = __repr__


_FACTORS: Final[dict[tuple[str, str], float]] = {
    ("[lb_av]", "kg"): KG_PER_LB,
    ("kg", "[lb_av]"): 1 / KG_PER_LB,
    ("mm[Hg]", "kPa"): KPA_PER_MMHG,
    ("kPa", "mm[Hg]"): 1 / KPA_PER_MMHG,
    ("mmol/L", "mg/dL"): MG_DL_PER_MMOL_L,
    ("mg/dL", "mmol/L"): 1 / MG_DL_PER_MMOL_L,
    ("[in_i]", "m"): 0.0254,
    ("m", "[in_i]"): 1 / 0.0254,
}
#: Where water freezes, and how many degrees make five of Celsius. Decimal, so that 100.4 °F is 38.0 °C and not a bit more.
_TEMPERATURES: Final = {"Cel": (Decimal(0), 5), "[degF]": (Decimal(32), 9)}


def converted(value: float, unit: str, to: str) -> float:
    """`value` in the unit `to`, for display and for limits nobody wrote in the device's unit; KeyError if impossible.

    Never convert before comparing with a limit that exists in the device's own unit: 10.0 mmol/L is not "> 180 mg/dL".
    """
    if unit == to:
        return value
    if unit in _TEMPERATURES:
        (zero, degrees), (other_zero, other_degrees) = _TEMPERATURES[unit], _TEMPERATURES[to]
        return float((Decimal(str(value)) - zero) * other_degrees / degrees + other_zero)
    return value * _FACTORS[(unit, to)]
