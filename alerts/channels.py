"""How a message leaves the house: e-mail through apprise, which alone is named here and nowhere else.

A channel answers; it does not raise. What a server said of a recipient's address is not repeated in an answer.
"""

import logging
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

import apprise

#: The channel's name in a notification's row.
EMAIL: Final = "email"
#: Seconds a mail server may take to accept a connection, and to answer each command.
CALL_TIMEOUT_S: Final = 10.0
#: Seconds one attempt may take in all: a server that answers every command late.
ATTEMPT_TIMEOUT_S: Final = 30.0

# Apprise logs addresses and server answers; what matters of them comes back as an Answer.
logging.getLogger("apprise").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt. `detail` is a sentence of ours, free of addresses."""

    accepted: bool
    detail: str


class Channel(Protocol):
    """One way to reach people."""

    def send(self, address: str, *, subject: str, body: str) -> Answer:
        """Try once, within ATTEMPT_TIMEOUT_S."""
        ...


class ChannelError(ValueError):
    """A channel's setting cannot be used; its text is one line that says what to do."""


class EmailChannel:
    """E-mail by an apprise URL in which `{to}` stands for the recipient."""

    def __init__(self, url: str) -> None:
        """ChannelError where the URL names no recipient's place or is none of apprise's."""
        if "{to}" not in url:
            raise ChannelError("RPM_MAIL_URL must hold {to} where the recipient goes, e.g. mailto://host:25?to={to}")
        self._url = url
        if not self._made("nobody@example.com"):
            raise ChannelError("RPM_MAIL_URL is not an apprise URL: see github.com/caronc/apprise/wiki")

    def _made(self, address: str) -> Any:
        """An apprise object (it ships loose types) that writes to one address; None where it cannot."""
        separator = "&" if "?" in self._url else "?"
        timeouts = f"{separator}cto={CALL_TIMEOUT_S}&rto={CALL_TIMEOUT_S}"
        made: Any = apprise.Apprise()
        return made if made.add(self._url.replace("{to}", quote(address, safe="@")) + timeouts) else None

    def send(self, address: str, *, subject: str, body: str) -> Answer:
        """Hand one mail to the server. Accepted means that the server took it, not that somebody read it."""
        made = self._made(address)
        if made is None:
            return Answer(False, "the address cannot be written to")
        try:
            accepted = made.notify(
                title=subject, body=body, body_format=apprise.NotifyFormat.TEXT, timeout=ATTEMPT_TIMEOUT_S
            )
        except (OSError, TypeError, ValueError) as error:
            return Answer(False, f"the mail could not be handed over ({type(error).__name__})")
        return Answer(True, "the mail server took it") if accepted else Answer(False, "the mail server did not take it")


class NoChannel:
    """Stands where nothing is set up: every attempt fails, and says so on the alert's timeline."""

    def send(self, address: str, *, subject: str, body: str) -> Answer:
        """Never accepted."""
        del address, subject, body
        return Answer(False, "no e-mail is set up: RPM_MAIL_URL is empty")


class AlarmChannel:
    """One whole apprise URL, recipient and all: how the watcher tells whoever looks after an installation."""

    def __init__(self, url: str) -> None:
        """ChannelError where the URL is none of apprise's; its text does not repeat it, for it holds a password."""
        self._made: Any = apprise.Apprise()
        if not self._made.add(url):
            raise ChannelError("is not an apprise URL: see github.com/caronc/apprise/wiki")

    def send(self, *, subject: str, body: str) -> Answer:
        """Hand one message to the provider, within ATTEMPT_TIMEOUT_S."""
        try:
            accepted = self._made.notify(
                title=subject, body=body, body_format=apprise.NotifyFormat.TEXT, timeout=ATTEMPT_TIMEOUT_S
            )
        except (OSError, TypeError, ValueError) as error:
            return Answer(False, f"the message could not be handed over ({type(error).__name__})")
        return Answer(True, "taken") if accepted else Answer(False, "not taken")
