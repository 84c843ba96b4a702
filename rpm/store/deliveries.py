"""Every outbox row the cloud has settled: what is sent again is known, and a number that bears two readings is seen."""

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("deliveries")


class Settled(NamedTuple):
    """How an outbox row was settled before."""

    reading_id: UUID | None
    outcome: str


#: (gateway, epoch, seq)
OutboxRow = tuple[str, str, int]


def settled(connection: Connection, rows: Collection[OutboxRow]) -> dict[OutboxRow, Settled]:
    """Those of these outbox rows that were settled before."""
    found = connection.execute(_SQL["settled"], _columns(rows))
    return {(row["gateway_id"], row["epoch"], row["seq"]): Settled(row["reading_id"], row["outcome"]) for row in found}


def settle(connection: Connection, rows: Collection[tuple[OutboxRow, UUID | None, str]]) -> int:
    """Write down how these outbox rows are settled; how many nobody had settled before."""
    return connection.execute(
        _SQL["settle"],
        {
            **_columns([row for row, _, _ in rows]),
            "ids": [reading_id for _, reading_id, _ in rows],
            "outcomes": [outcome for _, _, outcome in rows],
        },
    ).rowcount


def _columns(rows: Collection[OutboxRow]) -> dict[str, list[Any]]:
    return {
        "gateways": [gateway_id for gateway_id, _, _ in rows],
        "epochs": [epoch for _, epoch, _ in rows],
        "seqs": [seq for _, _, seq in rows],
    }
