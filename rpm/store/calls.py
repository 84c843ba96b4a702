"""Alerts that call: whose next step is due, and whose acknowledgement came to nothing. "Due" is a column, not a timer (E4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.severity import Severity
from rpm.store.alerts import add_event
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("calls")


@dataclass(frozen=True, slots=True)
class Due:
    """An alert whose step number `step` (from 0) was just claimed. `armed` counts how often it has called."""

    alert_id: int
    practice_id: int
    severity: Severity
    step: int
    armed: int


def claim_due(connection: Connection, *, now: datetime, limit: int) -> list[Due]:
    """Alerts whose call is due, each moved one step on in the same statement. Whoever claims must set the next step."""
    rows = connection.execute(_SQL["claim_due"], {"now": now, "limit": limit}).fetchall()
    found = [Due(row["id"], row["practice_id"], Severity(row["severity"]), row["step"], row["armed"]) for row in rows]
    return sorted(found, key=lambda due: (-due.severity, due.alert_id))


def reopen_forgotten(
    connection: Connection, allowed: Mapping[Severity, timedelta], *, timers_since: datetime, now: datetime, limit: int
) -> list[int]:
    """Open again what somebody acknowledged and then did nothing about for longer than allowed; the practices told.

    `allowed`: per severity, those without an entry are waited for without an end. A timer begun before `timers_since`
    no longer counts as being at work.
    """
    rows = connection.execute(
        _SQL["reopen_forgotten"],
        {
            "severities": [int(severity) for severity in allowed],
            "seconds": [span.total_seconds() for span in allowed.values()],
            "timers_since": timers_since,
            "now": now,
            "limit": limit,
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


def set_next_step(connection: Connection, alert_id: int, next_step_at: datetime | None) -> None:
    """When the step after the claimed one is due; None: it was the last."""
    connection.execute(_SQL["set_next_step"], {"alert_id": alert_id, "next_step_at": next_step_at})


def call_sooner(connection: Connection, alert_id: int, *, now: datetime) -> None:
    """A message could not be delivered: the next step is due now."""
    connection.execute(_SQL["call_sooner"], {"alert_id": alert_id, "now": now})
