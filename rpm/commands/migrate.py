"""`rpm-cloud migrate`."""

from typing import Annotated

import typer

from rpm.settings import read_settings
from rpm.store import community
from rpm.store.migrate import upgrade


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate(
    with_community: Annotated[
        bool,
        typer.Option(
            "--community",
            help="Then turn on the columnstore for values older than 30 days, where the server has TimescaleDB's Community"
            " edition; it refuses on the Apache edition. Not run on such a server so far: try it on a copy first",
        ),
    ] = False,
) -> None:
    """Bring the database at RPM_DSN to the schema of this version. Safe to run again, and from two places at once."""
    dsn = read_settings().require("dsn").dsn
    done = upgrade(dsn)
    if done.before == done.after:
        typer.echo(f"The database is at revision {done.after}: nothing to do.")
    else:
        typer.echo(f"Migrated from {done.before or 'an empty database'} to revision {done.after}.")
    if with_community:
        added = community.add(dsn)
        typer.echo("The columnstore is on." if added else "The columnstore is on already: nothing to do.")
