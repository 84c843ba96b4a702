"""When something happened that was kept while the clock was wrong. Pure arithmetic over boots and how long they ran.

this boot's clock was set later        exact: offset + running time
only a later boot's clock was right    between the last known moment before and that boot's start; the middle, and how
far the bounds are from it
nothing is known yet                   None: it waits
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from devices.procedures import Frame, SessionFacts
from gateway.outbox import Boot, KeptSession, Stamp

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
#: How far an estimate may be off that nobody can bound.
UNBOUNDED: Final = timedelta(days=7)
#: A device's clock that shows a time within the bounds, or so little outside, is better than their middle.
COHERENT_WITHIN: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class When:
    """An instant of the boot with the id `boot`. `either_way` is how far it may be off: None where that cannot be said."""

    boot: str
    instant: datetime
    either_way: timedelta | None = timedelta()

    @property
    def exact(self) -> bool:
        """Whether it was computed from a clock that was right in the same boot."""
        return self.either_way == timedelta()


def when(
    boots: Sequence[Boot], stamp: Stamp, *, this_boot: int, believed_ns: int | None, not_before: datetime
) -> When | None:
    """When `stamp` was. `believed_ns`: this boot's offset where its clock is believed without anybody vouching for it."""
    own = next((boot for boot in boots if boot.number == stamp.boot), None)
    if own is None:
        return None
    if own.offset_ns is not None:
        return When(own.id, _instant(own.offset_ns + stamp.running_ns))
    if own.number == this_boot:
        return None if believed_ns is None else When(own.id, _instant(believed_ns + stamp.running_ns), None)
    later = [boot for boot in boots if boot.number > own.number]
    known = next((boot for boot in later if boot.offset_ns is not None), None)
    if known is not None and known.offset_ns is not None:
        next_start_ns, until = known.offset_ns, known.number
    elif believed_ns is not None:
        next_start_ns, until = believed_ns, this_boot
    else:
        return None
    ran_since_ns = sum(boot.ran_ns for boot in later if boot.number < until) + max(own.ran_ns - stamp.running_ns, 0)
    latest = _instant(next_start_ns - ran_since_ns)
    earliest = min(_earliest(boots, own, stamp, not_before=not_before), latest)
    half = (latest - earliest) / 2
    return When(own.id, earliest + half, max(half, timedelta(microseconds=1)))


def _earliest(boots: Sequence[Boot], own: Boot, stamp: Stamp, *, not_before: datetime) -> datetime:
    """The last moment known before that boot, and the running time of all since then."""
    before = [boot for boot in boots if boot.number < own.number]
    ran_ns = stamp.running_ns
    for boot in reversed(before):
        if boot.offset_ns is not None:
            return _instant(boot.offset_ns + boot.ran_ns + ran_ns)
        ran_ns += boot.ran_ns
    return not_before + timedelta(microseconds=ran_ns // 1_000)


@dataclass(frozen=True, slots=True)
class Dated:
    """A session by the right clock. `marks`: of its frames, for their names."""

    session: KeptSession
    facts: SessionFacts
    marks: tuple[str, ...]


def redate(kept: KeptSession, opened: When, *, zone: ZoneInfo) -> Dated:
    """Move a session that was kept by a wrong clock to `opened`: its frames, and how far the device's clock was off.

    Where the bounds are wide and the device's own clock shows a time within them, that clock is the better witness: its
    offset is then unknown, and its times are taken as the home's.
    """
    assert kept.opened is not None
    start_ns = kept.opened.running_ns
    frames = tuple(
        Frame(
            frame.characteristic,
            frame.data,
            opened.instant + timedelta(microseconds=(at_ns or start_ns) - start_ns) / 1000,
        )
        for frame, at_ns in zip(kept.frames, kept.kept_ns, strict=True)
    )
    facts = SessionFacts(**json.loads(kept.facts))
    if facts.clock_offset_s is not None:
        was, now = kept.opened_at.astimezone(zone), opened.instant.astimezone(zone)
        moved = now.replace(tzinfo=None) - was.replace(tzinfo=None)
        offset_s = facts.clock_offset_s + moved.total_seconds()
        within = UNBOUNDED if opened.either_way is None else opened.either_way + COHERENT_WITHIN
        witness = not opened.exact and abs(offset_s) <= within.total_seconds()
        facts = dataclasses.replace(facts, clock_offset_s=None if witness else offset_s)
    marks = tuple(f"{opened.boot} {at_ns or start_ns}" for at_ns in kept.kept_ns)
    session = dataclasses.replace(kept, opened_at=opened.instant, frames=frames)
    return Dated(session, facts, marks)


def _instant(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
