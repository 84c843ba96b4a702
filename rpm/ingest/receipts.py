"""What is said back after the commit: one Receipt per gateway and epoch, cut where it would grow too large."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from schemas.messages import QuarantinedItem, Receipt

#: A receipt of this many rows, all quarantined, stays below the largest message: 19 digits and 30 letters each.
RECEIPT_ROWS_MAX: Final = 1000


class Outcome(StrEnum):
    """How an outbox row is settled."""

    STORED = "stored"
    DUPLICATE = "duplicate"
    UNASSIGNED = "unassigned"
    QUARANTINED = "quarantined"


class Settlement(NamedTuple):
    """One outbox row that is in the database now. `reason` is a word, for quarantined ones."""

    gateway_id: str
    epoch: str
    seq: int
    outcome: Outcome
    reason: str = ""


def receipts(settlements: Iterable[Settlement]) -> list[Receipt]:
    """The receipts for these rows. Each row is named once per time it was delivered."""
    groups: dict[tuple[str, str], list[Settlement]] = {}
    for settlement in settlements:
        groups.setdefault((settlement.gateway_id, settlement.epoch), []).append(settlement)
    return [
        _receipt(gateway_id, epoch, rows[start : start + RECEIPT_ROWS_MAX])
        for (gateway_id, epoch), rows in groups.items()
        for start in range(0, len(rows), RECEIPT_ROWS_MAX)
    ]


def _receipt(gateway_id: str, epoch: str, rows: Iterable[Settlement]) -> Receipt:
    by_outcome: dict[Outcome, list[Settlement]] = {outcome: [] for outcome in Outcome}
    for row in rows:
        by_outcome[row.outcome].append(row)
    return Receipt(
        gateway_id=gateway_id,
        epoch=epoch,
        stored=tuple(row.seq for row in by_outcome[Outcome.STORED]),
        duplicate=tuple(row.seq for row in by_outcome[Outcome.DUPLICATE]),
        unassigned=tuple(row.seq for row in by_outcome[Outcome.UNASSIGNED]),
        quarantined=tuple(QuarantinedItem(seq=row.seq, reason=row.reason) for row in by_outcome[Outcome.QUARANTINED]),
    )
