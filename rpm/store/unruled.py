"""Whose readings no rule judges: under 18, without orders. A nurse is told, by an alert as any other."""

from datetime import datetime, timedelta
from typing import Final

from psycopg.types.json import Jsonb

from alerts.severity import Severity
from rpm.store import alerts
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("unruled")

#: Under this name a nurse is told whose readings nothing judges; the same day, and again where that stays so.
UNRULED: Final = "no_rules_apply"
UNRULED_SEVERITY: Final = Severity.PRIORITY
UNRULED_AGAIN: Final = timedelta(days=30)


def tell(
    connection: Connection, *, practice_id: int, patient_id: int, next_step_at: datetime | None, now: datetime
) -> bool:
    """Of a patient whose readings no rule judges; False where that was told within UNRULED_AGAIN."""
    fields = {
        "practice_id": practice_id,
        "patient_id": patient_id,
        "rule_id": UNRULED,
        "band": UNRULED_SEVERITY.word,
        "severity": int(UNRULED_SEVERITY),
        "reason": "No rules apply: under 18, and no limits were ordered. Nothing this patient measures is judged",
        "evidence": Jsonb({"values": []}),
        "next_step_at": next_step_at,
        "since": now - UNRULED_AGAIN,
        "now": now,
    }
    row = connection.execute(_SQL["tell"], fields).fetchone()
    if row is None:
        return False
    alerts.add_event(
        connection, practice_id=practice_id, alert_id=row["id"], at=now, kind="opened", reason="opened: no rules apply"
    )
    return True
