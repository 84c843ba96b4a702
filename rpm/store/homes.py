"""Everything known of the homes of a practice, gathered for whoever looks after them (`rpm.fleet` and `rpm.silence` decide)."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from rpm.fleet import EVENTS, RECOVERIES_WITHIN, Home, HomeDevice
from rpm.silence import MISSED_AFTER, GivenDevice, Silent
from rpm.store import events, gateways
from rpm.store.database import Connection
from rpm.store.queries import load
from rpm.upkeep import TREND_SPAN
from schemas.messages import EventName

_SQL = load("homes")
#: People a page can show; the longest silent come first.
SILENT_MAX: Final = 400


@dataclass(frozen=True, slots=True)
class Resident:
    """Somebody who uses a device that a gateway hears."""

    patient_id: int
    public_id: UUID
    given_name: str
    family_name: str
    phone: str | None
    time_zone: str


@dataclass(frozen=True, slots=True)
class HeldCount:
    """Readings that wait for a decision: for want of an owner ("unassigned") or because something is wrong."""

    why: str
    number: int
    since: datetime


def homes(
    connection: Connection, *, practice_id: int, gateway_id: str | None = None, unclaimed: bool = False, now: datetime
) -> list[Home]:
    """A practice's homes, or the one of a gateway; with `unclaimed`, boxes that nobody has registered too."""
    asked = {"practice_id": practice_id, "gateway_id": gateway_id, "now": now}
    if gateway_id is None:
        boxes = gateways.list_gateways(connection, practice_id=practice_id, unclaimed=unclaimed)
    else:
        one = gateways.gateway(connection, gateway_id, practice_id=practice_id, unclaimed=unclaimed)
        boxes = [] if one is None else [one]
    latest = events.latest(
        connection, EVENTS, practice_id=practice_id, gateway_id=gateway_id, unclaimed=unclaimed
    )  # fmt: skip
    latest_of = {key: list(group) for key, group in groupby(latest, key=lambda each: each.gateway_id)}
    rows = connection.execute(_SQL["devices"], asked).fetchall()
    devices_of = {
        key: [
            HomeDevice(
                row["id"], row["address"], row["label"], row["seen_at"], in_use=row["in_use"], kind=row["kind"],
                pending=row["pending"],
            )
            for row in group
        ]
        for key, group in groupby(rows, key=lambda row: row["gateway_id"])
    }  # fmt: skip
    told_of = {each.address for each in latest if each.name == EventName.DEVICE_BATTERY}
    batteries = events.series(
        connection, EventName.DEVICE_BATTERY, told_of, practice_id=practice_id, since=now - TREND_SPAN
    )
    recoveries = events.recoveries(connection, practice_id=practice_id, since=now - RECOVERIES_WITHIN)
    return [
        Home(
            gateway=box,
            latest=latest_of.get(box.id, []),
            devices=devices_of.get(box.id, []),
            recoveries=recoveries.get(box.id, 0),
            batteries=batteries,
        )
        for box in boxes
    ]


def residents(connection: Connection, gateway_id: str, *, practice_id: int, now: datetime) -> list[Resident]:
    """Who uses the devices that a gateway of this practice hears."""
    asked = {"gateway_id": gateway_id, "practice_id": practice_id, "now": now}
    with connection.cursor(row_factory=class_row(Resident)) as cursor:
        return cursor.execute(_SQL["people"], asked).fetchall()


def silent(connection: Connection, *, practice_id: int, now: datetime) -> list[Silent]:
    """Those looked after of whom nothing was filed for MISSED_AFTER, the longest silent first, SILENT_MAX at most."""
    asked = {"practice_id": practice_id, "before": now - MISSED_AFTER, "now": now, "limit": SILENT_MAX}
    rows = connection.execute(_SQL["silent"], asked).fetchall()
    return [
        Silent(
            patient_id=first["patient_id"],
            public_id=first["public_id"],
            given_name=first["given_name"],
            family_name=first["family_name"],
            phone=first["phone"],
            time_zone=first["time_zone"],
            heard_at=first["heard_at"],
            started_at=first["started_at"],
            devices=tuple(
                GivenDevice(
                    row["device_id"], row["label"], row["address"], row["seen_at"], row["gateway_id"], row["pending"],
                    row["held"],
                )
                for row in all_rows
                if row["device_id"] is not None
            ),
        )
        for _, group in groupby(rows, key=lambda row: row["patient_id"])
        if (all_rows := list(group)) and (first := all_rows[0])
    ]  # fmt: skip


def held(connection: Connection, *, practice_id: int) -> dict[str, HeldCount]:
    """How many readings wait for a decision, by what keeps them: `unassigned`, `quarantined`."""
    with connection.cursor(row_factory=class_row(HeldCount)) as cursor:
        return {each.why: each for each in cursor.execute(_SQL["held"], {"practice_id": practice_id}).fetchall()}
