"""`rpm-gateway decode`: what a device's bytes say."""

import json
from typing import Annotated

import typer

from gateway.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(decode)


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
