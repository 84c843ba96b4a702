"""Who is on duty: weekly shifts by the wall clock of a named zone.

An instant is turned into local wall time and looked up; nothing is ever added to a local time. So a night shift of seven
to seven lasts eleven hours in spring and thirteen in autumn, without a gap or an overlap (F55).
"""

from datetime import datetime, time
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
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is no time zone (America/New_York)") from error
    return name


MinuteOfDay = Annotated[int, BeforeValidator(_minute_of_day), Field(ge=0, le=MINUTES_PER_DAY)]

#: Who is meant: `role:nurse` (every active one of the practice), `staff:USERNAME`, or `rota:NAME` (whoever is on duty).
Person = Annotated[str, StringConstraints(pattern=r"^(role:(nurse|admin)|staff:[a-z0-9._-]{1,60})$")]
TimeZoneName = Annotated[str, AfterValidator(_zone)]


class Shift(BaseModel):
    """These people, on these days, from `from` to `to`.

    A `to` not after `from` is the next day's; the day named is the one on which the shift begins.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    days: Annotated[tuple[Day, ...], Field(min_length=1)]
    begins: MinuteOfDay = Field(alias="from")
    ends: MinuteOfDay = Field(alias="to")
    who: Annotated[tuple[Person, ...], Field(min_length=1)]

    def minutes(self) -> list[tuple[int, int]]:
        """The stretches of the week it covers, in minutes since Monday 00:00, [from, to)."""
        stretches: list[tuple[int, int]] = []
        for day in self.days:
            start = DAYS.index(day) * MINUTES_PER_DAY + self.begins
            length = (self.ends - self.begins) % MINUTES_PER_DAY or MINUTES_PER_DAY
            end = start + length
            if end <= MINUTES_PER_WEEK:
                stretches.append((start, end))
            else:
                stretches += [(start, MINUTES_PER_WEEK), (0, end - MINUTES_PER_WEEK)]
        return stretches


class Rota(BaseModel):
    """Weekly shifts in one time zone. Several may overlap: all of them are on duty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")]
    time_zone: TimeZoneName
    shifts: Annotated[tuple[Shift, ...], Field(alias="shift", default=())]

    @model_validator(mode="after")
    def _distinct_days(self) -> Self:
        for shift in self.shifts:
            if len(set(shift.days)) != len(shift.days):
                raise ValueError("a shift names a day twice")
        return self

    def on_duty(self, now: datetime) -> tuple[str, ...]:
        """Who is on duty at an instant (aware), in the order of the shifts; empty where no shift covers it."""
        local = now.astimezone(ZoneInfo(self.time_zone))
        minute = local.weekday() * MINUTES_PER_DAY + local.hour * 60 + local.minute
        found: list[str] = []
        for shift in self.shifts:
            if any(begins <= minute < ends for begins, ends in shift.minutes()):
                found += [person for person in shift.who if person not in found]
        return tuple(found)

    def gaps(self) -> list[tuple[int, int]]:
        """The stretches of the week nobody covers, in minutes since Monday 00:00, [from, to) (E3)."""
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
