"""`rpm-gateway run`: the gateway itself."""

import asyncio
import sys
from typing import Annotated

import typer

from gateway.commands import Config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)


def run(config: Config, *, verbose: Annotated[bool, typer.Option(help="Log every step.")] = False) -> None:
    """Hear, keep, deliver; until SIGTERM or Ctrl-C."""
    from gateway.logs import configure
    from gateway.program import run_gateway
    from gateway.settings import read_settings

    settings = read_settings(config)
    configure(verbose=verbose)
    sys.exit(asyncio.run(run_gateway(settings, watched=True)))
