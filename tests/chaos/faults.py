"""Which fault comes next, and what it does. Drawn from a seed: the same seed breaks the same parts in the same order."""

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from rpm.demo.processes import Child
from tests.support.broker import Broker
from tests.support.database import DatabaseServer
from tests.support.oracle import GatewayKill
from tests.support.small_disk import SmallDisk
from tests.support.world import Home, World

DOWN_S: Final = 1.0
#: Shorter than any watchdog's patience: what is stopped for longer is ended, and that is a kill.
FROZEN_S: Final = (1.0, 6.0)
#: Of so many faults one is a freeze; the others are kill -9.
FREEZE_SHARE: Final = 0.15


class Part(StrEnum):
    """What can be broken."""

    BROKER = "broker"
    DATABASE = "database"
    GATEWAY = "gateway"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `which` of several alike, and how long it lasts. `frozen`: SIGSTOP and SIGCONT, not kill -9."""

    part: Part
    which: int
    for_s: float
    frozen: bool

    def __str__(self) -> str:
        """For the log."""
        return f"{'freeze' if self.frozen else 'kill'} {self.part} {self.which} for {self.for_s:.1f} s"


def faults(seed: int, *, gateways: int, workers: int) -> Iterator[Fault]:
    """Faults without end. Each part is met once in each four, in an order of chance: no run spares one."""
    chance = random.Random(seed)
    many = {Part.GATEWAY: gateways, Part.WORKER: workers}
    while True:
        for part in chance.sample(list(Part), len(Part)):
            # A database is not stopped: its postmaster is one of many processes, and the others would go on.
            frozen = part is not Part.DATABASE and chance.random() < FREEZE_SHARE
            for_s = chance.uniform(*FROZEN_S) if frozen else DOWN_S
            yield Fault(part, chance.randrange(many.get(part, 1)), for_s, frozen)


@dataclass
class Breaker:
    """Does it, to the running world, and counts it."""

    world: World
    server: DatabaseServer
    homes: Sequence[Home]
    workers: Sequence[str]
    database_disk: SmallDisk
    filled: Counter[str] = field(default_factory=Counter[str])
    #: Every part, so that one that was never killed is seen.
    kills: Counter[str] = field(default_factory=lambda: Counter({str(part): 0 for part in Part}))
    freezes: Counter[str] = field(default_factory=Counter[str])
    gateway_kills: list[GatewayKill] = field(default_factory=list[GatewayKill])
    #: Processes that had ended by themselves and were started again, as their supervisor would: with which status, and
    #: their last words.
    ended: list[str] = field(default_factory=list[str])

    def do(self, fault: Fault) -> None:
        """Break it, wait, and mend it."""
        if fault.frozen:
            self._freeze(fault)
        else:
            self._kill(fault)
        self.supervise()

    def outage(self, part: Part, seconds: float) -> None:
        """The broker or the database is away for so long."""
        self._kill(Fault(part, 0, seconds, frozen=False))
        self.supervise()

    def full(self, disk: str, seconds: float) -> None:
        """A disk is full for so long: by a home's name that of its gateway, else the database's."""
        self.filled[disk] += 1
        full = self.world.disks.get(disk, self.database_disk)
        for home in self.homes:
            if home.name == disk:
                # What is being heard in this moment has no place: as if its process died just then.
                self._note_gateway_gone(home)
        full.fill()
        time.sleep(seconds)
        full.free()
        # Where the log of the database finds no room its server ends, as it should; its supervisor would start it.
        self.server.start()
        self.supervise()

    def supervise(self) -> None:
        """Start again what ended by itself."""
        for home in self.homes:
            if not self.world.children[home.gateway_id].running():
                self._note_gateway_gone(home)
                self.ended.append(_ending(self.world.children[home.gateway_id]))
                self.world.start_gateway(home)
        for name in self.workers:
            if not self.world.children[name].running():
                self.ended.append(_ending(self.world.children[name]))
                self.world.start_worker(name)

    def _kill(self, fault: Fault) -> None:
        self.kills[fault.part] += 1
        match fault.part:
            case Part.BROKER:
                self.world.broker.kill()
                time.sleep(fault.for_s)
                self.world.broker.start()
            case Part.DATABASE:
                self.server.kill()
                time.sleep(fault.for_s)
                self.server.start()
            case Part.GATEWAY:
                home = self.homes[fault.which]
                self.world.kill(home.gateway_id)
                self._note_gateway_gone(home)
                time.sleep(fault.for_s)
                self.world.start_gateway(home)
            case Part.WORKER:
                self.world.kill(self.workers[fault.which])
                time.sleep(fault.for_s)
                self.world.start_worker(self.workers[fault.which])

    def _freeze(self, fault: Fault) -> None:
        self.freezes[fault.part] += 1
        broker: Broker = self.world.broker
        names = {Part.GATEWAY: [home.gateway_id for home in self.homes], Part.WORKER: list(self.workers)}
        pid = broker.pid if fault.part is Part.BROKER else self.world.children[names[fault.part][fault.which]].pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(fault.for_s)
        os.kill(pid, signal.SIGCONT)

    def _note_gateway_gone(self, home: Home) -> None:
        met = frozenset(device.address for device in home.devices)
        self.gateway_kills.append(GatewayKill(datetime.now(UTC), met))


def _ending(child: Child) -> str:
    assert child.process is not None
    words = child.last_words().splitlines()
    return f"{child.name}: status {child.process.poll()}: {words[-1] if words else ''}"


def first(seed: int, number: int, *, gateways: int, workers: int) -> list[Fault]:
    """The first so many faults of a seed."""
    return list(itertools.islice(faults(seed, gateways=gateways, workers=workers), number))
