"""One patient's record let go of: what was measured and what was said of it, not what a bill rests on (F41).

What stays, for as long as the law wants bills to be proven: who it was (name, birth date), consent and order, minutes of
work, closed months, the record of who saw what, and of each reading its name, its device, when it was measured and taken in, and
whether it counts. So every day that was billed can still be counted.

In two transactions. The first takes the patient's devices away, so that what still comes is nobody's; once nobody is left who
may not have seen that, the second lets go. What is cut off in between is gone on with by asking again.
"""

import hashlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast
from uuid import UUID

from psycopg.types.json import Jsonb

from rpm.access import Actor
from rpm.audit import Action, record
from rpm.errors import UserError
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.messages import Channel, topic

_SQL = load("purge")
#: Messages fetched at a time.
FETCH: Final = 500
#: By table, in an order in which each statement still finds what it goes by.
STEPS: Final = (
    "observation", "reading", "latest", "rollup", "rollup_mark", "patient_news", "patient_limit", "limit_decision", "patient_pause",
    "patient_fact", "repeat_wait", "gateway_request",
    "notification", "alert_event", "alert", "held", "correction", "record_change", "patient",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cut:
    """What becomes of one message: its bytes without some of its items (None: nothing is left), and which those were."""

    payload: bytes | None
    items: tuple[int, ...]


def cut(payload: bytes, names: Collection[UUID]) -> Cut | None:
    """A message without the readings of these names; None where it has none of them."""
    try:
        batch: Any = json.loads(payload)
        items: list[Any] = list(batch["items"])
    except (ValueError, TypeError, LookupError):
        return None
    gone = tuple(place for place, item in enumerate(items) if _name(item) in names)
    if not gone:
        return None
    batch["items"] = [item for place, item in enumerate(items) if place not in gone]
    if not batch["items"] and not batch.get("undecoded"):
        return Cut(None, gone)
    return Cut(json.dumps(batch, ensure_ascii=False, separators=(",", ":")).encode(), gone)


def _name(item: Any) -> UUID | None:
    try:
        return UUID(cast(str, item["reading"]["reading_id"]))
    except (ValueError, TypeError, LookupError, AttributeError):
        return None


def begin(connection: Connection, patient_id: int, *, reason: str, actor: Actor, now: datetime) -> int:
    """Take the patient's devices away and write down that the record goes; the number of this transaction.

    UserError where the patient is still looked after, or the record is gone already.
    """
    asked: dict[str, Any] = {"patient_id": patient_id, "practice_id": actor.practice_id, "now": now}
    stands = connection.execute(_SQL["stands"], asked).fetchone()
    if stands is None:
        raise UserError("no such patient in this practice")
    if stands["certificate"] is not None:
        raise UserError(f"the record was purged, begun {stands['begun_at']:%Y-%m-%d}")
    for word, said in (
        ("looked_after", "end the patient's enrolment first"),
        ("has_device", "take the patient's devices back first"),
        ("has_alert", "close the patient's alerts first"),
        ("timed", "stop the timer that runs for the patient first"),
    ):
        if stands[word]:
            raise UserError(said)
    connection.execute(_SQL["begin"], {**asked, "reason": reason, "staff_id": actor.staff_id})
    used = connection.execute(_SQL["device_assignment"], asked).rowcount
    number = connection.execute(_SQL["transaction"]).fetchone()
    assert number is not None
    record(connection, actor, Action.PURGE_BEGUN, now=now, patient_id=patient_id, assignments=used)
    return cast(int, number["number"])


def seen_by_all(connection: Connection, number: int) -> bool:
    """Whether nobody is left who may not have seen that transaction."""
    row = connection.execute(_SQL["older_ended"], {"number": number}).fetchone()
    return row is not None and bool(row["ended"])


def finish(connection: Connection, patient_id: int, *, actor: Actor, now: datetime) -> dict[str, Any]:
    """Let go of everything; the certificate: what went from where, and that nothing of it is left."""
    asked: dict[str, Any] = {"patient_id": patient_id, "practice_id": actor.practice_id, "now": now}
    connection.execute(_SQL["allow"])
    rows = connection.execute(_SQL["names"], asked).fetchall()
    asked["names"] = [row["reading_id"] for row in rows]
    gone = _messages(connection, asked, {row["gateway_id"] for row in rows if row["gateway_id"]})
    gone |= {step: connection.execute(_SQL[step], asked).rowcount for step in STEPS}
    left = connection.execute(_SQL["left"], asked).fetchone()
    assert left is not None
    assert left["number"] == 0, "what must be gone is still there"
    certificate = {
        "purged_at": now.isoformat(),
        "rows": gone,
        "left": 0,
        "readings_kept_without_values": gone["reading"],
    }
    connection.execute(_SQL["certify"], {**asked, "certificate": Jsonb(certificate)})
    record(connection, actor, Action.PURGED, now=now, patient_id=patient_id, readings=gone["reading"])
    return certificate


def _messages(connection: Connection, asked: dict[str, Any], gateways: Collection[str]) -> dict[str, int]:
    """Cut the readings out of every message that brought them, each time it came; how many messages and items that were."""
    names = frozenset(cast(list[UUID], asked["names"]))
    topics = [f"%{topic(gateway_id, Channel.READINGS)}" for gateway_id in sorted(gateways)]
    found: dict[int, dict[int, Cut]] = {}
    # By and by: an archive of years does not fit into memory.
    with connection.cursor("messages") as cursor:
        cursor.itersize = FETCH
        for row in cursor.execute(_SQL["messages"], {**asked, "topics": topics}):
            done = cut(bytes(row["payload"]), names)
            if done is not None:
                found.setdefault(row["settled_no"], {})[row["place"]] = done
    for settled_no, cuts in found.items():
        _settlement(connection, {**asked, "settled_no": settled_no}, cuts)
    every = [one for cuts in found.values() for one in cuts.values()]
    return {"message": len(every), "item": sum(len(one.items) for one in every)}


def _settlement(connection: Connection, asked: dict[str, Any], cuts: dict[int, Cut]) -> None:
    """Cut the messages of one settlement, and let what stands behind move up: it is found by its place."""
    dropped: list[int] = []
    for place, one in cuts.items():
        if one.payload is None:
            dropped.append(place)
            connection.execute(_SQL["drop_message"], {**asked, "place": place})
        else:
            facts = {**asked, "place": place, "payload": one.payload, "sha256": hashlib.sha256(one.payload).digest()}
            connection.execute(_SQL["rewrite_message"], facts)
    pairs = list(_pairs(cuts))
    asked |= {
        "dropped": dropped, "messages": [message for message, _ in pairs], "items": [item for _, item in pairs],
    }  # fmt: skip
    for step in ("move_readings", "move_held", "move_changes", "move_messages"):
        connection.execute(_SQL[step], asked)


def _pairs(cuts: dict[int, Cut]) -> Iterator[tuple[int, int]]:
    for message, one in cuts.items():
        for item in one.items:
            yield message, item
