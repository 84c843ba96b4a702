"""Vonage: texts, with receipts and answers that it signs.

After Vonage's documents "SMS API" (POST /sms/json, a form; a status for each part), "Delivery receipts", "Inbound SMS" and
"Signing messages" (SHA-256 HMAC, `timestamp`, `sig`).
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import httpx
import pytest

from tests.support.providers.server import ProviderServer, Text

KEY: Final = "abcd1234"
SECRET: Final = "nobodys-secret"
SIGNATURE_SECRET: Final = "nobodys-signature-secret"
CALLER: Final = "15550100177"


class Vonage(ProviderServer):
    """Takes texts; says what becomes of one, and brings an answer, when told to. `as_json`: the account's other setting."""

    name = "vonage"

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.texts: list[Text] = []
        self.as_json = False
        #: Into how many it cuts each text it takes.
        self.parts = 1

    @property
    def url(self) -> str:
        """The provider's URL in a channels file."""
        return f"vonagesms://{KEY}:{SECRET}@{CALLER}/{{to}}?signature={SIGNATURE_SECRET}&api={self.api}"

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, Any]:
        """A message to send. What is wrong with it is said with status 200, too."""
        del headers
        form = dict(parse_qsl(body.decode()))
        if path != "/sms/json":
            return 404, {}, None
        if (form.get("api_key"), form.get("api_secret")) != (KEY, SECRET):
            return 200, {"message-count": "1", "messages": [{"status": "4", "error-text": "Bad Credentials"}]}, None
        if not self.takes or form.get("from") != CALLER or form["to"].startswith("+"):
            return 200, {"message-count": "1", "messages": [{"status": "6", "error-text": "Invalid Message"}]}, None
        text = Text(f"{len(self.texts):016X}", form["to"], form["text"], form.get("callback", ""))
        self.texts.append(text)
        parts = [{"status": "0", "message-id": name, "to": text.to} for name in self._names(text)]
        return 200, {"message-count": str(len(parts)), "messages": parts}, text

    def _names(self, text: Text) -> list[str]:
        """Of each part one."""
        return [text.sid if part == 0 else f"{text.sid}-{part}" for part in range(self.parts)]

    def reports(self, text: Text, status: str, *, part: int = 0, secret: str = SIGNATURE_SECRET) -> httpx.Response:
        """Say what became of a part of a message: accepted, buffered, delivered, expired, failed, rejected, unknown."""
        name = self._names(text)[part]
        fields = {"msisdn": text.to, "to": CALLER, "messageId": name, "status": status, "err-code": "0"}
        return self.says(text.report_to, fields, secret)

    def brings(
        self,
        sender: str,
        body: str,
        *,
        provider: str = "vonage",
        secret: str = SIGNATURE_SECRET,
        more: Mapping[str, str] | None = None,
    ) -> str:
        """An answer by text; what is said back to its sender, by a text of its own (empty: nothing)."""
        before = len(self.texts)
        fields = {
            "msisdn": sender.removeprefix("+"),
            "to": CALLER,
            "messageId": f"in{before}",
            "text": body,
            "type": "text",
            **(more or {}),
        }
        self.says(f"{self.outside}/hooks/{provider}/message", fields, secret).raise_for_status()
        said = self.texts[before:]
        assert [text.to for text in said] in ([], [sender.removeprefix("+")])
        return said[0].body if said else ""

    def says(self, url: str, fields: dict[str, str], secret: str = SIGNATURE_SECRET) -> httpx.Response:
        """These fields, and what makes them Vonage's."""
        sent = {**fields, "timestamp": str(int(self.now().timestamp())), "nonce": f"n{len(self.sent)}"}
        signed = "".join(f"&{name}={sent[name].replace('&', '_').replace('=', '_')}" for name in sorted(sent))
        sent["sig"] = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
        if self.as_json:
            return self._say(url, json.dumps(sent).encode(), {"content-type": "application/json"})
        return self._say(url, urlencode(sent).encode(), {"content-type": "application/x-www-form-urlencoded"})


@pytest.fixture
def vonage() -> Iterator[Vonage]:
    """A provider of texts that listens."""
    with Vonage() as provider:
        yield provider
