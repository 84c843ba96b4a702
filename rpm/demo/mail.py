"""A mail server that shows what arrives on the demo's own screen. Real SMTP; the mail goes no further."""

from collections.abc import Callable
from email import message_from_bytes, policy
from typing import Final

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

SENDER: Final = "alerts@maple-street.example"


class MailSink:
    """Accepts mail for anybody; tells `arrived(recipient, subject)` of each."""

    def __init__(self, port: int, arrived: Callable[[str, str], None]) -> None:
        self.port, self._arrived = port, arrived
        self._controller = Controller(self, hostname="127.0.0.1", port=port)

    @property
    def url(self) -> str:
        """What RPM_MAIL_URL is set to."""
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&from={SENDER}&to={{to}}"

    def start(self) -> "MailSink":
        """Listen."""
        self._controller.start()
        return self

    def stop(self) -> None:
        """Listen no more."""
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """One mail."""
        del server, session
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        subject = str(message_from_bytes(raw, policy=policy.default)["subject"])
        for recipient in envelope.rcpt_tos:
            self._arrived(recipient, subject)
        return "250 kept"
