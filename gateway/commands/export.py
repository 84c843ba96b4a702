"""`rpm-gateway export` and `import`: one home, from a box that is dead or dying to the one in its place."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.commands import Config
from gateway.errors import UserError

BLUEZ: Final = Path("/var/lib/bluetooth")
Bluetooth = Annotated[Path, typer.Option(metavar="FOLDER", help="Where BlueZ keeps its bonds")]
Passphrase = Annotated[
    str | None,
    typer.Option(envvar="RPM_EXPORT_PASSPHRASE", help="Asked for where not given", show_envvar=True),
]
EXAMPLES: Final = """\
Examples:

  sudo rpm-gateway export /etc/rpm/gateway.toml --to home-a.rpm
  sudo rpm-gateway import home-a.rpm /etc/rpm/gateway.toml
  sudo rpm-gateway enrol /etc/rpm/gateway.toml --cloud https://clinic.example    with the code of: rpm-cloud gateway replace

Stop the old gateway first, and let it rest: two boxes of one home send every reading twice, which costs only traffic.
"""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=EXAMPLES)(export)
    app.command("import", epilog=EXAMPLES)(import_)


def export(
    config: Config,
    *,
    to: Annotated[Path, typer.Option(metavar="FILE", help="Written anew; sealed with the passphrase")],
    passphrase: Passphrase = None,
    bluetooth: Bluetooth = BLUEZ,
) -> None:
    """Seal what makes this box this home's into one file: settings, devices, bonds, readings not confirmed; not its key."""
    from gateway.parcel import packed
    from gateway.sealed import seal
    from gateway.small_file import write_whole

    parcel = packed(config, bluetooth=bluetooth)
    asked = "Passphrase, 12 characters at least"
    typed = passphrase or str(typer.prompt(asked, hide_input=True, confirmation_prompt=True))
    sealed = seal(parcel.model_dump_json().encode(), typed)
    if to.exists():
        raise UserError(f"{to} exists: name another file")
    try:
        write_whole(to, sealed)
    except OSError as error:
        raise UserError(f"cannot write {to}: {error.strerror}") from error
    print(f"{parcel.gateway_id}: {len(parcel.outbox['row'])} readings not confirmed, and its devices, are in {to}")


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What rpm-gateway export wrote")],
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Where the settings go; none may be there yet")],
    *,
    passphrase: Passphrase = None,
    bluetooth: Bluetooth = BLUEZ,
) -> None:
    """Make this new box the one of the home in FILE. A box that has a home already is left as it is."""
    from gateway.parcel import read_parcel, unpack
    from gateway.sealed import unseal

    try:
        sealed = file.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    typed = passphrase or str(typer.prompt("Passphrase", hide_input=True))
    parcel = read_parcel(unseal(sealed, typed))
    count = unpack(parcel, config, bluetooth=bluetooth, now=datetime.now(UTC))
    print(f"This box is now {parcel.gateway_id}'s; {count} readings go to the cloud as soon as it runs.")
    print(
        "Next, where it is enrolled: rpm-cloud gateway replace for a code, then rpm-gateway enrol. Restart bluetooth."
    )
