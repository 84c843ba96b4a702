"""`rpm-gateway`: the program in the home."""

import asyncio
import dataclasses
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.errors import GatewayError, UserError

app = typer.Typer(
    name="rpm-gateway",
    help="Remote patient monitoring, the home side: hears devices, keeps readings, delivers them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

Config = Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="The home's settings: see gateway/README.md.")]


@app.command()
def run(config: Config, *, verbose: Annotated[bool, typer.Option(help="Log every step.")] = False) -> None:
    """Hear, keep, deliver; until SIGTERM or Ctrl-C."""
    from gateway.logs import configure
    from gateway.program import run_gateway
    from gateway.settings import read_settings

    settings = read_settings(config)
    configure(verbose=verbose)
    sys.exit(asyncio.run(run_gateway(settings)))


@app.command()
def outbox(config: Config) -> None:
    """Print what waits in the outbox as one JSON object: depth, oldest, ring; also beside a running gateway."""
    from gateway.outbox import Outbox
    from gateway.settings import read_settings

    settings = read_settings(config)
    opened = Outbox.read_only(settings.outbox, bytes_max=settings.outbox_bytes_max, gateway_id=settings.gateway_id)
    try:
        stats = dataclasses.asdict(opened.stats(now=datetime.now(UTC)))
        print(json.dumps({**stats, "gaps": len(opened.gaps())}))
    finally:
        opened.close()


@app.command()
def decode(
    uuid: Annotated[
        str,
        typer.Argument(
            metavar="UUID", help="The characteristic, such as 2A35, or all 128 bits; another is answered with the list."
        ),
    ],
    frame: Annotated[
        str,
        typer.Argument(metavar="HEX", help="The bytes of one notification or indication; spaces, colons, 0x allowed."),
    ],
) -> None:
    """Print what a device's bytes say as one JSON object; bytes that say nothing: one line that names the byte."""
    from devices.decode import describe

    try:
        described = describe(uuid, frame)
    except ValueError as error:
        raise UserError(str(error)) from error
    print(json.dumps(described))


def _tell_usage(error: typer.TyperException) -> None:
    """What was typed cannot be read: one line. Where nothing was typed, the help is printed already and `told` empty."""
    if told := error.format_message():
        context: typer.Context | None = getattr(error, "ctx", None)
        print(f"rpm-gateway: {told} See: {context.command_path if context else 'rpm-gateway'} --help", file=sys.stderr)


def main() -> None:
    """Run one command. What a person can mend is one line and exit status 2; Ctrl-C is not an error."""
    try:
        status = app(standalone_mode=False)
    except typer.TyperException as error:
        _tell_usage(error)
        sys.exit(2)
    except GatewayError as error:
        print(f"rpm-gateway: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
