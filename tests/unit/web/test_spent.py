"""Minutes: what a stopped timer stands for, what a person may type, and that no minute counts twice (F85, F86)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpm.web.problems import BadInput
from rpm.web.spent import ENTRY_AGE_MAX, UNASKED_MAX, counted, month_start, shared, timed, typed

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)
NEW_YORK = "America/New_York"


def test_a_timer_stands_for_the_time_it_ran() -> None:
    spent = timed(NOW - timedelta(minutes=7, seconds=12), now=NOW)
    assert spent.length == timedelta(minutes=7, seconds=12)
    assert not spent.manual


def test_a_pause_is_left_out_and_marks_the_entry() -> None:
    spent = timed(NOW - timedelta(minutes=20), now=NOW, pause_minutes=5)
    assert spent.length == timedelta(minutes=15)
    assert spent.manual


def test_a_forgotten_timer_is_not_believed() -> None:
    started_at = NOW - UNASKED_MAX - timedelta(seconds=1)
    with pytest.raises(BadInput, match="how many minutes"):
        timed(started_at, now=NOW)
    assert timed(started_at, now=NOW, minutes=12).length == timedelta(minutes=12)
    assert timed(started_at, now=NOW, minutes=12).manual
    with pytest.raises(BadInput, match="no more than the timer ran"):
        timed(NOW - timedelta(minutes=3), now=NOW, minutes=4)
    with pytest.raises(BadInput, match="nothing is left"):
        timed(NOW - timedelta(minutes=3), now=NOW, pause_minutes=3)


def test_typed_work_is_in_the_practices_zone() -> None:
    spent = typed(date(2026, 6, 10), time(9, 30), 10, zone=NEW_YORK, now=NOW)
    assert spent.started_at == datetime(2026, 6, 10, 13, 30, tzinfo=UTC)
    assert spent.length == timedelta(minutes=10)
    assert spent.manual


@pytest.mark.parametrize(
    "day, start, minutes, words",
    [
        (date(2026, 6, 10), time(9, 55), 10, "future"),
        (date(2026, 6, 10), time(9, 0), 0, "Minutes"),
        (date(2026, 6, 10), time(1, 0), 241, "Minutes"),
        ((NOW - ENTRY_AGE_MAX).date() - timedelta(days=1), time(9, 0), 5, "Work older"),
    ],
)
def test_typed_work_that_cannot_be(day: date, start: time, minutes: int, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        typed(day, start, minutes, zone=NEW_YORK, now=NOW)


def test_a_time_the_clocks_skipped_is_asked_again() -> None:
    # New York, 8 March 2026: 02:00 became 03:00.
    after = datetime(2026, 3, 8, 18, tzinfo=UTC)
    with pytest.raises(BadInput, match="did not exist"):
        typed(date(2026, 3, 8), time(2, 30), 5, zone=NEW_YORK, now=after)


moments = st.integers(0, 500).map(lambda minutes: NOW + timedelta(minutes=minutes))
spans = st.tuples(moments, st.integers(1, 60)).map(lambda pair: (pair[0], pair[0] + timedelta(minutes=pair[1])))


@given(st.lists(spans, max_size=12))
def test_counted_equals_the_minutes_anyone_claims(many: list[tuple[datetime, datetime]]) -> None:
    claimed = {
        NOW + timedelta(minutes=minute)
        for start, end in many
        for minute in range((start - NOW) // timedelta(minutes=1), (end - NOW) // timedelta(minutes=1))
    }
    assert counted(many) == timedelta(minutes=len(claimed))


@given(spans, spans)
def test_shared_is_what_counting_twice_would_add(a: tuple[datetime, datetime], b: tuple[datetime, datetime]) -> None:
    assert counted([a, b]) == (a[1] - a[0]) + (b[1] - b[0]) - shared(a, b)


def test_a_month_begins_at_the_practices_midnight() -> None:
    # 1 June, 03:00 UTC is still May in New York.
    assert month_start(datetime(2026, 6, 1, 3, tzinfo=UTC), NEW_YORK) == datetime(2026, 5, 1, 4, tzinfo=UTC)
    assert month_start(NOW, NEW_YORK) == datetime(2026, 6, 1, 4, tzinfo=UTC)
