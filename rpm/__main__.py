"""`rpm-cloud`: the cloud's one program."""

import importlib
import pkgutil
import sys
from typing import Protocol, cast

import typer

from rpm import commands
from rpm.errors import UserError
from rpm.store.database import DatabaseUnavailable


class _CommandModule(Protocol):
    def register(self, app: typer.Typer) -> None: ...


def build() -> typer.Typer:
    """The command line, put together from every module in `rpm.commands`."""
    app = typer.Typer(
        name="rpm-cloud",
        help="Remote patient monitoring, the cloud side: admits, stores, judges, shows, bills.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda found: found.name):
        cast(_CommandModule, importlib.import_module(f"rpm.commands.{module.name}")).register(app)
    return app


def main() -> None:
    """Run one command. What a person can mend is one line and exit status 2; Ctrl-C is not an error."""
    try:
        build()()
    except (UserError, DatabaseUnavailable) as error:
        print(f"rpm-cloud: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
