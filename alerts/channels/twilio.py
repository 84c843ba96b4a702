"""Text messages by Twilio, which says later what became of each: apprise's own Twilio asks for no report.

    twiliosms://ACCOUNT_SID:AUTH_TOKEN@SENDER_NUMBER/{to}            another address of the API: …/{to}?api=http://127.0.0.1:8081

The request is the one of Twilio's Messages resource: POST /2010-04-01/Accounts/{sid}/Messages.json, a form, basic
authentication; 201 with a sid where it was taken. Reports and answers come as forms that Twilio signs ("Webhooks security"):
HMAC-SHA1, with the auth token, over the address and every field's name and value in the order of the names.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

import httpx

from alerts.channels import Answer

SCHEME: Final = "twiliosms"
API_URL: Final = "https://api.twilio.com"
CALL_TIMEOUT_S: Final = 10.0
SIGNATURE_HEADER: Final = "X-Twilio-Signature"


class Outcome(StrEnum):
    """What a report says of a message; whatever else Twilio says is on the way to one of these."""

    DELIVERED = "delivered"
    NOT_DELIVERED = "not delivered"
    ON_ITS_WAY = "on its way"


def outcome_of(status: str) -> Outcome:
    """What Twilio's word for a message's status means."""
    if status in {"delivered", "read"}:
        return Outcome.DELIVERED
    return Outcome.NOT_DELIVERED if status in {"undelivered", "failed", "canceled"} else Outcome.ON_ITS_WAY


def send(url: str, *, name: str, body: str, report_to: str) -> Answer:
    """Hand one message over. `url`: the provider's, with the recipient in it; `report_to`: where it says what came of it."""
    parts = urlsplit(url)
    number = unquote(parts.path).strip("/")
    if not number.lstrip("+").isdigit():
        return Answer(False, f"{name} cannot write to this address")
    api = parse_qs(parts.query).get("api", [API_URL])[0].rstrip("/")
    form = {"To": _number(number), "From": _number(parts.hostname or ""), "Body": body}
    if report_to:
        form["StatusCallback"] = report_to
    sid = unquote(parts.username or "")
    try:
        answer = httpx.post(
            f"{api}/2010-04-01/Accounts/{sid}/Messages.json",
            data=form,
            auth=(sid, unquote(parts.password or "")),
            timeout=CALL_TIMEOUT_S,
        )
        taken = answer.status_code == httpx.codes.CREATED and "sid" in answer.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return Answer(False, f"it could not be handed to {name} ({type(error).__name__})")
    return Answer(True, f"{name} took it", name) if taken else Answer(False, f"{name} did not take it")


def usable(url: str) -> bool:
    """Whether a provider's URL holds all that is needed."""
    parts = urlsplit(url)
    return bool(parts.username and parts.password and (parts.hostname or "").lstrip("+").isdigit())


def secret_of(url: str) -> str:
    """What Twilio signs with: the account's auth token."""
    return unquote(urlsplit(url).password or "")


def signature(secret: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """What Twilio writes into its header for a form that it sends to `url`."""
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()).decode()


def signed_by(secret: str, url: str, fields: Sequence[tuple[str, str]], given: str) -> bool:
    """Whether a form comes from whoever has the secret."""
    return hmac.compare_digest(signature(secret, url, fields).encode(), given.encode())


def _number(text: str) -> str:
    return f"+{unquote(text).lstrip('+')}"
