"""A second provider of calls: Sinch's text-to-speech callout, as an apprise scheme of its own (apprise calls by Twilio alone).

    sinchvoice://APPLICATION_KEY:APPLICATION_SECRET@CALLER_NUMBER/{to}

The request is the one of Sinch's Voice API, "Text to speech" callout: POST /calling/v1/callouts with basic authentication;
the answer to one that was taken is 200 with a callId.
"""

from typing import Any, Final
from urllib.parse import unquote

import apprise
import httpx

SCHEME: Final = "sinchvoice"
CALLOUTS_URL: Final = "https://calling.api.sinch.com/calling/v1/callouts"
CALL_TIMEOUT_S: Final = 10.0


def call(*, key: str, secret: str, caller: str, number: str, text: str) -> bool:
    """Ask for one call; whether it was taken. Numbers in E.164."""
    asked = {
        "method": "ttsCallout",
        "ttsCallout": {
            "cli": caller,
            "destination": {"type": "number", "endpoint": number},
            "domain": "pstn",
            "locale": "en-US",
            "text": text,
        },
    }
    try:
        answer = httpx.post(CALLOUTS_URL, json=asked, auth=(key, secret), timeout=CALL_TIMEOUT_S)
        return answer.status_code == httpx.codes.OK and "callId" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False


# apprise ships no types.
_apprise: Any = apprise


@_apprise.decorators.notify(on=SCHEME, name="Sinch Voice")
def _sinch_voice(body: str, title: str, _kind: str, *_: Any, meta: dict[str, Any], **__: Any) -> bool:
    """What apprise calls for a URL of this scheme; `meta` is the URL taken apart."""
    number = unquote(meta.get("fullpath") or "").strip("/")
    text = ". ".join(part for part in (title, body) if part)
    return call(
        key=unquote(meta.get("user") or ""),
        secret=unquote(meta.get("password") or ""),
        caller=_number(meta.get("host") or ""),
        number=_number(number),
        text=text,
    )


def _number(text: str) -> str:
    return f"+{unquote(text).lstrip('+')}"
