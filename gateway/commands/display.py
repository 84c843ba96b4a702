"""`rpm-gateway display`: what the people at home are shown, on any terminal: over ssh, or on a screen at the box."""

import time
from typing import Annotated, Final

import typer

from gateway.commands import Config

#: Between two looks: as quickly as a person would call at once.
LOOK_EVERY_S: Final = 0.5
EXAMPLES: Final = """\
Examples:

  sudo rpm-gateway display /etc/rpm/gateway.toml            a line for each change, until Ctrl-C
  sudo rpm-gateway display /etc/rpm/gateway.toml --once     the line of this moment

SENT is shown only once the practice's database has committed the reading and said so.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(display)


def display(
    config: Config,
    *,
    once: Annotated[bool, typer.Option("--once", help="One line, and end.")] = False,
    dark: Annotated[bool, typer.Option("--dark", help="Put the lamps out, where the gateway could not.")] = False,
) -> None:
    """Show what the people at home see, in words."""
    from gateway.display import STOPPED, WORDS, lamps
    from gateway.pulse import NoPulse, ask, socket_of
    from gateway.settings import read_settings

    settings = read_settings(config)
    path = socket_of(settings.outbox)
    if dark:
        if isinstance(ask(path), NoPulse):
            for each in lamps(settings.display):
                each.put_out()
        return
    shown: str | None = None
    while True:
        pulse = ask(path)
        words = STOPPED if isinstance(pulse, NoPulse) else WORDS[pulse.state]
        if words != shown:
            print(words, flush=True)
            shown = words
        if once:
            return
        time.sleep(LOOK_EVERY_S)
