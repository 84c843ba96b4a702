"""The raw archive: every message that brought readings, as the broker handed it over, hashed, and where each reading stands in it.

Kept in the transaction that settles the message, so that there is no reading without its bytes. What gateways tell of
themselves is no measurement and is not kept.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from psycopg.rows import class_row

from rpm.ingest.admit import UNCLAIMED
from rpm.store.arrays import array
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("archive")


class Source(NamedTuple):
    """Where something stands in the archive: the settlement, the message in it, the item in that. All None: nowhere."""

    settled_no: int | None
    message: int | None
    item: int | None


NOWHERE: Final = Source(None, None, None)


@dataclass(frozen=True, slots=True)
class Received:
    """A message as it came. `practice_id` is whose its gateway is; 0 is nobody's."""

    practice_id: int
    topic: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Archived:
    """A message as the archive has it; `place` among those of its settlement."""

    settled_no: int
    place: int
    received_at: datetime
    topic: str
    payload: bytes
    sha256: bytes

    @property
    def intact(self) -> bool:
        """Whether the bytes are still those that were hashed when they came."""
        return hashlib.sha256(self.payload).digest() == self.sha256

    def item(self, place: int) -> str | None:
        """One item of the message as JSON, by its place; None where the message has no such item.

        A message may bring readings of two people: who looks at one is not shown the other's.
        """
        try:
            batch: Any = json.loads(self.payload)
            items: Any = batch["items"]
            return json.dumps(items[place], indent=2, ensure_ascii=False)
        except (ValueError, TypeError, LookupError):
            return None


def source_of(row: Mapping[str, Any]) -> Source:
    """Where the reading of a row with these three columns stands."""
    return Source(row["settled_no"], row["message_place"], row["item_place"])


def keep(connection: Connection, messages: Sequence[Received], *, number: int | None = None, now: datetime) -> int:
    """Keep messages that are settled in this transaction; their settlement's number (`number`, where it is known)."""
    row = connection.execute(
        _SQL["keep"],
        {
            "number": number,
            "practices": array(message.practice_id for message in messages),
            "topics": [message.topic.replace("\0", "") for message in messages],
            "payloads": [message.payload for message in messages],
            "hashes": [hashlib.sha256(message.payload).digest() for message in messages],
            "now": now,
        },
    ).fetchone()
    assert row is not None
    settled_no: int = row["number"]
    return settled_no


def message_of(connection: Connection, source: Source, *, practice_id: int, until: datetime) -> Archived | None:
    """The message something came by, at the latest at `until`; None where it is not kept (any more)."""
    if source.settled_no is None:
        return None
    asked = {
        "settled_no": source.settled_no, "place": source.message, "practices": [practice_id, UNCLAIMED], "until": until,
    }  # fmt: skip
    with connection.cursor(row_factory=class_row(Archived)) as cursor:
        return cursor.execute(_SQL["message_of"], asked).fetchone()
