"""A device's clock as a series: every connection tells how far it is off, and one that lies on the table does not flood."""

import pytest

from devices.procedures import SessionFacts
from gateway.acquaintance import Acquaintances

NONE: frozenset[str] = frozenset()


def told(
    acquaintances: Acquaintances, offset_s: float | None, now_s: float | None, *, slot: int = 1
) -> list[float | str]:
    facts = SessionFacts(clock_offset_s=offset_s)
    news = acquaintances.news(slot, facts, services=NONE, characteristics=NONE, now_s=now_s)
    return [each.value for each in news if each.name == "device_clock"]


@pytest.mark.parametrize("offset_s", [0.0, -86_400.0, 1_795_000_000.0, -1_811_000_000_000.0])
def test_every_connections_offset_is_told(offset_s: float) -> None:
    acquaintances = Acquaintances()
    assert [told(acquaintances, offset_s, now_s) for now_s in (5.0, 3600.0, 90_000.0)] == [[offset_s]] * 3


def test_a_device_met_every_few_seconds_is_told_of_once_a_minute_and_when_it_changes() -> None:
    acquaintances = Acquaintances()
    times = [now_s for now_s in range(0, 600, 20) if told(acquaintances, 37.0, float(now_s))]
    assert times == list(range(0, 600, 60))
    assert told(acquaintances, 3637.0, 581.0) == [3637.0], "its clock was set"
    assert told(acquaintances, 38.0, 582.0, slot=2) == [38.0], "another device"


def test_nothing_is_told_by_a_clock_that_is_wrong_itself_nor_of_a_clock_that_was_not_read() -> None:
    acquaintances = Acquaintances()
    assert told(acquaintances, 37.0, None) == []
    assert told(acquaintances, None, 5.0) == []
