"""Blood Pressure Record, 0x2B36: a stored value of another characteristic, whole or in segments (Blood Pressure Service 1.1).

segmentation header u8: 0 first segment, 1 last segment, 2-7 rolling counter; sequence number u16; UUID u16 of what was
recorded; then that value, or a part of it; then a CRC u16 where the peripheral's Blood Pressure Feature says so (bit 6).
The frame itself does not tell whether its last two bytes are a CRC, so they are left with the value; the recorded
characteristic's own flags tell, once all of it is there. The CRC goes over all fields of all segments but itself.

Its polynomial is taken to be the one of the other health services: CCITT, from FFFF, least significant bit first. No record
of a real cuff was found to try it on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from devices import description, gatt
from devices.blood_pressure import BloodPressureMeasurement
from devices.encoding import Cursor, MalformedFrame
from devices.enhanced_blood_pressure import EnhancedBloodPressure

_FIRST, _LAST = 1 << 0, 1 << 1
_COUNTER_SHIFT: Final = 2
_COUNTERS: Final = 64
_CRC_BYTES: Final = 2
_CRC_START, _CRC_POLYNOMIAL = 0xFFFF, 0x8408  # 0x1021 with its bits turned round


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


@dataclass(frozen=True, slots=True)
class WholeRecord:
    """One stored blood pressure, put together. `places` are those of its segments in what was joined.

    `frame` is the value in the layout of Blood Pressure Measurement, whichever of the two was recorded: a squeeze that also
    came by itself has the same bytes, and so the same name.
    """

    sequence_number: int
    frame: BloodPressureMeasurement
    places: tuple[int, ...]


@dataclass
class Joined:
    """What segments make: whole records, and why each segment of the others is part of none."""

    whole: list[WholeRecord] = field(default_factory=list[WholeRecord])
    broken: dict[int, str] = field(default_factory=dict[int, str])


def join(segments: Mapping[int, BloodPressureRecord]) -> Joined:
    """Records from segments in the order they came, by their place.

    A segment that is lost, out of order or repeated breaks its record. A broken record that also came whole is not told as
    broken.
    """
    joined = Joined()
    part: list[int] = []
    reason = ""
    for place, segment in segments.items():
        if segment.first:
            _break(joined, part, "its last segment did not come")
            part, reason = [place], ""
        else:
            reason = reason or _why_not(segments, part, segment)
            part.append(place)
            if reason:
                _break(joined, part, reason)
                part = []
        if segment.last and part:
            _finish(joined, segments, part)
            part = []
    _break(joined, part, "its last segment did not come")
    had = {record.sequence_number for record in joined.whole}
    joined.broken = {place: why for place, why in joined.broken.items() if segments[place].sequence_number not in had}
    return joined


def crc(data: bytes) -> int:
    """The E2E-CRC of these bytes."""
    value = _CRC_START
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (_CRC_POLYNOMIAL if value & 1 else 0)
    return value


def _why_not(segments: Mapping[int, BloodPressureRecord], part: list[int], segment: BloodPressureRecord) -> str:
    if not part:
        return "its first segment did not come"
    before = segments[part[-1]]
    if (segment.sequence_number, segment.characteristic) != (before.sequence_number, before.characteristic):
        return "segments of two records came mixed"
    if segment.counter == before.counter:
        return "a segment came twice"
    if segment.counter != (before.counter + 1) % _COUNTERS:
        return "a segment is missing, or out of order"
    return ""


def _break(joined: Joined, part: list[int], reason: str) -> None:
    joined.broken.update(dict.fromkeys(part, f"blood pressure record: {reason}"))


def _finish(joined: Joined, segments: Mapping[int, BloodPressureRecord], part: list[int]) -> None:
    own = [segments[place] for place in part]
    value = b"".join(segment.value for segment in own)
    try:
        frame = _measured(own[0].characteristic, value, _checked_bytes(own))
    except MalformedFrame as error:
        joined.broken.update(dict.fromkeys(part, str(error)))
    else:
        joined.whole.append(WholeRecord(own[0].sequence_number, frame, tuple(part)))


def _checked_bytes(segments: list[BloodPressureRecord]) -> bytes:
    """All fields of all segments but the two bytes at the end of the value, wherever those were cut."""
    frames: list[bytes] = []
    left = _CRC_BYTES
    for segment in reversed(segments):
        cut = min(left, len(segment.value))
        left -= cut
        whole = bytes(segment)
        frames.append(whole[: len(whole) - cut])
    return b"".join(reversed(frames))


def _measured(characteristic: str, value: bytes, checked_bytes: bytes) -> BloodPressureMeasurement:
    """The recorded value, with or without a CRC behind it: its flags say how long it is."""
    try:
        return _decoded(characteristic, value)
    except MalformedFrame:
        checked = _decoded(characteristic, value[:-_CRC_BYTES])
    if crc(checked_bytes).to_bytes(_CRC_BYTES, "little") != value[-_CRC_BYTES:]:
        raise MalformedFrame("blood pressure record: its CRC does not match", offset=len(value) - _CRC_BYTES)
    return checked


def _decoded(characteristic: str, value: bytes) -> BloodPressureMeasurement:
    match characteristic:
        case gatt.BLOOD_PRESSURE_MEASUREMENT:
            return BloodPressureMeasurement.from_bytes(value)
        case gatt.ENHANCED_BLOOD_PRESSURE:
            return EnhancedBloodPressure.from_bytes(value).plain
        case _:
            raise MalformedFrame(f"blood pressure record: no reading is made of a stored {characteristic}", offset=3)
