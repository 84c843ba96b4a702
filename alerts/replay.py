"""What the rules would have said, had they judged as the data came: alerts opened and worsened, turn by turn.

As in the product, only patients with news are judged (and those whose wait for a second reading is over), what has not come yet is not seen, a reading belongs to one alert, and an
open alert is joined rather than opened again. Somebody answers each alert after a while (`ANSWERED`), without which a rule would
speak once and never again. Left out: what is said of silence, for which the product has a sweep of its own.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from alerts.evaluate import evaluate, memory_of, window_of
from alerts.facts import Facts
from alerts.findings import Findings, RuleFailure
from alerts.lifecycle import Alert, Change, ChangeReason, fold, settled
from alerts.limits import Limits
from alerts.observations import Observations
from alerts.rules import Rule
from alerts.series import Ints, instant_of, microseconds
from alerts.severity import Severity

#: How often there is a turn: well under the four hours after which a reading is late.
TURN: Final = timedelta(hours=2)
#: When a person has answered and closes an alert: red within the hour, orange the same day, yellow the next.
ANSWERED: Final[Mapping[Severity, timedelta]] = {
    Severity.URGENT: timedelta(hours=1),
    Severity.PRIORITY: timedelta(hours=8),
    Severity.ROUTINE: timedelta(hours=24),
}


class RuleFailed(RuntimeError):
    """A rule that cannot be applied: what the others would have called says nothing of the whole."""

    def __init__(self, failure: RuleFailure) -> None:
        super().__init__(f"{failure.rule_id} could not be applied: {failure.error}")


@dataclass(frozen=True, slots=True)
class Call:
    """One call for a person's attention: an alert that opened or worsened. `asks`: it is a question; `late`: a review item."""

    patient: int
    rule_id: str
    severity: Severity
    at: datetime
    reason: ChangeReason
    asks: bool
    late: bool


@dataclass(slots=True)
class _Desk:
    """The alerts of one patient, and when each open one will have been answered."""

    open: list[tuple[datetime, Alert]] = field(default_factory=list[tuple[datetime, Alert]])
    closed: list[tuple[datetime, Alert]] = field(default_factory=list[tuple[datetime, Alert]])

    def turn(self, now: datetime, memory: timedelta) -> None:
        """Close what has been answered by now; forget what no rule asks about."""
        for at, alert in self.open:
            if at <= now:
                self.closed.append((at, replace(alert, closed_at=at)))
        self.open = [(at, alert) for at, alert in self.open if at > now]
        self.closed = [(at, alert) for at, alert in self.closed if at > now - memory]


@dataclass(frozen=True, slots=True)
class Turn:
    """What was found when something new had come of these patients, and what became of their alerts by it."""

    now: datetime
    patients: Sequence[int]
    findings: Findings
    changes: Sequence[Change]

    @property
    def calls(self) -> Iterator[tuple[Call, Alert]]:
        """What asks for a person, each with its alert."""
        for change in self.changes:
            if change.rearm:
                alert = change.alert
                yield (
                    Call(alert.patient, alert.rule_id, alert.severity, self.now, change.reason, alert.asks, alert.late),
                    alert,
                )


def replay(observed: Observations, rules: Sequence[Rule], *, limits: Limits, facts: Facts) -> Iterator[Call]:
    """Every call from the first reading to the last, in the order of (turn, patient, rule). RuleFailed where a rule raises."""
    for turn in turns(observed, rules, limits=limits, facts=facts):
        for call, _alert in turn.calls:
            yield call


def turns(observed: Observations, rules: Sequence[Rule], *, limits: Limits, facts: Facts) -> Iterator[Turn]:
    """Every turn, in order. RuleFailed where a rule raises."""
    rules = [rule for rule in rules if rule.missed is None]
    window, memory = window_of(rules), memory_of(rules)
    desks: dict[int, _Desk] = defaultdict(_Desk)
    waits = _Waits()
    for now, patients in waits.between(_turns(observed)):
        for patient in patients:
            desks[patient].turn(now, memory)
        open_alerts = [alert for patient in patients for _, alert in desks[patient].open]
        known = [*open_alerts, *(alert for patient in patients for _, alert in desks[patient].closed)]
        seen = _seen(observed, patients, since=now - window, now=now)
        findings = evaluate(seen.series, rules, limits=limits, now=now, settled=settled(known, rules), facts=facts)
        if findings.failures:
            raise RuleFailed(findings.failures[0])
        changes = fold(open_alerts, findings, now=now, rules=rules)
        for change in changes:
            _file(desks[change.alert.patient], change)
        waits.note(patients, findings)
        yield Turn(now, patients, findings, changes)


@dataclass(slots=True)
class _Waits:
    """Who waits for a second reading, and until when: there is a turn of theirs then."""

    until: dict[int, datetime] = field(default_factory=dict[int, datetime])

    def note(self, patients: Sequence[int], findings: Findings) -> None:
        """Of these patients, who waits now."""
        for patient in patients:
            self.until.pop(patient, None)
        for one in findings.waiting():
            self.until[one.patient] = min(one.until, self.until.get(one.patient, one.until))

    def between(self, turns: Iterator[tuple[datetime, list[int]]]) -> Iterator[tuple[datetime, list[int]]]:
        """The turns, and between and after them those of whom no second reading came."""
        for now, patients in turns:
            yield from self._over(now)
            yield now, patients
        yield from self._over(None)

    def _over(self, before: datetime | None) -> Iterator[tuple[datetime, list[int]]]:
        while self.until:
            at = min(self.until.values())
            if before is not None and at >= before:
                return
            yield at, sorted(patient for patient, until in self.until.items() if until == at)


def _turns(observed: Observations) -> Iterator[tuple[datetime, list[int]]]:
    """The instants at which something new has come, and whose it is."""
    came = observed.received_us[observed.series.reading_no]
    turn_us = TURN // timedelta(microseconds=1)
    turn = -(-came // turn_us)
    order = np.lexsort((observed.series.patient, turn))
    for rows in np.split(order, np.flatnonzero(np.diff(turn[order])) + 1):
        if len(rows):
            patients = np.unique(observed.series.patient[rows])
            yield instant_of(int(turn[rows[0]]) * turn_us), [int(patient) for patient in patients]


def _seen(observed: Observations, patients: Sequence[int], *, since: datetime, now: datetime) -> Observations:
    """What these patients had measured in the window and had come by now."""
    series = observed.series
    parts: list[Ints] = []
    for patient in patients:
        first = int(np.searchsorted(series.patient, patient, side="left"))
        end = int(np.searchsorted(series.patient, patient, side="right"))
        at_us = series.measured_at_us[first:end]
        low = first + int(np.searchsorted(at_us, microseconds(since), side="left"))
        high = first + int(np.searchsorted(at_us, microseconds(now), side="right"))
        parts.append(np.arange(low, high))
    return observed.take(np.concatenate(parts)).come_by(now)


def _file(desk: _Desk, change: Change) -> None:
    """Put an alert where its patient's are; what opens or worsens is answered anew."""
    place = next((n for n, (_, alert) in enumerate(desk.open) if alert.rule_id == change.alert.rule_id), None)
    if place is None:
        desk.open.append((change.at + ANSWERED[change.alert.severity], change.alert))
    elif change.reason is ChangeReason.WORSENED:
        desk.open[place] = (change.at + ANSWERED[change.alert.severity], change.alert)
    else:
        desk.open[place] = (desk.open[place][0], change.alert)
