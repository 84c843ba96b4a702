"""What a message says: that an alert waits, how urgent, and where to look.

A Notice has no field a patient's name, value or condition could come in by, so no template can print one (P8). The step is
in the text because at least once means sometimes twice: two messages of one step are one call.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from alerts.channels import Name
from alerts.replies import KEY
from alerts.severity import Severity

#: Characters of an alert's public id that people compare: enough to tell the open ones of a practice apart.
SHORT_ID: Final = 8
#: Characters of a clinic's name that a voice says: what follows has to be heard, too.
CLINIC_SPOKEN: Final = 60

_ASKS: Final = {
    Severity.URGENT: "Please look at it now.",
    Severity.PRIORITY: "Please look at it today.",
    Severity.ROUTINE: "Please look at it on the next business day.",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """All that a message may be made of. `step` counts from 1.

    `link` acknowledges without a log-in; `code` does so in the answer to a text message (empty: there is none). `others`
    alerts wait for the same person besides this one: then this is a summary, and the list is the place to go.
    """

    severity: Severity
    public_id: UUID
    step: int
    url: str
    clinic: str
    link: str = ""
    code: str = ""
    others: int = 0

    @property
    def short_id(self) -> str:
        """The part of the public id that people compare."""
        return str(self.public_id)[:SHORT_ID]

    @property
    def subject(self) -> str:
        """One line."""
        if self.others:
            return f"{self.others + 1} alerts, {self.severity.word} and less"
        return f"{self.severity.word.capitalize()} alert {self.short_id}, call {self.step}"

    @property
    def body(self) -> str:
        """A few lines of plain text."""
        if self.others:
            return (
                f"{self.clinic}: {self.others + 1} alerts wait for somebody, the gravest is {self.severity.word}."
                f" {_ASKS[self.severity]}\n\n{self.url}\n\n"
                "They came at once, so this is one message for all. It carries no patient data. It is no emergency service.\n"
            )
        without = f"I have it, without a log-in: {self.link}\n\n" if self.link else ""
        return (
            f"{self.clinic}: an alert of severity {self.severity.word} waits for somebody. {_ASKS[self.severity]}\n"
            "\n"
            f"{self.url}\n"
            "\n"
            f"{without}"
            f"Alert {self.short_id}, call {self.step}. Acknowledging it stops further calls.\n"
            "This message carries no patient data. It is no emergency service.\n"
        )

    @property
    def short(self) -> str:
        """One text message."""
        if self.others:
            return f"{self.clinic[:40]}: {self.others + 1} alerts wait, {self.severity.word} and less. {self.url}"
        return f"{self.subject}. {self.link or self.url}"

    @property
    def short_asking(self) -> str:
        """The same where an answer by text is heard. Empty for a summary, and without digits to answer with."""
        if self.others or not self.code:
            return ""
        return f"{self.subject}. Reply ACK {self.code}, or {self.link or self.url}"

    @property
    def spoken(self) -> str:
        """What a voice says, twice: nobody takes it in the first time at ten past two."""
        return f"{self._said} Please open the list of alerts. I repeat. {self._said}"

    @property
    def spoken_asking(self) -> str:
        """The same where a key is heard. Empty for a summary: of many alerts no key takes one."""
        if self.others:
            return ""
        said = f"{self._said} If you have it, press {KEY}: then nobody else is called."
        return f"{said} I repeat. {said}"

    @property
    def _said(self) -> str:
        said = f"{self.clinic[:CLINIC_SPOKEN]}. "
        if self.others:
            return f"{said}{self.others + 1} alerts wait for you. The gravest is {self.severity.word}."
        return f"{said}An alert of severity {self.severity.word} waits for you. {_ASKS[self.severity]}"

    def text_for(self, channel: Name) -> tuple[str, str]:
        """Subject (empty where the channel has none) and text."""
        if channel is Name.SMS:
            return "", self.short
        if channel is Name.VOICE:
            return "", self.spoken
        return self.subject, self.body

    def asks_for(self, channel: Name) -> str:
        """The text for whoever carries answers back: what it asks for, nobody else would hear. Empty: nothing is asked for."""
        if channel is Name.SMS:
            return self.short_asking
        return self.spoken_asking if channel is Name.VOICE else ""
