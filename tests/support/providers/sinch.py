"""Sinch: calls, whose events it signs and asks for answers to.

After Sinch's documents "Callouts" (POST /calling/v1/callouts, basic authentication; text to speech and custom callouts, 200 with
a callId), "Callbacks" (ACE, PIE, DICE), "SVAML" (say, runMenu, hangup), "Answering machine detection" and "Callback request
signing".
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx
import pytest

from tests.support.providers.server import Call, Telephone

KEY: Final = "00000000-6bba-48ab-af15-266871c28135"
SECRET: Final = base64.b64encode(b"nobody's secret.").decode()
CALLER: Final = "+15550100188"
#: What somebody hears where the pages do not answer the event: silence, then the end.
SILENCE: Final = ""
TURNS_MAX: Final = 20


class Sinch(Telephone):
    """Takes calls; says what becomes of one when told to."""

    name = "sinch"

    @property
    def voice_url(self) -> str:
        """The provider's URL in a channels file."""
        return f"sinchvoice://{KEY}:{quote(SECRET, safe='')}@{CALLER}/{{to}}?api={self.api}"

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, Any]:
        """A callout."""
        known = base64.b64encode(f"{KEY}:{SECRET}".encode()).decode()
        if path != "/calling/v1/callouts" or headers.get("authorization") != f"Basic {known}":
            return 401, {"errorCode": 40108, "message": "Invalid credentials"}, None
        call = self._read(json.loads(body))
        if not self.takes or call is None:
            return 400, {"errorCode": 40001, "message": "Illegal parameters"}, None
        self.calls.append(call)
        return 200, {"callId": call.sid}, call

    def _read(self, asked: dict[str, Any]) -> Call | None:
        sid = f"{len(self.calls):032x}"
        if asked.get("method") == "ttsCallout":
            given = asked["ttsCallout"]
            destination = given["destination"]
            if destination["type"] != "number" or given["cli"] != CALLER or len(given["text"]) > 600:
                return None
            return Call(sid, destination["endpoint"], given["text"], {})
        if asked.get("method") != "customCallout":
            return None
        given = asked["customCallout"]
        # SVAML inside: then number and caller stand in it, and not beside it.
        action = json.loads(given["ice"])["action"]
        if action["name"] != "connectPstn" or action["cli"] != CALLER or {"cli", "destination"} & given.keys():
            return None
        return Call(sid, action["number"], "", {event: given[event] for event in ("ace", "pie", "dice")})

    def picks_up(self, call: Call, *keys: str, by: str = "human") -> list[str]:
        """`by`: human, machine, notsure."""
        if not call.tells:
            return [call.says]
        heard: list[str] = []
        left = list(keys)
        event: dict[str, Any] | None = {"event": "ace", "amd": {"status": by, "reason": "n/a", "duration": 4}}
        to = call.tells["ace"]
        for _ in range(TURNS_MAX):
            if event is None:
                self.ends(call, "ANSWERED")
                return heard
            answer = self.tells(call, to, event)
            event, to = self._play(answer, heard, left), call.tells["pie"]
        raise AssertionError("the call does not end")

    def ends(self, call: Call, how: str) -> None:
        """ANSWERED, BUSY, NOANSWER, FAILED."""
        if to := call.tells.get("dice"):
            event = {"event": "dice", "result": how, "reason": "CALLEEHANGUP", "duration": 12}
            assert self.tells(call, to, event).status_code == httpx.codes.OK

    def presses(self, call: Call, key: str, *, secret: str | None = None) -> httpx.Response:
        """As a menu tells it. `secret` in base64."""
        return self.tells(call, call.tells["pie"], _pie("sequence", key), secret=SECRET if secret is None else secret)

    def tells(self, call: Call, url: str, event: dict[str, Any], *, secret: str = SECRET) -> httpx.Response:
        """An event of a call, signed."""
        timestamp = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
        body = json.dumps({**event, "callid": call.sid, "timestamp": timestamp, "version": 1}).encode()
        digest = base64.b64encode(hashlib.md5(body).digest()).decode()
        kind = "application/json; charset=utf-8"
        signed = f"POST\n{digest}\n{kind}\nx-timestamp:{timestamp}\n{urlsplit(url).path}"
        signature = base64.b64encode(hmac.new(base64.b64decode(secret), signed.encode(), hashlib.sha256).digest())
        headers = {
            "content-type": kind,
            "x-timestamp": timestamp,
            "authorization": f"application {KEY}:{signature.decode()}",
        }
        return self._say(url, body, headers)

    def _play(self, answer: httpx.Response, heard: list[str], keys: list[str]) -> dict[str, Any] | None:
        """The event that comes next; None: the call is over."""
        if answer.is_error:
            heard.append(SILENCE)
            return None
        svaml = answer.json()
        heard += [each["text"] for each in svaml.get("instructions", []) if each["name"] == "say"]
        action = svaml["action"]
        if action["name"] == "hangup":
            return None
        assert action["name"] == "runMenu", "what may be answered to these events"
        [menu] = action["menus"]
        prompt = re.fullmatch(r"#tts\[([^][;]{1,600})\]", menu["mainPrompt"])
        assert prompt is not None, "one prompt, to be read"
        heard.append(prompt[1])
        return _pie("sequence", keys.pop(0)[: menu["maxDigits"]]) if keys else _pie("timeout", "")


def _pie(kind: str, value: str) -> dict[str, Any]:
    return {"event": "pie", "menuResult": {"menuId": "main", "type": kind, "value": value, "inputMethod": "dtmf"}}


@pytest.fixture
def sinch() -> Iterator[Sinch]:
    """A provider of calls that listens."""
    with Sinch() as provider:
        yield provider
