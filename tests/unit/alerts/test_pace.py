"""A contact's pace: singly, then in summaries; the first red always at once; nobody is forgotten (F58).

Property: whatever is due and when, a message waits a minute at most beyond the one before it.
"""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from alerts.pace import SINGLY_MAX, SUMMARY_EVERY, Go, Sent, Wait, pace
from alerts.severity import Severity

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URGENT, ROUTINE = Severity.URGENT, Severity.ROUTINE


def went(*seconds_ago: float, severity: Severity = ROUTINE) -> list[Sent]:
    return [Sent(NOW - timedelta(seconds=ago), severity) for ago in seconds_ago]


def test_the_first_few_go_singly() -> None:
    for number in range(SINGLY_MAX):
        found = pace(went(*range(number)), ROUTINE, now=NOW)
        assert isinstance(found, Go)
        assert not found.summary


def test_then_one_message_a_minute_for_all_that_wait() -> None:
    flood = went(*[10.0] * SINGLY_MAX)
    found = pace(flood, ROUTINE, now=NOW)
    assert isinstance(found, Wait)
    assert found.until == NOW + timedelta(seconds=50)
    later = pace(flood, ROUTINE, now=found.until)
    assert isinstance(later, Go)
    assert later.summary


def test_the_first_red_does_not_wait_for_a_flood_of_others() -> None:
    found = pace(went(*[1.0] * 50), URGENT, now=NOW)
    assert isinstance(found, Go)
    assert not found.summary
    assert isinstance(pace(went(*[1.0] * 50, severity=URGENT), URGENT, now=NOW), Wait)


@given(
    st.lists(st.tuples(st.floats(0, 300), st.sampled_from(Severity)), max_size=30).map(
        lambda pairs: [Sent(NOW - timedelta(seconds=ago), severity) for ago, severity in pairs]
    ),
    st.sampled_from(Severity),
)
def test_nothing_waits_longer_than_a_minute(sent: list[Sent], severity: Severity) -> None:
    found = pace(sent, severity, now=NOW)
    if isinstance(found, Wait):
        assert NOW < found.until <= NOW + SUMMARY_EVERY
        assert isinstance(pace(sent, severity, now=found.until), Go)
