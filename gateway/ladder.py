"""What to do about a radio that does not work, gentlest first. Pure: facts in, the next rung and its reason out.

    scan anew → power-cycle the adapter → start this program again → reboot the machine

Users of other gateways write "it stopped sending and only a reboot helped". So the last rung is a reboot, where the
settings allow it; and an unattended box is well again in under five minutes (F10): the waits below, and whatever the calls
to a radio take that hang to their bounds or beyond them, add up to less (tests/unit/gateway/test_five_minutes.py).

A silent home is not a broken radio. Devices that sleep and no neighbour in range are heard as nothing for hours; so
silence alone climbs no higher than the power-cycle, and that rarely. Errors and calls that never return climb on.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

#: Nothing heard from anybody for so long: the driver may have stopped scanning without saying so.
SILENT_S: Final = 60.0
#: … and after so long the adapter is switched off and on once: it costs two seconds of scanning.
SILENT_CYCLE_S: Final = 1800.0
#: Scanning or connecting has failed for so long: time for the next rung.
CYCLE_AFTER_S: Final = 20.0
CYCLE_AGAIN_S: Final = 40.0
RESTART_AFTER_S: Final = 80.0
#: Each further restart waits twice as long as the one before, at most 80 s · 2^6: an hour and a half.
RESTART_DOUBLINGS_MAX: Final = 6
#: Counted from when the trouble began, through restarts of this program.
REBOOT_AFTER_S: Final = 120.0
#: A reboot that did not help is tried again after 6 h, 12 h, 24 h …, counted from the start of the machine.
REBOOT_AGAIN_S: Final = 6 * 3600.0
REBOOT_AGAIN_DOUBLINGS_MAX: Final = 4
#: A trouble not met for so long is over, whether or not anything was heard since: the next one begins anew.
OVER_AFTER_S: Final = 600.0
#: So many connections to enrolled devices failed in a row, and none came about.
CONNECTS_FAILED_MAX: Final = 6


class Rung(StrEnum):
    """One thing that may help."""

    SCAN = "scan"
    POWER_CYCLE = "power_cycle"
    RESTART = "restart"
    REBOOT = "reboot"


class Trouble(StrEnum):
    """Why the radio is not believed to work."""

    #: Scanning does not start, or its call never returns.
    SCAN_FAILS = "scan_fails"
    #: It scans, and nothing at all is heard.
    SILENT = "silent"
    #: It hears, and no connection comes about.
    CONNECTS_FAIL = "connects_fail"
    #: There is no adapter, or nobody (bluetoothd, the message bus) through whom to ask for one.
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Memory:
    """What was tried since the trouble began. Instants are seconds since the machine started: no clock is needed.

    It outlives the program (`recovery` keeps it in a file), but not what it says of a machine that started anew: `boot` names
    the machine's start, and only `reboots` is carried over.
    """

    boot: str
    trouble: str | None = None
    since_s: float | None = None
    #: When this trouble, silence excepted, was last met.
    met_s: float = 0.0
    cycled_at_s: float | None = None
    restarted_at_s: float | None = None
    restarts: int = 0
    #: Reboots since the radio last worked.
    reboots: int = 0

    def on(self, boot: str) -> "Memory":
        """What of it holds for a program that runs on the machine start `boot`."""
        return self if boot == self.boot else Memory(boot=boot, reboots=self.reboots)

    def well(self) -> "Memory":
        """The radio works: all is forgotten."""
        return Memory(boot=self.boot)


@dataclass(frozen=True, slots=True)
class Step:
    """The next rung and why; `after` is what is to be remembered *before* it is taken."""

    rung: Rung
    reason: str
    after: Memory


def next_step(
    trouble: Trouble, memory: Memory, *, uptime_s: float, can_cycle: bool, may_restart: bool, may_reboot: bool
) -> Step:
    """The next rung. `uptime_s`: seconds since the machine started.

    `can_cycle`: there is an adapter that can be switched off and on; `may_restart`: somebody (systemd) starts this program
    again when it ends; `may_reboot`: the settings allow it.
    """
    if trouble is Trouble.SILENT:
        return _about_silence(memory, uptime_s=uptime_s, can_cycle=can_cycle)
    over = memory.trouble in {None, Trouble.SILENT} or uptime_s - memory.met_s > OVER_AFTER_S
    since_s = uptime_s if over or memory.since_s is None else memory.since_s
    cycled_at_s = None if over else memory.cycled_at_s
    began = replace(memory, trouble=str(trouble), since_s=since_s, met_s=uptime_s, cycled_at_s=cycled_at_s)
    lasted_s = uptime_s - since_s
    # A cuff at the edge of what the radio reaches refuses every connection too: no reason to reboot the machine.
    reboots = may_reboot and trouble is not Trouble.CONNECTS_FAIL
    if reboots and lasted_s >= REBOOT_AFTER_S and uptime_s >= reboot_not_before_s(began.reboots):
        after = replace(began, reboots=began.reboots + 1)
        return Step(Rung.REBOOT, f"{trouble} for {lasted_s:.0f} s, nothing else helped", after)
    if trouble is Trouble.ABSENT:
        # Nothing to switch, and no use in another process that does not find it either. It is waited for.
        return Step(Rung.SCAN, f"{trouble} for {lasted_s:.0f} s", began)
    since_cycle_s = lasted_s if began.cycled_at_s is None else uptime_s - began.cycled_at_s
    cycles = can_cycle and since_cycle_s >= (CYCLE_AFTER_S if began.cycled_at_s is None else CYCLE_AGAIN_S)
    if cycles and began.cycled_at_s is None:
        # Before anything else, however late the looks come: it is the gentler one.
        return Step(Rung.POWER_CYCLE, f"{trouble} for {lasted_s:.0f} s", replace(began, cycled_at_s=uptime_s))
    since_restart_s = uptime_s - max(since_s, began.restarted_at_s or 0.0)
    if may_restart and since_restart_s >= RESTART_AFTER_S * 2.0 ** min(began.restarts, RESTART_DOUBLINGS_MAX):
        after = replace(began, restarts=began.restarts + 1, restarted_at_s=uptime_s)
        return Step(Rung.RESTART, f"{trouble} for {lasted_s:.0f} s, the adapter's power-cycle did not help", after)
    if cycles:
        return Step(Rung.POWER_CYCLE, f"{trouble} for {lasted_s:.0f} s", replace(began, cycled_at_s=uptime_s))
    return Step(Rung.SCAN, f"{trouble} for {lasted_s:.0f} s", began)


def after_hang(memory: Memory, *, began_s: float, ended_s: float) -> Memory:
    """What is remembered of a radio call that hung from `began_s` on, and for which the watchdog ended the program.

    That was a restart, and it was not asked for first. Instants are seconds since the machine started.
    """
    over = memory.trouble in {None, Trouble.SILENT} or began_s - memory.met_s > OVER_AFTER_S
    return replace(
        memory,
        trouble=str(Trouble.SCAN_FAILS),
        since_s=began_s if over or memory.since_s is None else memory.since_s,
        met_s=ended_s,
        cycled_at_s=None if over else memory.cycled_at_s,
        restarted_at_s=ended_s,
        restarts=memory.restarts + 1,
    )


def _about_silence(memory: Memory, *, uptime_s: float, can_cycle: bool) -> Step:
    if memory.trouble not in {None, Trouble.SILENT}:
        # A scan that starts and hears nothing is no proof that what failed before works again.
        return Step(Rung.SCAN, f"nothing heard, and before that {memory.trouble}", memory)
    since_s = uptime_s - SILENT_S if memory.since_s is None else memory.since_s
    began = replace(memory, trouble=str(Trouble.SILENT), since_s=since_s)
    silent_s = uptime_s - since_s
    if can_cycle and uptime_s - (since_s if memory.cycled_at_s is None else memory.cycled_at_s) >= SILENT_CYCLE_S:
        return Step(Rung.POWER_CYCLE, f"nothing heard for {silent_s:.0f} s", replace(began, cycled_at_s=uptime_s))
    return Step(Rung.SCAN, f"nothing heard for {silent_s:.0f} s: perhaps nobody is there", began)


def reboot_not_before_s(reboots: int) -> float:
    """How long the machine must have run before it may be rebooted, after so many reboots in vain."""
    if not reboots:
        return 0.0
    return REBOOT_AGAIN_S * 2.0 ** min(reboots - 1, REBOOT_AGAIN_DOUBLINGS_MAX)
