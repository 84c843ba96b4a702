"""Who is late, decided on a clock that a test moves; and that no bounded call can be taken for a hang."""

import asyncio
from pathlib import Path

import pytest

from devices.procedures import SESSION_S_MAX
from gateway import recovery, watch
from gateway.program import HOUSEKEEPING_S
from gateway.radio import CONNECT_S_MAX, DISCONNECT_S_MAX, SCAN_START_S_MAX
from gateway.reluctant import FORGET_S_MAX
from gateway.turns import END, END_S_MAX, TURN_S_MAX, WAIT_S_MAX, Late, Part, Turns
from gateway.uplink.connection import CLOSE_S_MAX, OPEN_S_MAX
from gateway.watchdog import LOOK_S, STUCK_S_MAX
from tests.support.provisioning import ROOT


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    made = Turns(clock)
    for part in Part:
        made.turn(part)
    return made


def test_each_part_has_to_come_round_itself(turns: Turns, clock: Clock) -> None:
    for silent in (Part.WATCH, Part.UPLINK, Part.HOUSE):
        for part in Part:
            turns.turn(part)
        for _ in range(5):
            assert turns.late() is None
            clock.now_s += TURN_S_MAX / 5
            for part in set(Part) - {silent}:
                turns.turn(part)
        clock.now_s += 0.5
        assert turns.late() == Late(silent, TURN_S_MAX + 0.5)


def test_a_loop_that_stands_still_is_to_blame_itself(turns: Turns, clock: Clock) -> None:
    clock.now_s += TURN_S_MAX + 1
    found = turns.late()
    assert found is not None
    assert found.part == Part.LOOP


def test_a_session_has_a_bound_of_its_own_and_one_that_ended_none(turns: Turns, clock: Clock) -> None:
    turns.turn("device 1", within_s=400.0)
    turns.turn("device 2", within_s=400.0)
    turns.ended("device 2")
    for _ in range(40):
        clock.now_s += 10.5
        for part in Part:
            turns.turn(part)
    found = turns.late()
    assert found is not None
    assert found.part == "device 1"


def test_a_program_told_to_end_is_judged_by_that_alone(turns: Turns, clock: Clock) -> None:
    turns.ending()
    clock.now_s += END_S_MAX - 1
    turns.turn(Part.WATCH)
    turns.ending()
    assert turns.late() is None
    clock.now_s += 2
    assert turns.late() == Late(END, END_S_MAX + 1), "being told twice gives no more time"


def test_a_process_that_was_stopped_as_a_whole_is_forgiven(turns: Turns, clock: Clock) -> None:
    clock.now_s += 1000
    turns.forgive(1000)
    assert turns.late() is None


async def test_whoever_rests_comes_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.turns.WAIT_S_MAX", 0.02)
    monkeypatch.setattr("gateway.turns.TURN_S_MAX", 1.5)
    turns, stop = Turns(), asyncio.Event()
    resting = asyncio.create_task(turns.rest(Part.UPLINK, 60.0, stop))
    for _ in range(20):
        await asyncio.sleep(0.1)
        assert turns.late() is None
    stop.set()
    await asyncio.wait_for(resting, 30)
    assert await turns.rest(Part.UPLINK, 0.05, asyncio.Event()) is None


def test_no_call_that_keeps_its_bound_is_taken_for_a_hang() -> None:
    """Between two turns of a part lies at most one of these."""
    for longest in (
        WAIT_S_MAX,
        HOUSEKEEPING_S,
        SCAN_START_S_MAX + DISCONNECT_S_MAX,
        recovery.CYCLE_S_MAX,
        recovery.REBOOT_S_MAX,
        OPEN_S_MAX,
        2 * CLOSE_S_MAX,
    ):
        assert longest < TURN_S_MAX - 10
    assert watch.SESSION_TURN_S_MAX > SESSION_S_MAX + CONNECT_S_MAX + DISCONNECT_S_MAX + FORGET_S_MAX + 60
    assert max(2 * CLOSE_S_MAX, 2 * DISCONNECT_S_MAX) < END_S_MAX


def test_the_last_words_are_said_before_systemd_loses_patience() -> None:
    unit = Path(ROOT, "deploy", "gateway", "rpm-gateway.service").read_text()
    [watchdog_s] = [int(line.partition("=")[2]) for line in unit.splitlines() if line.startswith("WatchdogSec=")]
    assert watchdog_s > TURN_S_MAX + 2 * LOOK_S
    assert watchdog_s > STUCK_S_MAX
