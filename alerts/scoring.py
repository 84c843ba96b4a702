"""Calls held against the truth: how many episodes a rule found, how early, and how often it called for nothing.

A call is true where its patient had an episode that shows in a quantity of the rule, in the rule's direction, from the onset to
`GRACE` after the end (a mean is a week behind); of several, it is about the one that began last. Everything that stands on a
worklist counts as a call, questions and review items too.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, Literal

import numpy as np
from pydantic import AwareDatetime, Field, ValidationError

from alerts.facts import NO_FACTS, Facts
from alerts.findings import rule_of
from alerts.model import Strict
from alerts.observations import Observations, ObservationsError
from alerts.replay import Call
from alerts.rules import Rule
from alerts.series import US_PER_HOUR, Ints, Series
from alerts.tracks import Look, looked_at
from schemas.codes import BY_NAME

GRACE: Final = timedelta(days=3)
MONTH_H: Final = 365.25 / 12 * 24
ALL_RULES: Final = "all rules"

Direction = Literal["up", "down"]


class Truth(Strict):
    """One episode, as a line of `truth.jsonl` tells it."""

    patient: str
    kind: Annotated[str, Field(min_length=1, max_length=40)]
    onset: AwareDatetime
    peak: AwareDatetime
    end: AwareDatetime
    shows_in: dict[str, Direction]
    amount: float
    unit: str
    #: How many readings of those quantities were taken within it.
    readings: int


@dataclass(frozen=True, slots=True)
class Score:
    """Of one rule, of all, or of all on one kind of episode.

    `episodes` are those it could show in, `measured` those of them with a reading, `found` those it called about. Of each that was
    found: how long after its onset (`after_h`) and before its peak (`before_h`, negative: after it) the first call was.
    """

    name: str
    episodes: int
    measured: int
    found: int
    calls: int
    false_calls: int
    questions: int
    patient_months: float
    after_h: tuple[float, ...]
    before_h: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """`by_kind` is of all rules together; calls that are about nothing belong to no kind."""

    together: Score
    by_rule: tuple[Score, ...]
    by_kind: tuple[Score, ...]


def read_truth(path: Path) -> list[Truth]:
    """The file's episodes; ObservationsError with row and field where a line is none."""
    found: list[Truth] = []
    for row, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found.append(Truth.model_validate(json.loads(line)))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ObservationsError(str(path), row, "", "this is no JSON") from error
        except ValidationError as error:
            first: Any = error.errors()[0]
            raise ObservationsError(str(path), row, ".".join(map(str, first["loc"])), first["msg"]) from error
    return found


def looks_at(rule: Rule) -> set[tuple[str, Direction]]:
    """The quantities of a rule, and which way each has to go for it to speak."""
    down = rule.downward or rule.lessening
    return {(quantity, "down" if down else "up") for quantity in rule.quantities}


def score(
    observed: Observations,
    rules: Sequence[Rule],
    calls: Sequence[Call],
    truths: Sequence[Truth],
    *,
    facts: Facts = NO_FACTS,
) -> Scores:
    """Every rule's score, in the order of the rules, and that of all together."""
    number = {key: place for place, key in enumerate(observed.patients)}
    of: dict[int, list[Truth]] = defaultdict(list)
    for truth in truths:
        of[number.get(truth.patient, -1)].append(truth)
    looks = {rule.id: looks_at(rule) for rule in rules}

    def about(call: Call) -> Truth | None:
        found = [
            truth
            for truth in of.get(call.patient, ())
            if looks[rule_of(call.rule_id)] & truth.shows_in.items() and truth.onset <= call.at <= truth.end + GRACE
        ]
        return max(found, key=lambda truth: truth.onset, default=None)

    matched = [(call, about(call)) for call in calls]
    by_rule = [
        _score(
            rule.id,
            [truth for truth in truths if looks[rule.id] & truth.shows_in.items()],
            [(call, found) for call, found in matched if rule_of(call.rule_id) == rule.id],
            _months(
                observed.series,
                looked_at(observed.series, Look.of(rule), facts, _rows(observed.series, rule.quantities)),
            ),
        )
        for rule in rules
    ]
    together = _score(ALL_RULES, truths, matched, _months(observed.series, np.arange(len(observed.series))))
    by_kind = [
        _score(
            kind,
            [truth for truth in truths if truth.kind == kind],
            [(call, found) for call, found in matched if found is not None and found.kind == kind],
            together.patient_months,
        )
        for kind in sorted({truth.kind for truth in truths})
    ]
    return Scores(together, tuple(by_rule), tuple(by_kind))


def _score(
    name: str, truths: Sequence[Truth], matched: Sequence[tuple[Call, Truth | None]], patient_months: float
) -> Score:
    firsts: dict[int, datetime] = {}
    for call, found in matched:
        if found is not None:
            firsts[id(found)] = min(call.at, firsts.get(id(found), call.at))
    called = [(truth, firsts[id(truth)]) for truth in truths if id(truth) in firsts]
    return Score(
        name=name,
        episodes=len(truths),
        measured=sum(truth.readings > 0 for truth in truths),
        found=len(called),
        calls=len(matched),
        false_calls=sum(found is None for _, found in matched),
        questions=sum(call.asks for call, _ in matched),
        patient_months=patient_months,
        after_h=tuple((first - truth.onset) / timedelta(hours=1) for truth, first in called),
        before_h=tuple((truth.peak - first) / timedelta(hours=1) for truth, first in called),
    )


def _rows(series: Series, quantities: Iterable[str]) -> Ints:
    return series.rows_of([BY_NAME[name].number for name in quantities])


def _months(series: Series, rows: Ints) -> float:
    """Months in which the patients of these rows were watched: from the first reading of all to the last."""
    if not len(rows):
        return 0.0
    hours = (int(series.measured_at_us.max()) - int(series.measured_at_us.min())) / US_PER_HOUR
    return len(np.unique(series.patient[rows])) * hours / MONTH_H


_COLUMNS: Final[dict[str, Callable[[Score], str]]] = {
    "episodes": lambda one: str(one.episodes),
    "measured": lambda one: str(one.measured),
    "found": lambda one: str(one.found),
    "sensitivity": lambda one: _share(one.found, one.episodes),
    "after onset": lambda one: _median(one.after_h),
    "before peak": lambda one: _median(one.before_h),
    "calls": lambda one: str(one.calls),
    "questions": lambda one: str(one.questions),
    "true calls": lambda one: _share(one.calls - one.false_calls, one.calls),
    "false a patient-month": lambda one: f"{one.false_calls / one.patient_months:.2f}" if one.patient_months else "–",
}
#: What says something of a kind of episode: no call is false there.
_KIND_COLUMNS: Final = ("episodes", "measured", "found", "sensitivity", "after onset", "before peak", "calls")


def table(scores: Scores) -> str:
    """Two tables in Markdown: rules, and kinds of episodes."""
    watched = [one for one in scores.by_rule if one.patient_months]
    rules = _table("rule", tuple(_COLUMNS), [scores.together, *watched])
    idle = ", ".join(one.name for one in scores.by_rule if not one.patient_months)
    about = f"\n\nNobody measures what these look at: {idle}." if idle else ""
    return f"{rules}{about}\n\n{_table('all rules on', _KIND_COLUMNS, scores.by_kind)}\n"


def _table(first: str, names: Sequence[str], rows: Sequence[Score]) -> str:
    lines = [[first, *names], ["---", *("--:" for _ in names)]]
    lines += [[row.name, *(_COLUMNS[name](row) for name in names)] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.0f} %" if whole else "–"


def _median(hours: Sequence[float]) -> str:
    if not hours:
        return "–"
    middle = median(hours)
    return f"{middle / 24:.1f} d" if abs(middle) >= 48 else f"{middle:.0f} h"
