"""Who is told next, and when after that: policies in steps, until a person has it.

    fallback = ["role:admin"]

    [[policy]]
    severity = "urgent"
    repeat_every_min = 15
    repeat_times = 4
    acknowledged_min = 30

    [[policy.step]]
    after_min = 0
    targets = ["rota:nurses"]

    [[policy.step]]
    after_min = 15
    targets = ["rota:nurses", "role:admin"]

Who acknowledges an alert has `acknowledged_min` to close it or to be at work for that patient (a timer that runs, minutes
written down); then it is open again and calls from the first step (E11). Without that line an acknowledgement has no end.

A policy is of one severity, and may be of one queue and of some care programmes only:

    queue = "technical"                       what does not work, for those who mend it; without it: "clinical"
    programs = ["heart_failure"]              these programmes' patients; without it: everybody

The most particular one counts; what has no technical policy is called by the clinical one of its severity, except what is
routine: that somebody is to be called for a routine finding about a patient says nothing of a chart or a battery. A severity
without any calls nobody. Deadlines are columns, not timers: a late turn finds them due and goes on.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from alerts.channels import Name
from alerts.rota import Override, Person, Rota, week_text
from alerts.rulefile import one_line
from alerts.severity import Severity
from alerts.staff import StaffMember

#: Time at work for the patient counts as something done while it lasts, and so does a timer; one left running for longer
#: than this has been forgotten, too.
TIMER_COUNTS_FOR: Final = timedelta(hours=1)
#: A step waits at most a day: anything longer is a worklist's business.
AFTER_MIN_MAX: Final = 24 * 60
REPEAT_TIMES_MAX: Final = 20

Target = Annotated[
    str, StringConstraints(pattern=r"^(rota:[a-z][a-z0-9_]{1,40}|role:(nurse|support|admin)|staff:[a-z0-9._-]{1,60})$")
]


class EscalationError(ValueError):
    """An escalation file that cannot be used; its text is one line that names the file and the field."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Queue(StrEnum):
    """Whose business an alert is: a patient's state, or something of ours that does not work."""

    CLINICAL = "clinical"
    TECHNICAL = "technical"


class PolicyStep(_Model):
    """`after_min` after the step before (the first: after the alert opened or worsened), tell `targets`.

    `by` these channels, all of them that a person has; without it, or where he has none of them, by his first contact.
    """

    after_min: Annotated[float, Field(ge=0, le=AFTER_MIN_MAX)]
    targets: Annotated[tuple[Target, ...], Field(min_length=1)]
    by: tuple[Name, ...] = ()


class Policy(_Model):
    """The steps of one severity. After the last, it is repeated `repeat_times` times."""

    severity: Annotated[Severity, BeforeValidator(lambda word: Severity.of(str(word)))]
    queue: Queue = Queue.CLINICAL
    programs: tuple[Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,40}$")], ...] = ()
    steps: Annotated[tuple[PolicyStep, ...], Field(alias="step", min_length=1, max_length=10)]
    repeat_every_min: Annotated[float, Field(ge=1, le=AFTER_MIN_MAX)] = 60
    repeat_times: Annotated[int, Field(ge=0, le=REPEAT_TIMES_MAX)] = 0
    acknowledged_min: Annotated[float | None, Field(ge=1, le=7 * AFTER_MIN_MAX)] = None

    @property
    def title(self) -> str:
        """What people call it: `urgent`, `priority, technical`, `urgent for heart_failure`."""
        queue = "" if self.queue is Queue.CLINICAL else f", {self.queue}"
        whose = f" for {', '.join(self.programs)}" if self.programs else ""
        return f"{self.severity.word}{queue}{whose}"

    def step(self, number: int) -> PolicyStep | None:
        """What step `number` (from 0) does; the last one again for its repeats; None after them."""
        if number >= len(self.steps) + self.repeat_times:
            return None
        return self.steps[min(number, len(self.steps) - 1)]

    def wait_before(self, number: int) -> timedelta:
        """How long after the step before it step `number` is due."""
        minutes = self.steps[number].after_min if number < len(self.steps) else self.repeat_every_min
        return timedelta(minutes=minutes)


class Plan(_Model):
    """An escalation file: policies, rotas, and who is called when a step finds nobody."""

    fallback: Annotated[tuple[Person, ...], Field(min_length=1)]
    policies: Annotated[tuple[Policy, ...], Field(alias="policy", min_length=1)]
    rotas: Annotated[tuple[Rota, ...], Field(alias="rota", default=())]

    @model_validator(mode="after")
    def _coherent(self) -> Self:
        taken: set[tuple[Severity, Queue, str]] = set()
        for policy in self.policies:
            for program in policy.programs or ("",):
                key = policy.severity, policy.queue, program
                if key in taken:
                    whose = f" for {program}" if program else ""
                    raise ValueError(f"two {policy.queue} policies of severity {policy.severity.word}{whose}")
                taken.add(key)
        names = [rota.name for rota in self.rotas]
        if len(set(names)) != len(names):
            raise ValueError("two rotas of one name")
        for policy in self.policies:
            for step in policy.steps:
                for target in step.targets:
                    kind, _, name = target.partition(":")
                    if kind == "rota" and name not in names:
                        raise ValueError(f"policy {policy.severity.word}: there is no rota {name!r}")
        return self

    def policy(self, severity: Severity, queue: Queue = Queue.CLINICAL, program: str = "") -> Policy | None:
        """The most particular policy of an alert; None: it calls nobody."""
        for at in (queue,) if severity is Severity.ROUTINE else dict.fromkeys((queue, Queue.CLINICAL)):
            fitting = [policy for policy in self.policies if (policy.severity, policy.queue) == (severity, at)]
            own = next((policy for policy in fitting if program in policy.programs), None)
            found = own or next((policy for policy in fitting if not policy.programs), None)
            if found is not None:
                return found
        return None

    @property
    def programs(self) -> tuple[str, ...]:
        """The care programmes that have a policy of their own."""
        return tuple(sorted({program for policy in self.policies for program in policy.programs}))

    @property
    def acknowledged_for(self) -> dict[tuple[Severity, Queue, str], timedelta | None]:
        """How long an acknowledgement without anything done is waited for, by severity, queue and programme.

        Programme "" is every one without a policy of its own; None: without an end. What has no policy is left out.
        """
        found: dict[tuple[Severity, Queue, str], timedelta | None] = {}
        for severity in Severity:
            for queue in Queue:
                for program in ("", *self.programs):
                    policy = self.policy(severity, queue, program)
                    if policy is not None:
                        minutes = policy.acknowledged_min
                        found[severity, queue, program] = None if minutes is None else timedelta(minutes=minutes)
        return found

    def rota(self, name: str) -> Rota:
        """The rota of that name: the file was checked to have it."""
        return next(rota for rota in self.rotas if rota.name == name)

    def warnings(self) -> list[str]:
        """What may be meant but should be seen: hours of a week that a rota leaves to the fallback."""
        return [
            f"rota {rota.name}: nobody from {week_text(begins)} to {week_text(ends)} ({rota.time_zone})"
            for rota in self.rotas
            for begins, ends in rota.gaps()
        ]


def parse_plan(text: str, *, name: str = "escalation") -> Plan:
    """The plan a TOML text holds. EscalationError (one line) where it cannot be used."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # A number of thousands of digits, or brackets nested as deep, are no TOML either.
        raise EscalationError(f"{name}: not TOML: {error}") from error
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        raise EscalationError(f"{name}: {one_line(error, document)}") from error


def read_plan(path: Path) -> Plan:
    """The plan of a file. EscalationError (one line) where it cannot be read or used."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EscalationError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or 'not UTF-8'}") from error
    return parse_plan(text, name=str(path))


@dataclass(frozen=True, slots=True)
class DueAlert:
    """An alert nobody has acknowledged, whose step number `step` (from 0) is due."""

    alert_id: int
    practice_id: int
    severity: Severity
    step: int
    queue: Queue = Queue.CLINICAL
    program: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to tell now by what (as in PolicyStep), why them, and when the next step is due (None: this was the last)."""

    number: int
    recipients: tuple[StaffMember, ...]
    reason: str
    next_step_at: datetime | None
    by: tuple[Name, ...] = ()


def first_step_at(
    plan: Plan, severity: Severity, *, now: datetime, queue: Queue = Queue.CLINICAL, program: str = ""
) -> datetime | None:
    """When an alert that opens or worsens now is first due; None where it calls nobody."""
    policy = plan.policy(severity, queue, program)
    return now + policy.wait_before(0) if policy else None


def due_step(
    alert: DueAlert,
    plan: Plan,
    staff: Sequence[StaffMember],
    *,
    now: datetime,
    overrides: Sequence[Override] = (),
) -> Step:
    """What the due step of an alert does. `overrides`: of the alert's practice.

    Nobody to be relied upon (an empty rota, an account switched off, a contact nobody has proven): the fallback is called,
    too, and the next step is due at once instead of after its wait. Waits count from `now`, so that a deadline missed while
    everything was down is acted on at once and the person called then still has the full time to answer.
    """
    policy = plan.policy(alert.severity, alert.queue, alert.program)
    step = policy.step(alert.step) if policy else None
    if policy is None or step is None:
        return Step(alert.step, (), f"the {alert.severity.word} policy has no step {alert.step + 1}", None)
    own = [one for one in staff if one.practice_id == alert.practice_id]
    people = tuple(one for one in meant(step.targets, plan, own, overrides, now=now) if one.told)
    more = policy.step(alert.step + 1) is not None
    named = f"step {alert.step + 1} of the {policy.title} policy: {', '.join(step.targets)}"
    if any(one.counts for one in people):
        due = now + policy.wait_before(alert.step + 1) if more else None
        return Step(alert.step, people, named, due, step.by)
    fallback = tuple(one for one in meant(plan.fallback, plan, own, overrides, now=now) if one.told)
    outcome = f"fallback {', '.join(plan.fallback)}" if fallback else "nor by the fallback"
    nobody = "nobody whose contact was proven" if people else "nobody to be reached"
    everybody = tuple(dict.fromkeys((*people, *fallback)))
    return Step(alert.step, everybody, f"{named}: {nobody}, {outcome}", now if more else None, step.by)


def reached(
    targets: Sequence[str],
    plan: Plan,
    staff: Sequence[StaffMember],
    overrides: Sequence[Override] = (),
    *,
    now: datetime,
) -> tuple[StaffMember, ...]:
    """The people behind targets who can be relied upon, each once, in the order of the targets. `staff`: one practice's."""
    return tuple(one for one in meant(targets, plan, staff, overrides, now=now) if one.counts)


def meant(
    targets: Sequence[str],
    plan: Plan,
    staff: Sequence[StaffMember],
    overrides: Sequence[Override] = (),
    *,
    now: datetime,
) -> tuple[StaffMember, ...]:
    """The people behind targets, whether or not they can be told."""
    found: dict[int, StaffMember] = {}
    for target in targets:
        kind, _, name = target.partition(":")
        people = _on_rota(plan.rota(name), staff, overrides, now=now) if kind == "rota" else _named(target, staff)
        for one in people:
            found.setdefault(one.staff_id, one)
    return tuple(found.values())


def _on_rota(
    rota: Rota, staff: Sequence[StaffMember], overrides: Sequence[Override], *, now: datetime
) -> list[StaffMember]:
    """Who is on duty by the rota, with those who stand in for others."""
    people = [one for person in rota.on_duty(now) for one in _named(person, staff)]
    for override in overrides:
        if not override.holds(rota.name, now):
            continue
        others = [] if override.who is None else _named(override.who, staff)
        if override.instead_of is None:
            people += others
            continue
        away = {one.staff_id for one in _named(override.instead_of, staff)}
        people = [new for one in people for new in (others if one.staff_id in away else [one])]
    return people


def _named(person: str, staff: Sequence[StaffMember]) -> list[StaffMember]:
    return [one for one in staff if person in (f"staff:{one.username}", f"role:{one.role}")]
