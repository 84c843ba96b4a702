"""From kept frames to measurements: a pure step that may be repeated at any time over the same frames.

Frames are stored as they come and assembled afterwards, so that nothing which can fail stands between the radio and the
disk.
"""

from bisect import bisect
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from devices.blood_pressure import BloodPressureMeasurement
from devices.blood_pressure_record import BloodPressureRecord, join
from devices.body_composition import BodyComposition
from devices.date_time import wall_time
from devices.encoding import MalformedFrame
from devices.gatt import (
    BLOOD_PRESSURE_MEASUREMENT,
    BLOOD_PRESSURE_RECORD,
    BODY_COMPOSITION,
    GLUCOSE_CONTEXT,
    GLUCOSE_MEASUREMENT,
    OXIMETER_SPOT,
    TEMPERATURE_MEASUREMENT,
    WEIGHT_MEASUREMENT,
)
from devices.glucose import CONTROL_MONTH, KETONE_MEAL, GlucoseContext, GlucoseMeasurement
from devices.measurement import Measurement
from devices.model import STANDARD, Model
from devices.oximeter import SpotMeasurement
from devices.thermometer import TemperatureMeasurement
from devices.weighing import weighings
from devices.weight_scale import WeightMeasurement

#: Frames that are one measurement each, whatever else came.
_ALONE: Final[dict[str, Callable[[bytes], Measurement]]] = {
    BLOOD_PRESSURE_MEASUREMENT: lambda data: BloodPressureMeasurement.from_bytes(data).measurement(),
    OXIMETER_SPOT: lambda data: SpotMeasurement.from_bytes(data).measurement(),
    TEMPERATURE_MEASUREMENT: lambda data: TemperatureMeasurement.from_bytes(data).measurement(),
}
#: What a peripheral pushes once it is subscribed to, in the order of the subscriptions.
PUSHED: Final = (*_ALONE, WEIGHT_MEASUREMENT, BODY_COMPOSITION)


@dataclass(frozen=True, slots=True)
class Frame:
    """One notification or indication, as it came. `received_at` is UTC."""

    characteristic: str
    data: bytes
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Assembled:
    """One measurement, with the frames it was made of. `frame_index` is its place in the sequence given."""

    measurement: Measurement
    characteristic: str
    raw: bytes
    raw_context: bytes | None
    received_at: datetime
    frame_index: int
    #: The meter announced a context record that is not among the frames: ask for this record again.
    awaits_context: bool = False
    #: The number by which the device is asked for what came after this; None where its records have none, or where each of
    #: its users has numbers of their own.
    record_number: int | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """A frame that is no measurement, and why: one line without values."""

    frame_index: int
    reason: str
    #: As in Assembled: the record is known, though nothing is made of it, and need not be asked for again.
    record_number: int | None = None
    #: What is the same each time a stored record is fetched; None where nobody can tell two of these frames apart.
    named_by: bytes | None = None


@dataclass(frozen=True, slots=True)
class Dropped:
    """A frame that tells of nobody, and why: one line without values. A model's filler, never what might be a reading."""

    frame_index: int
    reason: str


def dropped(frames: Sequence[Frame], *, model: Model = STANDARD) -> list[Dropped]:
    """Those frames that `assemble` makes nothing of, because their model sends them for no measurement."""
    objections = ((index, model.drops(frame.characteristic, frame.data)) for index, frame in enumerate(frames))
    return [Dropped(index, reason) for index, reason in objections if reason is not None]


def assemble(frames: Sequence[Frame], *, model: Model = STANDARD) -> list[Assembled | Malformed]:
    """One entry per frame, in the frames' order; none for contexts and compositions that found theirs, nor for `dropped` ones.

    A context belongs to the measurement of the same sequence number: the one it follows, or else the next one. A record
    sent twice has its context both times. `raw` is the frame as it came, whatever the model's layout; of a model that
    `renumbers`, with 0 in place of a number that is another one next time.
    """
    glucose: dict[int, GlucoseMeasurement] = {}
    contexts: dict[int, GlucoseContext] = {}
    weights: dict[int, WeightMeasurement] = {}
    compositions: dict[int, BodyComposition] = {}
    segments: dict[int, BloodPressureRecord] = {}
    doubted: dict[int, str] = {}
    done: list[Assembled | Malformed] = []
    fillers = {each.frame_index for each in dropped(frames, model=model)}
    for index, frame in enumerate(frames):
        if index in fillers:
            continue
        try:
            data = model.standard_form(frame.characteristic, frame.data)
            doubt = model.doubts(frame.characteristic, data)
            if frame.characteristic == GLUCOSE_MEASUREMENT:
                glucose[index] = GlucoseMeasurement.from_bytes(data)
                if doubt is not None:
                    doubted[index] = doubt
            elif doubt is not None:
                done.append(Malformed(index, doubt))
            elif frame.characteristic == GLUCOSE_CONTEXT:
                contexts[index] = GlucoseContext.from_bytes(data)
            elif frame.characteristic == WEIGHT_MEASUREMENT:
                weights[index] = WeightMeasurement.from_bytes(data)
            elif frame.characteristic == BODY_COMPOSITION:
                compositions[index] = BodyComposition.from_bytes(data)
            elif frame.characteristic == BLOOD_PRESSURE_RECORD:
                segments[index] = BloodPressureRecord.from_bytes(data)
            else:
                done.append(_alone(frame, index, data))
        except MalformedFrame as error:
            done.append(Malformed(index, str(error)))
    done.extend(_joined(frames, glucose, contexts, doubted, renumbers=model.renumbers))
    done.extend(_weighed(frames, weights, compositions))
    done.extend(_recorded(frames, segments))
    return sorted(done, key=lambda entry: entry.frame_index)


def _alone(frame: Frame, index: int, data: bytes) -> Assembled | Malformed:
    measurement = _ALONE.get(frame.characteristic)
    if measurement is None:
        return Malformed(index, f"{frame.characteristic}: no measurement is made of this characteristic")
    return Assembled(measurement(data), frame.characteristic, frame.data, None, frame.received_at, index)


def _joined(
    frames: Sequence[Frame],
    glucose: dict[int, GlucoseMeasurement],
    contexts: dict[int, GlucoseContext],
    doubted: dict[int, str],
    *,
    renumbers: bool,
) -> Iterator[Assembled | Malformed]:
    """Records with their contexts. A doubted record takes its context with it: neither says anything for certain."""
    places: dict[int, list[int]] = defaultdict(list)
    for index, measured in glucose.items():
        places[measured.sequence_number].append(index)
    context_of: dict[int, int] = {}
    for index, context in contexts.items():
        same = places.get(context.sequence_number)
        if same is None:
            yield Malformed(index, "glucose context: no measurement of the same sequence number came with it")
            continue
        owner = same[max(bisect(same, index) - 1, 0)]
        repeats = (place for place in same if frames[place].data == frames[owner].data)
        context_of.update({place: index for place in repeats if place == owner or place not in context_of})
    for index, measured in glucose.items():
        frame, place = frames[index], context_of.get(index)
        context = None if place is None else contexts[place]
        number = None if renumbers else measured.sequence_number
        raw = _unnumbered(frame.data) if renumbers else frame.data
        doubt = doubted.get(index) or _objection(measured, context, renumbered=renumbers)
        if doubt is not None:
            yield Malformed(index, f"glucose measurement: {doubt}", number, named_by=raw)
            continue
        told = None if place is None else frames[place].data
        yield Assembled(
            measurement=replace(measured.measurement(context), sequence_number=number),
            characteristic=frame.characteristic,
            raw=raw,
            raw_context=_unnumbered(told) if renumbers and told is not None else told,
            received_at=frame.received_at,
            frame_index=index,
            awaits_context=place is None and measured.context_follows,
            record_number=number,
        )


def _objection(measured: GlucoseMeasurement, context: GlucoseContext | None, *, renumbered: bool) -> str | None:
    """Why a record is nobody's glucose, whatever the meter; None where nothing speaks against it."""
    if context is not None and context.meal == KETONE_MEAL:
        return "its context says that it is a ketone"
    if measured.base_time.month == CONTROL_MONTH:
        return "its month is 13, by which meters mark a control solution"
    if renumbered and measured.base_time.wall() is None:
        return "it has neither a time nor a number that stays, so it would be another reading each time it is fetched"
    return None


def _unnumbered(data: bytes) -> bytes:
    """A record or its context with sequence number 0: both have it after one byte of flags."""
    return data[:1] + bytes(2) + data[3:]


def _weighed(
    frames: Sequence[Frame], weights: dict[int, WeightMeasurement], compositions: dict[int, BodyComposition]
) -> Iterator[Assembled | Malformed]:
    found, left = weighings(weights, compositions)
    for weighing in found:
        frame = frames[weighing.index]
        told_by = b"".join(frames[index].data for index in weighing.told_by)
        yield Assembled(
            measurement=weighing.measurement,
            characteristic=frame.characteristic,
            raw=frame.data,
            raw_context=told_by or None,
            received_at=frame.received_at,
            frame_index=weighing.index,
        )
    for index in left:
        yield Malformed(index, "body composition: no weighing it certainly belongs to came with it")


def _recorded(frames: Sequence[Frame], segments: dict[int, BloodPressureRecord]) -> Iterator[Assembled | Malformed]:
    """Stored blood pressures. `raw` is the recorded value as a Blood Pressure Measurement, `raw_context` the segments.

    A record without a time is named by its number, or each time it is fetched it would be another reading.
    """
    joined = join(segments)
    for index, reason in joined.broken.items():
        yield Malformed(index, reason)
    for record in joined.whole:
        measurement = record.frame.measurement()
        if wall_time(measurement.device_time) is None:
            measurement = replace(measurement, sequence_number=record.sequence_number)
        yield Assembled(
            measurement=measurement,
            characteristic=BLOOD_PRESSURE_MEASUREMENT,
            raw=bytes(record.frame),
            raw_context=b"".join(frames[place].data for place in record.places),
            received_at=frames[record.places[-1]].received_at,
            frame_index=record.places[0],
            record_number=record.sequence_number if record.frame.user is None else None,
        )
