"""The providers as programs of their own: for trying an installation, or an integration, without an account anywhere.

    python -m tests.support.providers --pages http://127.0.0.1:8080 --calls 4

Prints a channels file, then what it is handed and what it says to the pages, until it is ended.
"""

import argparse
import contextlib
import signal
import sys
import threading
from collections.abc import Callable
from typing import Final

import httpx

from tests.support.providers.server import Call, ProviderServer, Telephone, Text
from tests.support.providers.sinch import Sinch
from tests.support.providers.twilio import Twilio
from tests.support.providers.vonage import Vonage

#: What becomes of a text, in the words of each provider; "silent": nothing is ever said of it.
TEXTS: Final = {"deliver": "delivered", "fail": "failed", "silent": ""}
#: What becomes of a call that reaches no person, in the words of Twilio and of Sinch.
MACHINE: Final = {"twilio": "machine_start", "sinch": "machine"}
BUSY: Final = {"twilio": "busy", "sinch": "BUSY"}
KEYS: Final = "0123456789*#"


def main() -> int:
    """Status 2, with one line, where what was asked cannot be done."""
    options = _options()
    try:
        servers = (Twilio(port=options.twilio_port), Vonage(port=options.vonage_port), Sinch(port=options.sinch_port))
    except (OSError, OverflowError) as error:
        print(f"providers: a port cannot be listened on: {error}", file=sys.stderr)
        return 2
    pages = options.pages.rstrip("/")
    for server in servers:
        server.outside, server.inside = (options.public or pages).rstrip("/"), pages
        server.on_taken = _taken(server, options)
        server.start()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where a shell that started us had it ignored
    print(_channels_file(*servers), flush=True)
    print(f"# Reports go to {pages}. Ends with Ctrl-C.", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        threading.Event().wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python -m tests.support.providers", description="Twilio, Vonage and Sinch, on loopback."
    )
    parser.add_argument("--pages", default="http://127.0.0.1:8080", help="where the pages listen (%(default)s)")
    parser.add_argument("--public", default="", help="RPM_PUBLIC_URL, where it is another: what is signed is for it")
    parser.add_argument("--texts", choices=TEXTS, default="deliver", help="what becomes of texts (%(default)s)")
    parser.add_argument(
        "--calls", default="listen", help=f"who picks up: a key of {KEYS}, listen, machine, busy, silent (%(default)s)"
    )
    parser.add_argument("--after", type=float, default=1.0, metavar="S", help="seconds until it happens (%(default)s)")
    for name in ("twilio", "vonage", "sinch"):
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0: any that is free (%(default)s)")
    options = parser.parse_args()
    if options.calls not in {"listen", "machine", "busy", "silent", *KEYS}:
        parser.error(f"--calls wants one key of {KEYS}, listen, machine, busy or silent")
    return options


def _channels_file(twilio: Twilio, vonage: Vonage, sinch: Sinch) -> str:
    providers = {
        "sms": (("twilio", twilio.url), ("vonage", vonage.url)),
        "voice": (("twilio-calls", twilio.voice_url), ("sinch", sinch.voice_url)),
    }
    lines: list[str] = []
    for channel, given in providers.items():
        lines += ["[[channel]]", f'name = "{channel}"']
        for name, url in given:
            lines += ["[[channel.provider]]", f'name = "{name}"', f'url = "{url}"']
    return "\n".join(lines)


def _taken(server: ProviderServer, options: argparse.Namespace) -> Callable[[Text | Call], None]:
    def react(message: Text | Call) -> None:
        try:
            if isinstance(message, Text):
                _report(server, message, TEXTS[options.texts])
            elif isinstance(server, Telephone):
                _answer(server, message, options.calls)
        except (httpx.HTTPError, AssertionError) as error:
            print(f"# {server.name}: the pages did not take it: {error}", flush=True)

    def taken(message: Text | Call) -> None:
        kind, said = ("text", message.body) if isinstance(message, Text) else ("call", message.says)
        # A line of its own: what is printed remains a file in TOML.
        print(f"# {server.name}: a {kind} to {message.to}: {' '.join(said.split())}", flush=True)
        threading.Timer(options.after, react, [message]).start()

    return taken


def _report(server: ProviderServer, text: Text, status: str) -> None:
    if status and text.report_to and isinstance(server, Twilio | Vonage):
        said = server.reports(text, status).status_code
        print(f"# {server.name}: {status}: the pages answer {said}", flush=True)


def _answer(server: Telephone, call: Call, how: str) -> None:
    if how == "busy":
        server.ends(call, BUSY[server.name])
    elif how != "silent":
        keys = [how] if how in KEYS else []
        heard = server.picks_up(call, *keys, by=MACHINE[server.name] if how == "machine" else "human")
        for said in heard:
            print(f"# {server.name}: the call says: {said}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
