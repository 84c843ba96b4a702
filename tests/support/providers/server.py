"""What the providers have in common: they take messages by HTTP, and later say signed things to our pages.

The shapes are those of the providers' own documents, named in each module. Signatures are made from the documents' recipes, not
with our own code.
"""

import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import httpx


@dataclass(frozen=True, slots=True)
class Text:
    """A message that was handed over."""

    sid: str
    to: str
    body: str
    report_to: str


@dataclass(frozen=True, slots=True)
class Call:
    """A call that was asked for: what it says by itself (TwiML, or a text), and where which event of it is told."""

    sid: str
    to: str
    says: str
    tells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Sent:
    """A request that was made to the pages, to be made again as it was."""

    path: str
    body: bytes
    headers: Mapping[str, str]


def machine_clock() -> datetime:
    """The time, where no test says another."""
    return datetime.now(UTC)


class ProviderServer:
    """Listens on a port of its own; `takes` nothing while that is false. Use as a context manager, or `start` and `stop`."""

    #: What it is called in a channels file, unless told otherwise.
    name = ""

    def __init__(self, *, port: int = 0) -> None:
        self.takes = True
        #: While it is not set, whoever hands something over waits for the answer.
        self.answers = threading.Event()
        self.answers.set()
        #: As the pages are known outside, and where they really listen: a proxy may stand between.
        self.outside = self.inside = ""
        self.now: Callable[[], datetime] = machine_clock
        #: Everything it said to the pages.
        self.sent: list[Sent] = []
        #: Told of each message that was taken, after the answer went out.
        self.on_taken: Callable[[Any], None] = lambda _taken: None
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                owner.answers.wait()
                status, said, taken = owner.asked(self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                answer = json.dumps(said).encode()
                try:
                    self.send_response(status)
                    self.send_header("content-type", "application/json")
                    self.send_header("content-length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                except OSError:
                    # Whoever asked has waited long enough.
                    return
                if taken is not None:
                    owner.on_taken(taken)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
                """Quiet."""
                del format, args

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def asked(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any, Any]:
        """Status and JSON of the answer to a request, and the message that was taken (None: none was)."""
        raise NotImplementedError

    @property
    def api(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        """Listen."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Listen no more."""
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def again(self, place: int = -1) -> httpx.Response:
        """Say to the pages once more what was said before, byte for byte: what somebody on the line could do."""
        sent = self.sent[place]
        return httpx.post(
            f"{self.inside or self.outside}{sent.path}", content=sent.body, headers=dict(sent.headers), timeout=30
        )

    def _say(self, url: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Signed for the address outside, posted to where the pages listen, as a proxy would."""
        assert url.startswith(self.outside), f"{url} is not below {self.outside}"
        self.sent.append(Sent(url.removeprefix(self.outside), body, headers))
        return self.again()


class Telephone(ProviderServer):
    """One that calls, too."""

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self.calls: list[Call] = []

    @property
    def voice_url(self) -> str:
        """The provider's URL in a channels file, for calls."""
        raise NotImplementedError

    def picks_up(self, call: Call, *keys: str, by: str = "human") -> list[str]:
        """Somebody, or something (`by`, in the provider's word), picks up and presses a key whenever asked; all that was said."""
        raise NotImplementedError

    def presses(self, call: Call, key: str, *, secret: str | None = None) -> httpx.Response:
        """One key alone, as the provider tells it; signed with another secret where there is one."""
        raise NotImplementedError

    def ends(self, call: Call, how: str) -> None:
        """Say how a call ended, in the provider's word."""
        raise NotImplementedError
