"""One patient's episode as billing sees it: plain values, no database, no clock of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from rpm.billing.claim import ClaimLine


class ReadingState(StrEnum):
    """What became of a reading. Only accepted ones can make a day."""

    ACCEPTED = "accepted"
    QUARANTINED = "quarantined"
    VOID = "void"
    #: Control solution, a device's own test, a guest's slot.
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Transmission:
    """A reading and the two facts a day of data rests on: when it was measured, and when it had been transmitted."""

    reading_id: str
    device: str
    measured_at: datetime
    received_at: datetime
    automatic: bool = True
    state: ReadingState = ReadingState.ACCEPTED


@dataclass(frozen=True, slots=True)
class DataDay:
    """A local day of the practice with countable data.

    `received_at` is the day's first receipt; `readings` are (received_at, reading id) in that order, and empty where
    only days were asked of the database.
    """

    day: date
    received_at: datetime
    readings: tuple[tuple[datetime, str], ...] = ()


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A reading or a time entry that does not count: its id, the name of the reason, and the reason in words."""

    evidence_id: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class InPart:
    """A time entry of which only these instants count, [from, to) in UTC, and why the rest does not."""

    entry_id: str
    name: str
    reason: str
    counted: tuple[tuple[datetime, datetime], ...]


@dataclass(frozen=True, slots=True)
class TimeEntry:
    """Staff time for this patient. `entered_at` decides which of two services got a minute first."""

    entry_id: str
    staff_id: str
    started_at: datetime
    ended_at: datetime
    service: str = "RPM"
    interactive: bool = False
    activity: str = "care management"
    clinical_staff: bool = True
    entered_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TimeElsewhere:
    """The same staff's time for another patient: only to see that nobody is in two places at once."""

    staff_id: str
    started_at: datetime
    ended_at: datetime


@dataclass(frozen=True, slots=True)
class Away:
    """The patient was away, [begins_at, ends_at), and why: `hospital`, `travel` or `other`."""

    reason: str
    begins_at: datetime
    ends_at: datetime

    @property
    def in_hospital(self) -> bool:
        """Somebody else looks after the patient: nothing of that time is billed as monitoring at home."""
        return self.reason == "hospital"


@dataclass(frozen=True, slots=True)
class Case:
    """Everything a decision needs. A date stands for that local day's first moment; `zone` is the practice's.

    `days` are already countable days in date order (`rpm.billing.days.count_days`). `locks` holds when the claim of the
    period that starts on a date was locked, where that was not the ordinary hold. `other_claims` are lines already
    claimed for this patient, by this practice or another. `claimed_anchor` is the first day of the first period by which
    a closed month claimed device supply of this episode.
    """

    as_of: datetime
    zone: str
    established_patient: bool
    consented: date | datetime | None
    ordered: date | datetime | None
    set_up: date | datetime | None
    payer_profile: str = "medicare_ffs"
    anchor: date | None = None
    claimed_anchor: date | None = None
    ended_on: date | None = None
    died_on: date | None = None
    hold_days: int | None = None
    locks: Mapping[date, datetime] = field(default_factory=dict[date, datetime])
    set_up_billed: bool = False
    days: tuple[DataDay, ...] = ()
    readings_left_out: tuple[LeftOut, ...] = ()
    entries: tuple[TimeEntry, ...] = ()
    elsewhere: tuple[TimeElsewhere, ...] = ()
    other_claims: tuple[ClaimLine, ...] = ()
    away: tuple[Away, ...] = ()

    @property
    def last_day(self) -> date | None:
        """The episode's last day, where it has one: the earlier of its end and the patient's death."""
        ends = [day for day in (self.ended_on, self.died_on) if day is not None]
        return min(ends, default=None)
