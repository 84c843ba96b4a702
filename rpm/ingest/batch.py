"""Settle a batch of messages in one transaction. After it every row is in the database and can be receipted.

    messages ──unpack──▶ rows ──known before?──▶ admit ──▶ store │ hold ──▶ delivery ──commit──▶ settlements

May be run again with the same messages, whole or in part, at any time and by several workers at once: a row that was
settled is known by (gateway, epoch, seq), a reading by its name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5

import structlog

from rpm.ingest.admit import UNCLAIMED, Admitted, Known, Quarantined, Unassigned, admit
from rpm.ingest.checks import weight_in_kg
from rpm.ingest.plausibility import Weighing
from rpm.ingest.reasons import Reason
from rpm.ingest.receipts import Outcome, Settlement
from rpm.ingest.unpack import Message, Row, as_json, held_whole, unpack
from rpm.store import deliveries, events, gateways, readings, requests
from rpm.store.database import Connection, Database
from rpm.store.deliveries import OutboxRow
from rpm.store.holding import ToHold, hold, overtake
from rpm.store.holding import voided as voided_of
from rpm.store.known import known_of
from rpm.store.readings import Entry
from schemas.ids import READING_NAMESPACE
from schemas.messages import Event, Status, StatusKind
from schemas.reading import Reading

#: Two workers may hold the same rows once; more often than this within one batch says something else is wrong.
RIVALS_MAX: Final = 5

_log = structlog.get_logger()


class SettledMeanwhile(RuntimeError):
    """Another worker settled one of these rows while we looked: look again."""


@dataclass(slots=True)
class _Plan:
    """What to write, as it comes together."""

    settlements: list[Settlement] = field(default_factory=list[Settlement])
    entries: dict[UUID, Entry] = field(default_factory=dict[UUID, Entry])
    #: Rows whose reading another row of this batch already brings.
    twins: list[Row] = field(default_factory=list[Row])
    to_hold: list[tuple[Row, ToHold]] = field(default_factory=list[tuple[Row, ToHold]])
    settled: dict[OutboxRow, tuple[UUID | None, Outcome]] = field(
        default_factory=dict[OutboxRow, tuple[UUID | None, Outcome]]
    )
    #: Device → the gateway that heard it, and its newest reading.
    heard: dict[int, tuple[str, Reading]] = field(default_factory=dict[int, tuple[str, Reading]])
    #: Outbox rows whose delivery is written down already.
    before: set[OutboxRow] = field(default_factory=set[OutboxRow])

    def settle(self, row: Row, outcome: Outcome, reason: str = "") -> None:
        """Say how a row is settled, and that its delivery is to be written down."""
        if row.gateway_id is not None and row.epoch is not None and row.seq is not None:
            key = row.gateway_id, row.epoch, row.seq
            if key not in self.before:
                self.settled.setdefault(key, (row.reading_id, outcome))
            self.settlements.append(Settlement(row.gateway_id, row.epoch, row.seq, outcome, reason))


def settle(database: Database, messages: Sequence[Message], *, now: datetime) -> list[Settlement]:
    """Settle every row of these messages; what to receipt.

    What the database refuses, or what shows an error of ours, is found by halves, down to the one row, and held as it
    is; all else goes through. Raises DatabaseUnavailable: nothing is known to be written then, run it again.
    """
    settlements = _tried(lambda: _settle_together(database, messages, now=now))
    if settlements is not None:
        return settlements
    if len(messages) == 1:
        return _settle_apart(database, messages[0], unpack(messages[0]).rows, now=now)
    half = len(messages) // 2
    return settle(database, messages[:half], now=now) + settle(database, messages[half:], now=now)


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


def _settle_together(database: Database, messages: Sequence[Message], *, now: datetime) -> list[Settlement]:
    unpacked = [unpack(message) for message in messages]
    rows = [row for each in unpacked for row in each.rows]
    told = [told for each in unpacked for told in (each.status, each.event) if told is not None]
    return _settle_rows(database, rows, told, now=now)


def _settle_apart(database: Database, message: Message, rows: Sequence[Row], *, now: datetime) -> list[Settlement]:
    """Settle rows of a message that was refused as a whole. A row that is refused alone is held without being judged."""
    if len(rows) > 1:
        settlements: list[Settlement] = []
        for part in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
            done = _tried(lambda part=part: _settle_rows(database, part, [], now=now))
            settlements += _settle_apart(database, message, part, now=now) if done is None else done
        return settlements
    unjudged = [
        replace(row, reading=None, reason=Reason.NOT_STORABLE, pointer="") for row in rows if row.seq is not None
    ]
    done = _tried(lambda: _settle_rows(database, unjudged, [], now=now)) if unjudged else None
    return _hold_message(database, message, unjudged, now=now) if done is None else done


def _settle_rows(
    database: Database, rows: Sequence[Row], told: Sequence[Status | Event], *, now: datetime
) -> list[Settlement]:
    for _ in range(RIVALS_MAX):
        try:
            with readings.one_transaction(database) as connection:
                return _write(connection, rows, told, now=now)
        except SettledMeanwhile:
            continue
    raise SettledMeanwhile(SettledMeanwhile.__doc__)


def _write(
    connection: Connection, rows: Sequence[Row], told: Sequence[Status | Event], *, now: datetime
) -> list[Settlement]:
    senders = {row.gateway_id for row in rows if row.gateway_id} | {each.gateway_id for each in told}
    if senders:
        gateways.meet(connection, senders, now=now)
    # In one order for all workers: two never wait for each other.
    for each in sorted(told, key=_place):
        if isinstance(each, Status):
            gateways.save_status(connection, each, now=now)
            if each.kind is StatusKind.BIRTH:
                requests.say_again(connection, each.gateway_id, now=now)
        else:
            events.save(connection, each, now=now)
            requests.answer(connection, each, now=now)
    if not rows:
        return []
    plan = _plan(connection, rows, now=now)
    new = _store(connection, plan, now=now) if plan.entries else set[UUID]()
    for row in plan.twins:
        plan.settle(row, Outcome.DUPLICATE)
        if row.reading is not None:
            readings.add_context(connection, row.reading, now=now)
    held = _hold(connection, plan, now=now)
    if plan.heard:
        readings.saw_devices(connection, plan.heard, now=now)
    fresh = [(key, reading_id, outcome) for key, (reading_id, outcome) in plan.settled.items()]
    if fresh and deliveries.settle(connection, fresh) < len(fresh):
        raise SettledMeanwhile(SettledMeanwhile.__doc__)
    if new or held:
        readings.tell(connection)
    return plan.settlements


def _place(told: Status | Event) -> tuple[str, bool, str, str]:
    """Where what a gateway tells stands in the order of writing."""
    if isinstance(told, Status):
        return told.gateway_id, False, "", ""
    return told.gateway_id, True, told.name, told.address or ""


def _store(connection: Connection, plan: _Plan, *, now: datetime) -> set[UUID]:
    """Store what was admitted, but for what somebody has voided; the names nobody had stored before."""
    voided = voided_of(connection, [(entry.decision.practice_id, name) for name, entry in plan.entries.items()])
    entries = {name: entry for name, entry in plan.entries.items() if name not in voided}
    new = readings.store(connection, list(entries.values()), now=now) if entries else set[UUID]()
    for name, entry in plan.entries.items():
        key = entry.gateway_id, entry.epoch, entry.seq
        outcome = Outcome.STORED if name in new else Outcome.QUARANTINED if name in voided else Outcome.DUPLICATE
        plan.settled[key] = (name, outcome)
        plan.settlements.append(Settlement(*key, outcome, "voided" if name in voided else ""))
        if outcome is Outcome.DUPLICATE:
            readings.add_context(connection, entry.reading, now=now)
    if new:
        overtake(connection, [(entries[name].decision.practice_id, name) for name in new], now=now)
    return new


def _plan(connection: Connection, rows: Sequence[Row], *, now: datetime) -> _Plan:
    """Decide on every row that was not settled before."""
    keys = [
        (row.gateway_id, row.epoch, row.seq)
        for row in rows
        if row.gateway_id is not None and row.epoch is not None and row.seq is not None
    ]
    before = {
        key: (found.reading_id, Outcome(found.outcome))
        for key, found in deliveries.settled(connection, set(keys)).items()
    }
    known = known_of(
        connection,
        [(row.gateway_id, row.reading) for row in rows if row.gateway_id is not None and row.reading is not None],
        gateways={row.gateway_id for row in rows if row.gateway_id is not None},
        now=now,
    )
    plan = _Plan(before=set(before))
    seen = dict(before)
    for row in rows:
        reused = False
        if row.gateway_id is not None and row.epoch is not None and row.seq is not None:
            key = row.gateway_id, row.epoch, row.seq
            if key in seen:
                name, outcome = seen[key]
                reused = None not in (name, row.reading_id) and name != row.reading_id
                if not reused:
                    _settle_again(plan, row, outcome)
                    continue
            else:
                seen[key] = row.reading_id, Outcome.STORED
        _decide(plan, row, known, reused=reused, now=now)
    return plan


def _settle_again(plan: _Plan, row: Row, outcome: Outcome) -> None:
    """A row that was settled before: say so once more, in the same words where it is held."""
    assert row.gateway_id is not None
    assert row.epoch is not None
    assert row.seq is not None
    again = Outcome.DUPLICATE if outcome is Outcome.STORED else outcome
    reason = "settled_before" if again is Outcome.QUARANTINED else ""
    plan.settlements.append(Settlement(row.gateway_id, row.epoch, row.seq, again, reason))


def _decide(plan: _Plan, row: Row, known: Known, *, reused: bool, now: datetime) -> None:
    """Admit one row, or plan to hold it."""
    if row.reading is None or row.gateway_id is None:
        practice_id = known.practices.get(row.gateway_id or "", UNCLAIMED)
        trouble = Quarantined(row.reason or Reason.UNREADABLE, row.pointer, practice_id)
        _plan_hold(plan, row, trouble, reused=reused)
        return
    decision = admit(row.reading, gateway_id=row.gateway_id, known=known, now=now)
    if decision.device_id is not None:
        _hear(plan, decision.device_id, row.gateway_id, row.reading)
    if reused:
        patient_id = None if isinstance(decision, Unassigned) else decision.patient_id
        decision = Quarantined(Reason.SEQUENCE_REUSED, "/seq", decision.practice_id, decision.device_id, patient_id)
    if not isinstance(decision, Admitted):
        _plan_hold(plan, row, decision, reused=reused)
    elif row.reading.reading_id in plan.entries:
        plan.twins.append(row)
    else:
        assert row.epoch is not None
        assert row.seq is not None
        plan.entries[row.reading.reading_id] = Entry(row.reading, decision, row.gateway_id, row.epoch, row.seq)
        _remember_weight(known, decision, row.reading)


def _plan_hold(plan: _Plan, row: Row, decision: Quarantined | Unassigned, *, reused: bool = False) -> None:
    quarantined = isinstance(decision, Quarantined)
    # Only a name that follows from the contents is one: under a false one, the true reading could not be held later.
    name = row.reading_id
    if row.seq is not None and (row.reading is None or decision.reason is Reason.ID_MISMATCH):
        # Its delivery tells when it comes again, unless that stands under another name.
        name = uuid5(READING_NAMESPACE, f"{row.gateway_id}|{row.epoch}|{row.seq}|{name}") if reused else None
    plan.to_hold.append(
        (
            row,
            ToHold(
                practice_id=decision.practice_id,
                why=Outcome.QUARANTINED if quarantined else Outcome.UNASSIGNED,
                reason=decision.reason,
                pointer=decision.pointer if quarantined else "",
                item=None if row.item is None else as_json(row.item),
                raw=row.raw,
                topic=row.topic,
                gateway_id=row.gateway_id,
                epoch=row.epoch,
                seq=row.seq,
                reading_id=name,
                device_id=decision.device_id,
                patient_id=decision.patient_id if quarantined else None,
                measured_at=None if row.reading is None else row.reading.measured_at,
            ),
        )
    )


def _hold(connection: Connection, plan: _Plan, *, now: datetime) -> int:
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


def _hear(plan: _Plan, device_id: int, gateway_id: str, reading: Reading) -> None:
    heard = plan.heard.get(device_id)
    if heard is None or heard[1].received_at < reading.received_at:
        plan.heard[device_id] = gateway_id, reading


def _remember_weight(known: Known, decision: Admitted, reading: Reading) -> None:
    """Weights of one batch are compared with one another, too."""
    weight_kg = weight_in_kg(reading)
    if weight_kg is not None:
        earlier = known.weighings.setdefault(decision.patient_id, [])
        earlier.append(Weighing(reading.measured_at, weight_kg))


def _hold_message(database: Database, message: Message, rows: Sequence[Row], *, now: datetime) -> list[Settlement]:
    """Keep a message of which something cannot be kept in any other way; `rows` of it are receipted."""
    gateway_id = rows[0].gateway_id if rows else None
    whole = held_whole(message, gateway_id, Reason.NOT_STORABLE)
    plan = _Plan()
    with readings.one_transaction(database) as connection:
        known = known_of(connection, [], gateways=[gateway_id] if gateway_id else [], now=now)
        _plan_hold(plan, whole, Quarantined(Reason.NOT_STORABLE, "", known.practices.get(gateway_id or "", UNCLAIMED)))
        for row in rows:
            plan.settle(row, Outcome.QUARANTINED, Reason.NOT_STORABLE)
        _hold(connection, plan, now=now)
        deliveries.settle(
            connection, [(key, reading_id, outcome) for key, (reading_id, outcome) in plan.settled.items()]
        )
    return plan.settlements
