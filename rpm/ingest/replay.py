"""Work through what is held once more, as it would be taken in today.

held row ──its message in the archive, or what was kept of it──▶ unpack ──▶ admit ──▶ stored │ duplicate │ still held

A rule was mended, a device registered, a newer version of the message is known: what was held for it can be used. Nothing
of a held row is lost by trying: what is still wrong keeps it held, for today's reason. What only a person can say (that an
unlikely value is right, whose a reading is) a replay does not say. The reading keeps the instant at which its gateway had
it and its place in the archive; it is stored now, so that it pages nobody as if it had just been measured.
"""

import json
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast

from rpm import audit
from rpm.access import Actor
from rpm.ingest.admit import UNCLAIMED, Admitted, Known, Quarantined, Unassigned, admit
from rpm.ingest.batch import SettledMeanwhile, write
from rpm.ingest.plan import Incoming, Placed
from rpm.ingest.reasons import SENTENCES, Reason
from rpm.ingest.receipts import Outcome
from rpm.ingest.unpack import Message, Row, unpack
from rpm.store import archive, held, holding, readings
from rpm.store.archive import source_of
from rpm.store.database import Connection, Transactions
from rpm.store.holding import NOTE_LENGTH_MAX, Wanted
from rpm.store.known import known_of
from schemas.messages import SCHEMA_VERSION, Channel, topic

#: Held rows that are tried in one transaction.
BATCH_MAX: Final = 100
#: Held rows that one press of a button tries.
PRESS_MAX: Final = 500
#: Of these the item alone does not say how to read it, where its message is not kept.
_OF_THE_MESSAGE: Final = frozenset({Reason.UNKNOWN_VERSION, Reason.GATEWAY_MISMATCH, Reason.FRAME_UNDECODED})


class Result(StrEnum):
    """What came of trying one held row."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    STILL_HELD = "still held"


@dataclass(frozen=True, slots=True)
class Tried:
    """One held row that was tried: what came of it, and the sentence that says why it is still held, or what was stored."""

    held_id: int
    result: Result
    words: str


def replay(
    database: Transactions, wanted: Wanted, *, actor: Actor, why: str, now: datetime, limit: int | None = None
) -> Generator[Tried]:
    """Try what is held and wanted, oldest first, in batches of BATCH_MAX, each in one transaction that is audited.

    At most `limit` rows, each once. May be run again at any time: what was stored is held no more. A row that somebody
    decides on meanwhile is left to them.
    """
    after, left = 0, limit
    while left is None or left > 0:
        size = BATCH_MAX if left is None else min(BATCH_MAX, left)
        with database.transaction() as connection:
            rows = held.take_wanted(connection, wanted, actor=actor, after=after, limit=size)
            tried = _try_all(connection, rows, actor=actor, why=why, now=now)
        yield from tried
        if len(rows) < size:
            return
        after = rows[-1]["id"]
        left = None if left is None else left - len(rows)


def replay_one(connection: Connection, held_id: int, *, actor: Actor, why: str, now: datetime) -> Tried:
    """Try one held row; UserError where the actor's practice has none of that number, or somebody has decided on it."""
    (tried,) = _try_all(connection, [held.take(connection, held_id, actor)], actor=actor, why=why, now=now)
    return tried


def _try_all(
    connection: Connection, rows: Sequence[dict[str, Any]], *, actor: Actor, why: str, now: datetime
) -> list[Tried]:
    note = " ".join(why.replace("\0", "").split())[:NOTE_LENGTH_MAX]
    tried = [try_row(connection, row, actor=actor, why=note, now=now) for row in rows]
    if any(one.result is Result.STORED for one in tried):
        readings.tell(connection)
    if tried:
        counts = Counter(one.result for one in tried)
        audit.record(
            connection,
            actor,
            audit.Action.READING_REPLAYED,
            now=now,
            patients={row["patient_id"] for row in rows if row["patient_id"] is not None},
            first=tried[0].held_id,
            last=tried[-1].held_id,
            **{result.name.lower(): counts[result] for result in Result},
        )
    return tried


def try_row(connection: Connection, row: dict[str, Any], *, actor: Actor, why: str, now: datetime) -> Tried:
    """Try one locked held row under a savepoint: what the database refuses of it leaves it as it was, and the others go on."""
    try:
        with readings.apart(connection):
            return _try(connection, row, actor=actor, why=why, now=now)
    except readings.Unstorable:
        return Tried(row["id"], Result.STILL_HELD, SENTENCES[Reason.NOT_STORABLE])
    except SettledMeanwhile:
        return Tried(row["id"], Result.STILL_HELD, "It is being taken in at this moment: try again.")


def _try(connection: Connection, row: dict[str, Any], *, actor: Actor, why: str, now: datetime) -> Tried:
    if Reason(row["reason"]) is Reason.SEQUENCE_REUSED:
        return Tried(row["id"], Result.STILL_HELD, SENTENCES[Reason.SEQUENCE_REUSED])
    rows = _rows_today(connection, row, now=now)
    if not rows:
        return Tried(row["id"], Result.STILL_HELD, SENTENCES[Reason(row["reason"])])
    known = known_of(
        connection,
        [(one.gateway_id, one.reading) for one in rows if one.gateway_id is not None and one.reading is not None],
        gateways=[] if row["gateway_id"] is None else [row["gateway_id"]],
        now=now,
    )
    practice_id = known.practices.get(row["gateway_id"] or "", UNCLAIMED)
    if practice_id not in (UNCLAIMED, actor.practice_id):
        return Tried(row["id"], Result.STILL_HELD, SENTENCES[Reason.UNKNOWN_GATEWAY])
    if len(rows) == 1 and (row["seq"] is not None or rows[0].reading is None):
        return _admit_row(connection, row, rows[0], known, actor=actor, why=why, now=now)
    return _try_message(connection, row, rows, actor=actor, why=why, now=now)


def _rows_today(connection: Connection, row: dict[str, Any], *, now: datetime) -> Sequence[Row]:
    """What today's reading of the bytes makes of a held row: its own row, or all of a message that is held whole."""
    source = source_of(row)
    kept = archive.message_of(connection, source, practice_id=row["practice_id"], until=now)
    raw: bytes | None = row["raw"]
    if kept is not None:
        rows = unpack(Message(kept.topic, kept.payload)).rows
        if row["item"] is None and raw == kept.payload:
            return rows
        place = source.item or 0
        return rows[place : place + 1] if place < len(rows) and rows[place].seq == row["seq"] else ()
    if row["item"] is None and raw is not None:
        return unpack(Message(row["topic"], raw)).rows
    if row["gateway_id"] is None or Reason(row["reason"]) in _OF_THE_MESSAGE:
        return ()
    item: Any = row["item"] if raw is None else _parsed(raw)
    alone = {"v": SCHEMA_VERSION, "gateway_id": row["gateway_id"], "epoch": row["epoch"], "items": [item]}
    return unpack(Message(topic(row["gateway_id"], Channel.READINGS), json.dumps(alone).encode())).rows


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _admit_row(
    connection: Connection, row: dict[str, Any], today: Row, known: Known, *, actor: Actor, why: str, now: datetime
) -> Tried:
    """Admit the one reading of a held row, or hold it on for today's reason."""
    if today.reading is None:
        decision = Quarantined(today.reason or Reason.UNREADABLE, today.pointer, row["practice_id"], row["device_id"])
    else:
        decision = admit(today.reading, gateway_id=row["gateway_id"], known=known, arrived=row["held_at"], now=now)
    if not isinstance(decision, Admitted):
        _hold_on(connection, row, decision)
        return Tried(row["id"], Result.STILL_HELD, SENTENCES[decision.reason])
    assert today.reading is not None
    key = decision.practice_id, today.reading.reading_id
    if holding.voided(connection, [key]):
        return Tried(row["id"], Result.STILL_HELD, "Somebody has set this reading aside, as it came another time.")
    entry = readings.Entry(today.reading, decision, row["gateway_id"], row["epoch"], row["seq"], source=source_of(row))
    new = bool(readings.store(connection, [entry], now=now))
    if not new:
        readings.add_context(connection, today.reading, now=now)
    result = Result.STORED if new else Result.DUPLICATE
    held.decide(
        connection, row["id"], "replayed", actor=actor, now=now, patient_id=decision.patient_id,
        decision=f"{result}. {why}".strip(),
    )  # fmt: skip
    if new:
        holding.overtake(connection, [key], now=now)
    return Tried(row["id"], result, "")


def _hold_on(connection: Connection, row: dict[str, Any], decision: Quarantined | Unassigned) -> None:
    """Held on: for today's reason where that is another, so that the judge and people look again."""
    pointer = decision.pointer if isinstance(decision, Quarantined) else ""
    if (decision.reason, pointer) != (row["reason"], row["pointer"]):
        held.hold_on(connection, row["id"], decision)


def _try_message(
    connection: Connection, row: dict[str, Any], rows: Sequence[Row], *, actor: Actor, why: str, now: datetime
) -> Tried:
    """Settle the rows of a message that was held whole. What of them cannot be admitted is held by itself from now on."""
    place = cast(int, row["message_place"] or 0)
    placed = [Placed(today, place, number) for number, today in enumerate(rows)]
    settled = write(connection, placed, [], Incoming(number=row["settled_no"], arrived=row["held_at"]), now=now)
    counts = Counter(one.outcome for one in settled)
    stored, known_before = counts[Outcome.STORED], counts[Outcome.DUPLICATE]
    apart = len(rows) - stored - known_before
    words = f"{stored} stored, {known_before} known before, {apart} held apart"
    held.decide(connection, row["id"], "replayed", actor=actor, now=now, decision=f"{words}. {why}".strip())
    return Tried(row["id"], Result.STORED if stored else Result.DUPLICATE, words)
