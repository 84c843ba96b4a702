"""`rpm-gateway`: the program in the home."""

import importlib
import pkgutil
import sys
from typing import Protocol, cast

import typer

from gateway import commands
from gateway.errors import GatewayError


class _CommandModule(Protocol):
    def register(self, app: typer.Typer) -> None: ...


def build() -> typer.Typer:
    """The command line, put together from every module in `gateway.commands`."""
    app = typer.Typer(
        name="rpm-gateway",
        help="Remote patient monitoring, the home side: hears devices, keeps readings, delivers them.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    for module in sorted(pkgutil.iter_modules(commands.__path__), key=lambda found: found.name):
        cast(_CommandModule, importlib.import_module(f"gateway.commands.{module.name}")).register(app)
    return app


def _tell_usage(error: typer.TyperException) -> None:
    """What was typed cannot be read: one line. Where nothing was typed, the help is printed already and `told` empty."""
    if told := error.format_message():
        context: typer.Context | None = getattr(error, "ctx", None)
        print(f"rpm-gateway: {told} See: {context.command_path if context else 'rpm-gateway'} --help", file=sys.stderr)


def main() -> None:
    """Run one command. What a person can mend is one line and exit status 2; Ctrl-C is not an error."""
    try:
        status = build()(standalone_mode=False)
    except typer.TyperException as error:
        _tell_usage(error)
        sys.exit(2)
    except GatewayError as error:
        print(f"rpm-gateway: {error}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    sys.exit(status if isinstance(status, int) else 0)


if __name__ == "__main__":
    main()
