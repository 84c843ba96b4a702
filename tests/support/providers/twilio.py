"""Twilio: texts and calls, with reports, keys and answers that it signs.

After Twilio's documents "Message resource" and "Call resource" (forms, basic authentication, 201 with a sid), "Track outbound
message status" (MessageSid, MessageStatus), "Call status callbacks" (CallSid, CallStatus), "Answering machine detection"
(AsyncAmd: AnsweredBy), TwiML's Say, Gather and Hangup, and "Webhooks security" (X-Twilio-Signature).
"""

import base64
import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as ET

import httpx
import pytest

from tests.support.providers.server import Call, Telephone, Text

SID: Final = "AC0123456789abcdef0123456789abcdef"
AUTH_TOKEN: Final = "not-a-secret-of-anybody"
CALLER: Final = "+15550100199"
#: What the caller hears where the pages answer with anything but TwiML.
APPLICATION_ERROR: Final = "We are sorry. An application error has occurred. Goodbye."
_VERBS: Final = {"Say", "Gather", "Hangup", "Pause"}
#: More turns than a call here may take: one that never ends is a failure, not a hang.
TURNS_MAX: Final = 20


class Twilio(Telephone):
    """Takes texts and calls; says what becomes of one, and brings an answer, when told to."""

    name = "twilio"

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.texts: list[Text] = []
        #: Numbers that wrote STOP, which Twilio keeps by itself.
        self.stopped: set[str] = set()

    @property
    def url(self) -> str:
        """The provider's URL in a channels file, for texts."""
        return f"twiliosms://{SID}:{AUTH_TOKEN}@{CALLER}/{{to}}?api={self.api}"

    @property
    def voice_url(self) -> str:
        """The same, for calls."""
        return f"twiliovoice://{SID}:{AUTH_TOKEN}@{CALLER}/{{to}}?api={self.api}"

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, Any]:
        """A message or a call to send."""
        form = dict(parse_qsl(body.decode()))
        known = base64.b64encode(f"{SID}:{AUTH_TOKEN}".encode()).decode()
        resource = path.removeprefix(f"/2010-04-01/Accounts/{SID}/")
        if headers.get("authorization") != f"Basic {known}" or resource not in {"Messages.json", "Calls.json"}:
            return 401, {"code": 20003, "message": "Authenticate"}, None
        if not self.takes or form.get("From") != CALLER:
            return 400, {"code": 21606, "message": "From is not a valid number", "status": 400}, None
        if resource == "Messages.json" and form["To"] in self.stopped:
            return 400, {"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}, None
        if resource == "Messages.json":
            text = Text(f"SM{len(self.texts):032x}", form["To"], form["Body"], form.get("StatusCallback", ""))
            self.texts.append(text)
            return 201, {"sid": text.sid, "status": "queued", "to": text.to}, text
        if not _is_twiml(form.get("Twiml", "")):
            return 400, {"code": 21205, "message": "Url is not a valid URL", "status": 400}, None
        heeds = form.get("MachineDetection") in {"Enable", "DetectMessageEnd"} and form.get("AsyncAmd") == "true"
        tells = {"status": form.get("StatusCallback", "")}
        if heeds:
            tells["machine"] = form.get("AsyncAmdStatusCallback", "")
        call = Call(f"CA{len(self.calls):032x}", form["To"], form["Twiml"], tells)
        self.calls.append(call)
        return 201, {"sid": call.sid, "status": "queued", "to": call.to}, call

    def reports(self, text: Text, status: str, *, secret: str = AUTH_TOKEN) -> httpx.Response:
        """Say what became of a message."""
        return self._post(text.report_to, {"MessageSid": text.sid, "MessageStatus": status, "To": text.to}, secret)

    def brings(self, sender: str, body: str, *, provider: str = "twilio", secret: str = AUTH_TOKEN) -> str:
        """An answer by text; what is said back to its sender (empty: nothing)."""
        fields = {"MessageSid": "SMin", "From": sender, "To": CALLER, "Body": body}
        answer = self._post(f"{self.outside}/hooks/{provider}/message", fields, secret)
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith("text/xml")
        assert _is_messaging(answer.text)
        return ET.fromstring(answer.text).findtext("Message") or ""

    def ends(self, call: Call, how: str) -> None:
        """completed, busy, no-answer, failed, canceled."""
        if to := call.tells.get("status"):
            self._post(to, {"CallSid": call.sid, "CallStatus": how, "To": call.to}).raise_for_status()

    def picks_up(self, call: Call, *keys: str, by: str = "human") -> list[str]:
        """`by`: human, machine_start, fax, unknown."""
        if to := call.tells.get("machine"):
            fields = {"CallSid": call.sid, "AnsweredBy": by, "MachineDetectionDuration": "2900"}
            self._post(to, fields).raise_for_status()
        heard: list[str] = []
        left = list(keys)
        twiml: str | None = call.says
        here = ""
        for _ in range(TURNS_MAX):
            if twiml is None:
                self.ends(call, "completed")
                return heard
            twiml, here = self._play(call, twiml, here, heard, left)
        raise AssertionError("the call does not end")

    def presses(self, call: Call, key: str, *, secret: str | None = None) -> httpx.Response:
        """As a Gather posts it."""
        fields = {"CallSid": call.sid, "CallStatus": "in-progress", "Digits": key, "msg": "Gather End", "To": call.to}
        return self._post(call.tells["status"], fields, AUTH_TOKEN if secret is None else secret)

    def _play(self, call: Call, twiml: str, here: str, heard: list[str], keys: list[str]) -> tuple[str | None, str]:
        """The TwiML that comes next and where it is from; None: the call is over."""
        for verb in ET.fromstring(twiml):
            if verb.tag == "Hangup":
                return None, here
            if verb.tag == "Say":
                heard.append(verb.text or "")
            if verb.tag == "Gather":
                heard += [each.text or "" for each in verb.findall("Say")]
                if keys:
                    to = verb.get("action", here)
                    digits = keys.pop(0)[: int(verb.get("numDigits", "99"))]
                    fields = {"CallSid": call.sid, "CallStatus": "in-progress", "Digits": digits, "msg": "Gather End"}
                    answer = self._post(to, fields)
                    if answer.is_error or not _is_twiml(answer.text):
                        heard.append(APPLICATION_ERROR)
                        return None, to
                    return answer.text, to
        return None, here

    def _post(self, url: str, fields: dict[str, str], secret: str = AUTH_TOKEN) -> httpx.Response:
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        signature = base64.b64encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()).decode()
        headers = {"X-Twilio-Signature": signature, "content-type": "application/x-www-form-urlencoded"}
        return self._say(url, urlencode(fields).encode(), headers)


def _is_messaging(text: str) -> bool:
    root = ET.fromstring(text)
    return root.tag == "Response" and [verb.tag for verb in root] in ([], ["Message"])


def _is_twiml(text: str) -> bool:
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return False
    return root.tag == "Response" and {verb.tag for verb in root} <= _VERBS


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    """A provider of texts and calls that listens."""
    with Twilio() as provider:
        yield provider
