"""How a message leaves the house: what a channel is, and what it answers.

A channel answers; it does not raise. What a server said of a recipient's address is not repeated in an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

#: Seconds one attempt with one provider may take in all: a server that answers every command late.
ATTEMPT_TIMEOUT_S: Final = 30.0
#: A message that the first provider does not take goes to the second in the same attempt.
PROVIDERS_MAX: Final = 2


class Name(StrEnum):
    """The ways to reach a person, as they stand in a contact and in a message's row."""

    EMAIL = "email"
    SMS = "sms"
    VOICE = "voice"
    CHAT = "chat"
    PUSH = "push"
    WEBHOOK = "webhook"

    @property
    def word(self) -> str:
        """As people write it."""
        return "e-mail" if self is Name.EMAIL else self.value


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt. `detail` is a sentence of ours, free of addresses; `provider` who took it.

    `stopped`: its reader wants no more of them, says the provider, and will get none. `message_ids`: what it calls what it took (one for each part), where its reports say so; empty where their address does.
    """

    accepted: bool
    detail: str
    provider: str = ""
    message_ids: tuple[str, ...] = ()
    stopped: bool = False


class Channel(Protocol):
    """One way to reach people."""

    def send(self, address: str, *, subject: str, body: str, report_to: str = "", asks: str = "") -> Answer:
        """Try once, within ATTEMPT_TIMEOUT_S for each of at most PROVIDERS_MAX providers.

        `report_to`: where a provider may say later what came of it; `{provider}` in it stands for the provider's name.
        `asks`: what is said in place of `body` by whoever brings answers back, a text's or a key's.
        """
        ...


class ChannelError(ValueError):
    """A channel's setting cannot be used; its text is one line that says what to do."""


#: What an installation can send by.
Channels = Mapping[Name, Channel]


class NoChannel:
    """Stands where nothing is set up: every attempt fails, and says so on the alert's timeline."""

    def __init__(self, detail: str) -> None:
        self._detail = detail

    def send(self, address: str, *, subject: str, body: str, report_to: str = "", asks: str = "") -> Answer:
        """Never accepted."""
        del address, subject, body, report_to, asks
        return Answer(False, self._detail)
