"""What a practice's records hold for one month of billing, before anything is decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from rpm.billing.case import Away, DataDay, TimeEntry
from rpm.billing.days import first_moment, local_day, month_after, service_start


@dataclass(frozen=True, slots=True)
class ServiceMonth:
    """A calendar month of the practice. `first` is its first day."""

    first: date

    @property
    def last(self) -> date:
        """Its last day."""
        return month_after(self.first) - timedelta(days=1)

    @property
    def before(self) -> "ServiceMonth":
        """The month before."""
        return ServiceMonth((self.first - timedelta(days=1)).replace(day=1))

    @property
    def after(self) -> "ServiceMonth":
        """The month after."""
        return ServiceMonth(month_after(self.first))

    def begins(self, zone: str) -> datetime:
        """The instant at which it begins."""
        return first_moment(self.first, zone)

    def ends(self, zone: str) -> datetime:
        """The instant at which the next one begins."""
        return first_moment(month_after(self.first), zone)

    def __str__(self) -> str:
        """As people type it: `2026-11`."""
        return f"{self.first:%Y-%m}"

    @classmethod
    def parse(cls, text: str) -> "ServiceMonth":
        """`2026-11`; ValueError where it is not a month."""
        if len(text) != len("2026-11"):
            raise ValueError("a month is written 2026-11")
        return cls(date.fromisoformat(f"{text}-01"))


@dataclass(frozen=True, slots=True)
class Practice:
    """Who bills, and in which zone its days and months are counted."""

    practice_id: int
    name: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Episode:
    """One patient's monitoring from one enrolment, as the records have it.

    `claimed_anchor`: the first day of its first device-supply period, once a closed month has claimed one.
    """

    episode_id: int
    patient_id: int
    public_id: UUID
    given_name: str
    family_name: str
    birth_date: date
    established_patient: bool
    consented_at: datetime | None
    ordered_at: datetime | None
    ordered_by: str | None
    condition_icd10: str | None
    set_up_at: datetime | None
    payer_profile: str
    started_at: datetime
    ended_at: datetime | None
    claimed_anchor: date | None = None

    @property
    def name(self) -> str:
        """Family name, given name: as a bill is sorted."""
        return f"{self.family_name}, {self.given_name}"

    def begins(self, zone: str) -> datetime | None:
        """From when days and minutes count; None where consent, order or set-up is missing."""
        return service_start(consented=self.consented_at, ordered=self.ordered_at, set_up=self.set_up_at, zone=zone)

    def last_day(self, zone: str) -> date | None:
        """The last local day of an episode that has ended."""
        return None if self.ended_at is None else local_day(self.ended_at - timedelta(microseconds=1), zone)

    def __repr__(self) -> str:
        """No name of a person in a log line or a traceback."""
        return f"Episode({self.episode_id}, {self.public_id})"


@dataclass(frozen=True, slots=True)
class LoggedTime:
    """A standing time entry, with whose it is and for whom."""

    patient_id: int
    staff_name: str
    entry: TimeEntry
    manual: bool = False
    note: str = ""


@dataclass(frozen=True, slots=True)
class MonthRecords:
    """Everything a month's report is made of. `days` are countable days by episode id, `away` is by patient.

    `episodes` are in the order of the report, a patient's own in order of time, and include those that ended up to two
    months before: their claims may reach into the month.
    """

    practice: Practice
    month: ServiceMonth
    now: datetime
    episodes: tuple[Episode, ...]
    days: Mapping[int, tuple[DataDay, ...]] = field(default_factory=dict[int, tuple[DataDay, ...]])
    time: tuple[LoggedTime, ...] = ()
    away: Mapping[int, tuple[Away, ...]] = field(default_factory=dict[int, tuple[Away, ...]])
