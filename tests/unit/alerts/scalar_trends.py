"""The plain reference of what a rule looks at and how often it must be so: one patient and one reading at a time.

It shares the Rule model with the product and no line of arithmetic: days are asked of the calendar, sums are exact, Student's
t is integrated (`scalar_measures`). What it answers per rule, patient and reading is compared with what numpy answers.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.conditions import Lasting, OnDays, Readings, Sessions
from alerts.facts import PatientFacts
from alerts.measures import Missed
from alerts.rules import Band, Rule
from tests.unit.alerts.scalar import RAISE_WINDOW, Row
from tests.unit.alerts.scalar import _breaches as breaches
from tests.unit.alerts.scalar_measures import amounts, day_of, one_unit


@dataclass(frozen=True, order=True)
class Said:
    """What both engines must agree on."""

    rule_id: str
    patient: int
    at: datetime
    reading_no: int
    severity: int
    late: bool
    asks: bool


Person = dict[int, PatientFacts]


def findings(rows: Sequence[Row], rules: Sequence[Rule], people: Person, *, now: datetime) -> list[Said]:
    said: list[Said] = []
    for rule in rules:
        if rule.missed is not None:
            said += _silences(rows, rule, rule.missed, people, now)
            continue
        for patient in sorted({row.patient for row in rows}):
            facts = people.get(patient, PatientFacts(patient))
            mine = sorted(
                (
                    row
                    for row in rows
                    if row.patient == patient and row.quantity in rule.quantities and _seen(row, rule, facts)
                ),
                key=lambda row: (
                    row.at,
                    row.reading_no,
                    ["systolic", "diastolic"].count(row.quantity),
                    row.quantity == "diastolic",
                ),
            )
            said += _of_patient(mine, rule, facts, now)
    return sorted(said)


def _seen(row: Row, rule: Rule, facts: PatientFacts) -> bool:
    """Whether the rule looks at this row at all."""
    if rule.meal is not None and row.meal not in set(rule.meal):
        return False
    leaves_out = rule.flagged == "ignore" or (rule.flagged == "ask" and rule.measure is not None and not rule.reference)
    if leaves_out and row.disturbed:
        return False
    return rule.pregnancy == "any" or _pregnant(facts, row.at) == (rule.pregnancy == "only")


def _pregnant(facts: PatientFacts, at: datetime) -> bool:
    if facts.pregnant_from is None:
        return False
    day = day_of(facts, at)
    return facts.pregnant_from <= day and (facts.delivered_on is None or day <= facts.delivered_on + timedelta(weeks=6))


def _minor(facts: PatientFacts, at: datetime) -> bool:
    if facts.birth_date is None:
        return False
    day = day_of(facts, at)
    years = day.year - facts.birth_date.year - ((day.month, day.day) < (facts.birth_date.month, facts.birth_date.day))
    return years < 18


def _of_patient(mine: list[Row], rule: Rule, facts: PatientFacts, now: datetime) -> list[Said]:
    # As it is, and without jumps: each judged for itself, conditions and all. Where the two differ, somebody has to ask.
    plain, without = (_worst(mine, rule, facts, now, jumps=jumps) for jumps in (True, False))
    late = timedelta(hours=rule.late_after_h)
    said: list[Said] = []
    for key in plain.keys() | without.keys():
        severities = plain.get(key, 0), without.get(key, 0)
        at, number = key
        if at < now - RAISE_WINDOW:
            continue
        severity = max(severities)
        disturbed = rule.flagged == "ask" and any(row.disturbed for row in mine if (row.at, row.reading_no) == key)
        asks = severities[0] != severities[1] or (disturbed and severity < 3)
        said.append(Said(rule.id, facts.patient, at, number, severity, at < now - late, asks))
    return said


def _worst(
    mine: list[Row], rule: Rule, facts: PatientFacts, now: datetime, *, jumps: bool
) -> dict[tuple[datetime, int], int]:
    """Each reading's worst band that holds."""
    worst: dict[tuple[datetime, int], int] = {}
    for band in rule.bands:
        for key in _holding(mine, rule, band, facts, now, jumps=jumps):
            worst.setdefault(key, int(band.severity))
    return worst


def _holding(
    mine: list[Row], rule: Rule, band: Band, facts: PatientFacts, now: datetime, *, jumps: bool
) -> list[tuple[datetime, int]]:
    """The readings for which a band holds."""
    breached: dict[tuple[datetime, int], bool] = {}
    for quantity in rule.quantities:
        track = (
            one_unit([row for row in mine if row.quantity == quantity and math.isfinite(row.value)])
            if rule.measure
            else [row for row in mine if row.quantity == quantity]
        )
        for place, row in enumerate(track):
            key = (row.at, row.reading_no)
            breached.setdefault(key, False)
            if quantity not in band.limits or (rule.ages == "adults" and _minor(facts, row.at)):
                continue
            limit = band.limits[quantity]
            bound = limit.values[rule.measure.unit if rule.measure and rule.measure.unit else row.unit]
            plain, without = amounts(track, place, rule, facts, now)
            amount = plain if jumps else without
            breached[key] |= amount is not None and breaches(amount, bound, str(limit.comparison))
    keys = sorted(breached)
    return [key for place, key in enumerate(keys) if breached[key] and _often(keys, breached, place, band, facts)]


def _often(
    keys: list[tuple[datetime, int]],
    breached: dict[tuple[datetime, int], bool],
    place: int,
    band: Band,
    facts: PatientFacts,
) -> bool:
    condition, (at, _) = band.condition, keys[place]
    if condition is None:
        return True
    if isinstance(condition, OnDays):
        days = {day_of(facts, key[0]) for key in keys if breached[key]}
        today = day_of(facts, at)
        return sum(today - timedelta(days=back) in days for back in range(condition.of_last)) >= condition.breaching
    if isinstance(condition, Readings):
        last = keys[max(0, place - condition.of_last + 1) : place + 1]
        return (
            sum(breached[key] and at - key[0] <= timedelta(hours=condition.within_h) for key in last)
            >= condition.breaching
        )
    if isinstance(condition, Sessions):
        return _in_sessions(keys, breached, place, condition)
    assert isinstance(condition, Lasting)
    began = place
    while (
        began > 0
        and breached[keys[began - 1]]
        and keys[began][0] - keys[began - 1][0] <= timedelta(minutes=condition.gap_max_minutes)
    ):
        began -= 1
    return at - keys[began][0] >= timedelta(minutes=condition.min_minutes)


def _in_sessions(
    keys: list[tuple[datetime, int]], breached: dict[tuple[datetime, int], bool], place: int, condition: Sessions
) -> bool:
    sessions: list[list[tuple[datetime, int]]] = []
    for key in keys:
        if sessions and key[0] - sessions[-1][-1][0] < timedelta(minutes=condition.apart_min):
            sessions[-1].append(key)
        else:
            sessions.append([key])
    here = next(number for number, session in enumerate(sessions) if keys[place] in session)
    began = sessions[here][0][0]
    last = sessions[max(0, here - condition.of_last + 1) : here + 1]
    near = [one for one in last if began - one[0][0] <= timedelta(hours=condition.within_h)]
    return sum(any(breached[key] for key in one) for one in near) >= condition.breaching


def _silences(rows: Sequence[Row], rule: Rule, measure: Missed, people: Person, now: datetime) -> list[Said]:
    said: list[Said] = []
    for patient, facts in people.items():
        mine = sorted(
            (row for row in rows if row.patient == patient and row.quantity in rule.quantities and row.at <= now),
            key=lambda row: (row.at, row.reading_no),
        )
        since = [row.at for row in mine[-1:]] + ([facts.monitored_since] if facts.monitored_since else [])
        if not since or (rule.ages == "adults" and _minor(facts, now)):
            continue
        silent = (now - max(since)) / timedelta(hours=1)
        if measure.times_schedule:
            if facts.every_h is None:
                continue
            silent /= facts.every_h
        severity = _silent_severity(rule, round(silent, 6))
        if severity:
            said.append(Said(rule.id, patient, now, mine[-1].reading_no if mine else -patient, severity, False, False))
    return said


def _silent_severity(rule: Rule, amount: float) -> int:
    for band in rule.bands:
        for limit in band.limits.values():
            if breaches(amount, next(iter(limit.values.values())), str(limit.comparison)):
                return int(band.severity)
    return 0
