"""Look for what is otherwise in closed months of billing by what became known since, and write it down.

Counted anew and compared, month by month: whatever made the difference, it is found. Nothing has to remember to say so.
"""

from datetime import datetime
from typing import Final

from rpm.store import billing, closing
from rpm.store.database import Database

#: Of each practice, this many closed months are looked at: a claim may be filed for a year. Older ones when they are shown.
MONTHS_MAX: Final = 14


def run_once(database: Database, *, now: datetime, limit: int = MONTHS_MAX) -> int:
    """Look at the newest closed months of every practice, each in a transaction of its own; the adjustments added."""
    with database.transaction() as connection:
        closed = [
            (practice, month)
            for practice in billing.practices(connection)
            for month in closing.months(connection, practice.practice_id, limit=limit)
        ]
    added = 0
    for practice, month in closed:
        with database.transaction() as connection:
            added += closing.notice(connection, practice, month, now=now)
    return added
