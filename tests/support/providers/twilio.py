"""Providers of messages as they speak on the wire: Twilio's text messages, with reports and answers that it signs.

The shapes are those of Twilio's documents: "Message resource" (a form, basic authentication, 201 with a sid), "Track outbound
message status" (StatusCallback: MessageSid, MessageStatus) and "Webhooks security" (X-Twilio-Signature). Mail is spoken by
`tests.support.mail`. The signature is made here from the document's recipe, not with our own code.
"""

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qsl
from xml.etree import ElementTree as ET

import httpx
import pytest

SID: Final = "AC0123456789abcdef0123456789abcdef"
AUTH_TOKEN: Final = "not-a-secret-of-anybody"
CALLER: Final = "+15550100199"


@dataclass(frozen=True, slots=True)
class Text:
    """A message that was handed over."""

    sid: str
    to: str
    body: str
    report_to: str


class Twilio:
    """Takes messages while `takes`; says what becomes of one, and brings an answer, when told to."""

    def __init__(self) -> None:
        self.takes = True
        self.texts: list[Text] = []
        #: As the pages are known outside, and where they really listen.
        self.outside = self.inside = ""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
                known = base64.b64encode(f"{SID}:{AUTH_TOKEN}".encode()).decode()
                if (
                    self.headers["authorization"] != f"Basic {known}"
                    or self.path != f"/2010-04-01/Accounts/{SID}/Messages.json"
                ):
                    self._answer(401, {"code": 20003, "message": "Authenticate"})
                elif not owner.takes or form.get("From") != CALLER:
                    self._answer(400, {"code": 21606, "message": "From is not a valid number", "status": 400})
                else:
                    text = Text(f"SM{len(owner.texts):032x}", form["To"], form["Body"], form.get("StatusCallback", ""))
                    owner.texts.append(text)
                    self._answer(201, {"sid": text.sid, "status": "queued", "to": text.to})

            def _answer(self, status: int, said: dict[str, object]) -> None:
                body = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Quiet."""
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """The provider's URL in a channels file."""
        api = f"http://127.0.0.1:{self._server.server_port}"
        return f"twiliosms://{SID}:{AUTH_TOKEN}@{CALLER}/{{to}}?api={api}"

    def start(self) -> "Twilio":
        """Listen."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()

    def reports(self, text: Text, status: str, *, secret: str = AUTH_TOKEN) -> httpx.Response:
        """Say what became of a message."""
        return self._post(text.report_to, {"MessageSid": text.sid, "MessageStatus": status, "To": text.to}, secret)

    def brings(self, sender: str, body: str, *, provider: str = "twilio", secret: str = AUTH_TOKEN) -> str:
        """An answer by text; what is said back to its sender."""
        fields = {"MessageSid": "SMin", "From": sender, "To": CALLER, "Body": body}
        answer = self._post(f"{self.outside}/hooks/{provider}/message", fields, secret)
        answer.raise_for_status()
        assert answer.headers["content-type"].startswith("text/xml")
        said = ET.fromstring(answer.text).findtext("Message")
        assert said is not None
        return said

    def _post(self, url: str, fields: dict[str, str], secret: str) -> httpx.Response:
        """Signed for the address outside, posted to where the pages listen, as a proxy would."""
        signed = url + "".join(name + fields[name] for name in sorted(fields))
        signature = base64.b64encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha1).digest()).decode()
        assert url.startswith(self.outside)
        path = url.removeprefix(self.outside)
        return httpx.post(f"{self.inside}{path}", data=fields, headers={"X-Twilio-Signature": signature})


@pytest.fixture
def twilio() -> Iterator[Twilio]:
    """A provider of texts that listens."""
    provider = Twilio().start()
    yield provider
    provider.stop()
