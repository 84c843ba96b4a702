"""A clock that goes only when it is told to."""

from datetime import UTC, datetime, timedelta

import pytest

#: A Wednesday, 10:00 in New York (daylight-saving time): an ordinary working morning.
MORNING = datetime(2026, 6, 10, 14, 0, tzinfo=UTC)


class SettableClock:
    """Stands where `Database.clock` stands: the outermost line of a loop asks it."""

    def __init__(self, start: datetime = MORNING) -> None:
        self._now = start

    def __call__(self) -> datetime:
        return self._now

    def set(self, instant: datetime) -> datetime:
        """Let it be this instant (aware)."""
        assert instant.tzinfo is not None
        self._now = instant.astimezone(UTC)
        return self._now

    def forward(self, *, days: float = 0, hours: float = 0, minutes: float = 0, seconds: float = 0) -> datetime:
        """Let time pass."""
        self._now += timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
        return self._now


@pytest.fixture
def clock() -> SettableClock:
    """A clock that stands at MORNING."""
    return SettableClock()
