"""Rules tried on a practice's own past, side by side with those in force (F51)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from alerts.backtest import Backtest, backtest
from alerts.evaluate import window_of
from alerts.facts import Facts
from alerts.layers import Layer
from alerts.observations import Observations
from alerts.rules import Rule
from alerts.series import microseconds
from rpm.limits import limits_of
from rpm.store import backtest as past
from rpm.store import facts, series
from rpm.store.backtest import Person
from rpm.store.database import Connection
from schemas.codes import CODES

#: Patients whose values are in memory at once.
GROUP: Final = 50
DAYS_MAX: Final = 366
#: Of those who would be called about most.
NAMED_MAX: Final = 20
#: The two sets of rules that are held beside each other.
IN_FORCE: Final = "in force"
DRAFT: Final = "draft"
_VITALS: Final = tuple(code.number for code in CODES if code.vital)


def some(found: Sequence[Person], *, most: int) -> list[Person]:
    """At most so many of them, evenly taken."""
    return list(found) if len(found) <= most else [found[place * len(found) // most] for place in range(most)]


def called(done: Mapping[str, Backtest], who: Sequence[Person]) -> list[tuple[Person, int, int]]:
    """Who the draft would call about most, how often the rules in force do, and how often it would."""
    of = {one.patient_id: one for one in who}
    before, after = done[IN_FORCE].people, done[DRAFT].people
    return [(of[number], before[number], count) for number, count in after.most_common(NAMED_MAX)]


def compare(
    connection: Connection,
    rules: Mapping[str, Sequence[Rule]],
    who: Sequence[Person],
    *,
    days: int,
    now: datetime,
    layers: Sequence[Layer] = (),
    told: Callable[[int], None] | None = None,
) -> dict[str, Backtest]:
    """By the name of each set of rules, what it would have said; `told` hears after each group how many patients are done.

    The patients' own limits and facts are those of now: what held earlier is not kept by day. RuleFailed where a rule raises.
    """
    since = now - timedelta(days=days)
    start = since - max(window_of(one) for one in rules.values())
    found = {name: Backtest(days, 0, ()) for name in rules}
    for first in range(0, len(who), GROUP):
        numbers = [one.patient_id for one in who[first : first + GROUP]]
        observed = _observed(connection, numbers, since=start, now=now)
        known = Facts.of(facts.of_patients(connection, numbers, now=now))
        for name, one in rules.items():
            found[name] += backtest(
                observed,
                one,
                limits=limits_of(connection, numbers, one, layers),
                facts=known,
                patients=len(numbers),
                since=since,
                days=days,
            )
        if told:
            told(first + len(numbers))
    return found


def _observed(connection: Connection, patients: Sequence[int], *, since: datetime, now: datetime) -> Observations:
    """What was measured, each reading as of when it was taken in."""
    measured = series.window(connection, patients=patients, codes=_VITALS, since=since, until=now)
    observed = Observations.of_series(measured)
    came = past.came(connection, patients, since=since, until=now)
    received = [microseconds(came[int(name)]) if name and int(name) in came else 0 for name in observed.readings]
    return replace(observed, received_us=np.array(received, np.int64))
