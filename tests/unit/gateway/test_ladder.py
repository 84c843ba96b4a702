"""The ladder: gentlest first, in under five minutes to the last rung, and never a reboot that repeats itself.

Method: a radio that stays broken (or comes back) is played to `next_step` second by second, without a clock; the memory
file is written and read by `Recovery` over a control that counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ladder import REBOOT_AGAIN_S, Memory, Rung, Step, Trouble, next_step
from gateway.radio import RadioFault
from gateway.recovery import Recovery, RestartWanted

BOOT = "boot-1"
#: Between two looks at a radio whose scan fails: what `watch` waits at most, with its spread.
LOOK_S = 37
FIVE_MINUTES_S = 300


def climb(
    trouble: Trouble, *, until_s: float, began_s: float = 1000.0, memory: Memory | None = None, may_reboot: bool = True
) -> list[tuple[float, Rung]]:
    """The rungs above a new scan that a trouble which stays leads to, and when, from its beginning."""
    memory, taken, uptime_s = memory or Memory(BOOT), list[tuple[float, Rung]](), began_s
    while uptime_s <= began_s + until_s:
        step = next_step(trouble, memory, uptime_s=uptime_s, can_cycle=True, may_restart=True, may_reboot=may_reboot)
        assert step.reason
        if step.rung is not Rung.SCAN:
            taken.append((uptime_s - began_s, step.rung))
        memory = step.after
        uptime_s += LOOK_S
    return taken


def test_every_rung_is_taken_within_five_minutes_gentlest_first() -> None:
    """F10: the bounds add up to less than five minutes, however late the looks come."""
    taken = climb(Trouble.SCAN_FAILS, until_s=FIVE_MINUTES_S)
    rungs = [rung for _, rung in taken]
    assert list(dict.fromkeys(rungs)) == [Rung.POWER_CYCLE, Rung.RESTART, Rung.REBOOT]
    assert taken[0][0] <= 60
    assert next(at for at, rung in taken if rung is Rung.REBOOT) <= FIVE_MINUTES_S - 60, "the machine has to start, too"


def test_nothing_is_rebooted_that_may_not_be() -> None:
    assert Rung.REBOOT not in {rung for _, rung in climb(Trouble.SCAN_FAILS, until_s=86_400, may_reboot=False)}


def test_restarts_become_rarer() -> None:
    at = [at for at, rung in climb(Trouble.SCAN_FAILS, until_s=86_400, may_reboot=False) if rung is Rung.RESTART]
    assert at[0] < 150
    assert len(at) <= 24 * 3600 / 5000 + 8, "an hour and a half between them in the end"


def test_a_reboot_in_vain_is_not_repeated_for_hours_and_then_ever_more_rarely() -> None:
    """A box that reboots itself for ever can never be looked at."""
    memory, reboots = Memory(BOOT), list[float]()
    lived_s = 0.0
    for boot in range(4):
        memory = memory.on(f"boot-{boot}")
        uptime_s = 30.0
        while uptime_s < 30 * 3600:
            step = next_step(
                Trouble.SCAN_FAILS, memory, uptime_s=uptime_s, can_cycle=True, may_restart=True, may_reboot=True
            )
            memory = step.after
            if step.rung is Rung.REBOOT:
                break
            uptime_s += LOOK_S
        reboots.append(uptime_s)
        lived_s += uptime_s
    assert reboots[0] < FIVE_MINUTES_S
    assert REBOOT_AGAIN_S <= reboots[1] < reboots[2] < reboots[3]


def test_a_silent_home_is_not_a_broken_radio() -> None:
    """Everybody is away for a week: the adapter is switched off and on now and then, and nothing else."""
    taken = climb(Trouble.SILENT, until_s=7 * 86_400)
    assert {rung for _, rung in taken} == {Rung.POWER_CYCLE}
    assert len(taken) <= 7 * 48


def test_a_cuff_that_cannot_be_reached_reboots_nothing() -> None:
    assert Rung.REBOOT not in {rung for _, rung in climb(Trouble.CONNECTS_FAIL, until_s=86_400)}


def test_an_adapter_that_is_absent_is_waited_for_and_at_last_the_machine_is_started_anew() -> None:
    """Nothing to switch, and no other process would find it: but a USB bus that lost a stick gets it back so."""
    assert {rung for _, rung in climb(Trouble.ABSENT, until_s=86_400, may_reboot=False)} == set()
    rungs = climb(Trouble.ABSENT, until_s=FIVE_MINUTES_S)
    assert rungs[0][1] is Rung.REBOOT
    assert rungs[0][0] <= FIVE_MINUTES_S - 60


def test_hours_of_silence_do_not_make_one_failed_scan_a_catastrophe() -> None:
    memory = Memory(BOOT)
    for uptime_s in range(100, 20_000, 60):
        memory = _step(Trouble.SILENT, memory, uptime_s).after
    assert _step(Trouble.SCAN_FAILS, memory, 20_060).rung is Rung.SCAN


def test_a_trouble_long_over_is_not_counted_on() -> None:
    """The program was stopped by a person for an hour: what it remembers of before is no reason to reboot now."""
    memory = _step(Trouble.SCAN_FAILS, Memory(BOOT), 100).after
    assert _step(Trouble.SCAN_FAILS, memory, 4000).rung is Rung.SCAN


def test_a_scan_that_starts_and_hears_nothing_is_no_cure() -> None:
    """Fails, starts, hears nothing, fails …: it goes on climbing."""
    memory, rungs, uptime_s = Memory(BOOT), list[Rung](), 100
    for turn in range(12):
        step = _step((Trouble.SCAN_FAILS, Trouble.SILENT)[turn % 2], memory, uptime_s)
        memory, uptime_s = step.after, uptime_s + 60
        rungs.append(step.rung)
    assert Rung.REBOOT in rungs


def _step(trouble: Trouble, memory: Memory, uptime_s: float) -> Step:
    return next_step(trouble, memory, uptime_s=uptime_s, can_cycle=True, may_restart=True, may_reboot=True)


@given(
    st.lists(st.tuples(st.sampled_from(Trouble), st.integers(1, 900)), max_size=60),
    st.tuples(st.booleans(), st.booleans()),
)
def test_without_an_adapter_to_switch_and_a_keeper_nothing_is_asked_of_them(
    life: list[tuple[Trouble, int]], offered: tuple[bool, bool]
) -> None:
    can_cycle, may_restart = offered
    memory, uptime_s = Memory(BOOT), 0.0
    for trouble, wait_s in life:
        uptime_s += wait_s
        step = next_step(
            trouble, memory, uptime_s=uptime_s, can_cycle=can_cycle, may_restart=may_restart, may_reboot=False
        )
        memory = step.after
        assert step.rung is not Rung.REBOOT
        assert can_cycle or step.rung is not Rung.POWER_CYCLE
        assert may_restart or step.rung is not Rung.RESTART


# The one who takes the rungs ------------------------------------------------------------------------------------------


@dataclass
class Control:
    """Counts; refuses while `fails`."""

    cycles: int = 0
    fails: bool = False

    async def power_cycle(self) -> None:
        self.cycles += 1
        if self.fails:
            raise RadioFault("no adapter")

    async def forget(self, address: str) -> None:
        raise AssertionError(address)


@dataclass
class Bench:
    """A Recovery in a folder of its own, on an uptime that a test moves."""

    folder: Path
    control: Control = field(default_factory=Control)
    uptime_s: float = 100.0
    boot: str = BOOT
    told: list[Step] = field(default_factory=list[Step])

    def recovery(self, *, reboot: tuple[str, ...] = (), restart: bool = True) -> Recovery:
        return Recovery(
            control=self.control,
            memory_file=self.folder / "radio.json",
            tell=self.told.append,
            may_restart=restart,
            reboot_command=reboot,
            uptime=lambda: self.uptime_s,
            boot=lambda: self.boot,
        )

    async def until(self, recovery: Recovery, rung: Rung) -> None:
        for _ in range(100):
            if await recovery.act(Trouble.SCAN_FAILS) is rung:
                return
            self.uptime_s += 20
        raise AssertionError(f"{rung} was never taken")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def test_each_rung_is_told_before_it_is_taken(bench: Bench) -> None:
    recovery = bench.recovery()
    await bench.until(recovery, Rung.POWER_CYCLE)
    assert (bench.control.cycles, recovery.taken) == (1, 1)
    assert [step.rung for step in bench.told] == [Rung.POWER_CYCLE]
    with pytest.raises(RestartWanted):
        await bench.until(recovery, Rung.RESTART)
    assert bench.told[-1].rung is Rung.RESTART


async def test_an_adapter_that_refuses_stops_nothing(bench: Bench) -> None:
    bench.control.fails = True
    with pytest.raises(RestartWanted):
        await bench.until(bench.recovery(), Rung.RESTART)
    assert bench.control.cycles >= 1


async def test_a_restarted_program_goes_on_where_the_last_one_was(bench: Bench) -> None:
    """Otherwise it would restart for ever and never reach the reboot."""
    reboot = ("sh", "-c", f"echo x >> {bench.folder / 'rebooted'}")
    restarts = 0
    recovery = bench.recovery(reboot=reboot)
    while not (bench.folder / "rebooted").exists():
        assert restarts < 5
        try:
            await bench.until(recovery, Rung.REBOOT)
        except RestartWanted:
            restarts, recovery = restarts + 1, bench.recovery(reboot=reboot)
    assert restarts == 1
    assert bench.uptime_s - 100 < FIVE_MINUTES_S
    assert recovery.exhausted
    # The machine is up again, and the radio still does not work: no second reboot for hours.
    bench.boot, bench.uptime_s = "boot-2", 40.0
    again = bench.recovery(reboot=reboot)
    while bench.uptime_s < REBOOT_AGAIN_S - 300:
        try:
            assert await again.act(Trouble.SCAN_FAILS) is not Rung.REBOOT
        except RestartWanted:
            again = bench.recovery(reboot=reboot)
        bench.uptime_s += 20
    assert (bench.folder / "rebooted").read_text() == "x\n"


async def test_a_radio_that_is_well_again_begins_from_the_bottom(bench: Bench) -> None:
    recovery = bench.recovery()
    await bench.until(recovery, Rung.POWER_CYCLE)
    recovery.well()
    bench.uptime_s += 15
    assert await recovery.act(Trouble.SCAN_FAILS) is Rung.SCAN
    assert not bench.recovery().exhausted


@pytest.mark.parametrize("text", ["", "{", "[]", '{"boot": 1, "odd": 2}', '{"boot": "boot-1", "since_s": null}'])
async def test_a_memory_nobody_can_read_is_begun_anew(bench: Bench, text: str) -> None:
    (bench.folder / "radio.json").write_text(text)
    assert await bench.recovery().act(Trouble.SCAN_FAILS) is Rung.SCAN


async def test_a_reboot_that_is_refused_is_said_and_survived(bench: Bench) -> None:
    def refusing(*command: str) -> Callable[[], Recovery]:
        return lambda: bench.recovery(reboot=command, restart=False)

    for make in (refusing("false"), refusing("/nonexistent/reboot")):
        recovery = make()
        await bench.until(recovery, Rung.REBOOT)
        assert bench.told[-1].rung is Rung.REBOOT
        recovery.well()
