"""Who would be told at ten past two on Sunday, by what, in what order, and why: a plan played through, nothing sent (F54).

The very decisions that call people are asked, so what is shown is what would happen if nobody answered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from alerts.channels import Name
from alerts.escalation import DueAlert, Plan, Policy, Queue, due_step, first_step_at
from alerts.rota import Override
from alerts.severity import Severity
from alerts.staff import StaffMember

#: More than any plan may have (ten steps, twenty repeats): a loop that never ends is a fault, not a wait.
CALLS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Call:
    """One step of an alert nobody answers: when, whom by what, and why them. Nobody: the step reaches no one."""

    at: datetime
    number: int
    tellings: tuple[tuple[StaffMember, tuple[Name, ...]], ...]
    reason: str

    @property
    def recipients(self) -> tuple[StaffMember, ...]:
        """Whom."""
        return tuple(person for person, _ in self.tellings)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What would happen. `policy` None: this alert calls nobody and waits on the list."""

    policy: Policy | None
    calls: tuple[Call, ...]


def simulate(
    plan: Plan,
    severity: Severity,
    staff: Sequence[StaffMember],
    overrides: Sequence[Override] = (),
    *,
    at: datetime,
    practice_id: int,
    queue: Queue = Queue.CLINICAL,
    program: str = "",
) -> Simulation:
    """Play an alert that opens at `at` (aware) and that nobody acknowledges, to its last call."""
    policy = plan.policy(severity, queue, program)
    due = first_step_at(plan, severity, now=at, queue=queue, program=program)
    calls: list[Call] = []
    while due is not None and len(calls) < CALLS_MAX:
        alert = DueAlert(0, practice_id, severity, len(calls), queue, program)
        step = due_step(alert, plan, staff, now=due, overrides=overrides)
        tellings = tuple(
            (person, tuple(contact.channel for contact in person.first_contacts(step.by))) for person in step.recipients
        )
        calls.append(Call(due, len(calls) + 1, tellings, step.reason))
        due = step.next_step_at
    return Simulation(policy, tuple(calls))
