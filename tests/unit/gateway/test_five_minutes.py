"""F10 in the worst case: a radio that stays broken has met every rung within five minutes, whatever its calls do.

Method: the loop of `watch.run` is played against `next_step` and the constants alone. Each call to the radio fails at once, hangs
to its bound, or hangs beyond it until the watchdog ends the program; each restart is as quick, or as slow, as it can be. What
happens when is hypothesis's to choose, and the worst of all is searched for as well.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from itertools import product
from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from gateway.ladder import REBOOT_AFTER_S, Memory, Rung, Step, Trouble, after_hang, next_step
from gateway.radio import DISCONNECT_S_MAX, SCAN_START_S_MAX
from gateway.recovery import CYCLE_S_MAX, REBOOT_S_MAX
from gateway.turns import END_S_MAX, TURN_S_MAX
from gateway.watch import SCAN_RETRY_FIRST_S, SCAN_RETRY_MAX_S, SPREAD
from gateway.watchdog import LOOK_S
from tests.support.provisioning import ROOT

FIVE_MINUTES_S: Final = 300.0
#: From systemd's starting it to its first scan, on a slow card. Measured on no Raspberry Pi.
START_S_MAX: Final = 20.0
RETRY_S_MAX: Final = SCAN_RETRY_MAX_S * (1 + SPREAD)
BEGAN_S: Final = 5000.0


@cache
def unit_seconds(name: str) -> float:
    """A setting of the unit file."""
    lines = (ROOT / "deploy" / "gateway" / "rpm-gateway.service").read_text().splitlines()
    [value] = [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]
    return float(value)


class Call(IntEnum):
    """What a call to the radio does."""

    FAILS = 0
    TO_ITS_BOUND = 1
    BEYOND = 2


@dataclass
class Machine:
    """A gateway whose radio is broken, on a clock that only its calls move."""

    draw: Callable[[], Call]
    now_s: float = BEGAN_S

    def taken(self) -> dict[Rung, float]:
        """Each rung above a new scan, and how long after the first failing call it was begun, until the reboot is."""
        memory, rungs = Memory("boot"), dict[Rung, float]()
        while Rung.REBOOT not in rungs:
            hung = self._call(SCAN_START_S_MAX + DISCONNECT_S_MAX)
            if hung is not None:
                memory = after_hang(memory, began_s=hung, ended_s=self.now_s)
                rungs.setdefault(Rung.RESTART, self.now_s - BEGAN_S)
                self._start()
            step = self._look(memory)
            memory = step.after
            if step.rung is not Rung.SCAN:
                rungs.setdefault(step.rung, self.now_s - BEGAN_S)
            if step.rung is Rung.POWER_CYCLE:
                hung = self._call(CYCLE_S_MAX)
                if hung is not None:
                    memory = after_hang(memory, began_s=hung, ended_s=self.now_s)
                    self._start()
                    continue
            elif step.rung is Rung.RESTART:
                self.now_s += END_S_MAX + LOOK_S if self.draw() is Call.BEYOND else 0.0
                self._start()
                continue
            self.now_s += RETRY_S_MAX if self.draw() is not Call.FAILS else SCAN_RETRY_FIRST_S
            assert self.now_s < BEGAN_S + 2 * FIVE_MINUTES_S, "it never reboots"
        return rungs

    def _look(self, memory: Memory) -> Step:
        return next_step(
            Trouble.SCAN_FAILS, memory, uptime_s=self.now_s, can_cycle=True, may_restart=True, may_reboot=True
        )

    def _call(self, bound_s: float) -> float | None:
        """Make a call; when it began, where it went beyond its bound and the program was ended for it."""
        began_s = self.now_s
        match self.draw():
            case Call.FAILS:
                return None
            case Call.TO_ITS_BOUND:
                self.now_s += bound_s
                return None
            case Call.BEYOND:
                self.now_s += TURN_S_MAX + 2 * LOOK_S
                return began_s

    def _start(self) -> None:
        self.now_s += unit_seconds("RestartSec") + (START_S_MAX if self.draw() is not Call.FAILS else 0.0)


def _reboots_in_time(rungs: dict[Rung, float]) -> None:
    assert max(rungs.values()) + REBOOT_S_MAX <= FIVE_MINUTES_S, rungs
    assert rungs[Rung.REBOOT] >= REBOOT_AFTER_S


@given(st.lists(st.sampled_from(Call), max_size=60), st.sampled_from(Call))
def test_every_rung_falls_within_five_minutes_whatever_hangs(calls: list[Call], then: Call) -> None:
    """Any interleaving of calls that fail, hang to their bounds, and hang beyond them."""
    script = iter(calls)
    _reboots_in_time(Machine(lambda: next(script, then)).taken())


def test_the_worst_of_all_beginnings_is_still_within_five_minutes() -> None:
    """Every choice of the first calls, each then going on in the slowest way, and in the quickest."""
    worst = dict[Rung, float]()
    for depth_first in product(Call, repeat=7):
        for rest in (Call.TO_ITS_BOUND, Call.BEYOND):
            script = iter(depth_first)
            rungs = Machine(lambda script=script, rest=rest: next(script, rest)).taken()
            _reboots_in_time(rungs)
            for rung, at_s in rungs.items():
                worst[rung] = max(worst.get(rung, 0.0), at_s)
    assert set(worst) == {Rung.POWER_CYCLE, Rung.RESTART, Rung.REBOOT}
    assert worst[Rung.REBOOT] > REBOOT_AFTER_S + TURN_S_MAX, "the slow ways were among them"


def test_a_radio_whose_calls_all_fail_at_once_takes_the_rungs_in_their_order() -> None:
    """Nothing hangs: gentlest first."""
    rungs = Machine(lambda: Call.FAILS).taken()
    assert list(rungs) == [Rung.POWER_CYCLE, Rung.RESTART, Rung.REBOOT]


def test_systemd_starts_it_again_however_often_it_ends() -> None:
    """Ten ends in a row would otherwise leave the box silent. systemd ignores the line anywhere but in [Unit]."""
    sections = (ROOT / "deploy" / "gateway" / "rpm-gateway.service").read_text().split("\n[")
    [holding] = [section.splitlines()[0] for section in sections if "\nStartLimitIntervalSec=0" in section]
    assert holding == "Unit]"
