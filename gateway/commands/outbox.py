"""`rpm-gateway outbox`: what waits."""

import dataclasses
import json
from datetime import UTC, datetime

import typer

from gateway.commands import Config


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(outbox)


def outbox(config: Config) -> None:
    """Print what waits in the outbox as one JSON object: depth, oldest, ring; also beside a running gateway."""
    from gateway.outbox import Outbox
    from gateway.outbox_key import read_key
    from gateway.settings import read_settings

    settings = read_settings(config)
    opened = Outbox.read_only(
        settings.outbox,
        bytes_max=settings.outbox_bytes_max,
        gateway_id=settings.gateway_id,
        key=read_key(settings.outbox_key),
    )
    try:
        stats = dataclasses.asdict(opened.stats(now=datetime.now(UTC)))
        print(json.dumps({**stats, "gaps": len(opened.gaps())}))
    finally:
        opened.close()
