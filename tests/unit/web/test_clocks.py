"""What a chart says of the clocks behind a point: every one of them, and the one that was used (F25)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from rpm.store.charts import Point
from rpm.web.clocks import BY_CLOCK, clocks
from schemas.reading import TimeSource

AT = datetime(2026, 6, 10, 14, 0, 5, tzinfo=UTC)
ZONE = "America/New_York"


def point(**facts: Any) -> Point:
    told: dict[str, Any] = {
        "device_time": "2026-06-10T10:00:02",
        "time_source": "device_corrected",
        "clock_offset_s": 3.2,
        "uncertainty_s": None,
        "received_at": AT + timedelta(seconds=2),
        "admitted_at": AT + timedelta(seconds=4),
        **facts,
    }
    return Point(AT, 1, 120.0, 1, 0, UUID(int=1), **told)


@pytest.mark.parametrize(
    "facts, words",
    [
        ({}, "Device 10:00:02, offset +3 s, gateway 10:00:07 EDT, here 10:00:09 EDT. Used: device’s clock, corrected."),
        (
            {"admitted_at": AT + timedelta(days=2), "clock_offset_s": -7200.0},
            "Device 10:00:02, offset -7200 s, gateway 10:00:07 EDT, here 12 Jun 2026 10:00:05 EDT. Used: device’s clock, corrected.",
        ),
        (
            {"device_time": "2026-06-11T10:00:02", "clock_offset_s": None, "time_source": "gateway"},
            "Device 2026-06-11 10:00:02, offset not read, gateway 10:00:07 EDT, here 10:00:09 EDT. Used: gateway’s clock.",
        ),
        (
            {"device_time": None, "clock_offset_s": None, "time_source": "estimated", "uncertainty_s": 12_300.0},
            "Device none, offset not read, gateway 10:00:07 EDT, here 10:00:09 EDT. Used: estimated, within 4 h either way.",
        ),
        (
            {"clock_offset_s": None, "time_source": "device"},
            "Device 10:00:02, offset not read, gateway 10:00:07 EDT, here 10:00:09 EDT. Used: device’s clock, not checked.",
        ),
    ],
)
def test_every_clock_and_the_one_that_was_used(facts: dict[str, Any], words: str) -> None:
    assert clocks(point(**facts), ZONE) == words


def test_the_hour_that_happens_twice_says_which_of_the_two() -> None:
    at = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    told = point(received_at=at, admitted_at=at + timedelta(hours=1))
    assert "gateway 1 Nov 2026 01:30:00 EDT, here 1 Nov 2026 01:30:00 EST" in clocks(told, ZONE)


def test_each_source_has_its_words() -> None:
    assert set(BY_CLOCK) == set(TimeSource)
