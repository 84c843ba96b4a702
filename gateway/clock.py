"""Whether this machine's clock can be believed, and what time it is. The decision is `judge`, which is pure.

    UNSET         it shows a time that is past: before this program was made, or no later than the last boot's end, as a
                  saved clock does that stood still while the machine was off. What is kept waits for the right time
    UNVERIFIED    it may be right; nothing has vouched for it since the machine started. It is believed
    SYNCHRONISED  network time or a clock chip has vouched for it in this boot

Once vouched for, a clock that a hand moves is not believed: the time is then counted from the last right one by the clock
that nobody sets, until somebody vouches for the new one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from gateway.dating import When, when
from gateway.errors import OutboxFailed
from gateway.machine import Look
from gateway.outbox import Boots, Stamp
from schemas.messages import ClockState

log = structlog.get_logger()

#: No machine that runs this program lives before it was made. Moved on with each release.
NOT_BEFORE: Final = datetime(2026, 11, 1, tzinfo=UTC)
SECOND_NS: Final = 1_000_000_000
#: The wall clock moved against the other by more than this: somebody set it.
STEP_NS: Final = SECOND_NS
#: A boot that begins within this of the last known moment before it: the clock was saved then, and stood still since.
STOOD_STILL_NS: Final = 60 * SECOND_NS
#: A clock that only seems to have stood still is believed after so long: in a home whose network lets no time through,
#: readings must not wait for ever.
WAITED_NS: Final = 6 * 3600 * SECOND_NS
#: Between two looks at who vouches.
LOOK_NS: Final = SECOND_NS
#: Between two notes of how long the machine has run: a note is a write to an SD card.
NOTE_NS: Final = 600 * SECOND_NS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Memory:
    """What earlier looks of this boot showed: wall − running time at the last one, and when something last vouched for it."""

    offset_ns: int | None = None
    right_ns: int | None = None
    mark: int | None = None
    #: A mark made before a hand moved the clock vouches for nothing.
    refused_mark: int | None = None
    stepped: bool = False


@dataclass(frozen=True, slots=True)
class Judged:
    """What to believe: UTC = `offset_ns` + running time."""

    state: ClockState
    offset_ns: int
    memory: Memory


def judge(look: Look, memory: Memory, *, known_past_ns: int | None) -> Judged:
    """Whether the clock can be believed. `known_past_ns`: the latest moment (UTC) an earlier boot knew; None: none did."""
    offset_ns = look.wall_ns - look.running_ns
    if memory.offset_ns is not None and abs(offset_ns - memory.offset_ns) >= STEP_NS:
        refused = look.mark if look.mark == memory.mark else memory.refused_mark
        memory = replace(memory, stepped=True, refused_mark=refused)
    memory = replace(memory, offset_ns=offset_ns, mark=look.mark)
    possible = look.wall_ns >= _nanoseconds(NOT_BEFORE)
    stood_still = known_past_ns is not None and offset_ns <= known_past_ns + STOOD_STILL_NS
    plausible = possible and (not stood_still or look.running_ns >= WAITED_NS)

    marked = look.mark is not None and look.mark != memory.refused_mark
    chip = look.chip and plausible and not memory.stepped
    if possible and (look.disciplined or marked or chip):
        return Judged(ClockState.SYNCHRONISED, offset_ns, replace(memory, right_ns=offset_ns))
    if memory.right_ns is not None:
        moved = abs(offset_ns - memory.right_ns) >= STEP_NS
        return Judged(ClockState.SYNCHRONISED, memory.right_ns if moved else offset_ns, memory)
    return Judged(ClockState.UNVERIFIED if plausible else ClockState.UNSET, offset_ns, memory)


class Clock:
    """The gateway's clock: asked for the time everywhere, it looks at who vouches for it at most once a second.

    `on_moved` hears by how many seconds the time it gives has moved, when it does.
    """

    def __init__(
        self,
        *,
        boot_id: str,
        look: Callable[[], Look],
        boots: Boots,
        on_moved: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._look = look
        self._boots = boots
        self._on_moved = on_moved
        first = look()
        self._boot = boots.begin(boot_id, running_ns=first.running_ns, now=_instant(first.wall_ns))
        earlier = [boot for boot in boots.all() if boot.number < self._boot.number and boot.offset_ns is not None]
        self._known_past_ns = max((boot.offset_ns + boot.ran_ns for boot in earlier if boot.offset_ns), default=None)
        self._memory = Memory(right_ns=self._boot.offset_ns)
        self._noted_ns = first.running_ns
        self._looked_ns = first.running_ns
        self._judged = self._judge(first)
        self._note_if_vouched(self._boot.offset_ns)

    @property
    def state(self) -> ClockState:
        """Whether it can be believed, as of the last time it was asked."""
        return self._judged.state

    def utc_now(self) -> datetime:
        """The time, as well as it is known."""
        look = self._look()
        moved = abs(look.wall_ns - look.running_ns - (self._memory.offset_ns or 0)) >= STEP_NS
        if moved or look.running_ns - self._looked_ns >= LOOK_NS:
            self._judge_again(look)
        return _instant(self._judged.offset_ns + look.running_ns)

    def stamp(self) -> Stamp:
        """The moment by the clock that nobody sets."""
        return Stamp(self._boot.number, self._look().running_ns, right=self.state is not ClockState.UNSET)

    def when(self, stamp: Stamp) -> When | None:
        """When that was; None while only a later look can tell."""
        believed = None if self.state is ClockState.UNSET else self._judged.offset_ns
        return when(self._boots.all(), stamp, this_boot=self._boot.number, believed_ns=believed, not_before=NOT_BEFORE)

    def instant(self, stamp: Stamp) -> datetime | None:
        """The best there is to say of when that was, in one instant."""
        found = self.when(stamp)
        return None if found is None else found.instant

    def note(self) -> None:
        """Have the outbox remember how long this boot has run. OutboxFailed where the disk refuses."""
        look = self._look()
        right_ns = self._memory.right_ns
        self._boots.ran(self._boot.number, running_ns=look.running_ns, offset_ns=right_ns, now=self.utc_now())
        self._noted_ns = look.running_ns

    def note_now_and_then(self) -> None:
        """The same, where the last note is old."""
        if self._look().running_ns - self._noted_ns >= NOTE_NS:
            self.note()

    def _judge_again(self, look: Look) -> None:
        before, vouched = self._judged, self._memory.right_ns
        self._looked_ns = look.running_ns
        self._judged = self._judge(look)
        moved_ns = self._judged.offset_ns - before.offset_ns
        if before.state is not self.state:
            log.info("clock", state=self.state, was=before.state)
        self._note_if_vouched(vouched)
        if abs(moved_ns) >= STEP_NS:
            log.warning("clock_moved", seconds=round(moved_ns / SECOND_NS, 1))
            self._on_moved(moved_ns / SECOND_NS)

    def _note_if_vouched(self, before_ns: int | None) -> None:
        """From now on a restart of the program, and the next boot, know this one's time."""
        right_ns = self._memory.right_ns
        if right_ns is not None and (before_ns is None or abs(right_ns - before_ns) >= STEP_NS):
            try:
                self.note()
            except OutboxFailed as error:
                log.critical("outbox_failed", reason=str(error))

    def _judge(self, look: Look) -> Judged:
        judged = judge(look, self._memory, known_past_ns=self._known_past_ns)
        self._memory = judged.memory
        return judged


def _nanoseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1_000


def _instant(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
