"""What is held, and why: kept, listed and shown. What becomes of it is decided in `rpm.store.held`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from psycopg.rows import class_row

from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.ingest.admit import UNCLAIMED
from rpm.ingest.reasons import CLAIMABLE, CLAIMED_ALONE, RELEASABLE, SENTENCES, Reason
from rpm.store.archive import NOWHERE, Source
from rpm.store.arrays import array, name_array
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("held")
LIST_MAX: Final = 500
NOTE_LENGTH_MAX: Final = 500
#: A time outside this is no time anybody would look for.
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST: Final = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class ToHold:
    """Something to keep. `item` is its JSON text, `raw` its bytes where it is none."""

    practice_id: int
    why: str
    reason: Reason
    pointer: str
    item: str | None
    raw: bytes | None
    topic: str
    gateway_id: str | None
    epoch: str | None
    seq: int | None
    reading_id: UUID | None
    device_id: int | None = None
    patient_id: int | None = None
    measured_at: datetime | None = None
    source: Source = NOWHERE


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which held readings somebody wants: None is any. `before`: only older numbers, to turn the page.

    `device` is an address or a part of what the device is called.
    """

    reason: Reason | None = None
    gateway_id: str | None = None
    device: str | None = None
    since: datetime | None = None
    #: Only what no practice has claimed.
    unclaimed: bool = False
    before: int | None = None


ALL: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Held:
    """One held reading as staff see it."""

    id: int
    practice_id: int
    state: str
    why: str
    reason: str
    pointer: str
    item: Any
    raw: bytes | None
    topic: str
    gateway_id: str | None
    epoch: str | None
    seq: int | None
    reading_id: UUID | None
    device_id: int | None
    patient_id: int | None
    measured_at: datetime | None
    held_at: datetime
    decided_at: datetime | None
    decision: str | None
    device_label: str | None
    device_address: str | None
    patient_public_id: UUID | None
    given_name: str | None
    family_name: str | None
    decided_by_name: str | None

    @property
    def sentence(self) -> str:
        """Why it is held, for staff."""
        return SENTENCES[Reason(self.reason)]

    @property
    def releasable(self) -> bool:
        """Whether a person may say that it is right."""
        return self.state == "held" and self.reason in RELEASABLE

    @property
    def claimable(self) -> bool:
        """Whether a person may say whose it is."""
        return self.state == "held" and self.reason in CLAIMABLE

    @property
    def alone(self) -> bool:
        """Whether a claim is for this one reading, and not for its device over a range of time."""
        return self.reason in CLAIMED_ALONE


def hold(connection: Connection, rows: Sequence[ToHold], *, now: datetime) -> int:
    """Keep these, each reading at most once; how many were new."""
    return connection.execute(
        _SQL["hold"],
        {
            "practices": [row.practice_id for row in rows],
            "whys": [row.why for row in rows],
            "reasons": [row.reason for row in rows],
            "pointers": [row.pointer for row in rows],
            "items": [row.item for row in rows],
            "raws": [row.raw for row in rows],
            "topics": [row.topic for row in rows],
            "gateways": [row.gateway_id for row in rows],
            "epochs": [row.epoch for row in rows],
            "seqs": [row.seq for row in rows],
            "ids": [row.reading_id for row in rows],
            "devices": [row.device_id for row in rows],
            "patients": [row.patient_id for row in rows],
            "instants": [
                row.measured_at if row.measured_at and _EARLIEST <= row.measured_at <= _LATEST else None for row in rows
            ],
            "settlements": [row.source.settled_no for row in rows],
            "messages": [row.source.message for row in rows],
            "places": [row.source.item for row in rows],
            "now": now,
        },
    ).rowcount


def voided(connection: Connection, readings: Collection[tuple[int, UUID]]) -> set[UUID]:
    """Those of these readings (practice, name) that a person has set aside for good."""
    return {row["reading_id"] for row in connection.execute(_SQL["voided"], _named(readings))}


def overtake(connection: Connection, readings: Collection[tuple[int, UUID]], *, now: datetime) -> None:
    """These readings (practice, name) came again and are stored now: what of them is held waits for nobody."""
    connection.execute(_SQL["overtake"], {**_named(readings), "now": now})


def _named(readings: Collection[tuple[int, UUID]]) -> dict[str, Any]:
    return {
        "practices": array(practice_id for practice_id, _ in readings),
        "ids": name_array(name for _, name in readings),
    }


def list_held(
    connection: Connection,
    *,
    actor: Actor,
    state: str | None = "held",
    wanted: Wanted = ALL,
    limit: int = LIST_MAX,
) -> list[Held]:
    """What waits for a decision in the actor's practice, newest first; `state` None: decided ones too."""
    return _find(connection, actor, held_id=None, state=state, wanted=wanted, limit=min(limit, LIST_MAX))


def show(connection: Connection, held_id: int, *, actor: Actor) -> Held:
    """One held reading, decided or not; UserError where the actor's practice has none of that number."""
    found = _find(connection, actor, held_id=held_id, state=None, wanted=ALL, limit=1)
    if not found:
        raise UserError(f"there is no held reading {held_id}")
    return found[0]


def count_held(connection: Connection, *, actor: Actor) -> int:
    """How many wait for a decision."""
    row = connection.execute(_SQL["count"], {"practices": practices_of(actor)}).fetchone()
    assert row is not None
    return row["waiting"]


def count_by_reason(connection: Connection, *, actor: Actor) -> dict[Reason, int]:
    """How many wait for each reason, the most frequent first."""
    rows = connection.execute(_SQL["count_by_reason"], {"practices": practices_of(actor)}).fetchall()
    return {Reason(row["reason"]): row["waiting"] for row in rows}


def practices_of(actor: Actor) -> list[int]:
    """An administrator also sees what gateways sent that no practice has claimed."""
    return [actor.practice_id, UNCLAIMED] if actor.role is Role.ADMIN else [actor.practice_id]


def fields_of(wanted: Wanted, actor: Actor) -> dict[str, Any]:
    """A wish as the statements take it. UserError: only an administrator sees what no practice has claimed."""
    practices = practices_of(actor)
    if wanted.unclaimed and UNCLAIMED not in practices:
        raise UserError("only an administrator sees what no practice has claimed")
    return {
        "practices": [UNCLAIMED] if wanted.unclaimed else practices,
        "reason": wanted.reason,
        "gateway_id": wanted.gateway_id,
        "device": wanted.device,
        "since": wanted.since,
        "before": wanted.before,
    }


def _find(
    connection: Connection, actor: Actor, *, held_id: int | None, state: str | None, wanted: Wanted, limit: int
) -> list[Held]:
    asked = {**fields_of(wanted, actor), "held_id": held_id, "state": state, "limit": limit}
    with connection.cursor(row_factory=class_row(Held)) as cursor:
        return cursor.execute(_SQL["list"], asked).fetchall()
