"""Judge patients with news, and held items nobody has looked at: claim → decide → save, in one transaction.

The claim, the alerts, their events and the cleared news are committed together or not at all, so an evaluator may be
killed at any point: the patient still has news (H1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Self

import numpy as np
import structlog

from alerts.escalation import Plan, first_step_at
from alerts.evaluate import evaluate, memory_of, window_of
from alerts.evaluate import unruled as unruled_of
from alerts.facts import Facts
from alerts.findings import Findings
from alerts.layers import Layer
from alerts.lifecycle import Change, ChangeReason, fold, settled
from alerts.repeats import Outcome, Waiting
from alerts.rules import Rule
from alerts.series import Ints
from alerts.severity import Severity
from alerts.verify import Verification, verify
from rpm import trouble
from rpm.limits import limits_of
from rpm.store import alerts, facts, pauses, plans, repeats, series, unruled, worklist
from rpm.store.database import Connection, Database
from schemas.codes import BY_NAME

log = structlog.get_logger()

#: Patients judged in one transaction: some tens of thousands of values, some tens of milliseconds.
CLAIM_LIMIT: Final = 200
#: The same after a claim that was full: everybody has news, and of many at once each takes half the time.
SWEEP_LIMIT: Final = 1000
HELD_LIMIT: Final = 100
#: A value's time may be this far ahead of the clock and still be admitted; it is judged then.
AHEAD_MAX: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What it takes to judge: the rules and, because an alert may call, the plan of practices that have none of their own."""

    rules: tuple[Rule, ...]
    plan: Plan
    #: Signed limits of programmes and practices.
    layers: tuple[Layer, ...] = ()

    @property
    def window(self) -> timedelta:
        """How far back values matter: what may open an alert, and what the longest rule compares it with."""
        return window_of(self.rules)

    @property
    def memory(self) -> timedelta:
        """How far back closed alerts matter: as long as they own a reading of the window, or keep their rule quiet."""
        return memory_of(self.rules)

    @property
    def codes(self) -> tuple[int, ...]:
        """What the rules look at; and the whole blood pressure, which a sentence shows."""
        names = {name for rule in self.rules for name in rule.quantities}
        if names & {"systolic", "diastolic"}:
            names |= {"systolic", "diastolic"}
        return tuple(sorted(BY_NAME[name].number for name in names))


@dataclass(frozen=True, slots=True)
class Report:
    """What one run did. `more`: a full claim, so there may be more to do at once."""

    patients: int
    values: int
    written: int
    held: int
    failed_rules: tuple[str, ...]
    more: bool

    @property
    def done(self) -> int:
        """How much there was to do."""
        return self.patients + self.held


class Judge:
    """Judges turn after turn: a few patients as their news comes, many at a time while there are many."""

    def __init__(self, database: Database, judgement: Judgement) -> None:
        self._database, self._judgement = database, judgement
        self._limit = CLAIM_LIMIT

    def turn(self, now: datetime) -> Report:
        """Judge what is claimed once; a turn that fails is followed by a small one."""
        limit, self._limit = self._limit, CLAIM_LIMIT
        report = run_once(self._database, now=now, judgement=self._judgement, limit=limit)
        if report.patients == limit:
            self._limit = SWEEP_LIMIT
        return report


def run_once(database: Database, *, now: datetime, judgement: Judgement, limit: int = CLAIM_LIMIT) -> Report:
    """Judge at most `limit` patients, then HELD_LIMIT held items, each in a transaction of its own."""
    with database.transaction() as connection:
        claimed = series.claim_news(connection, limit=limit)
        values, findings, changes = _judge(connection, sorted(claimed), judgement, now=now)
        written = _save(connection, changes, claimed, judgement, now=now)
        _wait(connection, findings, claimed, now=now)
        told = {claimed[change.alert.patient] for change in changes if change.reason is not ChangeReason.UNCHANGED}
        told |= _report_failures(connection, findings, set(claimed.values()), judgement, now=now)
        told |= _tell_unruled(connection, findings.unruled, claimed, judgement, now=now)
        worklist.announce(connection, *told)
    for failure in findings.failures:
        log.error("rule_failed", rule=failure.rule_id, version=failure.rule_version, error=failure.error)
    if findings.limits.ignored:
        log.warning("patient_limits_ignored", count=len(findings.limits.ignored))
    if findings.limits.refused:
        log.warning("limits_refused", count=len(findings.limits.refused))
    with database.transaction() as connection:
        held = series.claim_held(connection, limit=HELD_LIMIT)
        worklist.announce(connection, *_verify(connection, held, judgement, now=now))
    failed = tuple(failure.rule_id for failure in findings.failures)
    return Report(len(claimed), values, written, len(held), failed, len(claimed) == limit or len(held) == HELD_LIMIT)


def _judge(
    connection: Connection, patients: Sequence[int], judgement: Judgement, *, now: datetime
) -> tuple[int, Findings, list[Change]]:
    since = now - judgement.window
    known = alerts.of_patients(connection, patients, since=now - judgement.memory)
    loaded = series.window(connection, patients=patients, codes=judgement.codes, since=since, until=now + AHEAD_MAX)
    limits = limits_of(connection, patients, judgement.rules, judgement.layers)
    findings = evaluate(
        loaded,
        judgement.rules,
        limits=limits,
        now=now,
        settled=settled((*known.open, *known.closed), judgement.rules),
        facts=Facts.of(facts.of_patients(connection, patients, now=now)),
        unasked=repeats.unasked(connection, patients, now=now),
    )
    return len(loaded), findings, fold(known.open, findings, now=now, rules=judgement.rules)


def _save(
    connection: Connection,
    changes: Sequence[Change],
    practice_of: Mapping[int, int],
    judgement: Judgement,
    *,
    now: datetime,
) -> int:
    """Write what changed; how many."""
    changed = [change for change in changes if change.reason is not ChangeReason.UNCHANGED]
    if not changed:
        return 0
    numbers = {value["reading_no"] for change in changed for value in change.alert.headline.evidence.get("values", [])}
    reading_ids = series.reading_ids(connection, sorted(numbers), since=now - judgement.window, until=now + AHEAD_MAX)
    calls = _Calls.of(connection, judgement.plan, [change.alert.patient for change in changed], now=now)
    for change in changed:
        practice_id, alert = practice_of[change.alert.patient], change.alert
        alerts.save(
            connection,
            change,
            practice_id=practice_id,
            next_step_at=calls.first(
                practice_id, alert.patient, alert.severity, late=alert.late or alert.asks, now=now
            ),
            reading_ids=reading_ids,
        )
    return len(changed)


def _wait(connection: Connection, findings: Findings, practice_of: Mapping[int, int], *, now: datetime) -> None:
    """Write down which first readings wait for a second one, until when, and what became of those that did."""
    found: dict[tuple[int, int], Waiting] = {}
    for one in findings.waiting():
        # A reading that two rules wait for waits once: for the one that calls it worse.
        known = found.setdefault((one.patient, one.reading_no), one)
        if one.severity > known.severity:
            found[(one.patient, one.reading_no)] = one
    before = repeats.waiting(connection, sorted(practice_of)) if practice_of else []
    silent = {failure.rule_id for failure in findings.failures}
    for known in before:
        if (known.patient_id, known.reading_no) in found:
            continue
        if known.rule_id in silent:
            # It said nothing of anybody: that ends no wait.
            repeats.again(connection, known, now=now)
            continue
        outcome = findings.outcome(known.reading_no, known.rule_id) or Outcome.GONE
        repeats.finish(connection, known, outcome, now=now)
    repeats.save(connection, found.values(), practice_of, now=now)


@dataclass(frozen=True, slots=True)
class _Calls:
    """When alerts first call: the plan of each practice, and the care programme of each patient."""

    plans: plans.Plans
    programs: Mapping[int, str]
    paused: frozenset[int]

    @classmethod
    def of(cls, connection: Connection, default: Plan, patients: Sequence[int], *, now: datetime) -> Self:
        """As they stand now."""
        return cls(
            plans.current(connection, default),
            plans.programs_of(connection, patients),
            pauses.running(connection, patients, now=now),
        )

    def first(
        self, practice_id: int, patient: int | None, severity: Severity, *, late: bool, now: datetime
    ) -> datetime | None:
        """When a new or worsened alert calls; late ones and questions never do, whatever a policy says of their severity.

        Of a patient who is away only what is urgent does.
        """
        if patient in self.paused and severity < Severity.URGENT:
            return None
        program = "" if patient is None else self.programs.get(patient, "")
        return None if late else first_step_at(self.plans.of(practice_id), severity, program=program, now=now)


def _report_failures(
    connection: Connection, findings: Findings, practices: set[int], judgement: Judgement, *, now: datetime
) -> set[int]:
    """A rule that raised: one technical alert per practice and rule; the practices that got a new one."""
    told: set[int] = set()
    current = plans.current(connection, judgement.plan) if findings.failures else plans.Plans(judgement.plan)
    for failure in findings.failures:
        for practice_id in sorted(practices):
            opened = trouble.tell(
                connection,
                current,
                practice_id=practice_id,
                rule_id=f"rule_failed.{failure.rule_id}",
                rule_version=failure.rule_version,
                reason=f"The rule {failure.rule_id} could not be applied ({failure.error}); other rules still work",
                # Of two patients it may fail in two ways, turn by turn.
                state=["failed"],
                now=now,
            )
            if opened:
                told.add(practice_id)
    return told


def _tell_unruled(
    connection: Connection, minors: Ints, claimed: Mapping[int, int], judgement: Judgement, *, now: datetime
) -> set[int]:
    """Whose readings nothing judges, because they are under 18 and have no orders: somebody must know; the practices told."""
    people = [int(patient) for patient in minors]
    calls = _Calls.of(connection, judgement.plan, people, now=now) if people else None
    told: set[int] = set()
    for patient in people:
        assert calls is not None
        practice_id = claimed[patient]
        first = calls.first(practice_id, patient, unruled.UNRULED_SEVERITY, late=False, now=now)
        if unruled.tell(connection, practice_id=practice_id, patient_id=patient, next_step_at=first, now=now):
            told.add(practice_id)
    return told


def _verify(
    connection: Connection, held: Sequence[series.HeldItem], judgement: Judgement, *, now: datetime
) -> set[int]:
    """Look for reds among held items; the practices that got an alert."""
    told: set[int] = set()
    if not held:
        return told
    owners = sorted({item.patient_id for item in held if item.patient_id is not None})
    limits = limits_of(connection, owners, judgement.rules, judgement.layers)
    known = Facts.of(facts.of_patients(connection, owners, now=now))
    calls = _Calls.of(connection, judgement.plan, owners, now=now)
    for item in held:
        found: Verification | None = None
        if item.open:
            found = verify(item.item, judgement.rules, patient=item.patient_id, limits=limits, facts=known, now=now)
        if found is not None:
            alerts.open_verification(
                connection,
                found,
                practice_id=item.practice_id,
                patient_id=item.patient_id,
                held_id=item.held_id,
                next_step_at=calls.first(item.practice_id, item.patient_id, found.severity, late=found.late, now=now),
                now=now,
            )
            told.add(item.practice_id)
    whose = {item.patient_id: item.practice_id for item in held if item.open and item.patient_id is not None}
    told |= _tell_unruled(
        connection, unruled_of(np.array(sorted(whose), np.int64), limits, known, now=now), whose, judgement, now=now
    )
    series.mark_judged(connection, [item.held_id for item in held], now=now)
    return told
