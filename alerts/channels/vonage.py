"""Texts by Vonage, which says later what became of each: apprise's own Vonage asks for no report.

    vonagesms://API_KEY:API_SECRET@SENDER_NUMBER/{to}?signature=SIGNATURE_SECRET

The request is the one of Vonage's SMS API: POST /sms/json, a form; 200 with status "0" for each part that was taken. Delivery
receipts and answers come as a form or as JSON, by the account's setting. They must be signed ("Signing messages"; Vonage
switches it on when asked), with the method SHA-256 HMAC: over `&name=value` of every field in the order of the names.
"""

import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, cast

import httpx

from alerts.channels import ATTEMPT_TIMEOUT_S, Answer
from alerts.channels.carriers import (
    REPLY_WITHIN_S,
    SIGNED_WITHIN,
    Account,
    Came,
    Fields,
    Outcome,
    Text,
    Told,
    Written,
    account_of,
    e164,
    form_of,
    hand_over,
    object_of,
    post,
)

API_URL: Final = "https://rest.nexmo.com"
_TAKEN: Final = "0"
_PLAIN: Final = "text/plain"
#: Answers on their way at once: whoever brings a text waits in one of the pages' threads.
REPLIES_AT_ONCE: Final = 2
_replying = threading.BoundedSemaphore(REPLIES_AT_ONCE)


def signature(secret: str, fields: Mapping[str, str]) -> str:
    """What Vonage writes into `sig` beside these fields. It replaces `&` and `=` in values; its names hold neither."""
    kept = {name: value.replace("&", "_").replace("=", "_") for name, value in fields.items() if name != "sig"}
    signed = "".join(f"&{name}={kept[name]}" for name in sorted(kept))
    return hmac.new(secret.encode(), signed.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class VonageTexts:
    """`vonagesms://`."""

    account: Account

    def send(self, address: str, *, name: str, body: str, report_to: str, asks: str) -> Answer:
        """See `Carrier`."""
        return self._send(address, name=name, text=asks or body, report_to=report_to, within_s=ATTEMPT_TIMEOUT_S)

    def _send(self, address: str, *, name: str, text: str, report_to: str, within_s: float) -> Answer:
        account = self.account
        form = {
            "api_key": account.user,
            "api_secret": account.secret,
            "from": account.sender.removeprefix("+"),
            "to": e164(address).removeprefix("+"),
            "text": text,
            "type": "text" if text.isascii() else "unicode",
        }
        if report_to:
            form |= {"status-report-req": "1", "callback": report_to}
        return hand_over(name, address, lambda: self._post(form, within_s=within_s))

    def believed(self, came: Came, *, now: datetime) -> Fields | None:
        """What Vonage signed within SIGNED_WITHIN of now, and says of which message."""
        if came.headers.get("content-type", "").startswith("application/json"):
            fields = {name: str(value) for name, value in object_of(came).items()}
        else:
            fields = dict(form_of(came))
        if any({"&", "="} & set(name) for name in fields):
            return None
        expected = signature(self.account.options["signature"], fields)
        if not hmac.compare_digest(expected.encode(), fields.get("sig", "").lower().encode("utf-8", "replace")):
            return None
        at = _instant(fields.get("timestamp", ""))
        if at is None or abs(now - at) > SIGNED_WITHIN or not fields.get("messageId"):
            return None
        return fields

    def told(self, fields: Fields) -> Told:
        """Of the message it names, by Vonage's word for its status: anybody could send it on to another message's address."""
        status, message = fields.get("status", ""), fields["messageId"]
        if status == "delivered":
            return Told(Outcome.DELIVERED, "it arrived", message)
        if status in {"expired", "failed", "rejected"}:
            return Told(Outcome.NOT_DELIVERED, "it did not arrive", message)
        return Told()

    def text(self, fields: Fields) -> Text | None:
        """See `Texts`. A receipt is signed like an answer. Parts of a long text come one by one ("Concatenated inbound messages")."""
        if "status" in fields:
            return None
        part = fields.get("concat-part", "")
        whole = fields.get("concat", "").lower() != "true" and not part
        number = int(part) if part.isascii() and part.isdigit() else 0
        return Text(e164(fields.get("msisdn", "")), fields.get("text", ""), part=None if whole else number)

    def replied(self, said: str, *, to: str, name: str) -> Written:
        """As a text of its own: Vonage takes none from the answer to a request. It is tried once, and not beside many others."""
        if not said:
            return Written("", _PLAIN)
        if not _replying.acquire(blocking=False):
            return Written("", _PLAIN, unsaid=f"{name} has not answered earlier ones yet")
        try:
            answer = self._send(to, name=name, text=said, report_to="", within_s=REPLY_WITHIN_S)
        finally:
            _replying.release()
        return Written("", _PLAIN, unsaid="" if answer.accepted else answer.detail)

    def _post(self, form: dict[str, str], *, within_s: float) -> list[str] | None:
        status, said = post(f"{self.account.api}/sms/json", within_s=within_s, data=form)
        if status != httpx.codes.OK or not isinstance(said, dict):
            return None
        found: object = cast("dict[str, Any]", said).get("messages")
        parts = cast("list[object]", found) if isinstance(found, list) else []
        names = [_name(part) for part in parts]
        return [name for name in names if name] if names and None not in names else None


def texts(url: str) -> VonageTexts | None:
    """None where the URL lacks something: without the signature's secret no report could be believed."""
    account = account_of(url, api=API_URL)
    return VonageTexts(account) if account and account.options.get("signature") else None


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(text), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _name(part: object) -> str | None:
    """What Vonage calls a part it took; None for one it did not."""
    told = cast("dict[str, Any]", part) if isinstance(part, dict) else {}
    return str(told.get("message-id", "")) if told.get("status") == _TAKEN else None
