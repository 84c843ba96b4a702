"""By when an alert wants an answer. The response clock of the clinical rules: 15 minutes, 4 hours, a day."""

from datetime import datetime, timedelta
from typing import Final

#: Severity number → how long after opening somebody should have it. Elapsed time; office hours are not counted yet.
ANSWER_WITHIN: Final = {3: timedelta(minutes=15), 2: timedelta(hours=4), 1: timedelta(days=1)}


def due_at(severity: int, opened_at: datetime) -> datetime:
    """When an open alert is due."""
    return opened_at + ANSWER_WITHIN[severity]
