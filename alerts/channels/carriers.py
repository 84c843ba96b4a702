"""Carriers: providers whose own HTTP is spoken here, because apprise asks them for no report and hears no key.

    scheme://ACCOUNT:SECRET@SENDER/{to}            another address of the API: …/{to}?api=http://127.0.0.1:8081

A carrier says later what came of a message, and signs what it says; what it did not sign is not looked at. What stands in
such a URL and means something there (`/`, `+`, `@`) is percent-encoded.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from time import monotonic
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx

from alerts.channels import ATTEMPT_TIMEOUT_S, Answer
from alerts.replies import Wish

#: Seconds a server may take to accept a connection, and between two parts of its answer.
CALL_TIMEOUT_S: Final = 10.0
#: Seconds to say something back to somebody who has answered, by a request of its own: his carrier waits for ours meanwhile.
REPLY_WITHIN_S: Final = 3.0
#: More than any provider says of a message it took.
ANSWER_BYTES_MAX: Final = 65_536
#: Seconds a telephone rings: what is not picked up by then goes by the next way.
RING_S: Final = 25
#: Seconds a call waits for a key once it has asked for one.
KEY_WAIT_S: Final = 8
#: How far a signed time may be from ours: what is older is a replay.
SIGNED_WITHIN: Final = timedelta(minutes=5)

#: What a signed request said: a form's fields, or a JSON object.
Fields = Mapping[str, Any]


class Outcome(StrEnum):
    """What a report says of a message; whatever else a provider says is on the way to one of these."""

    DELIVERED = "delivered"
    NOT_DELIVERED = "not delivered"
    ON_ITS_WAY = "on its way"


@dataclass(frozen=True, slots=True)
class Came:
    """A request before anybody believes it. `url`: as its sender knows it, before any proxy of ours; header names are small."""

    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What a carrier says of one message. `why`: a sentence of ours, never the carrier's own words.

    `message`: its name for the message, where its signature does not cover the address that it says this to. `picked_up`: a
    call waits to be told what to say. `keys`: what was pressed when it asked ("": nothing in time; None: this is not about keys).
    """

    outcome: Outcome = Outcome.ON_ITS_WAY
    why: str = ""
    message: str = ""
    picked_up: bool = False
    keys: str | None = None


@dataclass(frozen=True, slots=True)
class Text:
    """An answer by text. `sender` in E.164. `wish`: what its carrier has taken it for, by words of an account's own.

    `part`: which part it is of a text that was too long for one and is not put together (0: the carrier does not say); None: all
    of it.
    """

    sender: str
    body: str
    wish: Wish | None = None
    part: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What is answered to a carrier's request. `unsaid`: why nothing could be said back, where it takes a request of its own."""

    body: str
    media_type: str
    unsaid: str = ""


class Carrier(Protocol):
    """A provider with an account of ours."""

    def send(self, address: str, *, name: str, body: str, report_to: str, asks: str) -> Answer:
        """Hand one message over; `name` is what people call this provider. The rest: `alerts.channels.Channel.send`."""
        ...

    def believed(self, came: Came, *, now: datetime) -> Fields | None:
        """What a request says, if the carrier has signed it, and lately where it signs the time; None for any other."""
        ...

    def told(self, fields: Fields) -> Told:
        """What it says of the message it is about."""
        ...


@runtime_checkable
class Texts(Protocol):
    """A carrier that brings answers by text."""

    def text(self, fields: Fields) -> Text | None:
        """Who answers what; None: this is nobody's answer."""
        ...

    def replied(self, said: str, *, to: str, name: str) -> Written:
        """Say something back to him (empty: nothing) within REPLY_WITHIN_S; what to answer to the request that brought his text.

        `name` is what people call this provider.
        """
        ...


@runtime_checkable
class Calls(Protocol):
    """A carrier that speaks and hears keys."""

    def spoken(self, said: str, *, asks: bool) -> Written:
        """What makes a call say this, then wait for one key (`asks`) or end. Nothing said: it ends."""
        ...


@dataclass(frozen=True, slots=True)
class Account:
    """What a carrier's URL holds."""

    user: str
    secret: str = field(repr=False)
    #: In E.164.
    sender: str
    api: str
    #: From the URL's query.
    options: Mapping[str, str] = field(repr=False)


def account_of(url: str, *, api: str) -> Account | None:
    """None where the URL lacks an account, its secret (without one anybody could sign) or a sender. `api`: the usual address."""
    parts = urlsplit(url)
    if not (parts.username and parts.password and is_number(parts.hostname or "")):
        return None
    options = dict(parse_qsl(parts.query))
    return Account(
        user=unquote(parts.username),
        secret=unquote(parts.password),
        sender=e164(parts.hostname or ""),
        api=options.get("api", api).rstrip("/"),
        options=options,
    )


def e164(text: str) -> str:
    """A telephone number with its plus, however it stood in a URL or a report."""
    return f"+{unquote(text).lstrip('+')}"


def is_number(address: str) -> bool:
    """Whether a carrier of texts or calls could reach this."""
    return address.isascii() and address.removeprefix("+").isdigit()


class ReaderStopped(Exception):
    """A carrier delivers nothing to this number, because its owner wrote STOP."""


def hand_over(name: str, address: str, call: Callable[[], Sequence[str] | None]) -> Answer:
    """What came of one attempt; `call` says what its reports will call it (None: not taken). What it raises names no address."""
    if not is_number(address):
        return Answer(False, f"{name} cannot write to this address")
    try:
        taken = call()
    except ReaderStopped:
        return Answer(False, f"{name} says that its reader wrote STOP", stopped=True)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Answer(False, f"it could not be handed to {name} ({type(error).__name__})")
    if taken is None:
        return Answer(False, f"{name} did not take it")
    return Answer(True, f"{name} took it", name, tuple(taken))


def post(
    url: str, *, auth: tuple[str, str] | None = None, within_s: float = ATTEMPT_TIMEOUT_S, **content: Any
) -> tuple[int, Any]:
    """Status and JSON (None where it is none), within `within_s` and ANSWER_BYTES_MAX.

    httpx.HTTPError, httpx.InvalidURL or ValueError where there is no such answer. `content`: httpx's `data` or `json`.
    """
    ends = monotonic() + within_s
    said = bytearray()
    with httpx.stream("POST", url, auth=auth, timeout=min(CALL_TIMEOUT_S, within_s), **content) as answer:
        for chunk in answer.iter_bytes():
            said += chunk
            if len(said) > ANSWER_BYTES_MAX or monotonic() > ends:
                raise ValueError("the answer has no end")
    try:
        return answer.status_code, json.loads(said)
    except (ValueError, RecursionError):
        return answer.status_code, None


def form_of(came: Came) -> list[tuple[str, str]]:
    """The fields of a form, in their order."""
    return parse_qsl(came.body.decode("utf-8", "replace"), keep_blank_values=True)


def object_of(came: Came) -> dict[str, Any]:
    """A JSON object; an empty one where there is none."""
    try:
        found = json.loads(came.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
