"""A seed → a run: two homes, two or three workers, faults for a minute, peace, and the oracle's findings with a trace."""

import asyncio
import json
import random
import uuid
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from types import SimpleNamespace
from typing import Any, Final
from unittest.mock import patch

from schemas.messages import Receipt
from tests.simulation.broker import Broker, Member
from tests.simulation.bugs import Bug
from tests.simulation.clock import VirtualLoop
from tests.simulation.cloud import Table, Worker, settle_in_memory
from tests.simulation.home import HomeGateway, VirtualConnection
from tests.support import readings

FAULTS_S: Final = 60.0
#: The longest rest a broker's answer or a lost connection can impose: after it everybody is connected again.
REST_S: Final = 220.0
#: A reading heard in peace is stored within this.
PROMPT_S: Final = 3.0
#: Everything is stored so long after the last fault: the longest wait of one row, and its way.
DRAIN_S: Final = 700.0
READINGS: Final = 8
FAULTS: Final = 12
START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)


@dataclass
class Outcome:
    """What the oracle found. `trace` is one line for each thing that happened, with its second."""

    seed: int
    heard: int = 0
    stored: int = 0
    faults: dict[str, int] = field(default_factory=dict[str, int])
    wrong: list[str] = field(default_factory=list[str])
    trace: list[str] = field(default_factory=list[str])


@cache
def _template() -> tuple[str, str]:
    reading = readings.pressure(138, 88, START)
    return reading.model_dump_json(), f'"raw":"{reading.raw}"'


class Simulation:
    """One run."""

    def __init__(self, seed: int, *, bugs: frozenset[Bug] = frozenset()) -> None:
        self.outcome = Outcome(seed)
        self._chance = random.Random(seed)
        self._bugs = bugs
        self._loop = VirtualLoop()
        # A mistake in a callback or a hand would otherwise be a line in a log.
        self._loop.set_exception_handler(lambda _loop, what: self._wrong("broke", repr(what.get("exception"))))
        self._step_s = 0.0
        self._heard: dict[str, str] = {}
        self._table = Table(dedupe=Bug.NO_DEDUPE not in bugs)
        self._broker = Broker(self._loop, self._chance)
        self._broker.on_ack, self._broker.on_receipt = self._see_ack, self._see_receipt
        self._homes = [
            HomeGateway(f"gw-home-{name}", self._loop, self._chance, self._broker, bugs=bugs, clock=self._utc_now)
            for name in "ab"
        ]
        self._workers: list[Worker] = []
        self._every_worker: list[Worker] = []

    def run(self) -> Outcome:
        """To its end, in virtual time."""
        with ExitStack() as stack:
            stack.enter_context(patch("gateway.uplink.uplink.Connection", VirtualConnection))
            stack.enter_context(patch("rpm.ingest.worker.settle", settle_in_memory))
            # A file in memory has no disk to be full.
            stack.enter_context(patch("gateway.outbox.store.Store.require_disk", _has_room))
            stack.enter_context(patch("rpm.ingest.worker._random", self._chance))
            # A batch's wait for company: to sleep not at all still gives the processor away.
            stack.enter_context(patch("rpm.ingest.inbox.time", SimpleNamespace(sleep=_sleep_not)))
            try:
                self._loop.run_until_complete(self._life())
            finally:
                for worker in self._every_worker:
                    worker.bury()
                for home in self._homes:
                    home.connection.close()
                self._loop.close()
        return self.outcome

    # What happens

    async def _life(self) -> None:
        for _ in range(2):
            self._start_worker()
        for home in self._homes:
            home.start()
        moments = [(self._chance.uniform(0.5, FAULTS_S), self._hear) for _ in range(READINGS)]
        moments += [(self._chance.uniform(1.0, FAULTS_S), self._break) for _ in range(FAULTS)]
        for at_s, act in sorted(moments, key=lambda moment: moment[0]):
            await asyncio.sleep(max(at_s - self._loop.time(), 0.0))
            act()
        await self._peace()
        await asyncio.sleep(REST_S)
        for home in self._homes:
            name = self._hear(home)
            await asyncio.sleep(PROMPT_S)
            if not any(stored == name for stored, _ in self._table.readings):
                self._wrong("late", f"{name[:8]} was heard in peace and not stored within {PROMPT_S:.0f} s")
        waited_s = 0.0
        while waited_s < DRAIN_S and any(
            home.outbox.next_due_s(now=self._utc_now()) is not None for home in self._homes
        ):
            await asyncio.sleep(10.0)
            waited_s += 10.0
        self._judge()
        for home in self._homes:
            home.kill()
        for worker in self._workers:
            worker.kill()
        await asyncio.sleep(1.0)

    async def _peace(self) -> None:
        self._say("peace")
        self._broker.duplicate_share = self._table.unknown_share = 0.0
        self._table.up = self._broker.up = True
        self._broker.group = [member for member in self._broker.group if member.deliver is not _swallow]
        # One worker has gone for good.
        if self._workers:
            self._workers.pop(0).kill()
        self._start_worker()
        for home in self._homes:
            home.die_at(0)
            if not home.running:
                home.start()

    def _hear(self, home: HomeGateway | None = None) -> str:
        template, raw = _template()
        name = str(uuid.UUID(int=self._chance.getrandbits(128)))
        value = f"{self._chance.getrandbits(64):016x}"
        facts = json.loads(template)
        facts["reading_id"] = name
        body = json.dumps(facts).replace(raw.replace(":", ": "), f'"raw": "{value}"')
        self._heard[name] = value
        first = home or self._chance.choice(self._homes)
        # Sometimes two boxes hear one device.
        for each in {first.gateway_id: first} | ({} if home or self._chance.random() < 0.8 else self._both()):
            self._home(each).hear(name, body, now=self._utc_now())
            self._say(f"{each} heard {name[:8]}")
        return name

    def _both(self) -> dict[str, HomeGateway]:
        return {home.gateway_id: home for home in self._homes}

    def _home(self, gateway_id: str) -> HomeGateway:
        return self._both()[gateway_id]

    def _break(self) -> None:
        fault = self._chance.choice(
            (
                self._cut,
                self._crash_broker,
                self._kill_worker,
                self._kill_gateway,
                self._kill_gateway_at_a_step,
                self._database_away,
                self._answers_lost,
                self._rogue,
                self._duplicates,
                self._step_clock,
                self._no_worker,
                self._cut_busy_workers,
            )
        )
        name = fault.__name__.strip("_")
        self.outcome.faults[name] = self.outcome.faults.get(name, 0) + 1
        self._say(f"fault: {name}")
        fault()

    def _later(self, act: Any, *arguments: Any) -> None:
        self._loop.call_later(self._chance.uniform(0.5, 10.0), act, *arguments)

    def _cut(self) -> None:
        self._broker.cut_one()

    def _cut_busy_workers(self) -> None:
        """Each has a batch in hand that cannot be committed when its connection ends; then other readings come over the next."""
        self._table.up = False
        self._hear(self._homes[0])
        self._loop.call_later(1.0, lambda: [worker.cut() for worker in self._workers])
        for after_s in (2.0, 3.0, 4.0):
            self._loop.call_later(after_s, self._hear, self._homes[1])
        self._loop.call_later(5.0, setattr, self._table, "up", True)

    def _crash_broker(self) -> None:
        self._broker.crash()
        self._later(setattr, self._broker, "up", True)

    def _kill_worker(self) -> None:
        if self._workers:
            self._workers.pop(self._chance.randrange(len(self._workers))).kill()
        self._later(self._start_worker)

    def _no_worker(self) -> None:
        while self._workers:
            self._workers.pop().kill()
        self._later(self._start_worker)
        self._later(self._start_worker)

    def _start_worker(self) -> None:
        worker = Worker(
            self._loop,
            self._chance,
            self._broker,
            self._table,
            bugs=self._bugs,
            clock=self._utc_now,
            trace=self._say,
        )
        self._workers.append(worker)
        self._every_worker.append(worker)

    def _kill_gateway(self) -> None:
        home = self._chance.choice(self._homes)
        home.kill()
        self._later(self._start_gateway, home)

    def _kill_gateway_at_a_step(self) -> None:
        home = self._chance.choice(self._homes)
        home.die_at(self._chance.randrange(1, 6))
        self._later(self._start_gateway, home)

    @staticmethod
    def _start_gateway(home: HomeGateway) -> None:
        if not home.running:
            home.start()

    def _database_away(self) -> None:
        self._table.up = False
        self._later(setattr, self._table, "up", True)

    def _answers_lost(self) -> None:
        self._table.unknown_share = 0.5

    def _duplicates(self) -> None:
        self._broker.duplicate_share = 0.5

    def _rogue(self) -> None:
        if (link := self._broker.connect()) is not None:
            rogue = Member(_swallow, link)
            self._broker.join(rogue)
            self._later(link.cut)

    def _step_clock(self) -> None:
        self._step_s += self._chance.choice((-86_400.0, -300.0, 300.0, 86_400.0))

    def _utc_now(self) -> datetime:
        return START + timedelta(seconds=self._loop.time() + self._step_s)

    # The oracle

    def _see_ack(self, payload: bytes) -> None:
        told = json.loads(payload)
        missing = [
            item["seq"]
            for item in told["items"]
            if (told["gateway_id"], told["epoch"], item["seq"]) not in self._table.deliveries
        ]
        if missing:
            self._wrong("acknowledged", f"{told['gateway_id']} {missing} before it was committed")

    def _see_receipt(self, payload: bytes) -> None:
        receipt = Receipt.model_validate_json(payload)
        for seq in receipt.seqs():
            if (receipt.gateway_id, receipt.epoch, seq) not in self._table.deliveries:
                self._wrong("receipted", f"{receipt.gateway_id} {seq} before it was committed")

    def _judge(self) -> None:
        stored = self._table.readings
        names = [name for name, _ in stored]
        self.outcome.heard, self.outcome.stored = len(self._heard), len(names)
        for name, value in self._heard.items():
            if (count := names.count(name)) != 1:
                self._wrong("doubled" if count else "lost", f"{name[:8]} is stored {count} times")
            elif (name, value) not in stored:
                self._wrong("misread", name[:8])
        for name in set(names) - set(self._heard):
            self._wrong("invented", name[:8])
        for home in self._homes:
            if depth := home.outbox.stats(now=self._utc_now()).depth:
                self._wrong("never receipted", f"{depth} of {home.gateway_id}")

    def _wrong(self, what: str, which: str) -> None:
        self.outcome.wrong.append(f"{what}: {which}")
        self._say(f"WRONG {what}: {which}")

    def _say(self, line: str) -> None:
        self.outcome.trace.append(f"{self._loop.time():8.3f} s  {line}")


def _sleep_not(_seconds: float) -> None:
    """In `time.sleep`'s place."""


def _has_room(_store: object, _free_bytes: int) -> None:
    """In `Store.require_disk`'s place."""


def _swallow(_mid: int, _topic: str, _payload: bytes) -> None:
    """A stranger's way to handle a message; it is not even acknowledged."""


def simulate(seed: int, *bugs: Bug) -> Outcome:
    """The run of one seed."""
    return Simulation(seed, bugs=frozenset(bugs)).run()
