"""What a message says: that an alert waits, how urgent, and where to look.

A Notice has no field a patient's name, value or condition could come in by, so no template can print one (P8). The step is
in the text because at least once means sometimes twice: two messages of one step are one call.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from alerts.severity import Severity

#: Characters of an alert's public id that people compare: enough to tell the open ones of a practice apart.
SHORT_ID: Final = 8

_ASKS: Final = {
    Severity.URGENT: "Please look at it now.",
    Severity.PRIORITY: "Please look at it today.",
    Severity.ROUTINE: "Please look at it on the next business day.",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """All that a message may be made of. `step` counts from 1."""

    severity: Severity
    public_id: UUID
    step: int
    url: str
    clinic: str

    @property
    def subject(self) -> str:
        """One line."""
        return f"{self.severity.word.capitalize()} alert {str(self.public_id)[:SHORT_ID]}, call {self.step}"

    @property
    def body(self) -> str:
        """A few lines of plain text."""
        return (
            f"{self.clinic}: an alert of severity {self.severity.word} waits for somebody. {_ASKS[self.severity]}\n"
            "\n"
            f"{self.url}\n"
            "\n"
            f"Alert {str(self.public_id)[:SHORT_ID]}, call {self.step}. Acknowledging it stops further calls.\n"
            "This message carries no patient data. It is no emergency service.\n"
        )
