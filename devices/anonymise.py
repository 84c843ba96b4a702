"""What is taken out of a recording before it is written: who the device is, whose, and on which days it was used.

The address is never part of a recording. A name keeps its letters and loses its digits where they are a serial number. Of
what the device answered, only characteristics that say what it is and what it can do are kept: no name of a user, no
birth date, no serial number, no consent. All dates are moved by the same whole weeks, so that times of day, intervals and
the clock's error stay what they were. Values stay: they are what a recording is for.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from devices import gatt
from devices.assemble import Frame
from devices.blood_pressure import BloodPressureMeasurement
from devices.body_composition import BodyComposition
from devices.date_time import DATE_TIME_BYTES, DateTime
from devices.encoding import MalformedFrame
from devices.glucose import GlucoseMeasurement
from devices.model import STANDARD, Model
from devices.oximeter import SpotMeasurement
from devices.thermometer import TemperatureMeasurement
from devices.weight_scale import WeightMeasurement

#: What is kept of what a device answers.
ANSWERS_KEPT: Final = frozenset(
    {
        gatt.MANUFACTURER_NAME,
        gatt.MODEL_NUMBER,
        gatt.FIRMWARE_REVISION,
        gatt.BATTERY_LEVEL,
        gatt.CURRENT_TIME,
        gatt.DATE_TIME,
        gatt.TEMPERATURE_TYPE,
        gatt.BLOOD_PRESSURE_FEATURE,
        gatt.WEIGHT_SCALE_FEATURE,
        gatt.BODY_COMPOSITION_FEATURE,
        gatt.GLUCOSE_FEATURE,
        gatt.OXIMETER_FEATURE,
    }
)
#: The Monday of the week in which every recording begins.
NEW_FIRST_DAY: Final = datetime(2024, 1, 1)  # noqa: DTZ001 - a device knows no zone
#: A time before this is a clock's mistake, and one after what is told as now is another: both are part of the quirk, and stay.
YEAR_MIN: Final = 2015
_AHEAD_MAX: Final = timedelta(days=2)
_SERIAL_DIGITS: Final = re.compile(r"(?i)(?<![0-9a-f])(?=[0-9a-f]*\d)[0-9a-f]{6,}|\d{5,}")
_CLOCKS: Final = frozenset({gatt.CURRENT_TIME, gatt.DATE_TIME})


def name(advertised: str | None) -> str | None:
    """A name whose serial number is zeros: five digits or more, or six hexadecimal ones, in a row."""
    return None if advertised is None else _SERIAL_DIGITS.sub(lambda found: "0" * len(found[0]), advertised)


@dataclass(frozen=True, slots=True)
class Moved:
    """Answers and frames on other days. `unread`: places of frames whose date, if they have one, could not be found."""

    answers: dict[str, bytes]
    frames: tuple[Frame, ...]
    unread: tuple[int, ...]


def moved(answers: dict[str, bytes], frames: Sequence[Frame], *, now: datetime, model: Model = STANDARD) -> Moved:
    """Everything kept, on other days. `now` is wall time (naive): no measurement is younger."""
    kept = {uuid: data for uuid, data in answers.items() if uuid in ANSWERS_KEPT}
    stamps: list[DateTime | None] = []
    unread: list[int] = []
    for place, frame in enumerate(frames):
        try:
            stamps.append(_stamp(frame.characteristic, model.standard_form(frame.characteristic, frame.data)))
        except MalformedFrame:
            stamps.append(None)
            unread.append(place)
    clocks = {
        uuid: DateTime.from_bytes(data[:DATE_TIME_BYTES]) for uuid, data in kept.items() if _has_clock(uuid, data)
    }
    by = _distance((*stamps, *clocks.values()), now=now)
    for uuid, clock in clocks.items():
        kept[uuid] = _put(kept[uuid], clock, by, now=now)
    others = tuple(
        frame if stamp is None else Frame(frame.characteristic, _put(frame.data, stamp, by, now=now), frame.received_at)
        for frame, stamp in zip(frames, stamps, strict=True)
    )
    return Moved(kept, others, tuple(unread))


def _has_clock(uuid: str, data: bytes) -> bool:
    return uuid in _CLOCKS and len(data) >= DATE_TIME_BYTES


def _stamp(characteristic: str, data: bytes) -> DateTime | None:
    """The device's time in a frame; None where it has none. MalformedFrame where the frame cannot be read."""
    match characteristic:
        case gatt.BLOOD_PRESSURE_MEASUREMENT:
            return BloodPressureMeasurement.from_bytes(data).time_stamp
        case gatt.WEIGHT_MEASUREMENT:
            return WeightMeasurement.from_bytes(data).time_stamp
        case gatt.BODY_COMPOSITION:
            return BodyComposition.from_bytes(data).time_stamp
        case gatt.GLUCOSE_MEASUREMENT:
            return GlucoseMeasurement.from_bytes(data).base_time
        case gatt.OXIMETER_SPOT:
            return SpotMeasurement.from_bytes(data).time_stamp
        case gatt.TEMPERATURE_MEASUREMENT:
            return TemperatureMeasurement.from_bytes(data).time_stamp
        case gatt.GLUCOSE_CONTEXT:
            return None
        case _:
            raise MalformedFrame(f"{characteristic}: where its date is, is not known here", offset=0)


def _dated(stamp: DateTime | None, *, now: datetime) -> datetime | None:
    """The wall time of a stamp that tells when somebody used the device."""
    wall = None if stamp is None else stamp.wall()
    return wall if wall is not None and wall.year >= YEAR_MIN and wall - now <= _AHEAD_MAX else None


def _distance(stamps: Iterable[DateTime | None], *, now: datetime) -> timedelta:
    walls = [wall for stamp in stamps if (wall := _dated(stamp, now=now)) is not None]
    if not walls:
        return timedelta()
    # Whole weeks: a Current Time tells the day of the week too.
    return -timedelta(weeks=(min(walls) - NEW_FIRST_DAY).days // 7)


def _put(data: bytes, stamp: DateTime, by: timedelta, *, now: datetime) -> bytes:
    wall = _dated(stamp, now=now)
    return data if wall is None else data.replace(bytes(stamp), bytes(DateTime.of(wall + by)), 1)
