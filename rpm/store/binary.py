"""Rows in COPY's binary format, packed here: the format's own words, and the widths that are the same in every row at once.

psycopg's `write_row` finds out each value's type anew: 9 µs for a reading's thirty columns and 6 for its values, which was a
third of what settling a reading cost; a `struct` and a join take 3. Source of the format: PostgreSQL, "COPY", Binary Format,
and the `send` functions of the types.
"""

import json
import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

#: Before the first row: signature, flags, no extension. And behind the last.
HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
NULL: Final = b"\xff\xff\xff\xff"

_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)
_LENGTH: Final = struct.Struct(">i")
_INT2: Final = struct.Struct(">ih")
_INT4: Final = struct.Struct(">ii")
_INT8: Final = struct.Struct(">iq")
_FLOAT8: Final = struct.Struct(">id")
_TEXT_OID: Final = 25
_NO_WORDS: Final = struct.pack(">iiii", 12, 0, 0, _TEXT_OID)
_NO_FACTS: Final = struct.pack(">i", 3) + b"\x01{}"
#: Words that are the same in thousands of rows: kinds, gateways, epochs.
_WORDS_MAX: Final = 16_384


def microseconds(instant: datetime) -> int:
    """A timestamptz: microseconds since the beginning of 2000."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def data(value: bytes | None) -> bytes:
    """A bytea."""
    return NULL if value is None else _LENGTH.pack(len(value)) + value


def text(value: str | None) -> bytes:
    """A text."""
    return NULL if value is None else data(value.encode())


@lru_cache(_WORDS_MAX)
def word(value: str) -> bytes:
    """A text that comes again and again."""
    return text(value)


def int2(value: int | None) -> bytes:
    """A smallint."""
    return NULL if value is None else _INT2.pack(2, value)


def int4(value: int | None) -> bytes:
    """An integer."""
    return NULL if value is None else _INT4.pack(4, value)


def int8(value: int | None) -> bytes:
    """A bigint."""
    return NULL if value is None else _INT8.pack(8, value)


def float8(value: float | None) -> bytes:
    """A double precision."""
    return NULL if value is None else _FLOAT8.pack(8, value)


def words(values: Iterable[str]) -> bytes:
    """A text[] of one dimension."""
    elements = [text(value) for value in values]
    if not elements:
        return _NO_WORDS
    return data(struct.pack(">iiiii", 1, 0, _TEXT_OID, len(elements), 1) + b"".join(elements))


def facts(values: Mapping[str, str]) -> bytes:
    """A jsonb object."""
    return data(b"\x01" + json.dumps(dict(values)).encode()) if values else _NO_FACTS
