"""What is judged without a second reading because nobody can be asked for one, and a red whose second makes nothing of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from alerts.findings import FindingKind, rule_of
from alerts.lifecycle import ChangeReason, fold
from alerts.repeats import DISPUTED, LESSENED, MEAN, UNASKED, Outcome
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
    assert found.outcome(1, HIGH.id) is Outcome.NOT_CONFIRMED
    [change] = fold([], found, now=NOW)
    alert = change.alert
    assert (alert.asks, alert.severity, alert.confirmed) == (True, Severity.ROUTINE, True)
    assert alert.back_in_range_at is None, "that the second is in range answers nothing"
    # It is no news any more once it was told; a red that is confirmed calls beside it.
    assert list(judge(rows, known=[alert])) == []
    later = judge(rows + pressure(2, 3, 192, 118) + pressure(0, 4, 190, 116), known=[alert])
    changes = {one.alert.rule_id: one for one in fold([alert], later, now=NOW)}
    assert changes[HIGH.id].reason is ChangeReason.OPENED
    assert (changes[HIGH.id].alert.severity, changes[HIGH.id].alert.asks) == (Severity.URGENT, False)
    assert changes[alert.rule_id].reason is ChangeReason.UNCHANGED


@pytest.mark.parametrize("how_long_ago", [60, 5 * 24 * 60], ids=["an orange is open", "a review item is open"])
def test_no_open_alert_covers_a_question(how_long_ago: float) -> None:
    """An orange is the usual state of just these patients: the 224 must not be one more number within it."""
    orange = yesterdays(how_long_ago)
    [open_one] = [change.alert for change in fold([], judge(orange), now=NOW)]
    found = judge(orange + pressure(5, 5, 224, 120) + pressure(3, 6, 90, 60), known=[open_one])
    changes = {one.alert.rule_id: one for one in fold([open_one], found, now=NOW)}
    assert changes[f"{HIGH.id}.disputed"].reason is ChangeReason.OPENED
    assert "224/120" in changes[f"{HIGH.id}.disputed"].alert.headline.sentence
    assert rule_of(f"{HIGH.id}.disputed") == HIGH.id


@pytest.mark.parametrize(
    "first, second, mean",
    [((184, 110), (174, 104), "179/107"), ((182, 96), (178, 94), "180/95"), ((200, 118), (158, 100), "179/109"),
     ((178, 124), (170, 112), "174/118")],
)  # fmt: skip
def test_a_red_whose_mean_is_out_of_a_milder_limit_calls_as_an_orange(
    first: tuple[float, float], second: tuple[float, float], mean: str
) -> None:
    """The first such session of a patient: what the orange asks besides (two of three sessions) lets nothing of it wait."""
    found = judge(pressure(5, 1, *first) + pressure(3, 2, *second))
    [orange] = [one for one in found if one.rule_id == HIGH.id]
    assert (orange.reading_no, orange.how, orange.told, orange.kind) == (
        1, LESSENED, Severity.PRIORITY, FindingKind.ALERT,
    )  # fmt: skip
    assert orange.sentence.endswith(f"2 minutes later, mean {mean} mmHg")
    [change] = [one for one in fold([], found, now=NOW) if one.alert.rule_id == HIGH.id]
    assert (change.alert.severity, change.alert.asks) == (Severity.PRIORITY, False)
    assert list(judge(pressure(5, 1, *first) + pressure(3, 2, *second), known=[change.alert])) == []


def test_who_has_closed_what_was_measured_long_ago_has_not_looked_at_today() -> None:
    """A box that was without a line: yesterday's oranges are a review item, and keep none of today's quiet."""
    late = (
        pressure(30 * 60, 1, 172)
        + pressure(30 * 60 - 2, 2, 170)
        + pressure(29 * 60, 3, 172)
        + pressure(29 * 60 - 2, 4, 170)
    )
    [change] = fold([], judge(late), now=NOW)
    assert change.alert.late
    closed = replace(change.alert, closed_at=NOW - timedelta(minutes=30))
    today = judge([*late, *pressure(5, 5, 178), *pressure(3, 6, 178)], known=[closed])
    assert [(one.reading_no, one.how, one.told) for one in today] == [(6, MEAN, Severity.PRIORITY)]


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


def yesterdays(minutes_ago: float) -> list[Row]:
    """High pressures of two sessions a day apart, each repeated: the later so long ago."""
    sessions = [(minutes_ago + 24 * 60, 1), (minutes_ago, 3)]
    return [row for at, number in sessions for row in pressure(at, number, 172) + pressure(at - 2, number + 1, 170)]
