"""From kept frames to kept rows: what a session said becomes what travels, in one transaction."""

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog

from devices.procedures import Assembled, Ending, Malformed, SessionFacts, assemble, dropped
from devices.reserved import reserved_bits
from gateway import registry
from gateway.dating import When, redate
from gateway.outbox import Form, Kept, KeptSession, NewRow, Outbox, Stamp
from gateway.registry import Computed
from schemas.codes import Kind
from schemas.reading import Reading

log = structlog.get_logger()


def facts_text(facts: SessionFacts) -> str:
    """Session facts as the outbox keeps them."""
    return json.dumps(dataclasses.asdict(facts))


#: When a moment was that was kept by a wrong clock; None: that is not known yet.
Dater = Callable[[Stamp], When | None]


def rows_of(
    kept: KeptSession, *, zone: ZoneInfo, opened: When | None = None
) -> tuple[list[NewRow], list[Assembled | Malformed]]:
    """The rows a session's frames make, and the entries they were made of, one for one.

    `opened`: when it was, of a session that was kept by a wrong clock.
    """
    facts = SessionFacts(**json.loads(kept.facts))
    computed: tuple[Computed | None, ...] = (None,) * len(kept.frames)
    if opened is not None:
        dated = redate(kept, opened, zone=zone)
        kept, facts, computed = (
            dated.session,
            dated.facts,
            tuple(Computed(mark, opened.either_way) for mark in dated.marks),
        )
    entries = assemble(kept.frames, model=facts.catalogued)
    rows = [
        registry.undecoded_row(
            kept.frames[entry.frame_index],
            address=kept.address,
            reason=entry.reason,
            named_by=entry.named_by,
            computed=computed[entry.frame_index],
        )
        if isinstance(entry, Malformed)
        else registry.row_of(
            entry,
            kept.frames[entry.frame_index],
            address=kept.address,
            facts=facts,
            clock_read_at=kept.opened_at,
            zone=zone,
            computed=computed[entry.frame_index],
        )
        for entry in entries
    ]
    return rows, entries


def next_sequence(
    had: int | None, entries: Sequence[Assembled | Malformed], *, incomplete: frozenset[int] = frozenset()
) -> int | None:
    """How far a meter has been read once these records are kept; None where nothing can be said.

    `incomplete` are sequence numbers whose context is still to come: they are asked for again. Numbers that are all
    below the one had before come from a meter that was reset and counts from the start.
    """
    numbers = [entry.record_number for entry in entries if entry.record_number is not None]
    if not numbers:
        return None
    newest = max(numbers)
    reached = newest if had is None or newest < had else max(had, newest)
    return min([reached, *(number - 1 for number in incomplete)])


def missing_numbers(had: int | None, entries: Sequence[Assembled | Malformed]) -> int:
    """How many numbers are not there between the record had before and the newest: overwritten, deleted, or lost in the air.

    Of a meter that was reset, or never read, between its oldest record and its newest.
    """
    numbers = {entry.record_number for entry in entries if entry.record_number is not None}
    if not numbers:
        return 0
    start = min(numbers) if had is None or max(numbers) < had else had + 1
    return max(numbers) + 1 - start - len({number for number in numbers if number >= start})


@dataclasses.dataclass(frozen=True, slots=True)
class Fresh:
    """A reading kept for the first time: what and whose it is, as the device says, and when it was measured."""

    kind: Kind
    user_slot: int | None
    measured_at: datetime


@dataclasses.dataclass(frozen=True, slots=True)
class Settled:
    """What became of a session: its rows, and the readings among those that are new."""

    kept: Kept
    fresh: tuple[Fresh, ...]
    #: The record up to which the device is read now: its number and its frame; None where that did not move.
    last: tuple[int, bytes] | None = None
    #: Numbers that the device should have had and did not report.
    missing: int = 0


def fresh(rows: Sequence[NewRow], names: AbstractSet[str]) -> tuple[Fresh, ...]:
    """The readings among `rows` whose names are in `names`."""
    found = [Reading.model_validate_json(row.body) for row in rows if row.form is Form.READING and row.name in names]
    return tuple(Fresh(reading.kind, reading.user_slot, reading.measured_at) for reading in found)


def _tell_oddities(kept: KeptSession, number: int) -> None:
    """What nothing was made of, and by whose leave; bits that mean nothing to anybody here."""
    model = SessionFacts(**json.loads(kept.facts)).catalogued
    reasons = Counter(each.reason for each in dropped(kept.frames, model=model))
    for reason, frames in reasons.items():
        log.info("frames_dropped", session=number, model=model.id, reason=reason, frames=frames)
    for (characteristic, bit), frames in reserved_bits(kept.frames).items():
        log.info("reserved_flag", session=number, characteristic=characteristic, bit=bit, frames=frames)


def settle_session(
    outbox: Outbox,
    number: int,
    *,
    zone: ZoneInfo,
    now: datetime,
    ending: Ending | None,
    when: Dater = lambda _stamp: None,
) -> Settled:
    """Turn one session's frames into rows. `ending` is None for a session whose process died.

    Only a meter's complete answer moves the mark up to which it is read: records of a session that broke off are asked
    for again, and known by their names when they come. A session kept by a wrong clock waits, as frames, until `when`
    knows when it was.
    """
    kept = outbox.session(number)
    opened = when(kept.opened) if kept.opened is not None and not kept.opened.right else None
    waits = opened is None and kept.opened is not None and not kept.opened.right
    if waits and ending is None:
        return Settled(Kept(0, 0), ())
    last_sequence, last, missing = None, None, 0
    try:
        rows, entries = rows_of(kept, zone=zone, opened=opened)
        _tell_oddities(kept, number)
        if ending is Ending.COMPLETE:
            # A context that did not come the second time either will not come.
            waiting = frozenset(
                entry.measurement.sequence_number
                for row, entry in zip(rows, entries, strict=True)
                if isinstance(entry, Assembled) and entry.awaits_context and not outbox.knows(row.name)
                if entry.measurement.sequence_number is not None
            )
            had = outbox.last_sequence(kept.address)
            last_sequence, missing = next_sequence(had, entries, incomplete=waiting), missing_numbers(had, entries)
            last = next((entry for entry in reversed(entries) if entry.record_number == last_sequence), None)
    except Exception as error:  # noqa: BLE001 - the edge of a session: its frames must neither be lost nor hold up every later start
        log.error("session_not_assembled", error=type(error).__name__)
        reason = f"the gateway could not assemble it: {type(error).__name__}"
        rows = [registry.undecoded_row(frame, address=kept.address, reason=reason) for frame in kept.frames]
    if waits:
        # The device may be told that its records were had: they are on this disk. Only their time is not known.
        outbox.postpone(number, last_sequence=last_sequence, missing=missing, now=now)
        done = Kept(0, 0)
    else:
        done = outbox.finish_session(number, rows, now=now, last_sequence=last_sequence, missing=missing)
    if last_sequence is None or last is None:
        return Settled(done, fresh(rows, done.names), missing=missing)
    return Settled(done, fresh(rows, done.names), (last_sequence, kept.frames[last.frame_index].data), missing)


def settle_unfinished(
    outbox: Outbox,
    *,
    zone: ZoneInfo,
    now: datetime,
    listening: AbstractSet[int] = frozenset(),
    when: Dater = lambda _stamp: None,
) -> tuple[Fresh, ...]:
    """Assemble what a killed process, a full disk or a wrong clock left behind; the readings among it that are new.

    Sessions in `listening` are left alone: their frames are still coming. So are those whose time is not known yet.
    """
    found: list[Fresh] = []
    for kept in outbox.unfinished():
        if kept.number in listening or (
            kept.opened is not None and not kept.opened.right and when(kept.opened) is None
        ):
            continue
        settled = settle_session(outbox, kept.number, zone=zone, now=now, ending=None, when=when)
        log.info("left_frames_assembled", frames=len(kept.frames), new=settled.kept.new, repeated=settled.kept.repeated)
        found += settled.fresh
    return tuple(found)
