"""Where Beurer's frames leave the standard. Applied to the models the catalogue names, never by guessing.

Some cuffs leave it after the time stamp, as seen in two captures of one BM85 (vectors, `conforming: false`): pulse rate and
status are big-endian, and a user byte follows the pulse rate although flag bit 3 is clear.

The scales that keep their users' histories fill in zeros for what they did not keep (a capture of a BF788: 35 of 36
compositions, all but the basal metabolism). `weighing` makes nothing of such a composition, whoever sends it; a weight of
zero is one of these scales' fillers too, and nobody's.
"""

from typing import Final

from devices.blood_pressure import BloodPressureMeasurement
from devices.date_time import DateTime
from devices.encoding import Cursor, sfloat_from_bytes
from devices.gatt import BLOOD_PRESSURE_MEASUREMENT, WEIGHT_MEASUREMENT

_CAPTURED_FLAGS: Final = 0x56


def standard_form(characteristic: str, data: bytes) -> bytes:
    """The same squeeze in the standard's layout; a frame whose flags were never captured is left as it is."""
    if characteristic != BLOOD_PRESSURE_MEASUREMENT or data[:1] != bytes([_CAPTURED_FLAGS]):
        return data
    cursor = Cursor(data, "blood pressure measurement (Beurer)")
    cursor.uint8("flags")
    systolic, diastolic = cursor.sfloat("systolic pressure"), cursor.sfloat("diastolic pressure")
    mean_arterial = cursor.sfloat("mean arterial pressure")
    time_stamp: DateTime = cursor.date_time("time stamp")
    pulse_rate = sfloat_from_bytes(cursor.take(2, "pulse rate")[::-1])
    user = cursor.uint8("user")
    status = int.from_bytes(cursor.take(2, "measurement status"), "big")
    cursor.end()
    return bytes(
        BloodPressureMeasurement(
            systolic=systolic,
            diastolic=diastolic,
            mean_arterial=mean_arterial,
            time_stamp=time_stamp,
            pulse_rate=pulse_rate,
            user=user,
            status=status,
        )
    )


def placeholder(characteristic: str, data: bytes) -> str | None:
    """Why a frame is dropped: it is a filler of these scales."""
    if characteristic == WEIGHT_MEASUREMENT and not any(data[1:3]):
        return "weight measurement: a placeholder of zero"
    return None
