"""Whose reading it is: by device, user slot and time, and by nothing else. Where that is not certain, nobody's."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from rpm.ingest.reasons import Reason
from schemas.reading import TimeSource

#: A device's way to say "some user".
UNKNOWN_USER: Final = 255

#: How far a reading's time may be off, by the clock it came from. A clock that could be read is good to its own second;
#: one that could not be read may be set to another zone, or its date may be a day off.
CLOCK_UNCERTAINTY: Final = {
    TimeSource.DEVICE_CORRECTED: timedelta(minutes=1),
    TimeSource.GATEWAY: timedelta(minutes=1),
    TimeSource.DEVICE: timedelta(days=1),
    # Of a gateway that does not say how far its estimate may be off.
    TimeSource.ESTIMATED: timedelta(days=7),
}
#: More than this says no more, and takes no instant out of the calendar.
UNCERTAINTY_MAX: Final = timedelta(days=3650)
_NO_START: Final = datetime.min.replace(tzinfo=UTC)
_NO_END: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Device:
    """A device a practice has registered. `single_person`: an absent or unknown user slot means that person.

    `serial`: what it said it was when it was first heard since it was handed out.
    """

    id: int
    practice_id: int
    address: str
    single_person: bool
    serial: str | None = None

    def is_another(self, serial: str | None) -> bool:
        """Whether one that gives this serial number is certainly not it. Who does not say, or was not heard yet, is."""
        return serial is not None and self.serial is not None and serial != self.serial


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who uses one slot of a device from `start` (inclusive) to `end` (exclusive); None is without limit.

    `pending`: nobody has confirmed a reading of it as this patient's yet (A5). `wiped_at`: when what this patient measured
    was out of the device, after it came back.
    """

    user_slot: int | None
    patient_id: int
    start: datetime | None
    end: datetime | None
    pending: bool = False
    wiped_at: datetime | None = None

    def holds(self, instant: datetime) -> bool:
        """Whether `instant` lies in it."""
        return (self.start or _NO_START) <= instant < (self.end or _NO_END)

    def wiped_by_then(self, received_at: datetime | None) -> bool:
        """Whether a box received something when nothing of this use was in the device any more."""
        return self.wiped_at is not None and received_at is not None and received_at >= self.wiped_at

    def touches(self, earliest: datetime, latest: datetime) -> bool:
        """Whether any part of `earliest` to `latest` lies in it."""
        return (self.start or _NO_START) <= latest and earliest < (self.end or _NO_END)


def uncertainty_of(time_source: TimeSource, uncertainty_s: float | None) -> timedelta:
    """How far a reading's time may be off: what its gateway says, but never less than its source is good for."""
    usual = CLOCK_UNCERTAINTY[time_source]
    if uncertainty_s is None:
        return usual
    own = timedelta(seconds=min(uncertainty_s, UNCERTAINTY_MAX.total_seconds()))
    return own if time_source is TimeSource.ESTIMATED else max(own, usual)


def owner(
    device: Device,
    assignments: Sequence[Assignment],
    *,
    user_slot: int | None,
    measured_at: datetime,
    time_source: TimeSource,
    uncertainty_s: float | None = None,
    received_at: datetime | None = None,
) -> int | Reason:
    """The patient's id, or why there is none.

    A reading whose clock leaves open on which side of a change of hands it falls is nobody's (NEAR_REASSIGNMENT), even
    where its time as given points at one of the two. To be taken back is such a change, also where nobody has it next:
    whoever tries the returned device is not its old patient. What a box received (`received_at`) from a device that had been
    wiped cannot be of before, whatever its clock says.
    """
    slot = None if user_slot == UNKNOWN_USER else user_slot
    if slot is None and not device.single_person:
        return Reason.USER_UNKNOWN
    of_slot = [assignment for assignment in assignments if assignment.user_slot == slot]
    if not of_slot:
        return Reason.NOBODY_ASSIGNED
    if len(of_slot) == 1 and of_slot[0].end is None and of_slot[0].holds(measured_at):
        # The usual case, without a look at neighbours and an end it does not have.
        return _confirmed(of_slot[0])
    uncertainty = uncertainty_of(time_source, uncertainty_s)
    earliest, latest = measured_at - uncertainty, measured_at + uncertainty
    possible = {assignment.patient_id for assignment in of_slot if assignment.touches(earliest, latest)}
    if len(possible) > 1:
        return Reason.NEAR_REASSIGNMENT
    for assignment in of_slot:
        if assignment.holds(measured_at):
            if assignment.wiped_by_then(received_at):
                return Reason.WIPED_SINCE
            return _confirmed(assignment) if _goes_on(of_slot, assignment, latest) else Reason.NEAR_REASSIGNMENT
    if all(measured_at < (assignment.start or _NO_START) for assignment in of_slot):
        return Reason.BEFORE_ASSIGNMENT
    return Reason.NOBODY_AT_THAT_TIME


def _goes_on(of_slot: Sequence[Assignment], assignment: Assignment, latest: datetime) -> bool:
    """Whether the use reaches beyond `latest`, by itself or by uses that begin where it ends. Nobody else's is near."""
    following = {each.start: each for each in of_slot}
    end = assignment.end
    while end is not None and end <= latest:
        if end not in following:
            return False
        end = following[end].end
    return True


def _confirmed(assignment: Assignment) -> int | Reason:
    """The patient, unless nobody has confirmed yet that the device stands at their home."""
    return Reason.NOT_CONFIRMED if assignment.pending else assignment.patient_id
