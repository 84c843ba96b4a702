"""Bytes of a message → rows to settle. Whole batch first; where that fails, item by item, so that one bad item is alone.

Nothing is dropped here: what no row can be made of becomes one row without a sequence number, which keeps the bytes.
"""

import hashlib
import json
import re
import uuid
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, cast

import msgspec
from pydantic import ValidationError
from pydantic_core import from_json

from rpm.ingest.quick import QuickItem, quick_batch
from rpm.ingest.reasons import Reason
from rpm.ingest.shape import AReading
from schemas.ids import GATEWAY_ID_PATTERN, READING_NAMESPACE
from schemas.messages import (
    BATCH_ITEMS_MAX,
    MESSAGE_BYTES_MAX,
    SCHEMA_VERSION,
    Channel,
    Event,
    ReadingBatch,
    ReadingItem,
    Status,
    UndecodedItem,
    gateway_of,
)
from schemas.reading import utc_text

# Matched in full: `$` lets a line feed follow, and what a receipt cannot name must not become a row.
_GATEWAY_ID: Final = re.compile(GATEWAY_ID_PATTERN)
_EPOCH: Final = re.compile(r"[0-9a-f]{16}")
_SEQ_BELOW: Final = 2**63
#: How much of what a sender wrote may show in a pointer.
POINTER_LENGTH_MAX: Final = 200
#: JSON's way to write a character that PostgreSQL stores in no text.
_NUL: Final = b"\\u0000"
#: What is shown in its place.
_REPLACEMENT: Final = b"\\ufffd"


@dataclass(frozen=True, slots=True)
class Message:
    """What the broker handed over."""

    topic: str
    payload: bytes


class Row(NamedTuple):
    """One row of a gateway's outbox, or (`seq` None) a message of which none could be made.

    `reading_id` is what the sender calls it. `item` is what arrived, for whoever looks at it when it is held: a model, or
    a JSON value as parsed; `raw`, its own JSON in ASCII, stands in where the database does not take it. With a `reason` the row is held without
    further checks.
    """

    topic: str
    gateway_id: str | None
    epoch: str | None
    seq: int | None
    reading_id: uuid.UUID | None
    reading: AReading | None
    item: Any
    raw: bytes | None = None
    reason: Reason | None = None
    pointer: str = ""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What one message holds: rows, or a status, or an event."""

    rows: tuple[Row, ...] = ()
    status: Status | None = None
    event: Event | None = None


def unpack(message: Message) -> Unpacked:
    """What is in a message. Never raises: what cannot be read becomes a row that says so."""
    try:
        gateway_id, channel = gateway_of(message.topic)
    except ValueError:
        return _unreadable(message, None, "")
    if not _GATEWAY_ID.fullmatch(gateway_id):
        return _unreadable(message, None, "")
    if len(message.payload) > MESSAGE_BYTES_MAX:
        return Unpacked((held_whole(message, gateway_id, Reason.TOO_LARGE),))
    try:
        match channel:
            case Channel.READINGS:
                return _readings(message, gateway_id)
            case Channel.STATUS:
                status = Status.model_validate_json(message.payload)
                return Unpacked(status=status) if status.gateway_id == gateway_id else _misnamed(message, gateway_id)
            case Channel.EVENTS:
                event = Event.model_validate_json(message.payload)
                return Unpacked(event=event) if event.gateway_id == gateway_id else _misnamed(message, gateway_id)
            case _:
                return _unreadable(message, gateway_id, "")
    except ValidationError as error:
        return _unreadable(message, gateway_id, _pointer("", error))


def as_json(item: Any) -> str | None:
    """`item` as JSON text that a jsonb column takes, else None: PostgreSQL knows no NUL, no NaN, no lone surrogate."""
    if isinstance(item, QuickItem):
        # Held as the models write it, whoever read it.
        item = ReadingItem.model_validate_json(msgspec.json.encode(item))
    if isinstance(item, ReadingItem | UndecodedItem):
        text = item.model_dump_json()
    else:
        try:
            text = json.dumps(item, allow_nan=False, ensure_ascii=False)
            text.encode()
        except ValueError:
            return None
    return None if _NUL.decode() in text else text


def _readings(message: Message, gateway_id: str) -> Unpacked:
    quick = quick_batch(message.payload)
    if quick is not None and quick.gateway_id == gateway_id:
        topic, epoch = message.topic, quick.epoch
        return Unpacked(
            tuple(
                [
                    Row(topic, gateway_id, epoch, item.seq, item.reading.reading_id, item.reading, item)
                    for item in quick.items
                ]
            )
        )
    if _rows_in(message.payload) > BATCH_ITEMS_MAX:
        # A hundred kilobytes can hold sixty thousand items, each a row and an error of its own.
        return Unpacked((held_whole(message, gateway_id, Reason.TOO_LARGE, "/items"),))
    try:
        batch = ReadingBatch.model_validate_json(message.payload)
    except ValidationError as error:
        return _item_by_item(message, gateway_id, error)
    if batch.gateway_id != gateway_id:
        return _item_by_item(message, gateway_id, None)
    poisoned = _NUL in message.payload
    topic, epoch = message.topic, batch.epoch
    rows = [
        Row(topic, gateway_id, epoch, item.seq, item.reading.reading_id, item.reading, item) for item in batch.items
    ]
    if poisoned:
        rows = [_without_nul(row) for row in rows]
    rows += [_undecoded(topic, gateway_id, epoch, item) for item in batch.undecoded]
    return Unpacked(tuple(rows))


def _rows_in(payload: bytes) -> int:
    """How many rows a message would make, readable or not."""
    try:
        batch: Any = from_json(payload, allow_inf_nan=False)
    except ValueError:
        return 0
    if not isinstance(batch, dict):
        return 0
    fields = cast(dict[str, Any], batch)
    return len(_list(fields.get("items"))) + len(_list(fields.get("undecoded")))


def _item_by_item(message: Message, gateway_id: str, error: ValidationError | None) -> Unpacked:
    """Rows of a batch that is not one as a whole; `error` None: because it names another gateway."""
    pointer = "" if error is None else _pointer("", error)
    try:
        batch: Any = from_json(message.payload, allow_inf_nan=False)
    except ValueError:
        return _unreadable(message, gateway_id, pointer)
    if not isinstance(batch, dict):
        return _unreadable(message, gateway_id, pointer)
    fields = cast(dict[str, Any], batch)
    epoch: Any = fields.get("epoch")
    items: list[tuple[Any, bool]] = [(item, False) for item in _list(fields.get("items"))]
    items += [(item, True) for item in _list(fields.get("undecoded"))]
    if not items or not isinstance(epoch, str) or not _EPOCH.fullmatch(epoch):
        return _unreadable(message, gateway_id, pointer)
    reason: Reason | None = None
    where = ""
    if fields.get("v", SCHEMA_VERSION) != SCHEMA_VERSION:
        reason, where = Reason.UNKNOWN_VERSION, "/v"
    elif fields.get("gateway_id") != gateway_id:
        reason, where = Reason.GATEWAY_MISMATCH, "/gateway_id"
    return Unpacked(
        tuple(
            _row(message, gateway_id, epoch, item, undecoded=undecoded, reason=reason, pointer=where)
            for item, undecoded in items
        )
    )


def _row(
    message: Message, gateway_id: str, epoch: str, item: Any, *, undecoded: bool, reason: Reason | None, pointer: str
) -> Row:
    """The row of one item as parsed from JSON."""
    topic = message.topic
    if reason is None:
        try:
            if undecoded:
                return _undecoded(topic, gateway_id, epoch, UndecodedItem.model_validate(item))
            read = ReadingItem.model_validate(item)
            return _without_nul(Row(topic, gateway_id, epoch, read.seq, read.reading.reading_id, read.reading, read))
        except ValidationError as error:
            reason, pointer = Reason.NOT_A_READING, _pointer("", error)
    fields = cast(dict[str, Any], item) if isinstance(item, dict) else {}
    seq: Any = fields.get("seq")
    if type(seq) is not int or not 1 <= seq < _SEQ_BELOW:
        seq = None
    # Its own part only: a hundred kilobytes kept for each item of them come to gigabytes.
    raw = None if as_json(item) is not None else json.dumps(item).encode()
    # What cannot be read as a reading has no name we could trust: its row is known by its sequence number. The name
    # only tells it from another under the same number.
    name = (_stated_id(fields.get("reading")) if seq else None) or _name_of_bytes(
        topic, repr(cast("object", item)).encode()
    )
    return Row(topic, gateway_id, epoch if seq else None, seq, name, None, item, raw, reason, pointer)


def _undecoded(topic: str, gateway_id: str, epoch: str, item: UndecodedItem) -> Row:
    if as_json(item) is None:
        item = item.model_copy(update={"reason": "", "characteristic": ""})
    raw = bytes.fromhex(item.raw)
    # Known by its delivery when it comes again; its name only tells it from another frame under the same number.
    name = _name_of_bytes(f"{item.address}|{item.characteristic}|{utc_text(item.received_at)}", raw)
    return Row(topic, gateway_id, epoch, item.seq, name, None, item, raw, Reason.FRAME_UNDECODED, "/raw")


def _without_nul(row: Row) -> Row:
    """The row, or the same row held: a NUL in any of its texts would make the database refuse the whole batch.

    Its bytes are kept as they came, its item with another character in place of the NUL: a red in it still calls.
    """
    if as_json(row.item) is not None:
        return row
    raw = cast(ReadingItem, row.item).model_dump_json().encode()
    item: Any = json.loads(raw.replace(_NUL, _REPLACEMENT))
    return row._replace(reading=None, item=item, raw=raw, reason=Reason.NOT_STORABLE, pointer="/reading")


def _unreadable(message: Message, gateway_id: str | None, pointer: str) -> Unpacked:
    return Unpacked((held_whole(message, gateway_id, Reason.UNREADABLE, pointer),))


def _misnamed(message: Message, gateway_id: str) -> Unpacked:
    return Unpacked((held_whole(message, gateway_id, Reason.GATEWAY_MISMATCH, "/gateway_id"),))


def held_whole(message: Message, gateway_id: str | None, reason: Reason, pointer: str = "") -> Row:
    """A message kept as it is, under a name derived from its bytes: told twice, it is kept once."""
    name = _name_of_bytes(message.topic, message.payload)
    topic = message.topic.replace("\0", "")
    return Row(topic, gateway_id, None, None, name, None, None, message.payload, reason, pointer)


def _name_of_bytes(origin: str, data: bytes) -> uuid.UUID:
    return uuid.uuid5(READING_NAMESPACE, f"{origin}|{hashlib.sha256(data).hexdigest()}")


def _stated_id(reading: Any) -> uuid.UUID | None:
    """The name an unreadable reading claims to have."""
    stated: Any = cast(dict[str, Any], reading).get("reading_id") if isinstance(reading, dict) else None
    try:
        return uuid.UUID(stated) if isinstance(stated, str) else None
    except ValueError:
        return None


def _list(value: Any) -> list[Any]:
    return cast(list[Any], value) if isinstance(value, list) else []


def _pointer(prefix: str, error: ValidationError) -> str:
    """Where the first error is, as a JSON pointer."""
    steps = (str(step).replace("~", "~0").replace("/", "~1").replace("\0", "") for step in error.errors()[0]["loc"])
    pointer = prefix + "".join(f"/{step}" for step in steps)
    return pointer.encode("utf-8", "replace").decode()[:POINTER_LENGTH_MAX]
