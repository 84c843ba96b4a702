"""One patient's record, whole: everything of them in the database, as rows of JSON, table by table (F41).

Left out is what follows from the rest (newest values, days and weeks) and the messages as they came: one may bring another
person's readings. Each reading has its device's own bytes, and the hash of the message it came in.
"""

import json
from collections.abc import Iterator
from typing import Final

from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("record")
#: In the order in which somebody reads it.
TABLES: Final = (
    "patient", "enrolment", "device_assignment", "reading", "observation", "held", "correction", "patient_limit", "limit_decision",
    "patient_pause", "patient_fact", "alert",
    "notification", "repeat_wait", "gateway_request", "time_entry", "claim_adjustment", "audit",
)  # fmt: skip


def lines(connection: Connection, table: str, *, practice_id: int, patient_id: int) -> Iterator[str]:
    """One table's rows of a patient, each as a line of JSON."""
    for row in connection.execute(_SQL[table], {"practice_id": practice_id, "patient_id": patient_id}):
        yield json.dumps(row["row"], ensure_ascii=False, sort_keys=True)
