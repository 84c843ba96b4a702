"""Ten thousand gateways whose broker is gone come back (F21, S1): how many knock in a second, and when the last one is in.

Method: a simulation of nothing but waits, with the uplink's own formula and constants, over a broker that lets in so many
connections a second and turns away the rest. The herd of real connections is
`tests/services/test_herd.py`.
"""

import heapq
import random
from collections import Counter
from dataclasses import dataclass

import pytest

from gateway.backoff import delay_s
from gateway.uplink.uplink import RECONNECT_FIRST_S, RECONNECT_MAX_S, RECONNECT_SPREAD

GATEWAYS = 10_000
#: What one Mosquitto on a small machine greets over TLS, cautiously.
LET_IN_A_SECOND = 300


@dataclass(frozen=True, slots=True)
class Return:
    """What a return looked like: seconds after the broker was back until the last one was in, and knocks in each second."""

    all_in_s: float
    longest_turned_away_s: float
    knocks: Counter[int]


def come_back(*, away_s: float, spread: float = RECONNECT_SPREAD, seed: int = 7) -> Return:
    """All lose the broker at 0; it is back at `away_s`."""
    chance = random.Random(seed)

    def wait(failures: int) -> float:
        return delay_s(
            max(failures - 1, 0), first_s=RECONNECT_FIRST_S, max_s=RECONNECT_MAX_S, spread=spread, draw=chance.random()
        )

    due = [(wait(0), 0, gateway) for gateway in range(GATEWAYS)]
    heapq.heapify(due)
    knocks: Counter[int] = Counter()
    let_in: Counter[int] = Counter()
    turned_away: dict[int, float] = {}
    longest = last = 0.0
    while due:
        at, failures, gateway = heapq.heappop(due)
        if at >= away_s:
            second = int(at - away_s)
            knocks[second] += 1
            if let_in[second] < LET_IN_A_SECOND:
                let_in[second] += 1
                longest = max(longest, at - turned_away.get(gateway, at))
                last = at - away_s
                continue
            turned_away.setdefault(gateway, at)
        heapq.heappush(due, (at + wait(failures + 1), failures + 1, gateway))
    return Return(last, longest, knocks)


@pytest.mark.parametrize("away_s", [120.0, 600.0, 3600.0])
def test_after_an_outage_the_knocks_are_spread_and_everybody_is_in_within_two_minutes(away_s: float) -> None:
    back = come_back(away_s=away_s)
    assert max(back.knocks.values()) <= 1.5 * LET_IN_A_SECOND
    assert back.all_in_s <= 120.0
    assert back.longest_turned_away_s <= 120.0


def test_after_a_restart_of_a_second_nobody_is_turned_away_for_longer_than_two_minutes() -> None:
    """The worst case: all come within five seconds. Those turned away spread by themselves."""
    back = come_back(away_s=1.0)
    assert max(back.knocks.values()) <= 0.4 * GATEWAYS
    assert max(count for second, count in back.knocks.items() if second >= 20) <= 2 * LET_IN_A_SECOND
    assert back.longest_turned_away_s <= 120.0
    assert back.all_in_s <= 120.0


def test_without_chance_they_would_come_as_one() -> None:
    """That the simulation can tell: the same herd, without jitter."""
    assert max(come_back(away_s=600.0, spread=0.0).knocks.values()) > 10 * LET_IN_A_SECOND
