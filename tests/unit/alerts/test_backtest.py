"""What rules would have asked of people: counted by band, of whom, and which calls a later reading would have answered."""

from datetime import timedelta

from alerts.backtest import Backtest, backtest
from alerts.facts import NO_FACTS
from alerts.limits import NO_LIMITS
from alerts.observations import Observations
from alerts.severity import Severity
from tests.unit.alerts.scalar import Row
from tests.unit.alerts.test_evaluate import NOW, RULES, reading, series_of

LOW = [rule for rule in RULES if rule.id == "glucose_low"]
DAYS = 10


def tried(rows: list[Row], *, patients: int = 2) -> Backtest:
    return backtest(
        Observations.of_series(series_of(rows)), LOW, limits=NO_LIMITS, facts=NO_FACTS, patients=patients,
        since=NOW - timedelta(days=DAYS), days=DAYS,
    )  # fmt: skip


def glucose(patient: int, hours_ago: float, number: int, value: float) -> list[Row]:
    return reading(patient, hours_ago, number, glucose=(value, "mg/dL"))


def test_calls_are_counted_by_band_with_the_reading_that_answers_them() -> None:
    done = tried(
        [
            *glucose(1, 100, 1, 45),
            *glucose(1, 97, 2, 110),
            *glucose(1, 50, 3, 65),
            *glucose(2, 30, 4, 48),
        ]
    )
    urgent, priority = done.lines()
    assert (urgent.severity, urgent.calls, urgent.people, urgent.answered) == (Severity.URGENT, 2, 2, 1)
    assert (priority.severity, priority.calls, priority.people, priority.answered) == (Severity.PRIORITY, 1, 1, 0)
    assert urgent.answered_after_h == 3.0, "from the reading that called to the one that answers it"
    assert "45 mg/dL" in done.told[0].sentence
    assert (done.calls, done.a_day, done.a_day_of_100) == (3, 0.3, 15.0)
    assert done.people == {1: 2, 2: 1}


def test_a_reading_that_answers_before_anybody_could_call_took_no_less_than_no_time() -> None:
    done = tried([*glucose(1, 100, 1, 45), *glucose(1, 99.75, 2, 110), *glucose(1, 60, 3, 112)])
    assert [line.answered_after_h for line in done.lines()] == [0.25]


def test_what_was_before_the_span_leads_up_and_does_not_count() -> None:
    done = tried([*glucose(1, 24 * DAYS + 12, 1, 45), *glucose(1, 24, 2, 110)])
    assert (done.calls, done.lines()) == (0, [])


def test_groups_of_patients_are_added() -> None:
    one = tried(glucose(1, 100, 1, 45), patients=1)
    other = tried(glucose(2, 30, 1, 48), patients=3)
    together = one + other
    assert (together.patients, together.calls, together.people) == (4, 2, {1: 1, 2: 1})
    assert Backtest(DAYS, 0, ()).a_day_of_100 == 0.0
