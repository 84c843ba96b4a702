"""Accepted readings: written once, with their values, the newest of each, and the patients marked as having news.

Names are claimed in a plain key table, and only the new ones are copied in: the fastest of the ways measured that can
deduplicate. Everything here runs in the caller's transaction.
"""

from collections import Counter
from collections.abc import Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
from psycopg.rows import tuple_row
from psycopg.types.json import Jsonb

from rpm.ingest.admit import Admitted
from rpm.store.archive import NOWHERE, Source
from rpm.store.arrays import array, name_array, word_array
from rpm.store.database import Connection, Database, DatabaseUnavailable
from rpm.store.queries import load
from schemas.reading import Reading

_SQL = load("readings")
#: A context that came later belongs to a measurement at most this far from its own corrected time.
CONTEXT_WITHIN: Final = timedelta(days=1)
_READING_TYPES: Final = [
    "int8",
    "uuid",
    "int4",
    "int8",
    "int8",
    "text",
    "text",
    "int8",
    "text",
    "text",
    "int2",
    "timestamptz",
    "text",
    "text",
    "float8",
    "float8",
    "int4",
    "timestamptz",
    "timestamptz",
    "bool",
    "bool",
    "text[]",
    "text[]",
    "jsonb",
    "bytea",
    "bytea",
    "int8",
    "int8",
    "int2",
    "int2",
]
_OBSERVATION_TYPES: Final = ["timestamptz", "float8", "int8", "int8", "int4", "int2", "int2", "int2"]


class Unstorable(ValueError):
    """The database refuses a value of this batch. Trying again will not help; trying its messages one by one will."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One reading to store: as it came, what was decided, and by which outbox row. `released_by` names who let it in.

    `source` says where it stands in the archive; None where it came by no message that is kept.
    """

    reading: Reading
    decision: Admitted
    gateway_id: str
    epoch: str
    seq: int
    released_by: int | None = None
    source: Source | None = None


@contextmanager
def one_transaction(database: Database) -> Generator[Connection]:
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


def stored_names(connection: Connection, names: Collection[UUID]) -> set[UUID]:
    """Those of these readings that are stored already."""
    found = connection.execute(_SQL["stored_names"], {"ids": list(names)})
    return {row["reading_id"] for row in found}


def store(connection: Connection, entries: Sequence[Entry], *, now: datetime) -> set[UUID]:
    """Store readings, each once; the names of those that nobody had stored before. Names in `entries` differ."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        keys = cursor.execute(
            _SQL["insert_keys"],
            {
                "ids": name_array(entry.reading.reading_id for entry in entries),
                "practices": array(entry.decision.practice_id for entry in entries),
            },
        )
        numbers: dict[UUID, int] = dict(keys)
    new = [entry for entry in entries if entry.reading.reading_id in numbers]
    if not new:
        return set()
    with connection.cursor() as cursor:
        with cursor.copy(_SQL["copy_readings"]) as copy:
            copy.set_types(_READING_TYPES)
            for entry in new:
                copy.write_row(_reading_row(numbers[entry.reading.reading_id], entry, now))
        with cursor.copy(_SQL["copy_observations"]) as copy:
            copy.set_types(_OBSERVATION_TYPES)
            for entry in new:
                number, decision, measured_at = (
                    numbers[entry.reading.reading_id],
                    entry.decision,
                    entry.reading.measured_at,
                )
                for seen in decision.observations:
                    copy.write_row(
                        (
                            measured_at,
                            seen.value,
                            number,
                            decision.patient_id,
                            decision.practice_id,
                            seen.code,
                            seen.unit,
                            seen.quality,
                        )
                    )
    _save_latest(connection, new, numbers)
    counts = Counter((entry.decision.patient_id, entry.decision.practice_id) for entry in new)
    measured = {
        (entry.decision.patient_id, entry.decision.practice_id, entry.reading.measured_at.astimezone(UTC).date())
        for entry in new
    }
    save_news(connection, counts, measured, now=now)
    return set(numbers)


def _reading_row(number: int, entry: Entry, now: datetime) -> tuple[Any, ...]:
    reading, decision = entry.reading, entry.decision
    return (
        number,
        reading.reading_id,
        decision.practice_id,
        decision.patient_id,
        decision.device_id,
        entry.gateway_id,
        entry.epoch,
        entry.seq,
        reading.kind,
        reading.characteristic,
        reading.user_slot,
        reading.measured_at,
        reading.device_time,
        reading.time_source,
        reading.clock_offset_s,
        reading.uncertainty_s,
        reading.sequence_number,
        reading.received_at,
        now,
        reading.backfill,
        decision.late,
        list(reading.status),
        list(decision.flags),
        Jsonb(reading.context),
        bytes.fromhex(reading.raw),
        None if reading.raw_context is None else bytes.fromhex(reading.raw_context),
        entry.released_by,
        *(entry.source or NOWHERE),
    )


def _save_latest(connection: Connection, entries: Sequence[Entry], numbers: Mapping[UUID, int]) -> None:
    """The newest of each patient and code among `entries`, where it is newer than what is there."""
    newest: dict[tuple[int, int], tuple[Any, ...]] = {}
    for entry in entries:
        decision, measured_at = entry.decision, entry.reading.measured_at
        number = numbers[entry.reading.reading_id]
        for seen in decision.observations:
            key = decision.patient_id, seen.code
            if key not in newest or measured_at > newest[key][1]:
                newest[key] = (decision.practice_id, measured_at, seen.value, seen.unit, number)
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


def add_context(connection: Connection, reading: Reading, *, now: datetime) -> bool:
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


def saw_devices(connection: Connection, heard: Mapping[int, tuple[str, Reading]], *, now: datetime) -> None:
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
