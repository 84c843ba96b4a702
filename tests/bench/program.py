"""What is measured in which order: one function per part, each on the same ground."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from rpm.load.messages import Run
from tests.bench import box, calls, checks, connect, ingest, judgement, latency, limits, machine, outbox, peers, wire
from tests.bench.ground import Ground, ground, utc_now
from tests.bench.plan import Plan
from tests.bench.results import Result

Step = Callable[[str], None]


def steps(plan: Plan, *, ingest_alone: bool = False) -> int:
    """How often `measure` says what it does."""
    more = 1 + plan.alert_reps if ingest_alone else 11 + 3 * plan.alert_reps
    return more + plan.reps * (len(plan.readings) * 6 + len(limits.CLIENTS))


def measure(plan: Plan, folder: Path, step: Step, *, ingest_alone: bool = False) -> tuple[dict[str, Any], list[Result]]:
    """Everything: the facts beside the figures, and the figures. `step` is told what is being done.

    `ingest_alone`: only ingest, and what it is held against.

    BenchFailed or NotProvided where it cannot be carried out.
    """
    began = time.monotonic()
    step("starting servers")
    with ground(folder, homes=plan.gateways, cuffs=plan.people, process=os.getpid()) as made:
        facts: dict[str, Any] = {"machine": machine.facts(made.dsn), "versions": machine.versions(made.dsn)}
        bench = _Bench(plan, made, step)
        results: list[Result] = [*bench.ingest(workers=1), *bench.receipts(), *([] if ingest_alone else bench.alerts())]
        results += [*bench.ingest(workers=2), *bench.ingest_alone(), *bench.limits()]
        if ingest_alone:
            return _with_parameters(facts, plan, began), results
        # Nobody else takes what is for the workers now.
        made.start_workers(0)
        step("outbox: a backlog")
        results += outbox.drain(made, folder, plan.backlog, plan.reps)
        step("wire: a line with faults")
        results += wire.measure(made, folder, faults=plan.faults)
        step("calls: from an alert to the provider")
        results += calls.measure(made, reps=plan.alert_reps, alerts=plan.calls, open_alerts=plan.open_alerts)
    step("outbox: frames")
    results += outbox.puts(folder, plan.frames, plan.reps)
    step("evaluate()")
    results += judgement.measure(plan.judged_patients, plan.reps)
    step("checks: kernels, numpy, polars, a loop")
    results += checks.measure(plan.series, plan.reps)
    results += connect.measure(folder / "connect", sessions=plan.sessions, step=step)
    results += box.measure(
        folder / "box", idle_s=plan.box_idle_s, rounds=plan.box_rounds, rest_s=plan.box_rest_s, step=step
    )
    return _with_parameters(facts, plan, began), results


def _with_parameters(facts: dict[str, Any], plan: Plan, began: float) -> dict[str, Any]:
    return {
        **facts,
        "parameters": asdict(plan),
        "measured_at": utc_now().isoformat(timespec="seconds"),
        "took_s": round(time.monotonic() - began),
    }


@dataclass(slots=True)
class _Bench:
    """The parts that need servers. `ingested`: what was taken in, by readings per message.

    Every repetition is of patients without a past: what one left behind must not slow the judging of the next.
    """

    plan: Plan
    made: Ground
    step: Step
    ingested: dict[int, list[tuple[Run, Result]]] = field(default_factory=dict[int, list[tuple[Run, Result]]])
    _cuffs_used: int = 0

    def ingest(self, *, workers: int) -> Iterator[Result]:
        """Readings per second by so many workers, for each load."""
        self.made.start_workers(workers)
        for per_message, readings in self.plan.readings:
            result = Result(f"ingest, {per_message} per message, {workers} worker{'s' * (workers > 1)}", "readings/s")
            for _ in range(self.plan.reps):
                self.step(result.name)
                run = self._run(per_message, readings)
                ingest.measure(self.made, result, run)
                self.ingested.setdefault(per_message, []).append((run, result))
            yield result

    def alerts(self) -> Iterator[Result]:
        """From publish to receipt and to alert, with one worker."""
        self.made.start_workers(1)
        calm, busy = self.plan.alerts_per_second, self.plan.busy_per_second
        for which, alerts, rate in (
            ("", self.plan.alerts, calm),
            (f", {busy:.0f} a second", self.plan.busy_alerts, busy),
        ):
            found = latency.results(which)
            for _ in range(self.plan.alert_reps):
                self.step(f"publish → alert{which}")
                run = self._run(1, alerts, homes=alerts, urgent=True)
                latency.measure(self.made, found, run, per_second=rate)
            yield from found.values()

    def ingest_alone(self) -> Iterator[Result]:
        """The same by a worker that leaves the judging to another process, which is not there: the last of all ingest."""
        self.made.start_workers(1, "--only", "ingest")
        for per_message, readings in self.plan.readings:
            result = Result(f"ingest, {per_message} per message, --only ingest", "readings/s")
            for _ in range(self.plan.reps):
                self.step(result.name)
                run = self._run(per_message, readings)
                ingest.measure(self.made, result, run, judged=False)
                self.ingested[per_message].append((run, result))
            yield result

    def receipts(self) -> Iterator[Result]:
        """From publish to receipt where readings come one by one, with one worker."""
        self.made.start_workers(1)
        rate = self.plan.receipts_per_second
        found = latency.receipt_results(f", {rate:.0f} a second")
        for _ in range(self.plan.alert_reps):
            self.step("publish → receipt")
            run = self._run(1, self.plan.receipts)
            latency.measure_receipts(self.made, found, run, per_second=rate)
        yield from found.values()

    def limits(self) -> Iterator[Result]:
        """What could be reached with less, and how ingest compares."""
        self.made.start_workers(0)
        copier = limits.Copier(self.made)
        peer = peers.Peer(self.made, homes=self.plan.gateways, cuffs=self.plan.people)
        for per_message, readings in self.plan.readings:
            rival = Result(f"{peers.NAME}, {per_message} per message", "readings/s")
            received = Result(f"paho alone, {per_message} per message", "readings/s")
            copied = Result(f"COPY alone, {readings:,} readings", "readings/s")
            # A client's own price is felt where each reading is a message.
            others = (
                {each: Result(name, "readings/s") for each, name in limits.CLIENTS.items()} if per_message == 1 else {}
            )
            for run, _ in self.ingested[per_message][: self.plan.reps]:
                self.step(received.name)
                limits.receive(self.made, received, replace(run, number=self.made.next_run()))
                for (client, answers), other in others.items():
                    self.step(other.name)
                    again = replace(run, number=self.made.next_run())
                    limits.receive(self.made, other, again, client=client, answers=answers)
                self.step(copied.name)
                copier.copy(copied, run)
                self.step(rival.name)
                peer.measure(rival, replace(run, number=self.made.next_run()))
            for result in {id(result): result for _, result in self.ingested[per_message]}.values():
                result.compare(received, name="paho")
                result.compare(copied, name="COPY")
                result.compare(rival, name=peers.NAME)
            rival.compare(copied, name="COPY")
            for other in others.values():
                other.compare(received, name="paho")
            yield from (received, *others.values(), copied, rival)

    def _run(self, per_message: int, readings: int, *, homes: int = 0, urgent: bool = False) -> Run:
        homes = homes or self.plan.homes
        first, self._cuffs_used = self._cuffs_used, self._cuffs_used + homes
        return Run(self.made.next_run(), readings, per_message, homes, first, urgent)
