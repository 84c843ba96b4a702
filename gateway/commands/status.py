"""`rpm-gateway status`: one screen that a person at the box can read out over the phone."""

import dataclasses
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gateway.commands import Config

if TYPE_CHECKING:
    from gateway.condition import Condition
    from gateway.outbox import Stats
    from gateway.settings import Settings

#: How `$?` says what the screen says.
WELL: Final = 0
NOT_WELL: Final = 1
EXAMPLES: Final = """\
Examples:

  sudo rpm-gateway status /etc/rpm/gateway.toml
  sudo rpm-gateway status /etc/rpm/gateway.toml --json | jq .well

Exit status 0: nobody has to do anything. 1: somebody has to; lines that begin with ! say what. 2: the settings cannot be
used. Also beside a running gateway: it is asked over a socket beside its outbox, and that it answers is part of the answer.
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EXAMPLES)(status)


def status(config: Config, *, json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False) -> None:
    """Say whether this box is well, and what to do where it is not."""
    from gateway.condition import examine
    from gateway.pulse import NoPulse, ask, socket_of
    from gateway.settings import read_settings

    settings = read_settings(config)
    pulse = ask(socket_of(settings.outbox))
    now = datetime.now(UTC)
    waiting = _waiting(settings, now) if isinstance(pulse, NoPulse) else None
    condition = examine(pulse, devices=settings.device, waiting=waiting, now=now)
    if json_:
        answer = None if isinstance(pulse, NoPulse) else pulse.model_dump(mode="json")
        findings = [dataclasses.asdict(finding) for finding in condition.findings]
        print(json.dumps({"well": condition.well, "findings": findings, "pulse": answer}))
    else:
        print(screen(settings.gateway_id, condition))
    sys.exit(WELL if condition.well else NOT_WELL)


def screen(gateway_id: str, condition: "Condition") -> str:
    """All of it as text: the verdict, a line for each finding, and what to do below those that need it."""
    width = max(len(finding.subject) for finding in condition.findings)
    lines = [f"{gateway_id}: {'WELL' if condition.well else 'NOT WELL: see the lines that begin with !'}", ""]
    for finding in condition.findings:
        lines.append(f"{'!' if finding.remedy else ' '} {finding.subject:{width}}  {finding.told}")
        if finding.remedy:
            lines.append(f"  {'':{width}}  → {finding.remedy}")
    return "\n".join(lines)


def _waiting(settings: "Settings", now: datetime) -> "Stats | None":
    """What the outbox's file says; None where there is none to read."""
    from gateway.errors import OutboxFailed, UserError
    from gateway.outbox import Outbox
    from gateway.outbox_key import read_key

    try:
        outbox = Outbox.read_only(
            settings.outbox,
            bytes_max=settings.outbox_bytes_max,
            gateway_id=settings.gateway_id,
            key=read_key(settings.outbox_key),
        )
    except UserError:
        return None
    try:
        return outbox.stats(now=now)
    except OutboxFailed:
        return None
    finally:
        outbox.close()
