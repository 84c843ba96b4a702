"""`rpm-cloud synthetic`: a patient who is nobody, whose red of every hour must arrive at a test contact (F67)."""

import re
from typing import Annotated, Final

import typer

from rpm.errors import UserError
from rpm.settings import read_settings
from rpm.store import synthetic
from rpm.store.migrate import open_current
from schemas.ids import normal_address

GATEWAY: Final = "gw-synthetic"
ADDRESS: Final = "C0:00:00:00:5E:01"
_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+")

proof = typer.Typer(help="The synthetic patient: set-up, show.", no_args_is_help=True)


@proof.command("set-up")
def set_up(
    mail: Annotated[str, typer.Option(help="The test contact's address: where `rpm-cloud watch` receives mail")],
    gateway: Annotated[str, typer.Option(help="The id of the gateway beside the virtual cuff")] = GATEWAY,
    address: Annotated[str, typer.Option(help="The virtual cuff's address")] = ADDRESS,
) -> None:
    """Make a practice, a test contact, a patient, a cuff and a gateway for it. Again: its mail goes to another address."""
    if not _EMAIL.fullmatch(mail):
        raise UserError("--mail wants an address such as synthetic@watch.example.org")
    try:
        address = normal_address(address)
    except ValueError as error:
        raise UserError(f"--address: {error}") from error
    database = open_current(read_settings().require("dsn").dsn)
    try:
        now = database.clock()
        with database.transaction() as connection:
            known = synthetic.found(connection)
            if known is None:
                synthetic.set_up(connection, email=mail, gateway_id=gateway, address=address, now=now)
            else:
                synthetic.set_contact(connection, known, mail)
    finally:
        database.close()
    if known is not None:
        print(f"the synthetic patient is there already; its messages go to {mail} now")
        return
    print(f"the synthetic patient's messages go to {mail}. Next, on a host that can reach the broker:")
    print("  python -m devices.virtual scenario --synthetic --out synthetic.toml")
    print("  python -m devices.virtual air --scenario synthetic.toml")
    print(f"and a gateway {gateway} with the cuff {address}: see deploy/watch/README.md")


@proof.command()
def show() -> None:
    """When it last raised an alert, and where its messages go."""
    database = open_current(read_settings().require("dsn").dsn)
    try:
        with database.transaction() as connection:
            known, raised = synthetic.found(connection), synthetic.newest(connection)
    finally:
        database.close()
    if known is None:
        raise UserError("there is no synthetic patient: make it with `rpm-cloud synthetic set-up --mail ADDRESS`")
    print(f"messages go to {known.email}; cuff {known.address}, heard by {known.heard_by or 'no gateway yet'}")
    print(f"last alert: {raised.opened_at:%Y-%m-%d %H:%M:%S} UTC" if raised else "no alert yet")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(proof, name="synthetic")
