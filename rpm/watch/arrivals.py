"""Where the synthetic patient's pages arrive: a small SMTP door of the watcher's own, or a Maildir somebody fills.

Only what names an alert counts, and only what is addressed to the test contact. The rest is refused or left alone.
"""

import mailbox
import re
import threading
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.errors import MessageError
from pathlib import Path
from typing import Final, Protocol

from alerts.notices import SHORT_ID
from rpm.errors import UserError
from rpm.watch.judge import Arrival

#: What a Notice's subject says of its alert.
_NAMED: Final = re.compile(rf"\balert ([0-9a-f]{{{SHORT_ID}}})\b")
MAIL_BYTES_MAX: Final = 65_536
WAITING_MAX: Final = 200
#: Mails taken from a Maildir in one look.
TAKEN_MAX: Final = 200


def alert_of(raw: bytes) -> str | None:
    """The alert a mail's subject names; None where it names none."""
    try:
        subject = str(message_from_bytes(raw[:MAIL_BYTES_MAX], policy=policy.default)["subject"] or "")
    except (MessageError, ValueError, LookupError):
        return None
    found = _NAMED.search(subject)
    return found.group(1) if found else None


class Arrivals(Protocol):
    """Where mails arrive."""

    def take(self, *, now: datetime) -> list[Arrival]:
        """What came since it was last asked."""
        ...

    def close(self) -> None:
        """Take nothing in any more."""
        ...


class Nowhere:
    """No synthetic patient is waited for."""

    def take(self, *, now: datetime) -> list[Arrival]:
        """Nothing."""
        del now
        return []

    def close(self) -> None:
        """Nothing to close."""


class SmtpDoor:
    """Listens for the test contact's mail, and for nobody else's. What came is remembered until it is taken, bounded."""

    def __init__(self, place: str, recipient: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """UserError where the port cannot be had."""
        from aiosmtpd.controller import Controller

        host, _, port = place.rpartition(":")
        self._recipient = recipient.lower()
        self._clock = clock
        self._lock = threading.Lock()
        self._came: deque[Arrival] = deque(maxlen=WAITING_MAX)
        self._controller = Controller(
            self, hostname=host.strip("[]"), port=int(port), data_size_limit=MAIL_BYTES_MAX, ready_timeout=10
        )
        try:
            self._controller.start()
        except OSError as error:
            raise UserError(f"synthetic.smtp: cannot listen on {place}: {error.strerror}") from error

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: object, _session: object, envelope: "_Envelope", address: str, _options: list[str]
    ) -> str:
        """Only the test contact has a mailbox here."""
        if address.lower() != self._recipient:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: object, _session: object, envelope: "_Envelope"
    ) -> str:
        """One mail: what it names is remembered, the rest thrown away."""
        content = envelope.content
        raw = content.encode() if isinstance(content, str) else content or b""
        named = alert_of(raw)
        if named is None:
            return "550 names no alert"
        with self._lock:
            self._came.append(Arrival(named, self._clock()))
        return "250 arrived"

    def take(self, *, now: datetime) -> list[Arrival]:
        """What came since it was last asked, each with its own instant."""
        del now
        with self._lock:
            came = list(self._came)
            self._came.clear()
        return came

    def close(self) -> None:
        """Listen no more."""
        self._controller.stop()


class _Envelope(Protocol):
    """What aiosmtpd hands over of a mail."""

    rcpt_tos: list[str]
    content: bytes | str | None


class MaildirDoor:
    """Takes mails out of a Maildir, at most TAKEN_MAX a look; those that name no alert stay where they are."""

    def __init__(self, folder: Path) -> None:
        """UserError where it is no Maildir."""
        if not all((folder / part).is_dir() for part in ("cur", "new", "tmp")):
            raise UserError(f"synthetic.maildir: {folder} is no Maildir (it has no cur, new and tmp)")
        self._folder = folder

    def take(self, *, now: datetime) -> list[Arrival]:
        """What is there: it arrived now, as far as anybody here can tell."""
        box = mailbox.Maildir(self._folder, create=False)
        came: list[Arrival] = []
        for key in sorted(box.keys())[:TAKEN_MAX]:
            try:
                named = alert_of(box.get_bytes(key))
                if named is not None:
                    came.append(Arrival(named, now))
                    box.discard(key)
            except (OSError, KeyError):
                continue  # somebody else took it
        return came

    def close(self) -> None:
        """Nothing to close."""
