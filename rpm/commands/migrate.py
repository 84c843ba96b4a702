"""`rpm-cloud migrate`."""

import typer

from rpm.settings import read_settings
from rpm.store.migrate import upgrade


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(migrate)


def migrate() -> None:
    """Bring the database at RPM_DSN to the schema of this version. Safe to run again, and from two places at once."""
    done = upgrade(read_settings().require("dsn").dsn)
    if done.before == done.after:
        typer.echo(f"The database is at revision {done.after}: nothing to do.")
    else:
        typer.echo(f"Migrated from {done.before or 'an empty database'} to revision {done.after}.")
