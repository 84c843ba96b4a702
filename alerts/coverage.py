"""Whether somebody can be reached, now and for days ahead: the hours in which a first call would find nobody (E3, F60).

Looked at before it matters: when a plan is saved, and every day. Between two instants at which somebody may come or go
nothing changes, so one look at each such stretch is a look at every minute of it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.escalation import Plan, Policy, meant, reached
from alerts.rota import Override
from alerts.staff import StaffMember

#: As far ahead as people plan their shifts.
AHEAD: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Gap:
    """From `begins` to `ends` (UTC) the first step of `policy` reaches nobody, and why. `fallback`: whether that does."""

    policy: str
    begins: datetime
    ends: datetime
    reason: str
    fallback: bool

    @property
    def minutes(self) -> int:
        """How long, by the clock that never jumps."""
        return round((self.ends - self.begins) / timedelta(minutes=1))


def gaps(
    plan: Plan,
    staff: Sequence[StaffMember],
    overrides: Sequence[Override] = (),
    *,
    now: datetime,
    ahead: timedelta = AHEAD,
) -> list[Gap]:
    """What is not covered from `now` on, policy by policy, in the order of time. `staff`: one practice's."""
    until = now + ahead
    instants = _changes(plan, overrides, since=now, until=until)
    found: list[Gap] = []
    for policy in plan.policies:
        for begins, ends in itertools.pairwise(instants):
            reason = _uncovered(policy, plan, staff, overrides, at=begins)
            if reason is None:
                continue
            fallback = bool(reached(plan.fallback, plan, staff, overrides, now=begins))
            gap = Gap(policy.title, begins, ends, reason, fallback)
            before = found[-1] if found else None
            if before and (before.policy, before.ends, before.reason, before.fallback) == (
                gap.policy,
                gap.begins,
                gap.reason,
                gap.fallback,
            ):
                found[-1] = Gap(gap.policy, before.begins, gap.ends, gap.reason, gap.fallback)
            else:
                found.append(gap)
    return found


def uncovered_minutes(found: Sequence[Gap]) -> int:
    """How many minutes lie in a gap of any policy, each counted once."""
    minutes = 0
    until: datetime | None = None
    for gap in sorted(found, key=lambda gap: gap.begins):
        begins = gap.begins if until is None else max(gap.begins, until)
        minutes += max(0, round((gap.ends - begins) / timedelta(minutes=1)))
        until = gap.ends if until is None else max(gap.ends, until)
    return minutes


def _changes(plan: Plan, overrides: Sequence[Override], *, since: datetime, until: datetime) -> list[datetime]:
    """`since`, each instant after it at which somebody may come or go, and `until`; in order, none twice."""
    instants = {since, until}
    for rota in plan.rotas:
        instants.update(rota.changes(since, until))
    for override in overrides:
        instants.update(at for at in (override.begins, override.ends) if since < at < until)
    return sorted(instants)


def _uncovered(
    policy: Policy, plan: Plan, staff: Sequence[StaffMember], overrides: Sequence[Override], *, at: datetime
) -> str | None:
    """Why the policy's first step reaches nobody at an instant; None where it reaches somebody."""
    targets = policy.steps[0].targets
    people = meant(targets, plan, staff, overrides, now=at)
    if any(one.counts for one in people):
        return None
    if not people:
        return f"nobody is {'on duty' if all(target.startswith('rota:') for target in targets) else 'meant'} by {', '.join(targets)}"
    why = [f"{one.username} {_because(one)}" for one in people]
    return f"nobody can be reached: {', '.join(sorted(why))}"


def _because(person: StaffMember) -> str:
    if not person.active:
        return "is switched off"
    return "has proven no contact" if person.contacts else "has no contact"
