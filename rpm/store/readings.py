"""Accepted readings: written once, with their values, the newest of each, and the patients marked as having news.

Names are claimed in a plain key table, and only the new ones are copied in: the fastest of the ways measured that can
deduplicate. Everything here runs in the caller's transaction.
"""

import struct
from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from rpm.ingest.admit import Admitted
from rpm.ingest.shape import AReading
from rpm.store import binary
from rpm.store.archive import NOWHERE, Source
from rpm.store.arrays import array, name_array, word_array
from rpm.store.database import Connection, DatabaseUnavailable, Transactions
from rpm.store.queries import load

_SQL = load("readings")
#: A context that came later belongs to a measurement at most this far from its own corrected time.
CONTEXT_WITHIN: Final = timedelta(days=1)
#: What every row of a reading and of a value begins with, in the order of the COPY statements: lengths and numbers.
_READING: Final = struct.Struct(">h iq i16s ii iq iq iq iq iq iq i? i?")
_READING_COLUMNS: Final = 30
_VALUED: Final = struct.Struct(">h iq iq iq ii")
_VALUED_COLUMNS: Final = 8
_VALUE: Final = struct.Struct(">id ih ih ih")


class Unstorable(ValueError):
    """The database refuses a value of this batch. Trying again will not help; trying its messages one by one will."""


class Entry(NamedTuple):
    """One reading to store: as it came, what was decided, and by which outbox row. `released_by` names who let it in.

    `source` says where it stands in the archive; None where it came by no message that is kept.
    """

    reading: AReading
    decision: Admitted
    gateway_id: str
    epoch: str
    seq: int
    released_by: int | None = None
    source: Source | None = None


@contextmanager
def one_transaction(database: Transactions) -> Generator[Connection]:
    """A transaction whose failures are of two kinds: Unstorable (the data's fault) or DatabaseUnavailable (try again).

    A commit whose outcome is unknown is the second kind: what is written here may be written again.
    """
    try:
        with database.transaction() as connection:
            yield connection
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
        # Its text may quote the value: the class says enough.
        raise Unstorable(type(error).__name__) from None
    except psycopg.Error as error:
        raise DatabaseUnavailable(f"{DatabaseUnavailable.__doc__} ({type(error).__name__})") from error


@contextmanager
def apart(connection: Connection) -> Generator[None]:
    """A part of a transaction that can fail by itself: Unstorable where the data are at fault, and nothing of it is done."""
    try:
        with connection.transaction():
            yield
    except (psycopg.DataError, psycopg.IntegrityError, psycopg.errors.ProgramLimitExceeded) as error:
        raise Unstorable(type(error).__name__) from None


def stored_names(connection: Connection, names: Collection[UUID]) -> set[UUID]:
    """Those of these readings that are stored already."""
    found = connection.execute(_SQL["stored_names"], {"ids": list(names)})
    return {row["reading_id"] for row in found}


def store(connection: Connection, entries: Sequence[Entry], *, now: datetime) -> set[int]:
    """Store readings, each once; the names (`UUID.int`) of those that nobody had stored before. Names in `entries` differ."""
    new = claim(connection, entries)
    if new:
        copy_in(connection, new, now=now)
        follow(connection, new, now=now)
    return {entry.reading.reading_id.int for _, entry in new}


def claim(connection: Connection, entries: Sequence[Entry]) -> list[tuple[int, Entry]]:
    """Claim the names of these readings: those that are ours to store, each with its number.

    Left out is what was stored before, and what a person has set aside. Names in `entries` differ.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        keys = cursor.execute(
            _SQL["insert_keys"],
            {
                "ids": name_array(entry.reading.reading_id for entry in entries),
                "practices": array(entry.decision.practice_id for entry in entries),
            },
        )
        # By number: a UUID computes its hash in Python, each time it is asked.
        numbers: dict[int, int] = {name.int: number for name, number in keys}
    return [(numbers[name], entry) for entry in entries if (name := entry.reading.reading_id.int) in numbers]


def copy_in(connection: Connection, new: Sequence[tuple[int, Entry]], *, now: datetime) -> None:
    """Write what was claimed, with its values. No pipeline may be open: the protocol knows no COPY in one."""
    with connection.cursor() as cursor:
        with cursor.copy(_SQL["copy_readings"]) as copy:
            copy.write(_readings_packed(new, now))
        with cursor.copy(_SQL["copy_observations"]) as copy:
            copy.write(_observations_packed(new))


def follow(connection: Connection, new: Sequence[tuple[int, Entry]], *, now: datetime) -> None:
    """What follows from new readings: each patient's newest values, and the news for whoever judges. Nothing is waited for."""
    _save_latest(connection, new)
    counts = Counter([(entry.decision.patient_id, entry.decision.practice_id) for _, entry in new])
    measured = {
        (entry.decision.patient_id, entry.decision.practice_id, entry.reading.measured_at.astimezone(UTC).date())
        for _, entry in new
    }
    save_news(connection, counts, measured, now=now)


def _readings_packed(entries: Sequence[tuple[int, Entry]], now: datetime) -> bytes:
    """The envelopes of (number, entry), in the order of `copy_readings`."""
    admitted_us = binary.microseconds(now)
    parts = [binary.HEADER]
    for number, entry in entries:
        reading, decision = entry.reading, entry.decision
        settled_no, message, item = entry.source or NOWHERE
        head = _READING.pack(
            _READING_COLUMNS, 8, number, 16, reading.reading_id.bytes, 4, decision.practice_id,
            8, decision.patient_id, 8, decision.device_id, 8, entry.seq,
            8, binary.microseconds(reading.measured_at), 8, binary.microseconds(reading.received_at), 8, admitted_us,
            1, reading.backfill, 1, decision.late,
        )  # fmt: skip
        parts += (
            head,
            binary.word(entry.gateway_id),
            binary.word(entry.epoch),
            binary.word(reading.kind),
            binary.word(reading.characteristic),
            binary.word(reading.time_source),
            binary.int2(reading.user_slot),
            binary.text(reading.device_time),
            binary.float8(reading.clock_offset_s),
            binary.float8(reading.uncertainty_s),
            binary.int4(reading.sequence_number),
            binary.words(reading.status),
            binary.words(decision.flags),
            binary.facts(reading.context),
            binary.data(bytes.fromhex(reading.raw)),
            binary.NULL if reading.raw_context is None else binary.data(bytes.fromhex(reading.raw_context)),
            binary.int8(entry.released_by),
            binary.int8(settled_no),
            binary.int2(message),
            binary.int2(item),
        )
    parts.append(binary.TRAILER)
    return b"".join(parts)


def _observations_packed(entries: Sequence[tuple[int, Entry]]) -> bytes:
    """The values of (number, entry), in the order of `copy_observations`."""
    parts = [binary.HEADER]
    add = parts.append
    for number, (reading, decision, *_) in entries:
        measured_us = binary.microseconds(reading.measured_at)
        head = _VALUED.pack(
            _VALUED_COLUMNS, 8, measured_us, 8, number, 8, decision.patient_id, 4, decision.practice_id
        )  # fmt: skip
        for code, value, unit, quality in decision.observations:
            add(head + _VALUE.pack(8, value, 2, code, 2, unit, 2, quality))
    add(binary.TRAILER)
    return b"".join(parts)


def _save_latest(connection: Connection, entries: Sequence[tuple[int, Entry]]) -> None:
    """The newest of each patient and code among (number, entry), where it is newer than what is there.

    Of one instant: by the rule of `save_latest`, so that no order of arrival makes another newest value.
    """
    newest: dict[tuple[int, int], tuple[Any, ...]] = {}
    # The newest reading first: what follows changes nothing, and most of a backlog follows.
    for number, (reading, decision, *_) in sorted(entries, key=_rank, reverse=True):
        for code, value, unit, _ in decision.observations:
            key = decision.patient_id, code
            if key not in newest:
                newest[key] = (decision.practice_id, reading.measured_at, value, unit, number)
    connection.execute(
        _SQL["save_latest"],
        {
            "patients": array(patient_id for patient_id, _ in newest),
            "codes": array(code for _, code in newest),
            "practices": array(row[0] for row in newest.values()),
            "instants": array(row[1] for row in newest.values()),
            "values": array(row[2] for row in newest.values()),
            "units": array(row[3] for row in newest.values()),
            "numbers": array(row[4] for row in newest.values()),
        },
    )


def _rank(numbered: tuple[int, Entry]) -> tuple[datetime, int, int]:
    """Of two readings of one patient the one with the greater is the newer."""
    reading = numbered[1].reading
    record = reading.sequence_number
    return reading.measured_at, -1 if record is None else record, reading.reading_id.int


def save_news(
    connection: Connection,
    counts: Mapping[tuple[int, int], int],
    measured: Collection[tuple[int, int, date]] = (),
    *,
    now: datetime,
) -> None:
    """Mark patients as having news. `counts`: (patient, practice) → how many readings.

    `measured`: (patient, practice, UTC day) of values that are new or no longer what they were.
    """
    connection.execute(
        _SQL["save_news"],
        {
            "patients": array(patient_id for patient_id, _ in counts),
            "practices": array(practice_id for _, practice_id in counts),
            "counts": array(counts.values()),
            "marked": array(patient_id for patient_id, _, _ in measured),
            "marked_practices": array(practice_id for _, practice_id, _ in measured),
            "days": word_array(str(day) for _, _, day in measured),
            "now": now,
        },
    )


def tell(connection: Connection) -> None:
    """Wake whoever judges, once this transaction is committed."""
    connection.execute(_SQL["tell"])


def add_context(connection: Connection, reading: AReading, *, now: datetime) -> bool:
    """Complete a stored glucose reading with a context that came later; whether it had none."""
    if reading.raw_context is None:
        return False
    row = connection.execute(
        _SQL["add_context"],
        {
            "reading_id": reading.reading_id,
            "context": Jsonb(reading.context),
            "raw_context": bytes.fromhex(reading.raw_context),
            "earliest": reading.measured_at - CONTEXT_WITHIN,
            "latest": reading.measured_at + CONTEXT_WITHIN,
        },
    ).fetchone()
    if row is None:
        return False
    save_news(connection, {(row["patient_id"], row["practice_id"]): 1}, now=now)
    return True


def saw_devices(connection: Connection, heard: Mapping[int, tuple[str, AReading]], *, now: datetime) -> None:
    """Device id → gateway and newest reading by receipt: who heard it last and when, and what it says of itself."""
    identities = [reading.device for _, reading in heard.values()]
    connection.execute(
        _SQL["saw_devices"],
        {
            "devices": list(heard),
            "seen": [min(reading.received_at, now) for _, reading in heard.values()],
            "gateways": [gateway_id for gateway_id, _ in heard.values()],
            "manufacturers": [identity.manufacturer for identity in identities],
            "models": [identity.model for identity in identities],
            "serials": [identity.serial for identity in identities],
            "firmwares": [identity.firmware for identity in identities],
        },
    )
