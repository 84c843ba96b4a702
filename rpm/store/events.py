"""What gateways tell of themselves and of devices, as series: a device's clock and battery, a radio that was mended.

None of it is a vital: no event is judged, and none counts as a day of data. Kept are the newest KEPT_MAX of each gateway,
name and device, for as long as the installation keeps events; of each the newest once more by itself, for the fleet's page.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row

from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.ids import normal_address
from schemas.messages import Event, EventName

_SQL = load("events")

#: A device that is used five times a day fills this in half a year.
KEPT_MAX: Final = 1000
#: Rows deleted in one transaction: it is over before anybody waits for it.
FORGET_MAX: Final = 5000
#: What a sender may call an event, and what of its value is kept.
NAME_LENGTH_MAX: Final = 64
VALUE_LENGTH_MAX: Final = 200
PAGE_MAX: Final = 100
#: Points of one device's series, the newest: more than a page can draw.
SERIES_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Latest:
    """The newest event of a name that a gateway told of a device (`address` "": of itself)."""

    gateway_id: str
    name: str
    address: str
    at: datetime
    heard_at: datetime
    value: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """One event."""

    id: int
    at: datetime
    heard_at: datetime
    name: str
    address: str
    value: str | None
    request_id: str | None


@dataclass(frozen=True, slots=True)
class Point:
    """One number of a series and when the gateway told it."""

    at: datetime
    value: float


def save(connection: Connection, event: Event, *, now: datetime) -> None:
    """Something a gateway tells; told twice, it is kept once. The gateway must have a row."""
    told = {
        "gateway_id": event.gateway_id,
        "at": event.at,
        "name": event.name[:NAME_LENGTH_MAX],
        "address": None if event.address is None else _address(event.address),
        "value": None if event.value is None else str(event.value)[:VALUE_LENGTH_MAX],
        "request_id": None if event.request_id is None else event.request_id[:NAME_LENGTH_MAX],
        "now": now,
    }
    connection.execute(_SQL["save"], told)
    connection.execute(_SQL["save_latest"], told)


def _address(text: str) -> str:
    try:
        return normal_address(text)
    except ValueError:
        return text[:NAME_LENGTH_MAX]


def latest(
    connection: Connection,
    names: Collection[EventName],
    *,
    practice_id: int,
    gateway_id: str | None = None,
    unclaimed: bool = False,
) -> list[Latest]:
    """The newest events of these names of a practice's gateways, or of one of them."""
    asked: dict[str, Any] = {
        "names": [str(name) for name in names],
        "practice_id": practice_id,
        "gateway_id": gateway_id,
        "unclaimed": unclaimed,
    }
    with connection.cursor(row_factory=class_row(Latest)) as cursor:
        return cursor.execute(_SQL["latest"], asked).fetchall()


def recoveries(connection: Connection, *, practice_id: int, since: datetime) -> dict[str, int]:
    """How often each gateway of the practice had to mend its radio since then; those that never had to are left out."""
    rows = connection.execute(_SQL["recoveries"], {"practice_id": practice_id, "since": since})
    return {row["gateway_id"]: row["times"] for row in rows}


def of_gateway(connection: Connection, gateway_id: str, *, practice_id: int, before: int | None = None) -> list[Told]:
    """What a gateway told, the newest first, PAGE_MAX at most; only what came before the event `before`, if given."""
    asked = {"gateway_id": gateway_id, "practice_id": practice_id, "before": before, "limit": PAGE_MAX}
    with connection.cursor(row_factory=class_row(Told)) as cursor:
        return cursor.execute(_SQL["of_gateway"], asked).fetchall()


def series(
    connection: Connection, name: EventName, addresses: Collection[str], *, practice_id: int, since: datetime
) -> dict[str, list[Point]]:
    """The numbers told of each device under one name since then, oldest first, the newest SERIES_MAX of each.

    What is no number is left out, and so is a device of which none was told.
    """
    asked = {
        "name": str(name),
        "addresses": sorted(addresses),
        "practice_id": practice_id,
        "since": since,
        "limit": SERIES_MAX,
    }
    found: dict[str, list[Point]] = {}
    for row in connection.execute(_SQL["of_devices"], asked):
        value = number(row["value"])
        if value is not None:
            found.setdefault(row["address"], []).append(Point(row["at"], value))
    return found


def number(value: str | None) -> float | None:
    """The number an event's value is, or None."""
    try:
        found = float(value or "")
    except ValueError:
        return None
    return found if abs(found) < float("inf") else None


def forget(connection: Connection, *, kept_for: timedelta, now: datetime) -> int:
    """Let the oldest events go, FORGET_MAX of each sort at most; how many went."""
    gone = connection.execute(_SQL["forget_old"], {"before": now - kept_for, "limit": FORGET_MAX}).rowcount
    gone += connection.execute(_SQL["forget_crowded"], {"keep": KEPT_MAX, "limit": FORGET_MAX}).rowcount
    connection.execute(_SQL["forget_old_latest"], {"before": now - kept_for})
    return gone
