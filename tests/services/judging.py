"""What tests of the three loops share: a clinic, its rules and plan, and a channel that remembers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from alerts.channels import Answer, Channels, Name
from alerts.escalation import Plan, parse_plan
from alerts.rulefile import read_rules
from alerts.severity import Severity
from rpm.jobs import escalate, evaluate, send
from rpm.settings import CARE
from rpm.store.database import Database
from tests.support.clinic import Clinic

#: The rules that call for somebody the same day: one story, one alert.
SHIPPED = tuple(rule for rule in read_rules(Path(CARE) / "rules.toml") if rule.bands[0].severity > Severity.ROUTINE)
#: The same without a wait: one reading calls. What waits for a second one is told of in test_repeats.
RULES = tuple(rule.model_copy(update={"repeat": None}) for rule in SHIPPED)
#: The nurses at once, the administrator after a quarter of an hour, once more after another.
PLAN = parse_plan("""
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
repeat_every_min = 15
repeat_times = 1
step = [{ after_min = 0, targets = ["role:nurse"] }, { after_min = 15, targets = ["role:admin"] }]
[[policy]]
severity = "priority"
step = [{ after_min = 0, targets = ["role:nurse"] }]
""")
JUDGEMENT = evaluate.Judgement(RULES, PLAN)
#: More turns than anything here needs: a loop that never ends is a failure, not a hang.
TURNS_MAX = 2000


@dataclass
class Outbox:
    """A channel that remembers what it was given, and answers as it is told."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    answer: Answer = field(default_factory=lambda: Answer(True, "taken"))

    def send(self, address: str, *, subject: str, body: str, report_to: str = "", asks: str = "") -> Answer:
        del report_to, asks
        self.sent.append((address, subject, body))
        return self.answer

    @property
    def addresses(self) -> list[str]:
        return [address for address, _, _ in self.sent]


BASE_URL = "https://clinic.example"


class Desk:
    """The clinic's loops, turned by hand."""

    def __init__(
        self, database: Database, *, now: datetime, plan: Plan = PLAN, judgement: evaluate.Judgement | None = None
    ) -> None:
        self.database, self.plan = database, plan
        self.judgement = judgement or evaluate.Judgement(RULES, plan)
        self.clinic = Clinic(database, now=now)
        self.outbox = Outbox()
        #: None: every message goes singly, however many.
        self.singly_max: int | None = None
        #: Where messages say that the pages are.
        self.base_url = BASE_URL
        #: Every way to reach people ends there.
        self.channels: Channels = dict.fromkeys(Name, self.outbox)

    @property
    def now(self) -> datetime:
        return self.clinic.now

    def forward(self, **span: float) -> None:
        self.clinic.now += timedelta(**span)

    def judge(self) -> evaluate.Report:
        return evaluate.run_once(self.database, now=self.now, judgement=self.judgement)

    def call(self) -> None:
        """Escalate and send until nothing is due at this instant."""
        for _ in range(TURNS_MAX):
            moved = escalate.run_once(self.database, now=self.now, plan=self.plan)
            sent = send.run_once(
                self.database,
                now=self.now,
                channels=self.channels,
                base_url=self.base_url,
                singly_max=self.singly_max,
                plan=self.plan,
            )
            if not moved.done and not sent.more:
                return
        raise AssertionError("the loops do not come to rest")

    def rows(self, statement: str, **values: Any) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def alerts(self) -> list[dict[str, Any]]:
        return self.rows("select * from alert order by id")

    def events(self, alert_id: int) -> list[str]:
        return [
            row["kind"]
            for row in self.rows("select kind from alert_event where alert_id = %(id)s order by id", id=alert_id)
        ]
