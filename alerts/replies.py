"""What an answer to a call acknowledges, by text or by a key of the telephone: exactly one alert, or nothing, and why (F62).

A nurse answers at ten past two with one thumb. Whatever could mean two calls means none: an alert that somebody believes to
have taken, and has not, is a silent one.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

#: What a person can type at night, and what is enough to tell his open calls apart.
CODE_DIGITS: Final = 4
#: The one key that acknowledges; and how many of any kind a call hears, so that nobody hits it by trying.
KEY: Final = "4"
KEYS_MAX: Final = 3
NO_KEY: Final = "No key was pressed. Nothing was acknowledged, and others are called."
#: What carriers and the law (47 CFR 64.1200(a)(10)) take for "no more", where it is the whole text; ARRET in Canada. It is not
#: answered: a carrier may take even that for another message.
STOP_WORDS: Final = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "arret", "arrêt"}
)
START_WORDS: Final = frozenset({"start", "unstop", "yes"})
STARTED: Final = "Calls about alerts reach you here again. To have no more of them, reply STOP."
_WORD: Final = re.compile(r"\s*ack\b", re.IGNORECASE)
_CODE: Final = re.compile(rf"(?<!\d)\d{{{CODE_DIGITS}}}(?!\d)")
TOO_MANY: Final = "Nothing was acknowledged: too many wrong digits came from this number. Open the link of the call, or wait a quarter of an hour."
TOO_LONG: Final = "Nothing was acknowledged: your text came in parts. Reply only ACK and the four digits of one call, such as ACK 4711."
_HOW: Final = "Reply ACK and the four digits of one call, such as ACK 4711."


@dataclass(frozen=True, slots=True)
class Call:
    """A call that went to the number somebody answers from. `waiting`: nobody has its alert yet.

    `told`: which of its alert's calls it belongs to; `anew`: that has become worse since, or calls again, and nobody has it.
    `had_since`: since when who was called has its alert himself, by the practice's clock; empty where he has not.
    """

    alert_id: int
    practice_id: int
    recipient_id: int
    code: str
    waiting: bool
    short_id: str
    told: int
    anew: bool
    had_since: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What is said back, and the call that is acknowledged (None: none is). `missed`: its digits are none of the calls'."""

    said: str
    call: Call | None = None
    missed: bool = False


class Wish(StrEnum):
    """What a text says of texts themselves."""

    STOP = "stop"
    START = "start"


def wish_of(text: str) -> Wish | None:
    """Whether somebody wants no more texts, or wants them again; None: the text is about something else."""
    word = "".join(letter for letter in unicodedata.normalize("NFKC", text).casefold() if letter.isalnum())
    if word in STOP_WORDS:
        return Wish.STOP
    return Wish.START if word in START_WORDS else None


def had_since(at: datetime, zone: str) -> str:
    """The time of day in a practice's zone: what a day has room for, and a voice reads."""
    return f"{at.astimezone(ZoneInfo(zone)):%H:%M %Z}"


def _plain(text: str) -> str:
    """The letters and digits of any keyboard as 7-bit ones; what is no decimal digit (a small or a circled four) becomes none."""
    return "".join(
        str(unicodedata.digit(letter))
        if letter.isdecimal()
        else letter
        if letter.isdigit()
        else unicodedata.normalize("NFKC", letter)
        for letter in text
    )


def reply_to(text: str, calls: Sequence[Call]) -> Reply:
    """What `text` does. `calls`: those that went to the sender's number within a day, whoever's the number is."""
    codes = set(_CODE.findall(_plain(text)))
    if not _WORD.match(_plain(text)) or len(codes) != 1:
        return Reply(f"Nothing was acknowledged. {_HOW}")
    [code] = codes
    meant = [call for call in calls if call.code == code]
    waiting = [call for call in meant if call.waiting]
    if len({(call.alert_id, call.recipient_id) for call in waiting}) > 1:
        return Reply(
            f"Nothing was acknowledged: {code} stands for more than one call. Open the link of the one you mean."
        )
    if waiting:
        return Reply(f"You have alert {waiting[0].short_id}. Nobody else is called. Please look at it now.", waiting[0])
    if any(call.anew for call in meant):
        return Reply(
            "Nothing was acknowledged: since that text the alert has become worse, or called again."
            " Answer the newer one, or open the list of alerts."
        )
    # Digits come back once their alert is taken: the last that bore them are meant.
    if meant and meant[-1].had_since:
        return Reply(
            f"You have alert {meant[-1].short_id} already, since {meant[-1].had_since}. Nobody else is called."
        )
    if meant:
        return Reply("Nothing was acknowledged: somebody has that alert already, or it is closed.")
    # To whom nothing was sent, nothing can be guessed.
    return Reply(f"Nothing was acknowledged: no call to this number has the digits {code}. {_HOW}", missed=bool(calls))


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a key did: `takes` the alert, or what is `said`; `again`: the call hears another."""

    takes: bool
    said: str = ""
    again: bool = False


def pressed(keys: str, *, heard: int) -> Pressed:
    """What `keys` (a call waits for one) do. `heard`: how often this call was answered by key, this time included.

    Beyond KEYS_MAX nothing is heard: a call that has acknowledged counts as that often answered, so none does so twice.
    """
    if heard > KEYS_MAX:
        return Pressed(False, "Nothing was acknowledged. Please open the list of alerts.")
    if keys == KEY:
        return Pressed(True)
    if not keys:
        return Pressed(False, NO_KEY)
    if heard == KEYS_MAX:
        return Pressed(False, "That was another key. Nothing was acknowledged, and others are called.")
    return Pressed(False, f"That was another key. Nothing was acknowledged. If you have it, press {KEY}.", again=True)
