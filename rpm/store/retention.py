"""What is let go for its age: whole chunks of a hypertable, each with all it may hold, and on the record.

Chunks go, not rows: that takes milliseconds, whatever they hold, and leaves nothing to clean up. So the last week goes only
once all of it is old enough.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rpm.audit import Action
from rpm.store import audit
from rpm.store.database import Connection
from rpm.store.locks import Lock
from rpm.store.queries import load

_SQL = load("retention")
#: Chunks of a table let go in one transaction: whoever waits for its locks waits that long.
CHUNKS_MAX: Final = 8
#: What goes together: a value without its reading says nothing.
TOGETHER: Final = {"message": ("message",), "reading": ("observation", "reading")}


@dataclass(frozen=True, slots=True)
class Dropped:
    """What went: chunks, rows, and the instant before which nothing is there any more."""

    relation: str
    chunks: int
    rows: int
    before: datetime


def drop(connection: Connection, relation: str, *, before: datetime, now: datetime) -> Dropped | None:
    """Let go of the oldest chunks of `message` or `reading` that end at or before `before`, CHUNKS_MAX at most.

    None where there is none, or another worker is at it. It stands on the record of every practice that had rows.
    """
    row = connection.execute(_SQL["one_at_a_time"], {"key": Lock.LET_GO}).fetchone()
    if row is None or not row["mine"]:
        return None
    asked = {"relation": relation, "before": before, "limit": CHUNKS_MAX}
    chunks = connection.execute(_SQL["oldest_chunks"], asked).fetchall()
    if not chunks:
        return None
    end: datetime = chunks[-1]["range_end"]
    rows = connection.execute(_SQL[f"rows_of_{relation}"], {"before": end}).fetchall()
    for table in TOGETHER[relation]:
        connection.execute(_SQL["drop_chunks"], {"relation": table, "before": end})
    connection.execute(_SQL["remember"], {"relation": relation, "before": end})
    for row in rows:
        audit.append(
            connection, practice_id=row["practice_id"], staff_id=None, patient_id=None, action=Action.LET_GO,
            detail={"relation": relation, "rows": row["number"], "before": end.isoformat()}, now=now,
        )  # fmt: skip
    return Dropped(relation, len(chunks), sum(row["number"] for row in rows), end)


def dropped_before(connection: Connection, relation: str) -> datetime | None:
    """Before when nothing of a table is there any more; None: nothing was let go."""
    row = connection.execute(_SQL["dropped_before"], {"relation": relation}).fetchone()
    return None if row is None else row["dropped_before"]
