"""Calls by Sinch, which asks what to say when somebody picks up, and says what was pressed and how it ended.

    sinchvoice://APPLICATION_KEY:APPLICATION_SECRET@CALLER_NUMBER/{to}

The request is the one of Sinch's Voice API: POST /calling/v1/callouts with basic authentication, 200 with a callId where it was
taken. A call that is reported on is a "custom callout" with answering machine detection, whose events (ACE: picked up, PIE:
keys, DICE: ended) come to an address of ours and are answered in SVAML; any other is a "text to speech callout". Events are
signed ("Callback request signing"): HMAC-SHA256, with the secret, over verb, MD5 of the body, type, time and path.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from urllib.parse import urlsplit

import httpx

from alerts.channels import Answer
from alerts.channels.carriers import (
    KEY_WAIT_S,
    RING_S,
    SIGNED_WITHIN,
    Account,
    Came,
    Fields,
    Outcome,
    Told,
    Written,
    account_of,
    e164,
    hand_over,
    object_of,
    post,
)

API_URL: Final = "https://calling.api.sinch.com"
CALLOUTS: Final = "/calling/v1/callouts"
LOCALE: Final = "en-US"
#: What an account may have said at once, unless Sinch was asked for more.
SAID_MAX: Final = 600
_FAILED: Final = {
    "BUSY": "the line is busy",
    "NOANSWER": "nobody picked up",
    "FAILED": "the number cannot be called",
}


def signature(secret: str, *, path: str, body: bytes, content_type: str, timestamp: str) -> str:
    """What Sinch writes behind its application key. ValueError where the secret is none of Sinch's (base64)."""
    digest = base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
    signed = f"POST\n{digest}\n{content_type}\nx-timestamp:{timestamp}\n{path}"
    key = base64.b64decode(secret, validate=True)
    return base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()


@dataclass(frozen=True, slots=True)
class SinchCalls:
    """`sinchvoice://`."""

    account: Account

    def send(self, address: str, *, name: str, body: str, report_to: str, asks: str) -> Answer:
        """See `Carrier`. What a call that is reported on says, it is told when it is picked up."""
        del asks
        number = e164(address)
        asked = self._custom(number, report_to) if report_to else self._spoken_only(number, body)
        return hand_over(name, address, lambda: self._post(asked))

    def believed(self, came: Came, *, now: datetime) -> Fields | None:
        """An event of our application, signed within SIGNED_WITHIN of now."""
        timestamp = came.headers.get("x-timestamp", "")
        expected = signature(
            self.account.secret,
            path=urlsplit(came.url).path,
            body=came.body,
            content_type=came.headers.get("content-type", ""),
            timestamp=timestamp,
        )
        scheme, _, given = came.headers.get("authorization", "").partition(" ")
        ours = f"{self.account.user}:{expected}"
        if scheme.lower() != "application" or not hmac.compare_digest(given.encode(), ours.encode()):
            return None
        at = _instant(timestamp)
        return object_of(came) if at is not None and abs(now - at) <= SIGNED_WITHIN else None

    def told(self, fields: Fields) -> Told:
        """Of a call, by the event it is. A machine that picked up is a call that reached nobody."""
        event = str(fields.get("event", "")).lower()
        if event == "ace":
            status = str(_object(fields, "amd").get("status", "")).lower()
            if status == "machine":
                return Told(Outcome.NOT_DELIVERED, "a machine answered", picked_up=True)
            outcome = Outcome.DELIVERED if status == "human" else Outcome.ON_ITS_WAY
            return Told(outcome, "a person answered", picked_up=True)
        if event == "pie":
            return _pressed(_object(fields, "menuResult"))
        if event == "dice" and fields.get("result") in _FAILED:
            return Told(Outcome.NOT_DELIVERED, _FAILED[fields["result"]])
        return Told()

    def spoken(self, said: str, *, asks: bool) -> Written:
        """As SVAML. Nothing said ends the call."""
        if not said:
            svaml: dict[str, Any] = {"instructions": [], "action": {"name": "hangup"}}
        elif asks:
            # What stands in brackets is read; a bracket or a semicolon of ours would end it.
            menu = {
                "id": "main",
                "mainPrompt": f"#tts[{re.sub(r'[][;]', ' ', said)[:SAID_MAX]}]",
                "repeats": 0,
                "maxDigits": 1,
                "timeoutMills": KEY_WAIT_S * 1000,
            }
            svaml = {"instructions": [], "action": {"name": "runMenu", "locale": LOCALE, "menus": [menu]}}
        else:
            say = {"name": "say", "text": said[:SAID_MAX], "locale": LOCALE}
            svaml = {"instructions": [say], "action": {"name": "hangup"}}
        return Written(json.dumps(svaml), "application/json")

    def _custom(self, number: str, report_to: str) -> dict[str, Any]:
        connect = {
            "name": "connectPstn",
            "number": number,
            "cli": self.account.sender,
            "dialTimeout": RING_S,
            "amd": {"enabled": True, "async": False},
        }
        events = dict.fromkeys(("ace", "pie", "dice"), report_to)
        return {
            "method": "customCallout",
            "customCallout": {"ice": json.dumps({"instructions": [], "action": connect}), **events},
        }

    def _spoken_only(self, number: str, body: str) -> dict[str, Any]:
        return {
            "method": "ttsCallout",
            "ttsCallout": {
                "cli": self.account.sender,
                "destination": {"type": "number", "endpoint": number},
                "domain": "pstn",
                "locale": LOCALE,
                "text": body[:SAID_MAX],
            },
        }

    def _post(self, asked: dict[str, Any]) -> tuple[()] | None:
        account = self.account
        status, said = post(f"{account.api}{CALLOUTS}", auth=(account.user, account.secret), json=asked)
        # Its signature covers the address, and that names the message.
        return () if status == httpx.codes.OK and isinstance(said, dict) and "callId" in said else None


def calls(url: str) -> SinchCalls | None:
    """None where the URL lacks something, or its secret could sign nothing."""
    account = account_of(url, api=API_URL)
    try:
        if account is not None:
            base64.b64decode(account.secret, validate=True)
    except binascii.Error:
        return None
    return SinchCalls(account) if account else None


def _pressed(result: Mapping[str, Any]) -> Told:
    kind, value = str(result.get("type", "")).lower(), str(result.get("value") or "")
    if kind in {"sequence", "return", "invalidinput"}:
        return Told(Outcome.DELIVERED, "a key was pressed", keys=value or "?")
    # Who hangs up is told nothing more; who waits is told that nothing was acknowledged.
    return Told(keys="") if kind == "timeout" else Told()


def _object(fields: Fields, name: str) -> Mapping[str, Any]:
    found = fields.get(name)
    return cast("Mapping[str, Any]", found) if isinstance(found, dict) else {}


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
