"""Who is on duty: weekly shifts by the wall clock of a named zone, and the holidays on which others apply.

An instant is turned into local wall time and looked up; nothing is ever added to a local time. So a night shift of seven
to seven lasts eleven hours in spring and thirteen in autumn, without a gap or an overlap (F55).

    [[rota.holiday]]
    date = 2026-12-25
    shift = [{ from = "07:00", to = "07:00", who = ["staff:ana"] }]

On a holiday its shifts begin instead of the week's; what began the evening before goes on to its end. Who stands in for
whom on a given day is an Override: a row that anybody on call makes, not a line of the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

MINUTES_PER_DAY: Final = 24 * 60
MINUTES_PER_WEEK: Final = 7 * MINUTES_PER_DAY


class Day(StrEnum):
    """Days as TOML files spell them, in the order of `datetime.weekday()`."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


DAYS: Final = tuple(Day)


def _minute_of_day(value: object) -> object:
    """`"07:30"`, or `"24:00"` for the end of a day, as minutes since midnight."""
    if not isinstance(value, str):
        return value
    if value == "24:00":
        return MINUTES_PER_DAY
    try:
        at = time.fromisoformat(value)
    except ValueError as error:
        raise ValueError(f"{value!r} is no time of day (07:30)") from error
    return at.hour * 60 + at.minute


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no time zone (America/New_York)") from error
    return name


MinuteOfDay = Annotated[int, BeforeValidator(_minute_of_day), Field(ge=0, le=MINUTES_PER_DAY)]

#: Who is meant: `role:nurse` (every active one of the practice), `staff:USERNAME`, or `rota:NAME` (whoever is on duty).
Person = Annotated[str, StringConstraints(pattern=r"^(role:(nurse|support|admin)|staff:[a-z0-9._-]{1,60})$")]
TimeZoneName = Annotated[str, AfterValidator(_zone)]


class Stretch(BaseModel):
    """These people, from `from` to `to`; a `to` not after `from` is the next day's."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begins: MinuteOfDay = Field(alias="from")
    ends: MinuteOfDay = Field(alias="to")
    who: Annotated[tuple[Person, ...], Field(min_length=1)]

    @property
    def length(self) -> int:
        """Minutes by the wall clock, 1 to 1440."""
        return (self.ends - self.begins) % MINUTES_PER_DAY or MINUTES_PER_DAY

    def covers(self, minute: int) -> bool:
        """Whether a minute after the midnight of the day it begins on is in it (past 1440: the next day's)."""
        return self.begins <= minute < self.begins + self.length


class Shift(Stretch):
    """A stretch of every week; the days named are those on which it begins."""

    days: Annotated[tuple[Day, ...], Field(min_length=1)]

    def minutes(self) -> list[tuple[int, int]]:
        """The stretches of the week it covers, in minutes since Monday 00:00, [from, to)."""
        stretches: list[tuple[int, int]] = []
        for day in self.days:
            start = DAYS.index(day) * MINUTES_PER_DAY + self.begins
            end = start + self.length
            if end <= MINUTES_PER_WEEK:
                stretches.append((start, end))
            else:
                stretches += [(start, MINUTES_PER_WEEK), (0, end - MINUTES_PER_WEEK)]
        return stretches


class Holiday(BaseModel):
    """A date on which other shifts begin than the week's; none at all where `shift` is empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date = Field(alias="date")
    shifts: Annotated[tuple[Stretch, ...], Field(alias="shift", default=())]


@dataclass(frozen=True, slots=True)
class Override:
    """From `begins` to `ends` (aware, [from, to)), `who` is on duty, too; or in place of `instead_of`, when that one would be.

    Nobody in place of somebody means that this one is away. Staff by `staff:USERNAME`.
    """

    rota: str
    begins: datetime
    ends: datetime
    who: str | None
    instead_of: str | None = None

    def holds(self, rota: str, now: datetime) -> bool:
        """Whether it says something of this rota at this instant."""
        return rota == self.rota and self.begins <= now < self.ends


class Rota(BaseModel):
    """Weekly shifts in one time zone. Several may overlap: all of them are on duty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
    time_zone: TimeZoneName
    shifts: Annotated[tuple[Shift, ...], Field(alias="shift", default=())]
    holidays: Annotated[tuple[Holiday, ...], Field(alias="holiday", default=())]

    @model_validator(mode="after")
    def _distinct_days(self) -> Self:
        for shift in self.shifts:
            if len(set(shift.days)) != len(shift.days):
                raise ValueError("a shift names a day twice")
        if len({holiday.day for holiday in self.holidays}) != len(self.holidays):
            raise ValueError("a date is a holiday twice")
        return self

    def beginning_on(self, day: date) -> tuple[Stretch, ...]:
        """What begins on a local date: the holiday's shifts, or the week's."""
        for holiday in self.holidays:
            if holiday.day == day:
                return holiday.shifts
        return tuple(shift for shift in self.shifts if DAYS[day.weekday()] in shift.days)

    def on_duty(self, now: datetime) -> tuple[str, ...]:
        """Who is on duty at an instant (aware), those who came yesterday first; empty where no shift covers it."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        minute = local.hour * 60 + local.minute
        today = local.date()
        found: list[str] = []
        for day, at in ((today - timedelta(days=1), minute + MINUTES_PER_DAY), (today, minute)):
            for stretch in self.beginning_on(day):
                if stretch.covers(at):
                    found += [person for person in stretch.who if person not in found]
        return tuple(found)

    def changes(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Instants between two others (aware) at which somebody may come or go; UTC, in no order, some more than once."""
        zone = ZoneInfo(self.time_zone)
        day = since.astimezone(zone).date() - timedelta(days=1)
        while day <= until.astimezone(zone).date():
            midnight = datetime.combine(day, time())
            for stretch in self.beginning_on(day):
                for minute in (stretch.begins, stretch.begins + stretch.length):
                    # A wall time that comes twice is both; one that is skipped is where the clock jumps to, either way.
                    for fold in (0, 1):
                        at = (midnight + timedelta(minutes=minute)).replace(tzinfo=zone, fold=fold).astimezone(UTC)
                        if since < at < until:
                            yield at
            day += timedelta(days=1)

    def gaps(self) -> list[tuple[int, int]]:
        """The stretches of an ordinary week nobody covers, in minutes since Monday 00:00, [from, to) (E3)."""
        covered = sorted(stretch for shift in self.shifts for stretch in shift.minutes())
        found: list[tuple[int, int]] = []
        until = 0
        for begins, ends in covered:
            if begins > until:
                found.append((until, begins))
            until = max(until, ends)
        if until < MINUTES_PER_WEEK:
            found.append((until, MINUTES_PER_WEEK))
        return found


def week_text(minute: int) -> str:
    """A minute of the week for people: `sat 22:30`."""
    day, rest = divmod(minute % MINUTES_PER_WEEK, MINUTES_PER_DAY)
    return f"{DAYS[day]} {rest // 60:02d}:{rest % 60:02d}"
