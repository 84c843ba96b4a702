"""Texts and calls by Twilio, which says later what became of each: apprise's own Twilio asks for no report and hears no key.

    twiliosms://ACCOUNT_SID:AUTH_TOKEN@SENDER_NUMBER/{to}
    twiliovoice://ACCOUNT_SID:AUTH_TOKEN@CALLER_NUMBER/{to}

The requests are those of Twilio's Messages and Calls resources: POST /2010-04-01/Accounts/{sid}/Messages.json or Calls.json, a
form, basic authentication; 201 with a sid where it was taken. What is said and asked in a call goes along with it (TwiML:
Say, Gather): it is heard though the pages be away. Reports, keys and answers come as forms that Twilio signs ("Webhooks
security"): HMAC-SHA1, with the auth token, over the address and every field's name and value in the order of the names.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from xml.sax.saxutils import escape, quoteattr

import httpx

from alerts.channels import Answer
from alerts.channels.carriers import (
    KEY_WAIT_S,
    RING_S,
    Account,
    Came,
    Fields,
    Outcome,
    ReaderStopped,
    Text,
    Told,
    Written,
    account_of,
    e164,
    form_of,
    hand_over,
    post,
)
from alerts.replies import NO_KEY, Wish

API_URL: Final = "https://api.twilio.com"
SIGNATURE_HEADER: Final = "x-twilio-signature"
_XML: Final = "text/xml"
#: "Attempt to send to unsubscribed recipient".
_UNSUBSCRIBED: Final = 21610
_WISHES: Final = {"STOP": Wish.STOP, "START": Wish.START}
#: Words for a call that reached nobody ("Call status values").
_FAILED: Final = {
    "busy": "the line is busy",
    "no-answer": "nobody picked up",
    "failed": "the number cannot be called",
    "canceled": "the call was cancelled",
}


def signature(secret: str, url: str, fields: Sequence[tuple[str, str]]) -> str:
    """What Twilio writes into its header for a form that it sends to `url`."""
    signed = url + "".join(f"{name}{value}" for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()).decode()


@dataclass(frozen=True, slots=True)
class _Twilio:
    """What texts and calls have in common."""

    account: Account

    def believed(self, came: Came, *, now: datetime) -> Fields | None:
        """A form that Twilio signed. Its signature bears no time: who answers it keeps a replay from doing anything twice."""
        del now
        fields = form_of(came)
        expected = signature(self.account.secret, came.url, fields)
        given = came.headers.get(SIGNATURE_HEADER, "")
        return dict(fields) if hmac.compare_digest(expected.encode(), given.encode()) else None

    def _post(self, resource: str, form: dict[str, str]) -> tuple[()] | None:
        account = self.account
        status, said = post(
            f"{account.api}/2010-04-01/Accounts/{account.user}/{resource}.json",
            auth=(account.user, account.secret),
            data=form,
        )
        if isinstance(said, dict) and cast("dict[str, Any]", said).get("code") == _UNSUBSCRIBED:
            raise ReaderStopped
        # Its signature covers the address, and that names the message.
        return () if status == httpx.codes.CREATED and isinstance(said, dict) and "sid" in said else None


@dataclass(frozen=True, slots=True)
class TwilioTexts(_Twilio):
    """`twiliosms://`."""

    def send(self, address: str, *, name: str, body: str, report_to: str, asks: str) -> Answer:
        """See `Carrier`."""
        form = {"To": e164(address), "From": self.account.sender, "Body": asks or body}
        if report_to:
            form["StatusCallback"] = report_to
        return hand_over(name, address, lambda: self._post("Messages", form))

    def told(self, fields: Fields) -> Told:
        """Of a message, by Twilio's word for its status."""
        status = fields.get("MessageStatus", "")
        if status in {"delivered", "read"}:
            return Told(Outcome.DELIVERED, "it arrived")
        if status in {"undelivered", "failed", "canceled"}:
            return Told(Outcome.NOT_DELIVERED, "it did not arrive")
        return Told()

    def text(self, fields: Fields) -> Text:
        """See `Texts`. The words by which one opts out may be an account's own ("Advanced Opt-Out": OptOutType)."""
        return Text(fields.get("From", ""), fields.get("Body", ""), _WISHES.get(fields.get("OptOutType", "")))

    def replied(self, said: str, *, to: str, name: str) -> Written:
        """In the answer to the request."""
        del to, name
        return Written(_response(f"<Message>{escape(said)}</Message>" if said else ""), _XML)


@dataclass(frozen=True, slots=True)
class TwilioCalls(_Twilio):
    """`twiliovoice://`."""

    def send(self, address: str, *, name: str, body: str, report_to: str, asks: str) -> Answer:
        """See `Carrier`."""
        form = {"To": e164(address), "From": self.account.sender, "Timeout": str(RING_S)}
        if report_to:
            # Whether a person listens is heard while the call already speaks: nobody is greeted by silence.
            form |= {
                "StatusCallback": report_to,
                "MachineDetection": "Enable",
                "AsyncAmd": "true",
                "AsyncAmdStatusCallback": report_to,
            }
        form["Twiml"] = _response(_asking(asks, report_to) if asks and report_to else _say(body))
        return hand_over(name, address, lambda: self._post("Calls", form))

    def told(self, fields: Fields) -> Told:
        """Of a call: a key, who picked up, or how it ended. One that ended says nothing new of who had picked it up."""
        if "Digits" in fields:
            keys = str(fields["Digits"])
            return Told(Outcome.DELIVERED if keys else Outcome.ON_ITS_WAY, "a key was pressed", keys=keys)
        answered_by, status = str(fields.get("AnsweredBy", "")), fields.get("CallStatus", "")
        if answered_by == "human":
            return Told(Outcome.DELIVERED, "a person answered")
        if answered_by.startswith("machine") or answered_by == "fax":
            return Told(Outcome.NOT_DELIVERED, "a machine answered")
        if status in _FAILED:
            return Told(Outcome.NOT_DELIVERED, _FAILED[status])
        return Told()

    def spoken(self, said: str, *, asks: bool) -> Written:
        """The same address hears the next key: a Gather without one."""
        inner = (_asking(said, "") if asks else _say(said)) if said else "<Hangup/>"
        return Written(_response(inner), _XML)


def texts(url: str) -> TwilioTexts | None:
    """None where the URL lacks something."""
    account = account_of(url, api=API_URL)
    return TwilioTexts(account) if account else None


def calls(url: str) -> TwilioCalls | None:
    """None where the URL lacks something."""
    account = account_of(url, api=API_URL)
    return TwilioCalls(account) if account else None


def _response(inner: str) -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?><Response>{inner}</Response>'


def _say(text: str) -> str:
    return f'<Say language="en-US">{escape(text)}</Say>'


def _asking(text: str, action: str) -> str:
    """One key of any kind; # ends nothing, so that it is heard as the wrong one it is. Where none comes, Twilio goes on."""
    to = f" action={quoteattr(action)}" if action else ""
    return (
        f'<Gather input="dtmf" numDigits="1" finishOnKey="" timeout="{KEY_WAIT_S}" method="POST"{to}>{_say(text)}</Gather>'
        f"{_say(NO_KEY)}"
    )
