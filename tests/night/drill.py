"""One night: so many alerts, three steps each, three replicas with clocks of their own, and kill -9 among them."""

import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from rpm.demo.processes import Child
from rpm.jobs.loops import SENDERS
from rpm.jobs.send import LEASE
from rpm.store.database import Database
from tests.night.provider import TOLD, Provider
from tests.support.clinic import URGENT, Clinic
from tests.support.provisioning import run_script

#: Who is told by which step: the recipient says which call a message was.
STEPS: Final = (("nora", "nurse"), ("sam", "support"), ("ada", "admin"))
BETWEEN: Final = timedelta(minutes=15)
PLAN: Final = """
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
step = [
    { after_min = 0, targets = ["role:nurse"] },
    { after_min = 15, targets = ["role:support"] },
    { after_min = 15, targets = ["role:admin"] },
]
"""
#: Of each replica's machine. Ours asks the database what time it is.
SKEWS: Final = ("+600", "-600", "+0")
#: How long the provider takes for a message, most of which a kill leaves without an answer.
PROVIDER_S: Final = 0.08
#: Nothing has moved for so long: whoever is alive has nothing left to do.
REST_S: Final = 2.5
STEP_S_MAX: Final = 240.0
#: An alert that opens while the provider hangs is called in this time.
CALLED_S_MAX: Final = 6.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is asked of a night. `kills` and `freezes` are spread over its steps; `hang_s`: the provider, in the first."""

    alerts: int = 300
    kills: int = 40
    freezes: int = 3
    hang_s: float = 0.0
    seed: int = 20261128


@dataclass
class Report:
    """What it came to."""

    plan: Plan
    kills: int = 0
    freezes: int = 0
    told: int = 0
    twice: int = 0
    never_told: list[str] = field(default_factory=list[str])
    unexpected: list[str] = field(default_factory=list[str])
    early: list[str] = field(default_factory=list[str])
    delayed: list[str] = field(default_factory=list[str])
    #: Leases that ended before their owner had answered: of the killed and of the frozen.
    attempts_lost: int = 0
    lasted_s: float = 0.0

    @property
    def twice_max(self) -> int:
        """The budget: what each sender of a killed or frozen process had just handed over."""
        return SENDERS * (self.kills + self.freezes)

    def faults(self) -> dict[str, list[str]]:
        """What is wrong with it, by name; empty where it is sound."""
        found = {
            "never told": self.never_told,
            "unexpected": self.unexpected,
            "early": self.early,
            "delayed": self.delayed,
        }
        if self.twice > self.twice_max:
            found["twice"] = [f"{self.twice} messages too many; {self.twice_max} would be in order"]
        if self.kills < self.plan.kills or not self.told:
            found["no proof"] = [f"{self.kills} kills, {self.told} messages"]
        return {name: faults for name, faults in found.items() if faults}

    def as_json(self) -> dict[str, Any]:
        """For a file and for people."""
        return {**asdict(self), "twice_max": self.twice_max, "faults": self.faults()}


class Night:
    """The running night."""

    def __init__(self, plan: Plan, database: Database, folder: Path, provider: Provider) -> None:
        self._plan, self._database, self._folder, self._provider = plan, database, folder, provider
        self.report = Report(plan)
        self._chance = random.Random(plan.seed)
        self._moved_on = folder / "moved_on"
        self._move(timedelta(0))
        (folder / "escalation.toml").write_text(PLAN, "utf-8")
        self._clinic = Clinic(database, now=database.clock())
        for username, role in STEPS:
            self._clinic.staff(username, role)
        self._alerts = [self._open(number) for number in range(plan.alerts)]
        self._replicas = [self._replica(number) for number in range(len(SKEWS))]

    def _open(self, number: int) -> UUID:
        person = self._clinic.patient("P", str(number), measures=False)
        return self._clinic.alert(person, "blood_pressure_high", URGENT, "r").public_id

    def _move(self, further: timedelta) -> None:
        """The time is later at once."""
        seconds = float(self._moved_on.read_text("utf-8")) if self._moved_on.exists() else 0.0
        new = self._moved_on.with_suffix(".new")
        new.write_text(str(seconds + further.total_seconds()), "utf-8")
        new.replace(self._moved_on)

    def _replica(self, number: int) -> Child:
        clock = [f"LD_PRELOAD={run_script('tools.sh', 'faketime')}", f"FAKETIME={SKEWS[number]}", "NO_FAKE_STAT=1"]
        clock += ["FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"]
        command = ["env", *clock, sys.executable, "-m", "tests.night.replica", str(self._moved_on)]
        settings = {
            "RPM_DSN": self._database.dsn,
            "RPM_MAIL_URL": self._provider.url,
            "RPM_ESCALATION_FILE": str(self._folder / "escalation.toml"),
            # Each call is counted by its own mail: nobody gets a summary.
            "RPM_MESSAGES_SINGLY_MAX": "1000000",
        }
        return Child(f"replica-{number}", command, self._folder / f"replica-{number}.log", settings)

    def live(self, say: Callable[[str], None]) -> Report:
        """From the first call to the last."""
        began = time.monotonic()
        with ExitStack() as stack:
            for replica in self._replicas:
                stack.callback(replica.kill)
                replica.start()
            for number, (username, _) in enumerate(STEPS):
                wanted = {(alert, f"{username}@clinic.example") for alert in self._alerts}
                if number == 0 and self._plan.hang_s:
                    self._hang(say)
                self._step(number, wanted, say)
                self._move(BETWEEN)
        self.report.lasted_s = round(time.monotonic() - began, 1)
        self._judge()
        return self.report

    # Faults

    def _step(self, number: int, wanted: set[TOLD], say: Callable[[str], None]) -> None:
        """Messages go out while replicas are killed; then their leases end, until everybody is told."""
        share = (number + 1) / len(STEPS)
        deadline = time.monotonic() + STEP_S_MAX
        while self.report.kills < round(share * self._plan.kills):
            self._kill()
        frozen = self._replicas[0] if self.report.freezes < round(share * self._plan.freezes) else None
        if frozen is not None:
            self._wait_for_messages(more=1)
            os.kill(frozen.pid, signal.SIGSTOP)
            self.report.freezes += 1
        self._called(number, deadline)
        self._rest(deadline)
        while not wanted <= set(self._provider.told) and time.monotonic() < deadline:
            # What a dead or frozen sender had in hand is another's once its lease has ended.
            self._move(LEASE)
            self._rest(deadline)
        if frozen is not None:
            os.kill(frozen.pid, signal.SIGCONT)
            self._rest(deadline)
        say(f"step {number + 1}: {self._provider.told.total()} messages, {self.report.kills} kills")

    def _kill(self) -> None:
        """One of them, once a message or two have gone out since the last; and it is started again."""
        self._wait_for_messages(more=self._chance.randrange(1, 3))
        time.sleep(self._chance.uniform(0.0, PROVIDER_S))
        victim = self._chance.choice(self._replicas)
        victim.kill()
        self.report.kills += 1
        victim.start()

    def _wait_for_messages(self, *, more: int) -> None:
        """Or for as long as it takes to see that none come."""
        before, deadline = self._provider.told.total(), time.monotonic() + REST_S
        while self._provider.told.total() < before + more and time.monotonic() < deadline:
            time.sleep(0.01)

    def _rest(self, deadline: float) -> None:
        """Until nobody has told anybody anything for a while."""
        still_since, before = time.monotonic(), -1
        while time.monotonic() - still_since < REST_S and time.monotonic() < deadline:
            # Without a fault nobody rests who has something in hand, however long it takes him.
            moved = self._provider.told.total() + (busy := self._busy())
            if moved != before or (busy and not self._faulty):
                still_since, before = time.monotonic(), moved
            time.sleep(0.1)

    def _called(self, number: int, deadline: float) -> None:
        """Until every alert has taken this step. Replicas that are still being started have nothing in hand, and are not at rest."""
        late = "select 1 from alert where kind = 'clinical' and step <= %(number)s limit 1"
        while self._rows(late, number=number) and time.monotonic() < deadline:
            time.sleep(0.1)

    @property
    def _faulty(self) -> bool:
        """Whether one of those who send was killed or frozen, and leases have to end."""
        return bool(self.report.kills or self.report.freezes)

    def _busy(self) -> int:
        """What waits to be called or sent; what is being sent, too, unless its sender may be dead and its lease has to end."""
        states = "'pending'" if self._faulty else "'pending', 'sending'"
        [row] = self._rows(f"select count(*) as n from notification where state in ({states})")
        return int(row["n"]) * 1_000_000

    def _hang(self, say: Callable[[str], None]) -> None:
        """The provider answers nobody; whoever must be called next is, all the same."""
        self._provider.hang.set()
        deadline = time.monotonic() + STEP_S_MAX
        while not self._rows("select 1 from notification where state = 'sending'") and time.monotonic() < deadline:
            time.sleep(0.1)
        ends = time.monotonic() + self._plan.hang_s
        while (left_s := ends - time.monotonic()) > CALLED_S_MAX:
            alert = self._open(len(self._alerts))
            self._alerts.append(alert)
            time.sleep(CALLED_S_MAX)
            [row] = self._rows("select step from alert where public_id = %(id)s", id=alert)
            if row["step"] != 1 or self._provider.told:
                self.report.delayed.append(
                    f"{alert} was not called while the provider answered nobody ({left_s:.0f} s left)"
                )
        self._provider.hang.clear()
        say(f"the provider hung for {self._plan.hang_s:.0f} s")

    # The oracle

    def _judge(self) -> None:
        report, told = self.report, self._provider.told
        expected = {(alert, f"{username}@clinic.example") for alert in self._alerts for username, _ in STEPS}
        report.told = told.total()
        report.never_told = [f"{alert} to {who}" for alert, who in sorted(expected - set(told))]
        report.unexpected = [f"{alert} to {who}" for alert, who in sorted(set(told) - expected)]
        report.twice = sum(count - 1 for count in told.values())
        [row] = self._rows("select coalesce(sum(attempts), 0) - count(*) as n from notification")
        report.attempts_lost = int(row["n"])
        report.early = [f"alert {row['alert_id']} step {row['step']}" for row in self._rows(_EARLY, between=BETWEEN)]

    def _rows(self, statement: str, **values: Any) -> Sequence[dict[str, Any]]:
        with self._database.transaction() as connection:
            return connection.execute(statement.encode(), values).fetchall()


#: A step that was called before its time, or twice.
_EARLY: Final = """
select later.alert_id, later.step
from notification later join notification before on before.alert_id = later.alert_id and before.step = later.step - 1
where later.created_at < before.created_at + %(between)s
union all
select alert_id, step from notification group by alert_id, step having count(*) > 1
"""


def run(plan: Plan, database: Database, folder: Path, *, say: Callable[[str], None] = lambda _line: None) -> Report:
    """The whole night on a fresh, migrated database."""
    with Provider(takes_s=PROVIDER_S) as provider:
        return Night(plan, database, folder, provider).live(say)
