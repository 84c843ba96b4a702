"""Takes the rungs of `ladder`: remembers first, tells the cloud, then acts, each within a bound."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Final

import structlog

from gateway.errors import GatewayError
from gateway.ladder import Memory, Rung, Step, Trouble, after_hang, next_step
from gateway.radio import AdapterControl, RadioFault
from gateway.small_file import read_json, write_json

log = structlog.get_logger()

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
#: An adapter that is switched off and on: BlueZ takes two seconds, a firmware that is loaded anew ten.
CYCLE_S_MAX: Final = 30.0
REBOOT_S_MAX: Final = 20.0


class RestartWanted(GatewayError):
    """The radio cannot be had back from within this process: end, and be started again by whoever looks after us."""


def uptime_s() -> float:
    """Seconds since the machine started, sleep included: a clock that nobody sets."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def boot_id() -> str:
    """The name of this start of the machine; "unknown" where the kernel does not tell."""
    try:
        return BOOT_ID.read_text("ascii").strip()
    except OSError:
        return "unknown"


class Recovery:
    """The ladder, taken rung by rung. `tell` is given each rung before it is taken; `reboot_command` empty: never."""

    def __init__(
        self,
        *,
        control: AdapterControl | None,
        memory_file: Path,
        tell: Callable[[Step], None],
        may_restart: bool,
        reboot_command: tuple[str, ...] = (),
        uptime: Callable[[], float] = uptime_s,
        boot: Callable[[], str] = boot_id,
    ) -> None:
        #: Rungs above a new scan taken by this process, for the heartbeat.
        self.taken = 0
        self._control = control
        self._file = memory_file
        self._tell = tell
        self._may_restart = may_restart
        self._reboot_command = reboot_command
        self._uptime = uptime
        self._boot = boot
        self._memory = self._remembered()
        #: A radio call hung, and the program before this one ended for it: the first thing to do is the next rung.
        self.resuming = False

    def hung(self, *, late_s: float, ended_s: float) -> None:
        """The program before this one, on this start of the machine, hung for `late_s` in the radio until `ended_s`."""
        step = Step(
            Rung.RESTART,
            f"a call to the radio did not return for {late_s:.0f} s",
            after_hang(self._memory, began_s=ended_s - late_s, ended_s=ended_s),
        )
        self._remember(step.after)
        self._tell(step)
        self.resuming = True

    def well(self) -> None:
        """The radio works."""
        if self._memory != self._memory.well():
            log.info("radio_well", restarts=self._memory.restarts, reboots=self._memory.reboots)
            self._remember(self._memory.well())

    @property
    def exhausted(self) -> bool:
        """Whether every rung that may be taken was, in vain: a person is needed."""
        return self._memory.reboots > 0 or self._memory.restarts > 1

    async def act(self, trouble: Trouble) -> Rung:
        """Take the next rung; which one it was. RestartWanted where this process is to end."""
        self.resuming = False
        step = next_step(
            trouble,
            self._memory,
            uptime_s=self._uptime(),
            can_cycle=self._control is not None,
            may_restart=self._may_restart,
            may_reboot=bool(self._reboot_command),
        )
        # Remembered before it is done: a reboot that was forgotten would be done again, for ever.
        self._remember(step.after)
        if step.rung is Rung.SCAN:
            log.debug("radio_recovery", rung=step.rung, reason=step.reason)
            return step.rung
        log.error("radio_recovery", rung=step.rung, reason=step.reason)
        self.taken += 1
        self._tell(step)
        if step.rung is Rung.POWER_CYCLE:
            await self._power_cycle()
        elif step.rung is Rung.REBOOT:
            await self._reboot()
        else:
            raise RestartWanted(step.reason)
        return step.rung

    async def _power_cycle(self) -> None:
        assert self._control is not None
        try:
            async with asyncio.timeout(CYCLE_S_MAX):
                await self._control.power_cycle()
        except (RadioFault, TimeoutError) as error:
            log.error("power_cycle_failed", reason=str(error) or type(error).__name__)

    async def _reboot(self) -> None:
        try:
            process = await asyncio.create_subprocess_exec(*self._reboot_command)
            async with asyncio.timeout(REBOOT_S_MAX):
                status = await process.wait()
        except (OSError, TimeoutError) as error:
            log.critical("reboot_failed", error=type(error).__name__)
        else:
            if status:
                log.critical("reboot_failed", status=status)

    def _remembered(self) -> Memory:
        boot = self._boot()
        try:
            found = read_json(self._file)
            return Memory(boot=boot) if found is None else Memory(**found).on(boot)
        except (OSError, ValueError, TypeError) as error:
            log.warning("recovery_memory_unreadable", error=type(error).__name__)
            return Memory(boot=boot)

    def _remember(self, memory: Memory) -> None:
        if memory == self._memory:
            return
        self._memory = memory
        # A disk that refuses must not keep the radio from being helped.
        write_json(self._file, asdict(memory))
