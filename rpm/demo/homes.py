"""The demo's homes: the scenario their people play, and each gateway's settings."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from rpm.demo.seed import gateway_of_home
from rpm.demo.servers import BrokerAccess

TIME_ZONE: Final = "America/New_York"
HEARTBEAT_S: Final = 10


def gateway_settings(
    home: str, devices: list[dict[str, Any]], *, broker: BrokerAccess, hci_port: int, folder: Path
) -> Path:
    """Write the CONFIG.toml of one home's gateway; its path."""
    gateway_id = gateway_of_home(home)
    lines = [
        f'gateway_id = "{gateway_id}"',
        f'time_zone = "{TIME_ZONE}"',
        f'outbox = "{gateway_id}.sqlite3"',
        f"heartbeat_s = {HEARTBEAT_S}",
        "[broker]",
        f'url = "{broker.gateway_url}"',
        f'password = "{broker.gateway_passwords[gateway_id]}"',
        "[radio]",
        'backend = "bumble"',
        f'hci = "tcp-client:127.0.0.1:{hci_port}"',
    ]
    for device in devices:
        lines += _table(device)
    path = folder / f"{gateway_id}.toml"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    path.chmod(0o600)
    return path


def _table(device: Mapping[str, Any]) -> list[str]:
    return [
        "[[device]]",
        f'address = "{device["address"]}"',
        f'kind = "{device["kind"]}"',
        f'label = "{device["virtual"]} {device["address"][-5:]}"',
    ]
