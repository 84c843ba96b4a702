"""What rules would have asked of people in the past: how many calls, of whom, and which of them later readings would have answered.

Counted over `replay`: somebody answers each alert after a while, so that a rule speaks again. Patients do not depend on each
other: a practice may be gone through in groups, and the parts added.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from statistics import median
from typing import Self

from alerts.facts import Facts
from alerts.limits import Limits
from alerts.observations import Observations
from alerts.replay import Call, turns
from alerts.rules import Rule
from alerts.severity import Severity


@dataclass(frozen=True, slots=True)
class Told:
    """One call with its words. `back_at`: the first later reading that is inside every limit of the rule; None: none is."""

    call: Call
    sentence: str
    #: When the reading it speaks of was measured.
    measured_at: datetime
    back_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One band of one rule: calls, of how many people, questions among them, and how many a later reading answered, how soon."""

    rule_id: str
    severity: Severity
    calls: int
    people: int
    questions: int
    answered: int
    #: Median hours from the reading that called to that one; None where none was.
    answered_after_h: float | None


@dataclass(frozen=True, slots=True)
class Backtest:
    """A span of days of some patients."""

    days: int
    patients: int
    told: tuple[Told, ...]

    def __add__(self, other: Self) -> Self:
        """The same days of more patients."""
        return type(self)(self.days, self.patients + other.patients, (*self.told, *other.told))

    @property
    def calls(self) -> int:
        """How often somebody would have been asked for."""
        return len(self.told)

    @property
    def a_day(self) -> float:
        """Calls a day."""
        return len(self.told) / self.days

    @property
    def a_day_of_100(self) -> float:
        """Calls a day of a hundred patients."""
        return 100 * self.a_day / self.patients if self.patients else 0.0

    @property
    def questions(self) -> int:
        """Calls that ask first, and page nobody."""
        return sum(one.call.asks for one in self.told)

    @property
    def people(self) -> Counter[int]:
        """Whom they are of, and how many of each."""
        return Counter(one.call.patient for one in self.told)

    def lines(self) -> list[Line]:
        """By rule and band, the most frequent first."""
        groups: dict[tuple[str, Severity], list[Told]] = defaultdict(list)
        for one in self.told:
            groups[(one.call.rule_id, one.call.severity)].append(one)
        found = [_line(rule_id, severity, told) for (rule_id, severity), told in groups.items()]
        return sorted(found, key=lambda line: (-line.calls, line.rule_id, line.severity))


def beside(before: Backtest, after: Backtest) -> list[tuple[str, Severity, Line | None, Line | None]]:
    """The bands of both, by rule and then the most severe first; None where one of them never called."""
    one, other = ({(line.rule_id, line.severity): line for line in each.lines()} for each in (before, after))
    keys = sorted(one.keys() | other.keys(), key=lambda key: (key[0], -key[1]))
    return [(*key, one.get(key), other.get(key)) for key in keys]


def _line(rule_id: str, severity: Severity, told: Sequence[Told]) -> Line:
    hours = [(one.back_at - one.measured_at) / timedelta(hours=1) for one in told if one.back_at is not None]
    return Line(
        rule_id,
        severity,
        calls=len(told),
        people=len({one.call.patient for one in told}),
        questions=sum(one.call.asks for one in told),
        answered=len(hours),
        answered_after_h=median(hours) if hours else None,
    )


def backtest(
    observed: Observations,
    rules: Iterable[Rule],
    *,
    limits: Limits,
    facts: Facts,
    patients: int,
    since: datetime,
    days: int,
) -> Backtest:
    """The calls from `since` on; what came before only leads up to them. RuleFailed where a rule raises."""
    told: list[Told] = []
    waiting: dict[tuple[int, str], list[int]] = defaultdict(list)
    for turn in turns(observed, tuple(rules), limits=limits, facts=facts):
        seen = set(turn.patients)
        for patient, rule_id in [key for key in waiting if key[0] in seen]:
            standing = turn.findings.standing(patient, rule_id)
            if standing is None or standing.out:
                continue
            for place in waiting.pop((patient, rule_id)):
                told[place] = replace(told[place], back_at=standing.at)
        for call, alert in turn.calls:
            if call.at >= since:
                waiting[(call.patient, call.rule_id)].append(len(told))
                told.append(Told(call, alert.headline.sentence, alert.headline.measured_at))
    return Backtest(days, patients, tuple(told))
