"""`rpm-gateway update`: a signed release is tried beside the version that works; kept, or taken back."""

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from gateway.commands import Config

EXAMPLES: Final = """\
Examples:

  sudo rpm-gateway update /etc/rpm/gateway.toml --release /media/usb/release-0.2.0

  sudo rpm-gateway update /etc/rpm/gateway.toml        go on with a trial that a power cut broke off, if there is one

systemd runs it every hour and after each start (rpm-gateway-update.timer), on the folder /var/lib/rpm-release. A version is kept
once it has run for a minute, its heartbeat was taken by the practice's broker, and it hears devices where the one before it did.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(update)


def update(
    config: Config,
    *,
    release: Annotated[Path | None, typer.Option(metavar="FOLDER", help="A signed release.")] = None,
    key: Annotated[Path, typer.Option(metavar="FILE", help="The public key it must be signed with.")] = Path(
        "/etc/rpm/release-key.pem"
    ),
    root: Annotated[Path, typer.Option(metavar="FOLDER", help="Where install.sh put the versions.")] = Path("/opt/rpm"),
    minutes: Annotated[float, typer.Option(min=0, max=30, help="How long it has to prove itself.")] = 10.0,
    settled: Annotated[float, typer.Option(min=0, max=600, help="Seconds it must have run by then.")] = 60.0,
) -> None:
    """Try a signed release; go back by itself where it does not work."""
    import fcntl

    from gateway.errors import UserError
    from gateway.pulse import ask, socket_of
    from gateway.settings import read_settings
    from gateway.update.release import trusted_key
    from gateway.update.slots import Slots
    from gateway.update.trial import Updater

    settings = read_settings(config)
    updater = Updater(
        slots=Slots(root),
        root=root,
        config=config,
        gateway_id=settings.gateway_id,
        ask=lambda: ask(socket_of(settings.outbox)),
        told=lambda line: print(line, flush=True),
        trial_s=minutes * 60,
        settled_s=settled,
    )
    try:
        lock = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError("another update is at work") from error
    except OSError as error:
        raise UserError(f"{root} was not made by install.sh: {error.strerror}") from error
    outcome = updater.run(release, lambda: trusted_key(key))
    print(f"{outcome.result}: {f'{outcome.version}: ' if outcome.version else ''}{outcome.reason}")
