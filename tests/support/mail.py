"""A mail server that keeps what it is given (aiosmtpd speaks real SMTP)."""

import time
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.provisioning import free_port

WAIT_STEP_S = 0.05


class MailSink:
    """Accepts mail for anybody, or answers `refuse` (for example "451 try later") while that is set."""

    def __init__(self) -> None:
        self.port = free_port()
        self.messages: list[EmailMessage] = []
        #: Envelope recipients of each message, in the same order.
        self.recipients: list[tuple[str, ...]] = []
        self.refuse: str | None = None
        self._controller: Controller | None = None

    @property
    def url(self) -> str:
        """What RPM_MAIL_URL is set to; `{to}` stands for the recipient."""
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&from=alerts@clinic.example&to={{to}}"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one message. Runs in the sink's own thread."""
        del server, session
        if self.refuse is not None:
            return self.refuse
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        self.recipients.append(tuple(envelope.rcpt_tos))
        self.messages.append(message_from_bytes(raw, policy=policy.default))
        return "250 kept"

    def start(self) -> "MailSink":
        """Listen on the sink's port."""
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()
        return self

    def stop(self) -> None:
        """Stop listening: the next mail finds nobody."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None

    def wait(self, number: int, *, timeout_s: float = 30.0) -> list[EmailMessage]:
        """The messages, as soon as there are `number`; AssertionError after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while len(self.messages) < number:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {number} mails came in {timeout_s} s"
            time.sleep(WAIT_STEP_S)
        return self.messages


@pytest.fixture
def mail_sink() -> Iterator[MailSink]:
    """A mail server of this test's own, listening."""
    sink = MailSink().start()
    yield sink
    sink.stop()
