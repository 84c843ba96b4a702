"""The database's clock, asked once a second: what it says in between, and when it is set."""

from datetime import UTC, datetime, timedelta

import pytest

from rpm.store.clock import ASK_EVERY_S, SteadyClock
from rpm.store.database import DatabaseUnavailable

NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)


class Clocks:
    """The database's clock, which takes a tenth of a second to ask and can be set or away, and this machine's."""

    def __init__(self) -> None:
        self.now, self.running_s, self.asked, self.away = NOON, 50.0, 0, False

    def ask(self) -> datetime:
        self.asked += 1
        if self.away:
            raise DatabaseUnavailable
        answer = self.now
        self.pass_s(0.1)
        return answer

    def pass_s(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.running_s += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def steady(clocks: Clocks) -> SteadyClock:
    return SteadyClock(clocks.ask, monotonic=lambda: clocks.running_s)


def test_it_is_asked_once_a_second_and_goes_on_in_between(clocks: Clocks, steady: SteadyClock) -> None:
    first = steady()
    assert first == NOON
    clocks.pass_s(0.4)
    assert steady() - first == timedelta(seconds=0.4)
    assert clocks.asked == 1
    clocks.pass_s(ASK_EVERY_S)
    assert steady() == clocks.now - timedelta(seconds=0.1)
    assert clocks.asked == 2


def test_it_is_never_ahead(clocks: Clocks, steady: SteadyClock) -> None:
    for _ in range(30):
        clocks.pass_s(0.17)
        assert clocks.now - timedelta(seconds=0.1) <= steady() <= clocks.now


@pytest.mark.parametrize("by", [timedelta(days=1), timedelta(days=-1)])
def test_a_clock_that_is_set_shows_within_a_second(clocks: Clocks, steady: SteadyClock, by: timedelta) -> None:
    before = steady()
    clocks.now += by
    clocks.pass_s(ASK_EVERY_S)
    assert abs(steady() - before - by) <= timedelta(seconds=ASK_EVERY_S + 0.2)


def test_a_database_that_is_away_has_no_time(clocks: Clocks, steady: SteadyClock) -> None:
    steady()
    clocks.away = True
    clocks.pass_s(ASK_EVERY_S)
    with pytest.raises(DatabaseUnavailable):
        steady()
    clocks.away = False
    assert steady() == clocks.now - timedelta(seconds=0.1)
