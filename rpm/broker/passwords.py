"""The broker by password, on loopback: for the demo and the tests, where passwords may travel in clear.

An installation that reaches over a network uses TLS and client certificates instead (`deploy/mosquitto.conf`,
`rpm.broker.guard`); the roles are the same.

Why an account's client id is pinned in the plugin and not by `use_username_as_clientid`: that option would give two
workers of one account one client id, and the broker would throw them out in turn for ever. Pinned, a gateway can
connect as nobody but itself (F3), and any number of workers share one account.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from rpm.broker.roles import LOAD, WORKER, deny_all, gateway_role, load_role, worker_role
from schemas.messages import MESSAGE_BYTES_MAX, QOS

#: The plugin takes exactly these (mosquitto 2.0, plugins/dynamic-security): PBKDF2 with HMAC-SHA512, 64 bytes out.
SALT_BYTES: Final = 12
HASH_BYTES: Final = 64
#: Mosquitto's own default. Our passwords are drawn, not chosen: 128 random bits gain nothing from slower hashing, and
#: the broker hashes on its only thread while a whole fleet reconnects.
ITERATIONS: Final = 101

QUEUED_MESSAGES_MAX: Final = 100_000
QUEUED_BYTES_MAX: Final = 256 * 1024 * 1024
INFLIGHT_MAX: Final = 50
#: Not 60: a mosquitto 2.0.21 so configured throws new connections out at random, "exceeded timeout" in their first
#: second (eclipse-mosquitto #3226). Ours ask for far less.
KEEPALIVE_S_MAX: Final = 600
#: JSON and MQTT headers around the largest message that anybody builds.
PACKET_OVERHEAD_BYTES: Final = 4096


def configuration(*, port: int, plugin: Path, accounts_file: Path, run_as: str | None = None) -> str:
    """mosquitto.conf for one listener on loopback.

    `plugin` is the dynamic-security plugin, `accounts_file` what `accounts` returned; the broker rewrites that file, so
    it must be the broker's own. `run_as` is the account a broker started by root changes to (an ordinary user's broker
    stays that user's).
    """
    packet_bytes_max = MESSAGE_BYTES_MAX + PACKET_OVERHEAD_BYTES
    lines = [
        "# Written by rpm.broker; a comment needs a line of its own.",
        *([f"user {run_as}"] if run_as else []),
        "per_listener_settings false",
        "allow_anonymous false",
        f"plugin {plugin}",
        f"plugin_opt_config_file {accounts_file}",
        "# A gateway keeps every reading until its receipt comes, so the broker need not; and no health data on its disk.",
        "persistence false",
        "persistent_client_expiration 7d",
        f"max_queued_messages {QUEUED_MESSAGES_MAX}",
        f"max_queued_bytes {QUEUED_BYTES_MAX}",
        f"max_inflight_messages {INFLIGHT_MAX}",
        f"max_packet_size {packet_bytes_max}",
        f"max_keepalive {KEEPALIVE_S_MAX}",
        "retain_available false",
        "sys_interval 10",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
        "log_type notice",
        f"listener {port} 127.0.0.1",
        "# A worker acknowledges after its commit: with QoS 2 what it holds when it is killed would be lost.",
        f"max_qos {QOS}",
    ]
    return "\n".join(lines) + "\n"


def accounts(
    *,
    worker_password: str,
    gateways: Mapping[str, str],
    load_password: str = "",
    draw: Callable[[int], bytes] = secrets.token_bytes,
) -> str:
    """The dynamic-security file (JSON): the workers' account, and one account and role for each gateway.

    `gateways` maps gateway id to password; a `load_password` makes an account that speaks as any gateway; `draw(n)` gives
    n bytes of salt. Holds only salted hashes.
    """
    loads = [LOAD] if load_password else []
    return json.dumps(
        {
            "defaultACLAccess": deny_all(),
            "clients": [
                _client(WORKER, worker_password, draw, client_id=None),
                *(_client(name, load_password, draw, client_id=None) for name in loads),
                *(_client(name, password, draw, client_id=name) for name, password in sorted(gateways.items())),
            ],
            "groups": [],
            "roles": [worker_role(), *(load_role() for _ in loads), *(gateway_role(name) for name in sorted(gateways))],
        },
        indent=1,
    )


def _client(username: str, password: str, draw: Callable[[int], bytes], *, client_id: str | None) -> dict[str, object]:
    salt = draw(SALT_BYTES)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, ITERATIONS, HASH_BYTES)
    return {
        "username": username,
        **({"clientid": client_id} if client_id else {}),
        "password": base64.b64encode(digest).decode(),
        "salt": base64.b64encode(salt).decode(),
        "iterations": ITERATIONS,
        "roles": [{"rolename": username}],
    }
