"""The weight frame of a Detecto scale: bit 4 of the flags, which the standard reserves, is "below zero" there."""

from typing import Final

from devices.gatt import WEIGHT_MEASUREMENT

_BELOW_ZERO: Final = 1 << 4


def below_zero(characteristic: str, data: bytes) -> str | None:
    """Why a frame is not taken for a weight: its number is one below zero."""
    if characteristic == WEIGHT_MEASUREMENT and data[:1] and data[0] & _BELOW_ZERO:
        return "weight measurement: this scale says that it was below zero"
    return None
