"""The mail server of the night: real SMTP, takes its time, and can take it for ever. What it kept is what people were told."""

import asyncio
import re
import threading
from collections import Counter
from email import message_from_bytes, policy
from typing import Final, Self
from uuid import UUID

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.support.provisioning import free_port

_LINK: Final = re.compile(r"/alerts/([0-9a-f-]{36})")
#: Between two looks whether it may go on.
LOOK_S: Final = 0.05
TOLD = tuple[UUID, str]


class Provider:
    """Use as a context manager. `told` counts messages by (alert, recipient); `hang` set: it answers nobody."""

    def __init__(self, *, takes_s: float) -> None:
        self.told: Counter[TOLD] = Counter()
        self.hang = threading.Event()
        self._takes_s = takes_s
        self.port = free_port()
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)

    @property
    def url(self) -> str:
        """What RPM_MAIL_URL is set to."""
        return f"mailto://127.0.0.1:{self.port}?mode=insecure&from=alerts@clinic.example&to={{to}}"

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.hang.clear()
        self._controller.stop()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one message; the answer comes later, so that a sender can be killed in between. Runs in a thread of its own."""
        del server, session
        if self.hang.is_set():
            while self.hang.is_set():
                await asyncio.sleep(LOOK_S)
            return "451 too late"
        content = envelope.content
        message = message_from_bytes(
            content if isinstance(content, bytes) else (content or "").encode(), policy=policy.default
        )
        body = message.get_body(("plain",))
        found = _LINK.search(body.get_content() if body else "")
        assert found is not None, "every message says where to look"
        self.told[UUID(found[1]), envelope.rcpt_tos[0]] += 1
        await asyncio.sleep(self._takes_s)
        return "250 kept"
