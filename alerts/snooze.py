"""How long an alert may wait because somebody said so: a choice of spans, shorter the more it asks of a person.

A snooze is an acknowledgement with an agreed end. It ends by itself, and before that by anything worse: a higher severity, or
another red reading of the same episode (`alerts.lifecycle`).
"""

from datetime import datetime, timedelta
from typing import Final

from alerts.severity import Severity

#: Minutes. What is urgent waits for a call back at most, never for the next shift.
CHOICES: Final = {
    Severity.URGENT: (15, 30, 60),
    Severity.PRIORITY: (60, 4 * 60, 24 * 60),
    Severity.ROUTINE: (4 * 60, 24 * 60, 3 * 24 * 60),
}


def snoozed_until(severity: Severity, minutes: int, *, now: datetime) -> datetime | None:
    """When a snooze of so many minutes ends; None where an alert of this severity may not wait that long."""
    return now + timedelta(minutes=minutes) if minutes in CHOICES[severity] else None
