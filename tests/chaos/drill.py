"""One run: homes, workers, broker and database are started, broken in turn, left in peace, and judged."""

import contextlib
import json
import math
import sqlite3
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from tests.chaos.faults import Breaker, Part, faults
from tests.chaos.rogue import Rogue
from tests.support.broker import Broker
from tests.support.database import SETTINGS, TEMPLATE, DatabaseServer, cluster_folder
from tests.support.oracle import Verdict, judge
from tests.support.people import People
from tests.support.small_disk import SmallDisk
from tests.support.world import Home, VirtualDevice, World

BETWEEN_S: Final = 1.5
MEASURE_EVERY_S: Final = 0.4
DRAIN_S_MAX: Final = 120.0
#: Sendings per reading. With a rogue member half of them go nowhere, and each outage costs some.
WIRE_FACTOR_MAX: Final = 4.0
#: From the frame on disk to its receipt, for 99 of 100 readings: beyond the longest outage.
RECEIPT_P99_S_MAX: Final = 90.0
#: What may last long, in turn.
OUTAGES: Final = ("no-broker", "gateway-disk-full", "no-database", "database-disk-full")
#: Of the run, so much with a rogue member in the group.
ROGUE_SHARE: Final = 0.25
#: Disks that can be filled. A server that keeps little log (of which an empty one has 32 MiB) leaves some for the rest.
OUTBOX_MIB: Final = 16
DATABASE_MIB: Final = 320
SMALL_LOG: Final = ("max_wal_size=64MB", "min_wal_size=32MB")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a run. It lasts `seconds`, and until there were `kills`; `outage_s` 0: none of the `outages`."""

    seconds: float = 60.0
    kills: int = 0
    seed: int = 20261122
    gateways: int = 2
    workers: int = 2
    outage_s: float = 0.0
    outages: tuple[str, ...] = OUTAGES


@dataclass
class Report:
    """What a run came to."""

    plan: Plan
    verdict: Verdict
    freezes: dict[str, int]
    filled: dict[str, int]
    ended: list[str]
    swallowed: int
    wire_factor: float
    receipt_p99_s: float
    drained_s: float
    lasted_s: float

    def faults(self) -> dict[str, list[str]]:
        """What is wrong with it, by name; empty where it is sound."""
        found = self.verdict.faults()
        if self.wire_factor > WIRE_FACTOR_MAX:
            found["wire"] = [f"each reading was sent {self.wire_factor:.2f} times"]
        if self.receipt_p99_s > RECEIPT_P99_S_MAX + self.plan.outage_s:
            found["late"] = [f"one of a hundred was receipted after {self.receipt_p99_s:.0f} s"]
        return found

    def told(self) -> dict[str, Any]:
        """As JSON: counts, no reading."""
        verdict = self.verdict
        counts = {
            name: len(getattr(verdict, name))
            for name in ("lost", "in_flight", "doubled", "invented", "misattributed", "misread", "misdated", "alerts")
        }
        return {
            "plan": asdict(self.plan),
            "records": verdict.records,
            **counts,
            "kills": dict(verdict.kills),
            "freezes": self.freezes,
            "filled": self.filled,
            "ended_by_themselves": self.ended,
            "swallowed_by_rogue": self.swallowed,
            "wire_factor": round(self.wire_factor, 3),
            "receipt_p99_s": round(self.receipt_p99_s, 2),
            "drained_s": round(self.drained_s, 1),
            "lasted_s": round(self.lasted_s, 1),
            "faults": self.faults(),
        }


def homes(number: int) -> tuple[Home, ...]:
    """Homes with a cuff, a scale and a meter each; every device has a patient, and no patient two homes."""
    return tuple(
        Home(
            chr(ord("a") + place),
            (
                VirtualDevice("cuff", "cuff", f"C0:00:00:00:{place + 10:02X}:01", f"Person A{place}"),
                VirtualDevice("scale", "scale", f"C0:00:00:00:{place + 10:02X}:02", f"Person A{place}"),
                VirtualDevice("meter", "meter", f"C0:00:00:00:{place + 10:02X}:03", f"Person B{place}"),
            ),
        )
        for place in range(number)
    )


@contextmanager
def servers(folder: Path, plan: Plan, name: str) -> Generator[tuple[Broker, DatabaseServer, SmallDisk]]:
    """A broker and a database server of the run's own, and the disk of the latter; gone afterwards."""
    broker = Broker(folder, gateways=tuple(home.gateway_id for home in homes(plan.gateways)))
    with SmallDisk(cluster_folder(name), mebibytes=DATABASE_MIB) as disk:
        server = DatabaseServer(name, settings=(*SETTINGS, *SMALL_LOG), disk=disk)
        try:
            server.start().make_template()
            broker.start()
            yield broker, server, disk
        finally:
            broker.stop()
            server.destroy()


def run(plan: Plan, folder: Path, *, name: str, say: Callable[[str], None] = lambda _line: None) -> Report:
    """The whole run. `name` is the database cluster's: `test-<process id>-…`."""
    folder.mkdir(parents=True, exist_ok=True)
    with servers(folder, plan, name) as (broker, server, disk):
        where, dsn = homes(plan.gateways), server.dsn(server.create(template=TEMPLATE))
        last = where[-1].name
        with (
            SmallDisk(folder / "disk", mebibytes=OUTBOX_MIB) as small,
            World(folder, homes=where, broker=broker, dsn=dsn) as world,
        ):
            world.disks[last] = small
            workers = [f"worker-{number + 1}" for number in range(plan.workers)]
            for worker in workers:
                world.start_worker(worker)
            for home in where:
                world.start_gateway(home)
            return _break_and_judge(plan, Breaker(world, server, where, workers, disk), dsn, say)


def _crisis(home: str, taken: int) -> bool:
    """The first home's cuff shows one crisis, early; nobody else ever has a red value."""
    return home == "a" and taken == 12


def _break_and_judge(plan: Plan, breaker: Breaker, dsn: str, say: Callable[[str], None]) -> Report:
    world, began, swallowed = breaker.world, time.monotonic(), 0
    happens: dict[str, Callable[[], None]] = {
        "no-broker": lambda: breaker.outage(Part.BROKER, plan.outage_s),
        "gateway-disk-full": lambda: breaker.full(breaker.homes[-1].name, plan.outage_s),
        "no-database": lambda: breaker.outage(Part.DATABASE, plan.outage_s),
        "database-disk-full": lambda: breaker.full("database", plan.outage_s),
    }
    outages = list(plan.outages) if plan.outage_s else []
    every_s = plan.seconds / (len(outages) + 1)
    drawn = faults(plan.seed, gateways=plan.gateways, workers=plan.workers)
    with (
        People(world, breaker.homes, seed=plan.seed, every_s=MEASURE_EVERY_S, crisis=_crisis) as people,
        contextlib.ExitStack() as stack,
    ):
        world.wait_confirmed(5, timeout_s=60)
        began, rogue = time.monotonic(), stack.enter_context(Rogue(world.broker.url()))
        while (ran_s := time.monotonic() - began) < plan.seconds or sum(breaker.kills.values()) < plan.kills:
            if ran_s > ROGUE_SHARE * plan.seconds:
                stack.close()
                swallowed = rogue.swallowed
            if outages and ran_s >= plan.seconds - every_s * len(outages):
                say(f"{ran_s:5.0f} s: {outages[0]} for {plan.outage_s:.0f} s")
                happens[outages.pop(0)]()
            fault = next(drawn)
            say(f"{ran_s:5.0f} s, {people.taken} taken, {sum(breaker.kills.values())} kills: {fault}")
            breaker.do(fault)
            time.sleep(BETWEEN_S)
    lasted_s = time.monotonic() - began
    say(f"peace after {lasted_s:.0f} s; {people.taken} taken")
    # A gateway's radio may have confirmed a meter's "success" just before the kill, with records not yet on disk: the
    # meter has them still, and tells them again when somebody switches it on.
    for home in breaker.homes:
        for meter in (device for device in home.devices if device.model == "meter"):
            world.ask(home.name, meter.name, "press")
    peace = time.monotonic()
    world.wait_delivered(timeout_s=DRAIN_S_MAX)

    def look() -> Verdict:
        return judge(world.ledger, dsn, owners=world.owners, kills=breaker.kills, gateway_kills=breaker.gateway_kills)

    while not (verdict := look()).sound and time.monotonic() - peace < 2 * DRAIN_S_MAX:
        breaker.supervise()
        time.sleep(1.0)
    drained_s = time.monotonic() - peace
    if verdict.records != people.taken:
        verdict.lost.append(f"{people.taken} were taken and {verdict.records} delivered")
    wire, p99_s = _sendings(world)
    return Report(
        plan,
        verdict,
        dict(breaker.freezes),
        dict(breaker.filled),
        breaker.ended,
        swallowed,
        wire,
        p99_s,
        drained_s,
        lasted_s,
    )


def _sendings(world: World) -> tuple[float, float]:
    """How often a reading was sent on average, and the 99th percentile of kept → receipted, from the boxes' own files."""
    attempts: list[int] = []
    waits: list[float] = []
    for home in world.homes:
        with contextlib.closing(sqlite3.connect(f"file:{world.outbox_file(home)}?mode=ro", uri=True)) as box:
            for tries, waited in box.execute(
                "select attempts, receipted_at - received_us / 1e6 from row where state = 2"
            ):
                attempts.append(tries)
                waits.append(waited)
    if not waits:
        return math.inf, math.inf
    return sum(attempts) / len(attempts), sorted(waits)[math.ceil(0.99 * len(waits)) - 1]


def write(report: Report, path: Path) -> None:
    """The report as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report.told(), indent=1) + "\n", "utf-8")
