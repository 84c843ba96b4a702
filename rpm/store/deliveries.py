"""Every outbox row the cloud has settled: what is sent again is known, and a number that bears two readings is seen."""

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import DictRow, TupleRow, tuple_row

from rpm.store.arrays import array, name_array, word_array
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("deliveries")


class Settled(NamedTuple):
    """How an outbox row was settled before."""

    reading_id: UUID | None
    outcome: str


#: (gateway, epoch, seq)
OutboxRow = tuple[str, str, int]


def ask_settled(connection: Connection, rows: Collection[OutboxRow]) -> psycopg.Cursor[TupleRow]:
    """Ask which of these outbox rows were settled before. In a pipeline nothing is waited for: `settled_of` reads the answer."""
    return connection.cursor(row_factory=tuple_row).execute(_SQL["settled"], _columns(rows))


def settled_of(asked: psycopg.Cursor[TupleRow]) -> dict[OutboxRow, Settled]:
    """What `ask_settled` asked for."""
    return {(gateway_id, epoch, seq): Settled(name, outcome) for gateway_id, epoch, seq, name, outcome in asked}


def settle(connection: Connection, rows: Collection[tuple[OutboxRow, UUID | None, str]]) -> psycopg.Cursor[DictRow]:
    """Write down how these outbox rows are settled. `rowcount`, where a pipeline has ended: how many nobody had settled before."""
    return connection.execute(
        _SQL["settle"],
        {
            **_columns([row for row, _, _ in rows]),
            "ids": name_array(reading_id for _, reading_id, _ in rows),
            "outcomes": word_array(outcome for _, _, outcome in rows),
        },
    )


def _columns(rows: Collection[OutboxRow]) -> dict[str, Any]:
    """Both words have passed their patterns: a row without them is known by no number (rpm.ingest.unpack)."""
    return {
        "gateways": word_array(gateway_id for gateway_id, _, _ in rows),
        "epochs": word_array(epoch for _, epoch, _ in rows),
        "seqs": array(seq for _, _, seq in rows),
    }
