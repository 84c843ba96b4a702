"""How instants, ages and numbers are written."""

from datetime import UTC, date, datetime, timedelta

import pytest

from rpm.web import formats
from rpm.web.due import ANSWER_WITHIN, due_at
from rpm.web.login import local_path
from rpm.web.sparkline import HEIGHT, WIDTH, sparkline
from schemas.codes import BY_NAME, UNIT_NUMBER

NOW = datetime(2026, 11, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    "seconds, words",
    [
        (0, "less than 1 min"),
        (59, "less than 1 min"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (3660 + 3600, "2 h 1 min"),
        (3 * 3600 + 1200, "3 h"),
        (86400, "1 day"),
        (5 * 86400 + 7200, "5 days"),
    ],
)
def test_spans(seconds: int, words: str) -> None:
    assert formats.span(timedelta(seconds=seconds)) == words


def test_before_and_after() -> None:
    assert formats.ago(NOW - timedelta(minutes=4), NOW) == "4 min ago"
    assert formats.ago(NOW + timedelta(minutes=4), NOW) == "in 4 min"
    assert formats.due(NOW + timedelta(minutes=11), NOW) == "due in 11 min"
    assert formats.due(NOW - timedelta(hours=3), NOW) == "overdue by 3 h"


def test_an_instant_is_told_in_the_patients_zone() -> None:
    fold = datetime(2026, 11, 1, 6, 30, tzinfo=UTC)
    assert formats.absolute(fold, "America/New_York") == "Sun 1 Nov 2026, 01:30 EST"
    assert formats.absolute(fold - timedelta(hours=1), "America/New_York") == "Sun 1 Nov 2026, 01:30 EDT"


def test_values_are_written_as_the_device_showed_them() -> None:
    weight, glucose = BY_NAME["body_weight"].number, BY_NAME["glucose"].number
    assert formats.quantity(82.05, weight, UNIT_NUMBER["kg"]) == "82.1"
    assert formats.quantity(181.0, weight, UNIT_NUMBER["[lb_av]"]) == "181.0"
    assert formats.quantity(13.9, glucose, UNIT_NUMBER["mmol/L"]) == "13.9"
    assert formats.quantity(250.0, glucose, UNIT_NUMBER["mg/dL"]) == "250"


def test_a_birthday_counts_from_its_morning() -> None:
    born = date(1955, 4, 2)
    assert formats.age_years(born, date(2026, 4, 1)) == 70
    assert formats.age_years(born, date(2026, 4, 2)) == 71


def test_the_response_clock() -> None:
    """Clinical rules: urgent 15 minutes, priority 4 hours, routine the next business day."""
    assert due_at(3, NOW) - NOW == timedelta(minutes=15)
    assert due_at(2, NOW) - NOW == timedelta(hours=4)
    assert sorted(ANSWER_WITHIN.values(), reverse=True) == [ANSWER_WITHIN[number] for number in (1, 2, 3)]


def test_a_sparkline_stays_in_its_box() -> None:
    points = [(NOW + timedelta(hours=hour), value) for hour, value in ((0, 120.0), (5, 190.0), (9, 100.0))]
    line = sparkline(points)
    assert line is not None
    steps = [tuple(map(float, step.split())) for step in line.path.removeprefix("M").split("L")]
    assert steps == sorted(steps)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in steps)
    assert steps[1][1] < steps[0][1] < steps[2][1], "higher values stand higher"
    assert (line.x, line.y) == steps[-1]
    flat = sparkline([(NOW, 80.0), (NOW, 80.0)])
    assert flat is not None
    assert flat.y == HEIGHT / 2
    assert sparkline(points[:1]) is None


@pytest.mark.parametrize("path", ["/worklist", "/patients/1?days=7#close"])
def test_a_path_of_ours_is_kept(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize("path", ["", "worklist", "//evil", "/\\evil", "https://evil", "/a\nb"])
def test_any_other_leads_home(path: str) -> None:
    assert local_path(path) == "/"
