"""Settle a batch of messages in one transaction. After it every row is in the database and can be receipted.

    messages ──unpack──▶ rows ──known before?──▶ admit ──▶ store │ hold ──▶ delivery ──commit──▶ settlements

May be run again with the same messages, whole or in part, at any time and by several workers at once: a row that was
settled is known by (gateway, epoch, seq), a reading by its name.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import structlog

from rpm.ingest.admit import UNCLAIMED, Quarantined
from rpm.ingest.plan import Incoming, Placed, Plan, plan_of, plan_to_hold
from rpm.ingest.reasons import Reason
from rpm.ingest.receipts import Outcome, Settlement
from rpm.ingest.unpack import Message, held_whole, unpack
from rpm.store import deliveries, events, gateways, readings, requests
from rpm.store.database import Connection, Transactions
from rpm.store.holding import ToHold, hold, overtake
from rpm.store.holding import voided as voided_of
from rpm.store.known import known_of
from rpm.store.readings import Entry
from schemas.messages import Event, Status, StatusKind

#: Two workers may hold the same rows once; more often than this within one batch says something else is wrong.
RIVALS_MAX: Final = 5

_log = structlog.get_logger()


class SettledMeanwhile(RuntimeError):
    """Another worker settled one of these rows while we looked: look again."""


def settle(
    database: Transactions, messages: Sequence[Message], *, number: int | None = None, now: datetime
) -> list[Settlement]:
    """Settle every row of these messages; what to receipt. `number`: of their settlement, where it was settled before.

    What the database refuses, or what shows an error of ours, is found by halves, down to the one row, and held as it
    is; all else goes through. Raises DatabaseUnavailable: nothing is known to be written then, run it again.
    """
    settlements = _tried(lambda: _settle_together(database, messages, number=number, now=now))
    if settlements is not None:
        return settlements
    if len(messages) == 1:
        return _settle_message_apart(database, messages[0], number=number, now=now)
    half = len(messages) // 2
    return settle(database, messages[:half], number=number, now=now) + settle(
        database, messages[half:], number=number, now=now
    )


def _tried(work: Callable[[], list[Settlement]]) -> list[Settlement] | None:
    """What `work` settled; None where something in it was refused."""
    try:
        return work()
    except Exception as error:
        # The edge of one batch: whatever one row provokes must not keep the others out. That the database is away is no
        # row's fault.
        if isinstance(error, readings.DatabaseUnavailable | SettledMeanwhile):
            raise
        _log.warning("ingest.batch_refused", error=type(error).__name__)
        return None


def _settle_together(
    database: Transactions, messages: Sequence[Message], *, number: int | None, now: datetime
) -> list[Settlement]:
    rows: list[Placed] = []
    told: list[Status | Event] = []
    kept: list[tuple[Message, str | None]] = []
    for message in messages:
        unpacked = unpack(message)
        if unpacked.rows:
            rows += [Placed(row, len(kept), place) for place, row in enumerate(unpacked.rows)]
            kept.append((message, unpacked.rows[0].gateway_id))
        told += [each for each in (unpacked.status, unpacked.event) if each is not None]
    return _settle_rows(database, rows, told, Incoming(kept, number), now=now)


def _settle_message_apart(
    database: Transactions, message: Message, *, number: int | None, now: datetime
) -> list[Settlement]:
    """Settle a message that was refused as a whole, in as many transactions as it needs; it is kept in one before them."""
    rows = unpack(message).rows
    gateway_id = rows[0].gateway_id if rows else None
    with readings.one_transaction(database) as connection:
        known = known_of(connection, [], gateways=[gateway_id] if gateway_id else [], now=now)
        incoming = Incoming([(message, gateway_id)], number)
        kept = Incoming(number=incoming.keep(connection, known.practices, now=now))
    placed = [Placed(row, 0, place) for place, row in enumerate(rows)]
    return _settle_apart(database, message, placed, kept, now=now)


def _settle_apart(
    database: Transactions, message: Message, rows: Sequence[Placed], kept: Incoming, *, now: datetime
) -> list[Settlement]:
    """Settle rows of a message that was refused as a whole. A row that is refused alone is held without being judged."""
    if len(rows) > 1:
        settlements: list[Settlement] = []
        for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            done = _tried(lambda part=part: _settle_rows(database, part, [], kept, now=now))
            settlements += _settle_apart(database, message, part, kept, now=now) if done is None else done
        return settlements
    unjudged = [
        placed._replace(row=placed.row._replace(reading=None, reason=Reason.NOT_STORABLE, pointer=""))
        for placed in rows
        if placed.row.seq is not None
    ]
    done = _tried(lambda: _settle_rows(database, unjudged, [], kept, now=now)) if unjudged else None
    return _hold_message(database, message, unjudged, kept, now=now) if done is None else done


def _settle_rows(
    database: Transactions, rows: Sequence[Placed], told: Sequence[Status | Event], incoming: Incoming, *, now: datetime
) -> list[Settlement]:
    for _ in range(RIVALS_MAX):
        try:
            with readings.one_transaction(database) as connection:
                return write(connection, rows, told, incoming, now=now)
        except SettledMeanwhile:
            continue
    raise SettledMeanwhile(SettledMeanwhile.__doc__)


def write(
    connection: Connection,
    rows: Sequence[Placed],
    told: Sequence[Status | Event],
    incoming: Incoming,
    *,
    now: datetime,
) -> list[Settlement]:
    """Settle rows in the caller's transaction; SettledMeanwhile where a rival was first: roll back, then look again.

    What needs no answer of the database goes in one pipeline, and what does with what is asked beside it: each answer that
    is waited for costs a small batch more than all its rows.
    """
    senders = {placed.row.gateway_id for placed in rows if placed.row.gateway_id} | {each.gateway_id for each in told}
    with connection.pipeline():
        if senders:
            gateways.meet(connection, senders, now=now)
        _note(connection, told, now=now)
        if not rows:
            return []
        plan = plan_of(connection, rows, incoming, now=now)
        new = readings.claim(connection, list(plan.entries.values())) if plan.entries else []
    if new:
        readings.copy_in(connection, new, now=now)
    _settle_entries(connection, plan, new, now=now)
    for row in plan.twins:
        plan.settle(row, Outcome.DUPLICATE)
        if row.reading is not None:
            readings.add_context(connection, row.reading, now=now)
    held = _hold(connection, plan, now=now)
    fresh = [(key, reading_id, outcome) for key, (reading_id, outcome) in plan.settled.items()]
    with connection.pipeline():
        if new:
            readings.follow(connection, new, now=now)
            overtake(connection, [_named(entry) for _, entry in new], now=now)
        if plan.heard:
            readings.saw_devices(connection, plan.heard, now=now)
        if new or held:
            readings.tell(connection)
        settled = deliveries.settle(connection, fresh) if fresh else None
    if settled is not None and settled.rowcount < len(fresh):
        raise SettledMeanwhile(SettledMeanwhile.__doc__)
    return plan.settlements


def _note(connection: Connection, told: Sequence[Status | Event], *, now: datetime) -> None:
    """What gateways tell of themselves. In one order for all workers: two never wait for each other."""
    for each in sorted(told, key=_place):
        if isinstance(each, Status):
            gateways.save_status(connection, each, now=now)
            if each.kind is StatusKind.BIRTH:
                requests.say_again(connection, each.gateway_id, now=now)
        else:
            events.save(connection, each, now=now)
            requests.answer(connection, each, now=now)


def _place(told: Status | Event) -> tuple[str, bool, str, str]:
    """Where what a gateway tells stands in the order of writing."""
    if isinstance(told, Status):
        return told.gateway_id, False, "", ""
    return told.gateway_id, True, told.name, told.address or ""


def _settle_entries(connection: Connection, plan: Plan, new: Sequence[tuple[int, Entry]], *, now: datetime) -> None:
    """Say of what was admitted whether it is `new`, was known before, or somebody has set it aside."""
    names = {entry.reading.reading_id.int for _, entry in new}
    others = [_named(entry) for name, entry in plan.entries.items() if name not in names]
    voided = {name.int for name in voided_of(connection, others)} if others else set[int]()
    for name, entry in plan.entries.items():
        key = entry.gateway_id, entry.epoch, entry.seq
        outcome = Outcome.STORED if name in names else Outcome.QUARANTINED if name in voided else Outcome.DUPLICATE
        plan.settled[key] = (entry.reading.reading_id, outcome)
        plan.settlements.append(Settlement(*key, outcome, "voided" if name in voided else ""))
        if outcome is Outcome.DUPLICATE:
            readings.add_context(connection, entry.reading, now=now)


def _named(entry: Entry) -> tuple[int, UUID]:
    return entry.decision.practice_id, entry.reading.reading_id


def _hold(connection: Connection, plan: Plan, *, now: datetime) -> int:
    """Hold what was planned, but for readings that are stored already: those are duplicates."""
    if not plan.to_hold:
        return 0
    names = [to_hold.reading_id for _, to_hold in plan.to_hold if to_hold.reading_id is not None]
    stored = readings.stored_names(connection, names) if names else set[UUID]()
    keep: list[ToHold] = []
    for row, to_hold in plan.to_hold:
        if to_hold.reading_id in stored:
            plan.settle(row, Outcome.DUPLICATE)
        else:
            keep.append(to_hold)
            plan.settle(row, Outcome(to_hold.why), to_hold.reason)
    return hold(connection, keep, now=now) if keep else 0


def _hold_message(
    database: Transactions, message: Message, placed_rows: Sequence[Placed], kept: Incoming, *, now: datetime
) -> list[Settlement]:
    """Keep a message of which something cannot be kept in any other way; `rows` of it are receipted."""
    rows = [placed.row for placed in placed_rows]
    gateway_id = rows[0].gateway_id if rows else None
    whole = Placed(held_whole(message, gateway_id, Reason.NOT_STORABLE), 0, 0)
    plan = Plan(settled_no=kept.number)
    with readings.one_transaction(database) as connection:
        known = known_of(connection, [], gateways=[gateway_id] if gateway_id else [], now=now)
        plan_to_hold(
            plan, whole, Quarantined(Reason.NOT_STORABLE, "", known.practices.get(gateway_id or "", UNCLAIMED))
        )
        for row in rows:
            plan.settle(row, Outcome.QUARANTINED, Reason.NOT_STORABLE)
        _hold(connection, plan, now=now)
        deliveries.settle(
            connection, [(key, reading_id, outcome) for key, (reading_id, outcome) in plan.settled.items()]
        )
    return plan.settlements
