"""CASE.json: one episode written down by hand, for `rpm-cloud billing evaluate`.

The models below are the format's documentation: the command's help is made from their descriptions.
"""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from rpm.billing.case import Away, Case, ReadingState, TimeElsewhere, TimeEntry, Transmission
from rpm.billing.claim import THIS_PRACTICE, ClaimLine
from rpm.billing.days import count_days, first_moment, service_start
from rpm.errors import UserError

#: A case is one episode: a file larger than this is not one.
CASE_BYTES_MAX: Final = 20_000_000
YEAR_MIN: Final = 1970
YEAR_MAX: Final = 2100


def _day_or_instant(value: object) -> object:
    """`2026-01-15` is a date, anything longer an instant: pydantic alone would read the date as a midnight in UTC."""
    form = "write a date (2026-01-15) or an instant with its offset (2026-01-15T09:00:00-05:00)"
    if not isinstance(value, str):
        raise ValueError(form)  # noqa: TRY004  pydantic turns a ValueError into a message for the reader
    try:
        return date.fromisoformat(value) if len(value) == len("2026-01-15") else datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError(form) from error


def _plausible(value: Any) -> Any:
    """A date or instant of this age: one of the year 1 would only break the arithmetic of zones."""
    if not YEAR_MIN <= value.year <= YEAR_MAX:
        raise ValueError(f"the year must be {YEAR_MIN} to {YEAR_MAX}")
    return value


def _written(value: object) -> object:
    """Text only: pydantic alone would read 1767225600 as an instant of 2026, and so turn a slip into a bill."""
    if isinstance(value, datetime | date):
        return value
    if not isinstance(value, str):
        raise ValueError("write an instant with its offset (2026-01-15T09:00:00-05:00)")  # noqa: TRY004  as above
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueError("write an instant with its offset (2026-01-15T09:00:00-05:00)") from error


def _plain_day(value: object) -> object:
    """A date only: midnight in UTC would name the day before in the practice's zone."""
    try:
        if isinstance(value, str) and len(value) == len("2026-01-15"):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise ValueError("write a date (2026-01-15)")


Instant = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_plausible)]
Day = Annotated[date, BeforeValidator(_plain_day), AfterValidator(_plausible)]
DayOrInstant = Annotated[date | datetime, AfterValidator(_plausible)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadingEntry(_Model):
    """One reading."""

    id: Annotated[str, Field(min_length=1, description="name of the reading; the same name twice is one reading")]
    device: Annotated[str, Field(description="which device sent it: not judged, days of all devices are one")] = ""
    measured_at: Annotated[Instant, Field(description="when it was measured, with offset")]
    received_at: Annotated[Instant, Field(description="when it had been transmitted, with offset")]
    source: Annotated[
        Literal["automatic", "manual"],
        Field(description="automatic (the default), or manual: told or typed by a person"),
    ] = "automatic"
    state: Annotated[ReadingState, Field(description="accepted (the default), quarantined, void or test")] = (
        ReadingState.ACCEPTED
    )


class _Span(_Model):
    staff: Annotated[str, Field(min_length=1, description="who spent it")]
    start: Annotated[Instant, Field(description="with offset")]
    end: Annotated[Instant, Field(description="with offset, after start")]

    @model_validator(mode="after")
    def _forwards(self) -> Self:
        if self.end.astimezone(UTC) <= self.start.astimezone(UTC):
            raise ValueError("end must be after start")
        return self


class TimeEntryEntry(_Span):
    """Staff time for this patient."""

    id: Annotated[str, Field(description="name of the entry; default time-1, time-2 and so on")] = ""
    service: Annotated[
        str, Field(description="RPM (the default), or another service such as CCM, whose time never counts")
    ] = "RPM"
    interactive: Annotated[
        bool, Field(strict=True, description="true for a live call, video or visit with the patient or caregiver")
    ]
    activity: Annotated[
        str,
        Field(
            description="what was done; never counted: set-up, enrolment, shipping, technical support, filing,"
            " supervision, automated"
        ),
    ] = "care management"
    clinical_staff: Annotated[
        bool, Field(strict=True, description="default true; false for staff whose time never counts")
    ] = True
    entered_at: Annotated[
        Instant | None,
        Field(description="when it was written down; a minute belongs to the service entered first"),
    ] = None


class ElsewhereEntry(_Span):
    """Time of the same staff for another patient."""


class AwayEntry(_Model):
    """A time the patient was away."""

    reason: Annotated[
        Literal["hospital", "travel", "other"],
        Field(description="hospital: readings and minutes of that time do not count; travel, other: they do"),
    ]
    start: Annotated[Instant, Field(description="with offset")]
    end: Annotated[Instant, Field(description="with offset; what was expected, where it is not over")]


class ClaimEntry(_Model):
    """A claim line."""

    code: Annotated[str, Field(min_length=5, max_length=5, description="the code, e.g. 99454")]
    units: Annotated[int, Field(strict=True, description="default 1")] = 1
    start: Annotated[Day, Field(description="first local day it covers")]
    end: Annotated[Day, Field(description="last local day it covers")]
    biller: Annotated[str, Field(description="who billed it; default this practice")] = THIS_PRACTICE

    def line(self) -> ClaimLine:
        """The line as the rules see it."""
        return ClaimLine(self.code, self.units, self.start, self.end, self.biller)


class CaseFile(_Model):
    """The whole file."""

    as_of: Annotated[
        DayOrInstant, Field(description="the moment of the decision: an instant with offset, or a date (its end)")
    ]
    practice_zone: Annotated[str, Field(description="IANA zone of the practice; its days and months are counted")]
    payer_profile: Annotated[
        str, Field(description="medicare_ffs (strict) or calendar_month; any other is refused by name")
    ] = "medicare_ffs"
    established_patient: Annotated[bool, Field(strict=True, description="seen by the practice before monitoring began")]
    consent: Annotated[DayOrInstant | None, Field(description="date or instant of consent; null where there is none")]
    order: Annotated[DayOrInstant | None, Field(description="date or instant of the order; null where there is none")]
    set_up: Annotated[DayOrInstant | None, Field(description="date or instant of set-up; null where there is none")]
    anchor: Annotated[
        Day | None, Field(description="first day of the first period; default the first day with countable data")
    ] = None
    claimed_anchor: Annotated[Day | None, Field(description="first day of the first period as claimed: kept")] = None
    episode_ended: Annotated[Day | None, Field(description="last day of the episode, where it has ended")] = None
    died: Annotated[Day | None, Field(description="date of death")] = None
    claim_hold_days: Annotated[
        int | None,
        Field(strict=True, ge=0, le=365, description="days a claim waits for late data; default the profile's, 5"),
    ] = None
    claim_locks: Annotated[
        dict[Day, Instant], Field(description="first day of a period -> instant at which its claim was locked")
    ] = {}
    set_up_billed: Annotated[bool, Field(strict=True, description="99453 already billed in this episode")] = False
    readings: Annotated[tuple[ReadingEntry, ...], Field(description="what devices sent and people told")] = ()
    time_entries: Annotated[tuple[TimeEntryEntry, ...], Field(description="staff time for this patient")] = ()
    other_patients: Annotated[
        tuple[ElsewhereEntry, ...], Field(description="staff time for other patients, to find conflicts")
    ] = ()
    other_claims: Annotated[
        tuple[ClaimEntry, ...], Field(description="lines already claimed for this patient by anyone")
    ] = ()
    away: Annotated[tuple[AwayEntry, ...], Field(description="when the patient was away")] = ()
    proposed_claim: Annotated[
        tuple[ClaimEntry, ...], Field(description="lines someone wants to claim: each refusal is named in the answer")
    ] = ()

    @field_validator("as_of", "consent", "order", "set_up", mode="before")
    @classmethod
    def _dates_stay_dates(cls, value: object) -> object:
        return value if value is None else _day_or_instant(value)

    @field_validator("as_of", "consent", "order", "set_up")
    @classmethod
    def _instants_have_offsets(cls, value: date | datetime | None) -> date | datetime | None:
        if isinstance(value, datetime) and value.tzinfo is None:
            raise ValueError("an instant needs its offset, e.g. 2026-01-15T09:00:00-05:00")
        return value

    @field_validator("practice_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (OSError, ValueError, KeyError) as error:  # a folder, a path out of the tree, an unknown key
            raise ValueError(f"{value!r} is not an IANA time zone such as America/New_York") from error
        return value

    def case(self) -> Case:
        """The plain values the decision takes, with the countable days already counted."""
        zone = self.practice_zone
        as_of = self.as_of
        if not isinstance(as_of, datetime):
            as_of = first_moment(date.fromordinal(as_of.toordinal() + 1), zone)
        start = service_start(consented=self.consent, ordered=self.order, set_up=self.set_up, zone=zone)
        away = tuple(Away(one.reason, one.start, one.end) for one in self.away)
        last_day = min((day for day in (self.episode_ended, self.died) if day is not None), default=None)
        days, left_out = count_days(
            (
                Transmission(one.id, one.device, one.measured_at, one.received_at, one.source == "automatic", one.state)
                for one in self.readings
            ),
            zone=zone,
            start=start,
            last_day=last_day,
            as_of=as_of,
            away=away,
        )
        return Case(
            as_of=as_of,
            zone=zone,
            payer_profile=self.payer_profile,
            established_patient=self.established_patient,
            consented=self.consent,
            ordered=self.order,
            set_up=self.set_up,
            anchor=self.anchor,
            claimed_anchor=self.claimed_anchor,
            ended_on=self.episode_ended,
            died_on=self.died,
            hold_days=self.claim_hold_days,
            locks=self.claim_locks,
            set_up_billed=self.set_up_billed,
            days=days,
            readings_left_out=left_out,
            entries=tuple(
                TimeEntry(
                    entry_id=one.id or f"time-{number}",
                    staff_id=one.staff,
                    started_at=one.start,
                    ended_at=one.end,
                    service=one.service,
                    interactive=one.interactive,
                    activity=one.activity,
                    clinical_staff=one.clinical_staff,
                    entered_at=one.entered_at,
                )
                for number, one in enumerate(self.time_entries, start=1)
            ),
            elsewhere=tuple(TimeElsewhere(one.staff, one.start, one.end) for one in self.other_patients),
            other_claims=tuple(one.line() for one in self.other_claims),
            away=away,
        )


def read_case(path: Path) -> CaseFile:
    """The case in a file; UserError in one line that names the file and the field where it cannot be used."""
    try:
        if path.stat().st_size > CASE_BYTES_MAX:
            raise UserError(f"{path}: larger than {CASE_BYTES_MAX} bytes, so not one case")
        document: Any = json.loads(path.read_text("utf-8"), object_pairs_hook=_each_name_once)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise UserError(f"{path}: not JSON, line {error.lineno} column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise UserError(f"{path}: nested too deeply to be a case") from error
    except ValueError as error:  # a name twice; or a number so long that Python will not read it
        raise UserError(f"{path}: {_what(str(error))}") from error
    try:
        return CaseFile.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {_where(first['loc'])}: {_what(first['msg'])}") from error


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError where a name is given twice, because one of the two would be lost unnoticed."""
    table = dict(pairs)
    if len(table) < len(pairs):
        twice = next(name for place, (name, _) in enumerate(pairs) if name in {earlier for earlier, _ in pairs[:place]})
        raise ValueError(f"{twice!r} is given twice in one object")
    return table


def _where(location: tuple[int | str, ...]) -> str:
    """A field as people write it: `readings[3].measured_at`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part not in ("date", "datetime"):  # names of a union's branches, not fields
            name = part if part.isprintable() else repr(part)
            text += f".{name}" if text else name
    return text or "the file"


def _what(message: str) -> str:
    return message.removeprefix("Value error, ").splitlines()[0]


def format_help() -> str:
    """The format in plain text, from the fields' own descriptions."""
    parts = [_table("The file is one JSON object:", CaseFile)]
    parts.append(_table("Each of readings:", ReadingEntry))
    parts.append(_table("Each of time_entries:", TimeEntryEntry))
    parts.append(_table("Each of other_patients:", ElsewhereEntry))
    parts.append(_table("Each of away:", AwayEntry))
    parts.append(_table("Each of other_claims and proposed_claim:", ClaimEntry))
    return "\n\n".join(parts)


def _table(title: str, model: type[BaseModel]) -> str:
    rows = [
        f"  {name} ({'required' if one.is_required() else 'optional'}): {one.description}"
        for name, one in model.model_fields.items()
    ]
    return "\n".join((title, *rows))
