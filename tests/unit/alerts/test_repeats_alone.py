"""What is judged without a second reading because nobody can be asked for one, and a red whose second makes nothing of it."""

from dataclasses import replace
from datetime import timedelta

from alerts.findings import FindingKind
from alerts.lifecycle import ChangeReason, fold
from alerts.repeats import DISPUTED, MEAN, UNASKED, Outcome
from alerts.severity import Severity
from tests.unit.alerts.scalar import Row
from tests.unit.alerts.test_evaluate import NOW
from tests.unit.alerts.test_repeats import HIGH, judge, pressure


def test_of_whom_nobody_can_be_asked_nothing_waits() -> None:
    found = judge(pressure(1, 1, 192, 118), unasked=[1])
    assert list(found.waiting()) == []
    [red] = found
    assert (red.told, red.how) == (Severity.URGENT, UNASKED)
    assert red.sentence == (
        "Blood pressure 192/118 mmHg; limit systolic above 180 mmHg;"
        " unconfirmed: nobody there can be asked for a second reading"
    )
    assert found.outcome(1, HIGH.id) is Outcome.UNANSWERED
    yesterday = pressure(24 * 60, 3, 170) + pressure(24 * 60 - 2, 4, 170)
    [orange] = judge(yesterday + pressure(1, 1, 172), unasked=[1])
    assert (orange.severity, orange.told) == (Severity.PRIORITY, Severity.ROUTINE), "as of one that was not repeated"
    # Of others it changes nothing, and who measures twice by himself is judged by both.
    assert [one.reading_no for one in judge(pressure(1, 1, 192, 118), unasked=[2]).waiting()] == [1]
    both = judge(pressure(5, 1, 192, 118) + pressure(3, 2, 186, 112), unasked=[1])
    assert [(one.reading_no, one.how) for one in both] == [(2, MEAN)]
    [disputed] = judge(pressure(5, 1, 184, 96) + pressure(3, 2, 128, 80), unasked=[1])
    assert (disputed.how, disputed.kind) == (DISPUTED, FindingKind.ASK)


def test_a_red_of_which_the_second_makes_nothing_is_a_question_that_calls_nobody() -> None:
    """The mean of a couple that shares a cuff is nobody's: somebody looks whose the red was."""
    rows = pressure(5, 1, 184) + pressure(3, 2, 118)
    found = judge(rows)
    assert list(found.waiting()) == []
    [red] = found
    assert (red.reading_no, red.how, red.kind) == (1, DISPUTED, FindingKind.ASK)
    assert (red.severity, red.told) == (Severity.URGENT, Severity.ROUTINE)
    assert red.sentence == (
        "Blood pressure 184/80 mmHg; limit systolic above 180 mmHg; not confirmed: 118/80 mmHg 2 minutes later;"
        " did the same person take both readings? Two may share the cuff"
    )
    assert [(one.reading_no, one.role) for one in red.values] == [(1, "value")] * 2 + [(2, "second")] * 2
    standing = found.standing(1, HIGH.id)
    assert standing is not None
    assert not standing.out, "the second is in range"
    assert found.outcome(1, HIGH.id) is Outcome.NOT_CONFIRMED
    [change] = fold([], found, now=NOW)
    alert = change.alert
    assert (alert.asks, alert.severity, alert.confirmed) == (True, Severity.ROUTINE, True)
    # It is no news any more once it was told; a red that is confirmed makes it one that calls.
    assert list(judge(rows, known=[alert])) == []
    later = rows + pressure(2, 3, 192, 118) + pressure(0, 4, 190, 116)
    [worse] = fold([alert], judge(later, known=[alert]), now=NOW)
    assert (worse.reason, worse.alert.severity, worse.alert.asks) == (ChangeReason.WORSENED, Severity.URGENT, False)


def test_no_red_stays_quiet_because_a_milder_alert_was_just_closed() -> None:
    """Neither as a question nor within a mean."""
    yesterday = pressure(24 * 60, 1, 170) + pressure(24 * 60 - 2, 2, 170)
    orange = yesterday + pressure(65, 3, 172) + pressure(63, 4, 170)
    [change] = fold([], judge(orange), now=NOW)
    closed = replace(change.alert, closed_at=NOW - timedelta(minutes=30))

    def of_today(*pair: list[Row]) -> list[tuple[int, int, Severity]]:
        found = judge([*orange, *pair[0], *pair[1]], known=[closed])
        return [(one.reading_no, one.how, one.severity) for one in found]

    assert of_today(pressure(5, 5, 166), pressure(3, 6, 164)) == [], "a person has just looked at that"
    assert of_today(pressure(5, 5, 186), pressure(3, 6, 144)) == [(6, MEAN, Severity.PRIORITY)]
    assert of_today(pressure(5, 5, 184), pressure(3, 6, 118)) == [(5, DISPUTED, Severity.URGENT)]


def test_an_orange_of_which_the_second_makes_nothing_is_nothing() -> None:
    yesterday = pressure(24 * 60, 1, 170) + pressure(24 * 60 - 2, 2, 170)
    found = judge(yesterday + pressure(5, 3, 172) + pressure(3, 4, 110))
    assert [one.reading_no for one in found if one.reading_no > 2] == []
