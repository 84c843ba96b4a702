"""`rpm-gateway enrol`: this box's certificate, for the claim code on its label."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.errors import UserError

if TYPE_CHECKING:
    from gateway.identity.folder import IdentityFolder

#: The settings' name in a folder.
CONFIG_NAME: Final = "gateway.toml"
CODE_EXAMPLE: Final = "7K2M-9QXA-B3TD-01ZE"
EXAMPLES: Final = f"""\
Examples:

  sudo rpm-gateway enrol /etc/rpm/gateway.toml --state /var/lib/rpm-gateway --cloud https://clinic.example
  rpm-gateway enrol home/ --cloud https://10.0.0.5:8443 --ca clinic-ca.pem --code {CODE_EXAMPLE}

Run it again after anything that went wrong, a power cut too: the same box with the same code gets its certificate.
"""
#: What a box has that was just unpacked.
STARTING: Final = """\
# Written by rpm-gateway enrol. Every setting is explained in gateway/README.md.
outbox = {outbox}

# Who this box is and where its readings go: the practice said so when the box was enrolled.
[identity]
folder = {identity}

[radio]
backend = "bluez"

# One table for each device of this home; any other is never connected to.
# [[device]]
# address = "C0:00:00:00:10:01"
# kind = "blood_pressure"
# label = "cuff in the kitchen"
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(enrol)


def enrol(
    config: Annotated[
        Path,
        typer.Argument(
            metavar="CONFIG.toml", help="The home's settings, or their folder; written where there are none."
        ),
    ],
    *,
    cloud: Annotated[str, typer.Option(metavar="URL", help="The practice's cloud, such as https://clinic.example")],
    code: Annotated[
        str | None, typer.Option(help="The claim code on the box's label; asked for where not given")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The cloud's own CA (PEM), where this machine does not know it")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where a new box keeps outbox and identity; else beside CONFIG.toml"),
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="Enrol anew a box that has a certificate")] = False,
) -> None:
    """Get this box its certificate. Its key is made here and never leaves it. The practice's side: rpm-cloud gateway."""
    from gateway.identity.cloud import Cloud
    from gateway.identity.folder import IdentityFolder
    from gateway.settings import identity_folder, read_table

    config = config / CONFIG_NAME if config.is_dir() else config
    starting = None if config.exists() else _starting(state)
    path = (state or config.parent) / "identity" if starting else identity_folder(read_table(config), config)
    if path is None:
        raise UserError(f'{config} has no [identity]: put that table, with folder = "identity", in place of [broker]')
    folder, at = IdentityFolder(path), Cloud(cloud, ca)
    _refuse_twice(folder, again=again)
    code = _normal(code if code is not None else typer.prompt(f"Claim code on the label, such as {CODE_EXAMPLE}"))
    certified = at.enrol(code=code, key=folder.next_key(), now=lambda: datetime.now(UTC))
    folder.install(certified, cloud=cloud, cloud_ca=ca, keep_proven=False)
    if starting:
        _write(config, starting)
    _hand_over(path, *([config] if starting else []))
    print(f"This box is {certified.gateway_id} until {certified.not_after:%Y-%m-%d}, and renews that by itself.")
    print(f"Next: name the home's devices in {config}, and start the gateway: rpm-gateway run {config}")


def _refuse_twice(folder: "IdentityFolder", *, again: bool) -> None:
    """UserError where this box has a certificate and nobody said to enrol it anew."""
    from gateway.identity.folder import IdentityUnusable

    try:
        known = folder.known()
    except IdentityUnusable:
        if not again:
            raise
        folder.forget()
        return
    if known is None or again:
        return
    place = folder.usable(known.newest, known.proven).place
    raise UserError(f"this box is {place.gateway_id} already, until {place.not_after:%Y-%m-%d}: --again enrols it anew")


def _normal(code: str) -> str:
    from schemas.enrolment import normal_claim_code

    try:
        return normal_claim_code(code)
    except ValueError as error:
        raise UserError(str(error)) from error


def _starting(state: Path | None) -> str:
    # JSON's strings are TOML's.
    places = {
        name: json.dumps(str(state.absolute() / name if state else name)) for name in ("outbox.sqlite3", "identity")
    }
    return STARTING.format(outbox=places["outbox.sqlite3"], identity=places["identity"])


def _write(config: Path, text: str) -> None:
    from gateway.small_file import write_whole

    try:
        config.parent.mkdir(parents=True, exist_ok=True)
        write_whole(config, text.encode())
    except OSError as error:
        raise UserError(f"cannot write {config}: {error.strerror}") from error


def _hand_over(path: Path, *others: Path) -> None:
    """What root wrote belongs to whoever owns the folder around the identity: the service renews as its own user."""
    if os.geteuid() != 0:
        return
    owner = path.parent.stat()
    for each in (path, *path.rglob("*"), *others):
        os.chown(each, owner.st_uid, owner.st_gid)
