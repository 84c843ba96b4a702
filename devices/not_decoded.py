"""Characteristics this program knows by name and does not read. A peripheral that offers one is said so in the log.

Continuous glucose monitoring needs sessions, security and calibration of its own; generic health sensors (2023) send
observations by a model of their own. No cuff, scale, meter, oximeter or thermometer for the home was found that needs them.
"""

from collections.abc import Iterable
from typing import Final

NAMES: Final[dict[str, str]] = {
    "2AA7": "CGM Measurement",
    "2AA8": "CGM Feature",
    "2AA9": "CGM Status",
    "2AAA": "CGM Session Start Time",
    "2AAB": "CGM Session Run Time",
    "2AAC": "CGM Specific Ops Control Point",
    "2B8B": "Live Health Observations",
    "2BDD": "Stored Health Observations",
    "2BF1": "Observation Schedule Changed",
    "2BF3": "Health Sensor Features",
}


def offered(characteristics: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Those of a peripheral's characteristics that are here, each with its name, by their numbers."""
    return tuple((uuid, NAMES[uuid]) for uuid in sorted(set(characteristics) & NAMES.keys()))
