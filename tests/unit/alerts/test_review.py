"""How alerts were answered, against hand-counted examples; a shift is the practice's own, on the nights the clocks change too."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from alerts.review import TARGETS, Line, Target, answered, as_csv, shift_of
from alerts.severity import Severity

ZONE = "America/New_York"
NOON = datetime(2026, 11, 22, 17, tzinfo=UTC)


def line(
    number: int, *, had: float | None, closed: float | None = None, at: datetime = NOON, last: bool = False
) -> Line:
    def after(minutes: float | None) -> datetime | None:
        return None if minutes is None else at + timedelta(minutes=minutes)

    return Line(UUID(int=number), Severity.URGENT, False, at, after(had), after(closed), last)


def test_by_severity_and_shift() -> None:
    day = [line(n, had=n, closed=10 * n) for n in range(1, 11)]
    night = [line(20, had=None, at=NOON + timedelta(hours=12), last=True)]
    first, second = answered([*night, *day], zone=ZONE, now=NOON + timedelta(days=1))
    assert (first.shift, first.alerts, first.nobody, first.last_step) == ("07-15", 10, 0, 0)
    assert (first.had_median, first.had_90) == (timedelta(minutes=5), timedelta(minutes=9))
    assert (first.closed_median, first.closed_90) == (timedelta(minutes=50), timedelta(minutes=90))
    assert (second.shift, second.alerts, second.nobody, second.last_step, second.had_median) == ("23-07", 1, 1, 1, None)
    assert as_csv([first, second]).splitlines()[1:] == [
        "clinical,urgent,07-15,10,5.0,9.0,50.0,90.0,0,0,15,10,10,60,6,10",
        "clinical,urgent,23-07,1,,,,,1,1,15,0,1,60,0,1",
    ]


@pytest.mark.parametrize(
    "at, shift",
    [
        (datetime(2026, 11, 1, 4, 30, tzinfo=UTC), "23-07"),  # 00:30 EDT, the night of 25 hours
        (datetime(2026, 11, 1, 11, 59, tzinfo=UTC), "23-07"),  # 06:59 EST
        (datetime(2026, 11, 1, 12, 0, tzinfo=UTC), "07-15"),
        (datetime(2026, 3, 8, 10, 59, tzinfo=UTC), "23-07"),  # 06:59 EDT, the night of 23 hours
        (datetime(2026, 3, 8, 19, 0, tzinfo=UTC), "15-23"),
        (datetime(2026, 3, 9, 2, 59, tzinfo=UTC), "15-23"),
        (datetime(2026, 3, 9, 3, 0, tzinfo=UTC), "23-07"),
    ],
)
def test_a_shift_is_by_the_practices_clock(at: datetime, shift: str) -> None:
    assert shift_of(at, ZONE) == shift


@pytest.mark.parametrize(
    "had, after_min, met, known",
    [
        (15, 60, 1, 1),  # on the minute is within
        (15.1, 60, 0, 1),
        (None, 15, 0, 0),  # not had, and there is time left
        (None, 15.1, 0, 1),
        (3, 3, 1, 1),
    ],
)
def test_what_is_not_done_yet_is_beyond_its_target_once_that_has_passed(
    had: float | None, after_min: float, met: int, known: int
) -> None:
    [row] = answered([line(1, had=had)], zone=ZONE, now=NOON + timedelta(minutes=after_min))
    assert (row.had_within.met, row.had_within.known) == (met, known)


def test_a_target_of_the_practices_own() -> None:
    lines = [line(n, had=n, closed=10 * n) for n in range(1, 11)]
    targets = {**TARGETS, Severity.URGENT: Target(timedelta(minutes=4), timedelta(minutes=70))}
    [row] = answered(lines, zone=ZONE, now=NOON + timedelta(days=1), targets=targets)
    assert (row.had_within.share, row.closed_within.share) == (0.4, 0.7)
