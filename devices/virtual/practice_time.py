"""The nurses' time in a practice: on working days, in office hours, nobody in two places at once."""

import random
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from devices.virtual import practice_cast as cast

OFFICE_OPENS: Final = time(9, 0)
#: The longest stretch in the cast is 24 minutes; each begins a slot of its own.
SLOT_MIN: Final = 30
SLOTS_A_DAY: Final = 14
_SATURDAY: Final = 5


def care_time(*, seed: int, roles: list[cast.Role], until: date, first_day: date) -> list[tuple[int, dict[str, Any]]]:
    """Every stretch of time with the number of its patient, in order. All lie before `until`."""
    this_month = until.replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    taken: Counter[tuple[int, date]] = Counter()
    rows: list[tuple[int, dict[str, Any]]] = []
    for number, role in enumerate(roles):
        draw = random.Random(f"{seed}/care/{number}")
        begins = first_day + timedelta(days=role.starts_after)
        for start, end, talks in ((last_month, this_month, role.last_month), (this_month, until, role.this_month)):
            days = _working_days(max(start, begins), end)
            for talk in talks:
                free = [day for day in days if taken[talk.staff, day] < SLOTS_A_DAY]
                if free:
                    day = draw.choice(free)
                    rows.append((number, _row(talk, day, taken[talk.staff, day])))
                    taken[talk.staff, day] += 1
    return sorted(rows, key=lambda row: (row[1]["started_at"], row[0]))


def _working_days(start: date, end: date) -> list[date]:
    days = (start + timedelta(days=number) for number in range(max((end - start).days, 0)))
    return [day for day in days if day.weekday() < _SATURDAY]


def _row(talk: cast.Talk, day: date, slot: int) -> dict[str, Any]:
    opens = datetime.combine(day, OFFICE_OPENS, ZoneInfo(cast.NEW_YORK))
    return {
        "staff": talk.staff,
        "started_at": (opens.astimezone(UTC) + timedelta(minutes=slot * SLOT_MIN)).isoformat(),
        "seconds": talk.seconds,
        "interactive": talk.live,
        "activity": "call" if talk.live else "review",
    }
