"""Alerts that call: whose next step is due, and whose acknowledgement came to nothing. "Due" is a column, not a timer (E4)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.escalation import Plan, Queue
from alerts.severity import Severity
from rpm.store.alerts import add_event
from rpm.store.database import Connection
from rpm.store.plans import Plans
from rpm.store.queries import load
from rpm.store.silences import UPKEEP

_SQL = load("calls")
#: Of the other loops' silence what nobody is called for.
_WAITS: Final = {"waits": UPKEEP, "routine": int(Severity.ROUTINE)}


@dataclass(frozen=True, slots=True)
class Due:
    """An alert whose step number `step` (from 0) was just claimed. `armed` counts how often it has called."""

    alert_id: int
    practice_id: int
    severity: Severity
    step: int
    armed: int
    queue: Queue
    program: str


def claim_due(connection: Connection, *, now: datetime, limit: int) -> list[Due]:
    """Alerts whose call is due, each moved one step on in the same statement. Whoever claims must set the next step."""
    rows = connection.execute(_SQL["claim_due"], {"now": now, "limit": limit}).fetchall()
    found = [
        Due(
            alert_id=row["id"],
            practice_id=row["practice_id"],
            severity=Severity(row["severity"]),
            step=row["step"],
            armed=row["armed"],
            queue=Queue.TECHNICAL if row["kind"] == "technical" else Queue.CLINICAL,
            program=row["program"] or "",
        )
        for row in rows
    ]
    return sorted(found, key=lambda due: (-due.severity, due.alert_id))


def reopen_forgotten(
    connection: Connection, plans: Plans, *, timers_since: datetime, now: datetime, limit: int
) -> list[int]:
    """Open again what somebody acknowledged and then did nothing about for longer than allowed; the practices told.

    What a plan gives no end is waited for. A timer begun before `timers_since` no longer counts as
    being at work.
    """
    lines = [
        (practice_id, *line, span)
        for practice_id, plan in _plans_by_practice(plans)
        for line, span in plan.acknowledged_for.items()
    ]
    rows = connection.execute(
        _SQL["reopen_forgotten"],
        {
            "practices": [practice_id for practice_id, *_ in lines],
            "severities": [int(severity) for _, severity, *_ in lines],
            "technical": [queue is Queue.TECHNICAL for _, _, queue, *_ in lines],
            "programs": [program for *_, program, _ in lines],
            "seconds": [None if span is None else span.total_seconds() for *_, span in lines],
            "own": list(plans.own),
            "timers_since": timers_since,
            "now": now,
            "limit": limit,
            **_WAITS,
        },
    ).fetchall()
    for row in rows:
        minutes = round((now - row["acknowledged_at"]) / timedelta(minutes=1))
        add_event(
            connection,
            practice_id=row["practice_id"],
            alert_id=row["id"],
            at=now,
            kind="reopened",
            reason=f"acknowledged {minutes} minutes ago, and nothing was done since",
            detail={"acknowledged_by": row["acknowledged_by"]},
        )
    return [row["practice_id"] for row in rows]


def end_snoozes(connection: Connection, *, now: datetime, limit: int) -> list[int]:
    """Open again what was to wait until now; the practices told."""
    rows = connection.execute(_SQL["end_snoozes"], {"now": now, "limit": limit, **_WAITS}).fetchall()
    for row in rows:
        add_event(
            connection,
            practice_id=row["practice_id"],
            alert_id=row["id"],
            at=now,
            kind="snooze_ended",
            reason=f"it was to wait until now: {row['snooze_reason']}",
        )
    return [row["practice_id"] for row in rows]


def _plans_by_practice(plans: Plans) -> list[tuple[int | None, Plan]]:
    """None stands for all practices without a plan of their own."""
    return [(None, plans.default), *plans.own.items()]


def set_next_step(connection: Connection, alert_id: int, next_step_at: datetime | None) -> None:
    """When the step after the claimed one is due; None: it was the last."""
    connection.execute(_SQL["set_next_step"], {"alert_id": alert_id, "next_step_at": next_step_at})


def call_sooner(connection: Connection, alert_id: int, *, now: datetime) -> None:
    """A message could not be delivered: the next step is due now."""
    connection.execute(_SQL["call_sooner"], {"alert_id": alert_id, "now": now})
