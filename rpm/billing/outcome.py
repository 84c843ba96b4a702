"""What billing answers: every item, and every code that is not an item, with the reason and the evidence."""

from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import cast

from rpm.billing.case import InPart, LeftOut


class ItemState(StrEnum):
    """How sure a supported code is."""

    #: Its period or month is not over: more data may change the code, so it is never claimed yet.
    SO_FAR = "so_far"
    #: Its period is over, but data received before the claim is locked still count.
    ON_HOLD = "on_hold"
    #: Nothing that may still come changes it, except by a corrected claim.
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class BillableItem:
    """A code that the evidence supports. Dates are local dates of the practice, both inclusive."""

    code: str
    label: str
    units: int
    service_date: date
    start: date
    end: date
    state: ItemState
    reason: str
    days: tuple[date, ...] = ()
    reading_ids: tuple[str, ...] = ()
    entry_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class NotBillable:
    """A code that is not an item of a period or month, the name of why, and the sentence."""

    code: str
    start: date | None
    end: date | None
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that blocks, or that a person should look at. Its name never changes; its reason is for people."""

    name: str
    reason: str
    start: date | None = None
    end: date | None = None
    evidence_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Possibility:
    """What can still be reached: how much is missing, and the last day on which that can begin or happen."""

    code: str
    start: date
    end: date
    by: date
    reason: str


@dataclass(frozen=True, slots=True)
class SupplyPeriod:
    """One device-supply period as counted. `locked_at`: data received from then on no longer count."""

    start: date
    end: date
    closes_on: date
    locked_at: datetime
    state: ItemState
    days: tuple[date, ...]
    reading_ids: tuple[str, ...]
    late_days: tuple[date, ...]
    late_reading_ids: tuple[str, ...]
    days_left: int


@dataclass(frozen=True, slots=True)
class ManagementMonth:
    """One calendar month as counted: seconds summed over the union of entries, floored once to minutes.

    `closes_on` is its last day, or the episode's where that came first: the date of service.
    """

    start: date
    end: date
    closes_on: date
    state: ItemState
    seconds: float
    minutes: int
    live_contact: bool
    entry_ids: tuple[str, ...]
    live_entry_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BillingResult:
    """The whole answer. `items` may be claimed (those on hold from the day their hold ends); `so_far` may not yet.

    A time entry is left out, counts in part, or counts whole. (What was frozen by an older version knows no parts.)
    """

    as_of: datetime
    payer_profile: str
    service_start: datetime | None
    anchor: date | None
    items: tuple[BillableItem, ...]
    so_far: tuple[BillableItem, ...]
    not_billable: tuple[NotBillable, ...]
    blockers: tuple[Notice, ...]
    warnings: tuple[Notice, ...]
    still_possible: tuple[Possibility, ...]
    periods: tuple[SupplyPeriod, ...]
    months: tuple[ManagementMonth, ...]
    readings_left_out: tuple[LeftOut, ...]
    entries_left_out: tuple[LeftOut, ...]
    entries_in_part: tuple[InPart, ...] = ()


Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


def plain(value: object) -> Json:
    """A result, or any part of one, as JSON's own values: dates and instants in ISO form."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [plain(one) for one in cast("tuple[object, ...]", value)]
    if is_dataclass(value):
        return {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    raise TypeError(f"no JSON for {type(value).__name__}")
