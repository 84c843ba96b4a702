"""What a patient's days and weeks came to: marked by whoever changes a value, made anew from the values by a job.

A day is the patient's own: it begins at midnight where they live and may have 23 or 25 hours. A bucket is of one quantity and
one unit, as the device sent it: 82 kg and 181 lb of one day are two buckets, and no mean is of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from psycopg.rows import class_row

from rpm.store import retention
from rpm.store.arrays import array, word_array
from rpm.store.database import Connection
from rpm.store.locks import Lock
from rpm.store.queries import load

_SQL = load("rollups")
#: No zone is further from UTC than this.
_ZONE_MAX: Final = timedelta(days=1)


class Grain(StrEnum):
    """How long a bucket is. A week begins on Monday."""

    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Bucket:
    """What one day or week came to, of one quantity in one unit (a number of `schemas.codes`)."""

    starts_on: date
    unit: int
    count: int
    minimum: float
    maximum: float
    mean: float
    first: float
    first_at: datetime
    last: float
    last_at: datetime


@dataclass(frozen=True, slots=True)
class _Day:
    """One day of a patient, where they live."""

    patient_id: int
    practice_id: int
    time_zone: str
    day: date


def buckets(
    connection: Connection,
    *,
    practice_id: int,
    patient_id: int,
    code: int,
    grain: Grain,
    since: date,
    until: date,
) -> list[Bucket]:
    """Days or weeks of a patient that begin in [since, until), oldest first. What changed a moment ago may be missing."""
    asked = {
        "practice_id": practice_id, "patient_id": patient_id, "code": code, "grain": grain, "since": since, "until": until,
    }  # fmt: skip
    with connection.cursor(row_factory=class_row(Bucket)) as cursor:
        return cursor.execute(_SQL["of_patient"], asked).fetchall()


def roll_up(connection: Connection, *, limit: int) -> int:
    """Make anew what is marked, `limit` marks at most; how many there were. 0 where another worker is at it."""
    row = connection.execute(_SQL["one_at_a_time"], {"key": Lock.ROLL_UP}).fetchone()
    if row is None or not row["mine"]:
        return 0
    marks = connection.execute(_SQL["claim"], {"limit": limit}).fetchall()
    if not marks:
        return 0
    whole = {mark["patient_id"] for mark in marks if mark["measured_on"] is None}
    days = {(mark["patient_id"], mark["measured_on"]) for mark in marks if mark["patient_id"] not in whole}
    since = _complete_since(connection)
    touched: list[_Day] = []
    if whole:
        connection.execute(_SQL["forget_whole"], {"patients": array(whole), "since": since})
        touched += _days(connection, "whole", {"patients": array(whole)})
    if days:
        asked = {"patients": array(patient for patient, _ in days), "days": word_array(str(day) for _, day in days)}
        touched += _days(connection, "touched", asked)
    touched = [each for each in touched if each.day >= since]
    if touched:
        _make_anew(connection, touched)
    return len(marks)


def _complete_since(connection: Connection) -> date:
    """The first Monday of which every value is still there: what was let go for its age is not summed anew."""
    before = retention.dropped_before(connection, "reading")
    if before is None:
        return date.min
    day = (before + _ZONE_MAX).date() + timedelta(days=1)
    return day + timedelta(days=-day.weekday() % 7)


def _days(connection: Connection, statement: str, asked: dict[str, Any]) -> list[_Day]:
    with connection.cursor(row_factory=class_row(_Day)) as cursor:
        return cursor.execute(_SQL[statement], asked).fetchall()


def _make_anew(connection: Connection, touched: Sequence[_Day]) -> None:
    first, last = min(each.day for each in touched), max(each.day for each in touched)
    fields = {
        "patients": array(each.patient_id for each in touched),
        "practices": array(each.practice_id for each in touched),
        "zones": [each.time_zone for each in touched],
        "days": word_array(str(each.day) for each in touched),
        # The whole weeks of the outermost days.
        "since": _midnight(first - timedelta(days=first.weekday())) - _ZONE_MAX,
        "until": _midnight(last + timedelta(days=7 - last.weekday())) + _ZONE_MAX,
    }
    connection.execute(_SQL["forget"], fields)
    connection.execute(_SQL["roll_up"], fields)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
