"""What is to be written of a batch: every row that was not settled before is decided on, and nothing is written yet.

rows ──settled before?──▶ say so again │ ──admit──▶ an entry to store │ something to hold
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

from rpm.ingest.admit import UNCLAIMED, Admitted, Known, Quarantined, Unassigned, admit
from rpm.ingest.checks import weight_in_kg
from rpm.ingest.plausibility import Weighing
from rpm.ingest.reasons import Reason
from rpm.ingest.receipts import Outcome, Settlement
from rpm.ingest.shape import AReading
from rpm.ingest.unpack import Message, Row, as_json
from rpm.store import archive, deliveries
from rpm.store.archive import NOWHERE, Received, Source
from rpm.store.database import Connection
from rpm.store.deliveries import OutboxRow
from rpm.store.holding import ToHold
from rpm.store.known import known_of
from rpm.store.readings import Entry
from schemas.ids import READING_NAMESPACE


class Placed(NamedTuple):
    """A row, the place of its message among those settled together, and its own in the message."""

    row: Row
    message: int
    item: int


@dataclass(frozen=True, slots=True)
class Incoming:
    """The messages whose rows are settled: to be kept with them, under `number` where that is known (a replay).

    Without messages they are kept already, under `number`. `arrived`: when they came first, where that was before.
    """

    messages: Sequence[tuple[Message, str | None]] = ()
    number: int | None = None
    arrived: datetime | None = None

    def keep(self, connection: Connection, practices: Mapping[str, int], *, now: datetime) -> int | None:
        """The settlement's number. A message belongs to the practice of its gateway."""
        if not self.messages:
            return self.number
        kept = [
            Received(practices.get(gateway_id or "", UNCLAIMED), message.topic, message.payload)
            for message, gateway_id in self.messages
        ]
        return archive.keep(connection, kept, number=self.number, now=now)


@dataclass(slots=True)
class Plan:
    """What to write, as it comes together."""

    settlements: list[Settlement] = field(default_factory=list[Settlement])
    #: By their readings' names (`UUID.int`: a UUID computes its hash in Python, each time it is asked).
    entries: dict[int, Entry] = field(default_factory=dict[int, Entry])
    #: Rows whose reading another row of this batch already brings.
    twins: list[Row] = field(default_factory=list[Row])
    to_hold: list[tuple[Row, ToHold]] = field(default_factory=list[tuple[Row, ToHold]])
    settled: dict[OutboxRow, tuple[UUID | None, Outcome]] = field(
        default_factory=dict[OutboxRow, tuple[UUID | None, Outcome]]
    )
    #: Device → the gateway that heard it, and its newest reading.
    heard: dict[int, tuple[str, AReading]] = field(default_factory=dict[int, tuple[str, AReading]])
    #: Outbox rows whose delivery is written down already.
    before: set[OutboxRow] = field(default_factory=set[OutboxRow])
    #: Under what number the messages are kept.
    settled_no: int | None = None

    def source(self, placed: Placed) -> Source:
        """Where a row stands in the archive."""
        return NOWHERE if self.settled_no is None else Source(self.settled_no, placed.message, placed.item)

    def settle(self, row: Row, outcome: Outcome, reason: str = "") -> None:
        """Say how a row is settled, and that its delivery is to be written down."""
        if row.gateway_id is not None and row.epoch is not None and row.seq is not None:
            key = row.gateway_id, row.epoch, row.seq
            if key not in self.before:
                self.settled.setdefault(key, (row.reading_id, outcome))
            self.settlements.append(Settlement(row.gateway_id, row.epoch, row.seq, outcome, reason))


def plan_of(connection: Connection, placed_rows: Sequence[Placed], incoming: Incoming, *, now: datetime) -> Plan:
    """Decide on every row that was not settled before."""
    rows = [placed.row for placed in placed_rows]
    keys = [
        (row.gateway_id, row.epoch, row.seq)
        for row in rows
        if row.gateway_id is not None and row.epoch is not None and row.seq is not None
    ]
    asked = deliveries.ask_settled(connection, set(keys))
    known = known_of(
        connection,
        [(row.gateway_id, row.reading) for row in rows if row.gateway_id is not None and row.reading is not None],
        gateways={row.gateway_id for row in rows if row.gateway_id is not None},
        now=now,
    )
    before = {key: (found.reading_id, Outcome(found.outcome)) for key, found in deliveries.settled_of(asked).items()}
    # Numbered after what is known was looked up: a person who waits for a lock of this transaction gets a later number.
    plan = Plan(before=set(before), settled_no=incoming.keep(connection, known.practices, now=now))
    seen = dict(before)
    for placed in placed_rows:
        row = placed.row
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
        _decide(plan, placed, known, reused=reused, arrived=incoming.arrived, now=now)
    return plan


def _settle_again(plan: Plan, row: Row, outcome: Outcome) -> None:
    """A row that was settled before: say so once more, in the same words where it is held."""
    assert row.gateway_id is not None
    assert row.epoch is not None
    assert row.seq is not None
    again = Outcome.DUPLICATE if outcome is Outcome.STORED else outcome
    reason = "settled_before" if again is Outcome.QUARANTINED else ""
    plan.settlements.append(Settlement(row.gateway_id, row.epoch, row.seq, again, reason))


def _decide(plan: Plan, placed: Placed, known: Known, *, reused: bool, arrived: datetime | None, now: datetime) -> None:
    """Admit one row, or plan to hold it."""
    row = placed.row
    if row.reading is None or row.gateway_id is None:
        practice_id = known.practices.get(row.gateway_id or "", UNCLAIMED)
        trouble = Quarantined(row.reason or Reason.UNREADABLE, row.pointer, practice_id)
        plan_to_hold(plan, placed, trouble, reused=reused)
        return
    decision = admit(row.reading, gateway_id=row.gateway_id, known=known, arrived=arrived, now=now)
    if decision.device_id is not None:
        _hear(plan, decision.device_id, row.gateway_id, row.reading)
    if reused:
        patient_id = None if isinstance(decision, Unassigned) else decision.patient_id
        decision = Quarantined(Reason.SEQUENCE_REUSED, "/seq", decision.practice_id, decision.device_id, patient_id)
    if not isinstance(decision, Admitted):
        plan_to_hold(plan, placed, decision, reused=reused)
    elif (name := row.reading.reading_id.int) in plan.entries:
        plan.twins.append(row)
    else:
        assert row.epoch is not None
        assert row.seq is not None
        plan.entries[name] = Entry(
            row.reading, decision, row.gateway_id, row.epoch, row.seq, source=plan.source(placed)
        )
        _remember_weight(known, decision, row.reading)


def plan_to_hold(plan: Plan, placed: Placed, decision: Quarantined | Unassigned, *, reused: bool = False) -> None:
    """Plan to keep a row that is not used, with the reason. `reused`: its number was another reading's."""
    row = placed.row
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
                source=plan.source(placed),
            ),
        )
    )


def _hear(plan: Plan, device_id: int, gateway_id: str, reading: AReading) -> None:
    heard = plan.heard.get(device_id)
    if heard is None or heard[1].received_at < reading.received_at:
        plan.heard[device_id] = gateway_id, reading


def _remember_weight(known: Known, decision: Admitted, reading: AReading) -> None:
    """Weights of one batch are compared with one another, too."""
    weight_kg = weight_in_kg(reading)
    if weight_kg is not None:
        earlier = known.weighings.setdefault(decision.patient_id, [])
        earlier.append(Weighing(reading.measured_at, weight_kg))
