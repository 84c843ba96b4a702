"""`rpm-cloud broker`: accounts for a Mosquitto of the installation's own."""

import json
import re
import secrets
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from rpm.broker import WORKER, accounts
from rpm.errors import UserError
from schemas.ids import GATEWAY_ID_PATTERN

PASSWORD_BYTES = 16
_PASSWORDS = TypeAdapter(dict[str, str])


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(broker)


def broker(
    folder: Annotated[Path, typer.Argument(help="Where accounts.json (for Mosquitto) and passwords.json are written")],
    gateways: Annotated[list[str], typer.Argument(help="Gateway ids, such as gw-home-a")],
) -> None:
    """Write the broker's accounts: one for the workers, one for each gateway, each kept to its own topics.

    Run it again with more gateways: passwords already in FOLDER/passwords.json stay as they are. Mosquitto reads
    accounts.json when it starts.
    """
    for gateway in gateways:
        if not re.match(GATEWAY_ID_PATTERN, gateway):
            raise UserError(f"{gateway} is not a gateway id: gw- and then 4 to 40 of a-z, 0-9 and -")
    passwords_file = folder / "passwords.json"
    passwords = _read(passwords_file)
    for name in (WORKER, *gateways):
        passwords.setdefault(name, secrets.token_hex(PASSWORD_BYTES))
    others = {name: password for name, password in passwords.items() if name != WORKER}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(passwords_file, json.dumps(passwords, indent=1))
        _write(folder / "accounts.json", accounts(worker_password=passwords[WORKER], gateways=others))
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror}") from error
    typer.echo(f"{len(others)} gateways and the workers have accounts; their passwords are in {passwords_file}")


def _read(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    try:
        return _PASSWORDS.validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(f"{path} cannot be read: mend it, or remove it to draw every password anew") from error


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for its owner's eyes only."""
    new = path.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_text(text, "utf-8")
    new.replace(path)
