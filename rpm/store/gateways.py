"""Gateways: whose they are, when they were last heard, what they told."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rpm.errors import UserError
from rpm.store.certificates import see_certificate
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.ids import GATEWAY_ID_PATTERN
from schemas.messages import Status, StatusKind

_SQL = load("gateways")
_GATEWAY_ID = re.compile(GATEWAY_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One gateway as the devices page shows it. `heard_at` None: never. `practice_id` 0: nobody has claimed it."""

    id: str
    practice_id: int
    label: str
    created_at: datetime
    heard_at: datetime | None
    kind: str | None
    version: str | None
    uptime_s: float | None
    outbox_depth: int | None
    outbox_oldest_s: float | None
    outbox_dropped: int | None
    epoch: str | None
    buffer_days: float | None
    adapter: str | None
    recoveries: int | None
    clock: str | None
    rssi_dbm: int | None
    certificate_not_after: datetime | None
    event_name: str | None
    event_at: datetime | None


def meet(connection: Connection, gateways: Collection[str], *, now: datetime) -> None:
    """See that every one of these gateways has a row: one nobody registered belongs to practice 0."""
    connection.execute(_SQL["meet"], {"gateways": list(gateways), "now": now})


def register_gateway(connection: Connection, gateway_id: str, *, practice_id: int, label: str, now: datetime) -> None:
    """Make a gateway the practice's, with everything it told before; UserError where it is another practice's."""
    if not _GATEWAY_ID.fullmatch(gateway_id):
        raise UserError(f"{gateway_id!r} is no gateway id: gw- and then 4 to 40 of a-z, 0-9 and -")
    asked = {"gateway_id": gateway_id, "practice_id": practice_id, "label": label, "now": now}
    if connection.execute(_SQL["register"], asked).fetchone() is None:
        raise UserError(f"gateway {gateway_id} belongs to another practice")
    for statement in ("adopt_status", "adopt_events", "adopt_latest", "adopt_held", "forget_held"):
        connection.execute(_SQL[statement], asked)


def save_status(connection: Connection, status: Status, *, now: datetime) -> None:
    """A birth or heartbeat, or the broker's word that the gateway is gone. The gateway must have a row."""
    if status.kind is StatusKind.WILL:
        connection.execute(_SQL["save_will"], {"gateway_id": status.gateway_id})
        return
    connection.execute(_SQL["save_status"], {**status.model_dump(exclude={"v"}), "now": now})
    if status.kind is StatusKind.BIRTH and status.certificate_not_after is not None:
        see_certificate(connection, status.gateway_id, not_after=status.certificate_not_after, now=now)


def list_gateways(connection: Connection, *, practice_id: int, unclaimed: bool = False) -> list[Gateway]:
    """A practice's gateways; with `unclaimed`, those that nobody has claimed too, last."""
    return _find(connection, None, practice_id=practice_id, unclaimed=unclaimed)


def gateway(connection: Connection, gateway_id: str, *, practice_id: int, unclaimed: bool = False) -> Gateway | None:
    """One gateway of the practice; None for no gateway and for another practice's alike."""
    found = _find(connection, gateway_id, practice_id=practice_id, unclaimed=unclaimed)
    return found[0] if found else None


def _find(connection: Connection, gateway_id: str | None, *, practice_id: int, unclaimed: bool) -> list[Gateway]:
    asked = {"gateway_id": gateway_id, "practice_id": practice_id, "unclaimed": unclaimed}
    with connection.cursor(row_factory=class_row(Gateway)) as cursor:
        return cursor.execute(_SQL["list"], asked).fetchall()
