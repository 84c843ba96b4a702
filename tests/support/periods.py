"""Where device-supply periods begin, worked out by plain sums: what the answer of rpm.billing.anchor is compared with."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def first_day(seen: Iterable[tuple[date, datetime]], zone: ZoneInfo) -> date:
    """Of days and when their readings came: the first day of the first period.

    Each day that comes is asked whether a claim (two days of a period) was five days old; then it changes nothing.
    """
    came: dict[date, datetime] = {}
    for day, at in seen:
        came[day] = min(at, came.get(day, at))
    first: date | None = None
    known: list[date] = []
    for day in sorted(came, key=lambda one: (came[one], one)):
        if first is not None and day < first and _claimed(first, known, came, came[day], zone):
            continue
        first = day if first is None else min(first, day)
        known.append(day)
    assert first is not None
    return first


def _claimed(first: date, known: list[date], came: dict[date, datetime], at: datetime, zone: ZoneInfo) -> bool:
    for start in (first + timedelta(days=30 * number) for number in range(20)):
        lock = datetime.combine(start + timedelta(days=35), time(), zone)
        days = sum(start <= day < start + timedelta(days=30) and came[day] < lock for day in known)
        if lock <= at and days > 1:
            return True
    return False
