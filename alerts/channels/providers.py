"""Providers: whoever carries a message, by apprise, which is named here alone, or by a carrier of ours (`carriers`).

A provider is a URL in which `{to}` stands for the recipient: one of apprise's (`mailto://…?to={to}`, `twilio://SID:TOKEN@FROM/{to}`)
or one of a carrier of ours (`twiliosms://…`), which says what it delivered.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

import apprise

from alerts.channels import ATTEMPT_TIMEOUT_S, Answer, ChannelError, Name
from alerts.channels.carriers import CALL_TIMEOUT_S, Calls, Carrier, Texts
from alerts.channels.own import carrier_of

#: What must parse where `{to}` stands, to know at the start that a URL can be used: an address of each kind.
_SAMPLE: Final = {Name.EMAIL: "nobody@example.com", Name.SMS: "+15550100100", Name.VOICE: "+15550100100"}
#: What a carrier of ours must be able to do for a channel; it serves no other.
_CARRIES: Final = {Name.SMS: Texts, Name.VOICE: Calls}

# Apprise logs addresses and server answers; what matters of them comes back as an Answer.
logging.getLogger("apprise").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Provider:
    """Who carries messages of one channel. `name` is what people read on an alert's timeline.

    ChannelError where the URL is a carrier's of ours and lacks something.
    """

    name: str
    url: str = field(repr=False)
    #: None: apprise carries it, and nothing more is heard of it.
    carrier: Carrier | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Read the URL once."""
        object.__setattr__(self, "carrier", carrier_of(self.url))

    def usable(self, sample: str) -> bool:
        """Whether messages can be sent by this URL, as far as that shows without sending one."""
        return self.carrier is not None or self._made(sample) is not None

    def send(self, address: str, *, subject: str, body: str, report_to: str = "", asks: str = "") -> Answer:
        """Hand one message over. Accepted means that the provider took it, not that somebody read it."""
        if self.carrier is not None:
            report_to = report_to.replace("{provider}", self.name)
            return self.carrier.send(address, name=self.name, body=body, report_to=report_to, asks=asks)
        made = self._made(address)
        if made is None:
            return Answer(False, f"{self.name} cannot write to this address")
        return _hand_over(made, self.name, subject=subject, body=body)

    def _made(self, address: str) -> Any:
        """An apprise object (it ships loose types) that writes to one address; None where it cannot."""
        separator = "&" if "?" in self.url else "?"
        timeouts = f"{separator}cto={CALL_TIMEOUT_S}&rto={CALL_TIMEOUT_S}"
        made: Any = apprise.Apprise()
        return made if made.add(self.url.replace("{to}", quote(address, safe="@+")) + timeouts) else None


class ByProviders:
    """A channel with a provider, and another that is asked where the first does not take a message (F59)."""

    def __init__(self, name: Name, providers: Sequence[Provider]) -> None:
        """ChannelError where a URL names no recipient's place, is none of apprise's, or a carrier's of another channel."""
        for provider in providers:
            carries = _CARRIES.get(name)
            if provider.carrier is not None and (carries is None or not isinstance(provider.carrier, carries)):
                raise ChannelError(
                    f"channel {name}, provider {provider.name}: its URL carries another channel's messages"
                )
            if name is not Name.WEBHOOK and "{to}" not in provider.url:
                raise ChannelError(
                    f"channel {name}, provider {provider.name}: the URL must hold {{to}} for the recipient"
                )
            if not provider.usable(_SAMPLE.get(name, "nobody")):
                raise ChannelError(
                    f"channel {name}, provider {provider.name}: not an apprise URL (github.com/caronc/apprise/wiki)"
                )
        self._providers = tuple(providers)

    def send(self, address: str, *, subject: str, body: str, report_to: str = "", asks: str = "") -> Answer:
        """The first that takes it; what each said where none does. Who wrote STOP to one is not written to by the next."""
        refused: list[Answer] = []
        for provider in self._providers:
            answer = provider.send(address, subject=subject, body=body, report_to=report_to, asks=asks)
            if answer.accepted or answer.stopped:
                return replace(answer, detail=_joined(*refused, answer))
            refused.append(answer)
        return Answer(False, _joined(*refused))


def _joined(*answers: Answer) -> str:
    return "; ".join(one.detail for one in answers)


class AlarmChannel:
    """One whole apprise URL, recipient and all: how the watcher tells whoever looks after an installation."""

    def __init__(self, url: str) -> None:
        """ChannelError where the URL is none of apprise's; its text does not repeat it, for it holds a password."""
        self._made: Any = apprise.Apprise()
        if not self._made.add(url):
            raise ChannelError("is not an apprise URL: see github.com/caronc/apprise/wiki")

    def send(self, *, subject: str, body: str) -> Answer:
        """Hand one message to the provider, within ATTEMPT_TIMEOUT_S."""
        return _hand_over(self._made, "the provider", subject=subject, body=body)


def _hand_over(made: Any, name: str, *, subject: str, body: str) -> Answer:
    """One attempt by apprise; what it raises names no address."""
    try:
        accepted = made.notify(
            title=subject, body=body, body_format=apprise.NotifyFormat.TEXT, timeout=ATTEMPT_TIMEOUT_S
        )
    except (OSError, TypeError, ValueError) as error:
        return Answer(False, f"it could not be handed to {name} ({type(error).__name__})")
    return Answer(True, f"{name} took it", name) if accepted else Answer(False, f"{name} did not take it")
