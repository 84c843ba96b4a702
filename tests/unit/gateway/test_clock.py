"""A box without a clock chip: whether its clock can be believed, what time it is, and when things were that a wrong clock kept.

Method: a machine whose clocks go as the test says, a real outbox for its memory, one boot after the other; beside it the
arithmetic of `dating` against a world in which the true time of everything is known.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.clock import NOT_BEFORE, WAITED_NS, Clock, Memory, judge
from gateway.dating import When, when
from gateway.machine import Look
from gateway.outbox import Boot, Outbox, Stamp
from schemas.messages import ClockState, Event
from tests.unit.gateway.frames import GATEWAY, open_outbox

TRUE = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)
SECOND = 1_000_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ns(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1) * 1000


@dataclass
class Box:
    """A machine in the true world: its wall clock is `wrong_by` behind, and somebody may vouch for it."""

    booted_at: datetime
    now: datetime
    wrong_by: timedelta = timedelta()
    vouched: bool = False
    mark: int | None = None
    chip: bool = False
    moves: list[float] = field(default_factory=list[float])

    def look(self) -> Look:
        return Look(ns(self.now) - ns(self.booted_at), ns(self.now - self.wrong_by), self.vouched, self.mark, self.chip)

    def boot(self, outbox: Outbox, name: str) -> Clock:
        clock = Clock(boot_id=name, look=self.look, boots=outbox.boots, on_moved=self.moves.append)
        outbox.stamp_by(clock.stamp)
        return clock

    def passes(self, span: timedelta) -> None:
        self.now += span


def fresh(
    *, wrong_by: timedelta = timedelta(), vouched: bool = False, mark: int | None = None, chip: bool = False
) -> Box:
    """A box that was switched on twenty seconds ago."""
    return Box(TRUE - timedelta(seconds=20), TRUE, wrong_by, vouched, mark, chip)


TO_1970 = TRUE - datetime(1970, 1, 1, 0, 0, 20, tzinfo=UTC)


def test_a_clock_of_1970_is_unset_until_somebody_sets_it(tmp_path: Path) -> None:
    box = fresh(wrong_by=TO_1970)
    clock = box.boot(open_outbox(tmp_path), "one")
    assert clock.utc_now().year == 1970
    assert clock.state is ClockState.UNSET
    mark = clock.stamp()
    assert not mark.right
    assert clock.when(mark) is None
    box.passes(HOUR)
    box.wrong_by, box.vouched = timedelta(), True
    assert clock.utc_now() == TRUE + HOUR
    assert clock.state is ClockState.SYNCHRONISED
    assert clock.when(mark) == When("one", TRUE)
    assert box.moves == [pytest.approx(TO_1970.total_seconds())]


@pytest.mark.parametrize(
    "facts, state",
    [
        ({}, ClockState.UNVERIFIED),
        ({"vouched": True}, ClockState.SYNCHRONISED),
        ({"mark": 7}, ClockState.SYNCHRONISED),
        ({"chip": True}, ClockState.SYNCHRONISED),
        ({"chip": True, "wrong_by": TO_1970}, ClockState.UNSET),  # its battery is flat
        ({"vouched": True, "wrong_by": TO_1970}, ClockState.UNSET),
    ],
)
def test_who_vouches_for_a_clock(tmp_path: Path, facts: dict[str, Any], state: ClockState) -> None:
    clock = fresh(**facts).boot(open_outbox(tmp_path), "one")
    clock.utc_now()
    assert clock.state is state


def test_what_nobody_vouches_for_is_followed_wherever_it_goes(tmp_path: Path) -> None:
    box = fresh()
    clock = box.boot(open_outbox(tmp_path), "one")
    for wrong_by in (timedelta(hours=3), timedelta(hours=-3), timedelta()):
        box.wrong_by = wrong_by
        assert clock.utc_now() == TRUE - wrong_by
    assert box.moves == [-10800.0, 21600.0, -10800.0]


def test_a_right_clock_that_a_hand_moves_is_not_believed_until_somebody_vouches_anew(tmp_path: Path) -> None:
    box = fresh(vouched=True)
    clock = box.boot(open_outbox(tmp_path), "one")
    for wrong_by in (timedelta(days=-1), timedelta(hours=3), timedelta()):
        # settimeofday(2) tells the kernel that nobody vouches any more.
        box.wrong_by, box.vouched = wrong_by, False
        box.passes(timedelta(minutes=1))
        assert clock.utc_now() == box.now
        assert clock.state is ClockState.SYNCHRONISED
    assert box.moves == []
    box.wrong_by, box.vouched = timedelta(seconds=-5), True
    assert clock.utc_now() == box.now + timedelta(seconds=5), "network time has the last word"
    assert box.moves == [5.0]


def test_a_mark_made_before_the_clock_was_moved_vouches_for_nothing(tmp_path: Path) -> None:
    box = fresh()
    box.mark = 1
    clock = box.boot(open_outbox(tmp_path), "one")
    clock.utc_now()
    box.wrong_by = timedelta(hours=1)
    assert clock.utc_now() == box.now
    box.passes(timedelta(minutes=1))
    assert clock.utc_now() == box.now
    box.mark, box.wrong_by = 2, timedelta(seconds=3)
    assert clock.utc_now() == box.now - timedelta(seconds=3)


def test_a_saved_clock_that_stood_still_is_not_believed(tmp_path: Path) -> None:
    """A Raspberry Pi begins where it ended: plausible, and wrong by as long as it was off."""
    outbox = open_outbox(tmp_path)
    first = fresh(vouched=True)
    first.boot(outbox, "one").note()
    second = Box(TRUE + 48 * HOUR, TRUE + 48 * HOUR, wrong_by=48 * HOUR - timedelta(seconds=5))
    clock = second.boot(outbox, "two")
    second.passes(timedelta(seconds=30))
    clock.utc_now()
    assert clock.state is ClockState.UNSET
    mark = clock.stamp()
    second.vouched, second.wrong_by = True, timedelta()
    clock.utc_now()
    assert clock.when(mark) == When("two", TRUE + 48 * HOUR + timedelta(seconds=30))


def test_a_clock_that_ran_on_is_believed_though_nobody_vouches(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    fresh(vouched=True).boot(outbox, "one").note()
    second = Box(TRUE + 48 * HOUR, TRUE + 48 * HOUR)
    clock = second.boot(outbox, "two")
    clock.utc_now()
    assert clock.state is ClockState.UNVERIFIED


def test_nothing_waits_for_ever_for_a_time_the_network_lets_not_through(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    fresh(vouched=True).boot(outbox, "one").note()
    second = Box(TRUE + HOUR, TRUE + HOUR, wrong_by=HOUR)
    clock = second.boot(outbox, "two")
    mark = clock.stamp()
    second.passes(timedelta(microseconds=WAITED_NS / 1000) - timedelta(seconds=2))
    clock.utc_now()
    assert clock.when(mark) is None
    second.passes(timedelta(seconds=3))
    clock.utc_now()
    assert clock.state is ClockState.UNVERIFIED
    assert clock.when(mark) == When("two", TRUE, None), "by the clock there is, and nobody says how far it is off"


def test_a_restarted_program_knows_what_was_vouched_for_in_this_boot(tmp_path: Path) -> None:
    box = fresh(vouched=True)
    outbox = open_outbox(tmp_path)
    box.boot(outbox, "one")
    box.vouched, box.wrong_by = False, timedelta(hours=2)
    clock = box.boot(outbox, "one")
    assert clock.utc_now() == box.now
    assert clock.state is ClockState.SYNCHRONISED


def test_an_event_told_by_a_wrong_clock_waits_and_is_put_right(tmp_path: Path) -> None:
    outbox = open_outbox(tmp_path)
    box = fresh(wrong_by=TO_1970)
    clock = box.boot(outbox, "one")
    outbox.add_event(Event(gateway_id=GATEWAY, at=clock.utc_now(), name="device_battery", value=80.0))
    assert outbox.events(limit=5) == []
    assert outbox.date_events(clock.instant, now=clock.utc_now()) == 0
    box.passes(HOUR)
    box.wrong_by, box.vouched = timedelta(), True
    now = clock.utc_now()
    assert outbox.date_events(clock.instant, now=now) == 1
    (event,) = outbox.events(limit=5)
    assert Event.model_validate_json(event.body).at == TRUE
    outbox.add_event(Event(gateway_id=GATEWAY, at=now, name="device_battery", value=79.0))
    assert len(outbox.events(limit=5)) == 2


@dataclass(frozen=True)
class Life:
    """One boot of a box in the true world, in seconds: off before it, then running; a moment in it; whether it was ever vouched for."""

    off_s: int
    ran_s: int
    moment: float
    vouched: bool


_lives = st.builds(Life, st.integers(0, 10**6), st.integers(1, 10**6), st.floats(0, 1), st.booleans())


@settings(max_examples=300)
@given(st.lists(_lives, min_size=1, max_size=6))
def test_the_true_time_is_always_within_the_bounds(lives: list[Life]) -> None:
    at, boots, truth = NOT_BEFORE, list[Boot](), list[tuple[Stamp, datetime]]()
    for number, life in enumerate([*lives, Life(5, 5, 0.5, vouched=True)], start=1):
        at += timedelta(seconds=life.off_s)
        running_ns = int(life.moment * life.ran_s) * SECOND
        truth.append((Stamp(number, running_ns, right=False), at + timedelta(microseconds=running_ns / 1000)))
        boots.append(Boot(number, f"boot {number}", ns(at) if life.vouched else None, life.ran_s * SECOND))
        at += timedelta(seconds=life.ran_s)
    for (stamp, true_time), boot in zip(truth, boots, strict=True):
        found = when(boots, stamp, this_boot=len(boots), believed_ns=None, not_before=NOT_BEFORE)
        assert found is not None
        assert found.either_way is not None
        assert abs(found.instant - true_time) <= found.either_way
        assert found.exact == (boot.offset_ns is not None)


def test_the_bounds_are_the_last_known_moment_and_the_next_boots_start() -> None:
    """Known until 9:00; off; ran ten minutes, something in its fourth; off; the next boot began at 11:00."""
    boots = [
        Boot(1, "one", ns(TRUE - HOUR), 3600 * SECOND),
        Boot(2, "two", None, 600 * SECOND),
        Boot(3, "three", ns(TRUE + 2 * HOUR), 60 * SECOND),
    ]
    found = when(boots, Stamp(2, 240 * SECOND, right=False), this_boot=3, believed_ns=None, not_before=NOT_BEFORE)
    assert found is not None
    assert found.either_way is not None
    assert found.instant - found.either_way == TRUE + timedelta(minutes=4)
    assert found.instant + found.either_way == TRUE + 2 * HOUR - timedelta(minutes=6)


def test_a_look_changes_nothing_but_what_it_saw() -> None:
    look = Look(20 * SECOND, ns(TRUE), disciplined=True)
    once = judge(look, Memory(), known_past_ns=None)
    assert judge(look, once.memory, known_past_ns=None) == once
    assert judge(replace(look, disciplined=False), once.memory, known_past_ns=None) == once
