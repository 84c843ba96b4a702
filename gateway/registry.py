"""From what a device said to a Reading: named, and put on the world's clock. Pure.

Time, in words: a device clock shows local time, knows no zone and is often wrong. Where it was read in the same
connection, its distance from ours moves the device's time onto ours (HL7 calls the pair a coincident timestamp); where
it was not, the device's time is taken as the home's local time; where that cannot be a time, the instant of receipt
stands in for it. What the device said travels along unchanged, and takes part in the name; the correction does not.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import uuid5
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from devices.procedures import Assembled, Frame, SessionFacts
from gateway.outbox import Form, NewRow
from schemas.ids import READING_NAMESPACE, derive_reading_id
from schemas.reading import DeviceIdentity, Reading, TimeSource

#: No device time before this can be one: clocks that lost their battery start in 1970, 2000 or at their maker's date.
YEAR_MIN: Final = 2020
#: A time further ahead than this is a clock fault, not a clock that is a little fast (T4).
AHEAD_MAX: Final = timedelta(minutes=5)
#: A reading this much older than its receipt comes out of the device's memory: history, not news (F4).
BACKFILL_AFTER: Final = timedelta(minutes=30)
#: The same where the device's clock could not be read: it may have missed a change of summer time.
BACKFILL_AFTER_UNREAD: Final = timedelta(minutes=90)

#: A clock that is set is set at most so long before the session's frames begin to come.
SET_BEFORE_MAX: Final = timedelta(seconds=30)
#: A clock set to ours shows whole seconds, and may be rounded up.
SET_AHEAD_MAX: Final = timedelta(seconds=5)

RAW_BYTES_MAX: Final = 1_024
REASON_CHARACTERS_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class MeasuredAt:
    """When it was measured, which clock says so, and why that one."""

    instant: datetime
    source: TimeSource
    reason: str
    #: How far the device's clock was behind ours when it measured, seconds; None where nobody knows.
    clock_offset_s: float | None = None


@dataclass(frozen=True, slots=True)
class Computed:
    """How a receipt's time was had where the gateway's clock was wrong: what names it instead, and how far it may be off.

    `either_way`: zero where it is exact, None where nobody can say.
    """

    mark: str
    either_way: timedelta | None

    @property
    def exact(self) -> bool:
        """Whether the clock was set later in the same boot."""
        return self.either_way == timedelta()


class _Undecoded(BaseModel):
    """An UndecodedItem without its number, which the outbox gives."""

    address: str
    characteristic: str
    raw: str
    received_at: datetime
    reason: str


def measured_at(
    device_time: str | None,
    *,
    clock_offset_s: float | None,
    clock_read_at: datetime,
    received_at: datetime,
    zone: ZoneInfo,
    clock_was_set: bool = False,
    ahead_max: timedelta = AHEAD_MAX,
) -> MeasuredAt:
    """The instant of a measurement (UTC), from the device's own time if that can be one.

    A corrected time is counted with the UTC offset that held when the clock was read: the device's clock runs on
    through a change of summer time, so hours that happen twice are still told apart. An uncorrected time in an hour
    that happens twice is the later of the two that is not after receipt. Where we have set the clock in this connection,
    a time that falls into the connection is by the clock as it is now, any other by the clock as it was.
    """

    def by_receipt(reason: str) -> MeasuredAt:
        return MeasuredAt(received_at, TimeSource.GATEWAY, reason, clock_offset_s)

    if device_time is None:
        return by_receipt("the device gave no time")
    try:
        wall = datetime.fromisoformat(device_time)
    except ValueError:
        return by_receipt("the device's time has unknown parts")
    source = TimeSource.DEVICE if clock_offset_s is None else TimeSource.DEVICE_CORRECTED
    try:
        if clock_was_set and clock_offset_s is not None:
            live = wall.replace(tzinfo=zone).astimezone(UTC)
            if clock_read_at - SET_BEFORE_MAX <= live <= received_at + SET_AHEAD_MAX:
                return MeasuredAt(live, source, "the device's own time, after its clock was set", 0.0)
        if clock_offset_s is None:
            candidates = sorted((wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)), reverse=True)
        else:
            utc_offset = clock_read_at.astimezone(zone).utcoffset() or timedelta()
            candidates = [(wall + timedelta(seconds=clock_offset_s) - utc_offset).replace(tzinfo=UTC)]
    except OverflowError:
        return by_receipt("the device's time is outside any calendar")
    for instant in candidates:
        if instant.year >= YEAR_MIN and instant - received_at <= ahead_max:
            return MeasuredAt(instant, source, "the device's own time", clock_offset_s)
    return by_receipt("the device's time cannot be one: too old, or in the future")


def reading(
    entry: Assembled,
    *,
    address: str,
    facts: SessionFacts,
    clock_read_at: datetime,
    zone: ZoneInfo,
    computed: Computed | None = None,
) -> Reading:
    """The reading one assembled measurement makes; ValidationError where it cannot be one.

    `computed`: the gateway's clock was wrong, and the times given were had otherwise.
    """
    measurement, raw = entry.measurement, entry.raw.hex()
    either_way = timedelta() if computed is None else computed.either_way
    when = measured_at(
        measurement.device_time,
        clock_offset_s=facts.clock_offset_s,
        clock_read_at=clock_read_at,
        received_at=entry.received_at,
        zone=zone,
        clock_was_set=facts.clock_was_set,
        ahead_max=AHEAD_MAX + (either_way or timedelta()),
    )
    source, received_at = when.source, entry.received_at
    if computed is not None and not computed.exact:
        # A device's own time, taken as it is, is no worse for a gateway without one.
        source = source if source is TimeSource.DEVICE else TimeSource.ESTIMATED
        received_at = max(received_at, when.instant)
    old_after = BACKFILL_AFTER_UNREAD if when.source is TimeSource.DEVICE else BACKFILL_AFTER
    return Reading(
        reading_id=derive_reading_id(
            address=address,
            user_slot=measurement.user_slot,
            characteristic=entry.characteristic,
            device_time=measurement.device_time,
            sequence_number=measurement.sequence_number,
            raw=raw,
            received_at=received_at,
            receipt_mark=None if computed is None else computed.mark,
        ),
        device=DeviceIdentity(
            address=address,
            system_id=facts.system_id,
            manufacturer=facts.manufacturer,
            model=facts.model,
            serial=facts.serial,
            firmware=facts.firmware,
        ),
        kind=measurement.kind,
        characteristic=entry.characteristic,
        user_slot=measurement.user_slot,
        quantities=measurement.quantities,
        status=measurement.status,
        context=measurement.context,
        measured_at=when.instant,
        device_time=measurement.device_time,
        uncertainty_s=either_way.total_seconds() if either_way and source is TimeSource.ESTIMATED else None,
        time_source=source,
        clock_offset_s=when.clock_offset_s,
        sequence_number=measurement.sequence_number,
        received_at=received_at,
        receipt_mark=None if computed is None else computed.mark,
        # What an earlier boot heard is history, however little of it.
        backfill=bool(either_way) or received_at - when.instant > old_after,
        raw=raw,
        raw_context=None if entry.raw_context is None else entry.raw_context.hex(),
    )


def reading_row(found: Reading) -> NewRow:
    """The outbox row of a reading."""
    return NewRow(
        form=Form.READING,
        name=str(found.reading_id),
        context=found.raw_context or "",
        received_at=found.received_at,
        body=found.model_dump_json(),
    )


def undecoded_row(
    frame: Frame, *, address: str, reason: str, named_by: bytes | None = None, computed: Computed | None = None
) -> NewRow:
    """The outbox row of a frame nothing could be made of: the cloud's quarantine gets it as it came.

    `named_by`: what a stored record is known by when it is fetched again; without it, each time is another frame.
    """
    item = _Undecoded(
        address=address,
        characteristic=frame.characteristic[:64],
        raw=frame.data[:RAW_BYTES_MAX].hex(),
        received_at=frame.received_at,
        reason=reason[:REASON_CHARACTERS_MAX],
    )
    received = f"{frame.received_at.timestamp():.6f}" if computed is None else computed.mark
    mark = f"{item.raw}|{received}" if named_by is None else f"{named_by.hex()}|"
    name = f"undecoded|{address}|{item.characteristic}|{mark}"
    return NewRow(
        form=Form.UNDECODED,
        name=str(uuid5(READING_NAMESPACE, name)),
        context="",
        received_at=frame.received_at,
        body=item.model_dump_json(),
    )


def row_of(
    entry: Assembled,
    frame: Frame,
    *,
    address: str,
    facts: SessionFacts,
    clock_read_at: datetime,
    zone: ZoneInfo,
    computed: Computed | None = None,
) -> NewRow:
    """The row of one assembled measurement: a reading, or the frame as it came where it cannot be one."""
    try:
        return reading_row(
            reading(entry, address=address, facts=facts, clock_read_at=clock_read_at, zone=zone, computed=computed)
        )
    except ValidationError as error:
        fields = ", ".join(
            ".".join(str(part) for part in problem["loc"]) for problem in error.errors(include_input=False)
        )
        return undecoded_row(frame, address=address, reason=f"cannot be a reading: {fields}", computed=computed)
