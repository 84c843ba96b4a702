"""`rpm-cloud reading`: correct a reading that is stored: set it aside, put it back, give it to whose it is."""

from typing import Annotated
from uuid import UUID

import typer

from rpm.acting import As, acting, patient_of
from rpm.store import corrections

stored = typer.Typer(
    help="Stored readings: set aside, put back, give to another patient; each is written down.", no_args_is_help=True
)

Name = Annotated[UUID, typer.Argument(metavar="READING", help="The reading's name, as its page shows it")]
Why = Annotated[str, typer.Option("--why", help="Why, for whoever looks later")]


@stored.command()
def void(reading: Name, username: As, why: Why) -> None:
    """Set a reading aside: it stays visible, and counts for no chart, alert or bill."""
    with acting(username) as (connection, actor, now):
        corrections.void(connection, reading, reason=why, actor=actor, now=now)
    print(f"reading {reading} is set aside")


@stored.command()
def restore(reading: Name, username: As, why: Why) -> None:
    """Use a reading again that was set aside."""
    with acting(username) as (connection, actor, now):
        corrections.restore(connection, reading, reason=why, actor=actor, now=now)
    print(f"reading {reading} is used again")


@stored.command()
def move(
    reading: Name,
    username: As,
    why: Why,
    patient: Annotated[UUID, typer.Option("--to", help="The patient's id, as in the address of the patient's page")],
) -> None:
    """Give a reading to the patient whose it is; both are judged anew."""
    with acting(username) as (connection, actor, now):
        found = patient_of(connection, actor, patient)
        corrections.move(connection, reading, patient_id=found.patient_id, reason=why, actor=actor, now=now)
    print(f"reading {reading} is that patient's now")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(stored, name="reading")
