"""A record that no person made: some meters of TaiDoc's family (FORA, and others under many names) report one of 2037."""

from typing import Final

from devices.encoding import MalformedFrame
from devices.gatt import GLUCOSE_MEASUREMENT
from devices.glucose import GlucoseMeasurement

#: Its value, about 450, looks like one that somebody has to be called for; its time would be taken for a wrong clock.
_BOGUS_YEAR: Final = 2037


def bogus(characteristic: str, data: bytes) -> str | None:
    """Why a record is nobody's: it bears the year in which these meters' filler is."""
    if characteristic != GLUCOSE_MEASUREMENT:
        return None
    try:
        year = GlucoseMeasurement.from_bytes(data).base_time.year
    except MalformedFrame:
        return None
    return "its year is 2037, which this make fills its memory with" if year == _BOGUS_YEAR else None
