"""The clinic's past, hour by hour: news is judged, and the nurse of that time takes, calls and closes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.escalation import read_plan
from rpm.jobs import evaluate
from rpm.rulebook import read_rulebook
from rpm.settings import CARE
from rpm.store import alerts, seed
from rpm.store.alerts import Disposition
from rpm.store.database import Database

#: What the nurse does with an alert once it is this old. What is younger when the history ends is the demo's first list.
ACKNOWLEDGED_AFTER: Final = timedelta(minutes=1)
CLOSED_AFTER: Final = timedelta(hours=6)
KINDS: Final = ("clinical", "review", "verify")
#: What she wrote, in turn: an ordinary clinic's mix.
DISPOSITIONS: Final = (
    (Disposition.CALLED, "Spoke with the patient; repeats it tonight."),
    (Disposition.NO_ACTION, "Seen; within the plan."),
    (Disposition.CALLED, "Salt at the weekend; goes back to the diet sheet."),
    (Disposition.NO_ANSWER, "No answer; tries again tomorrow."),
)


@dataclass(frozen=True, slots=True)
class Past:
    """A clinic that judges by the rules and plan shipped with the product."""

    practice_id: int
    nurse_id: int
    judgement: evaluate.Judgement

    @classmethod
    def of(cls, practice_id: int, nurse_id: int) -> "Past":
        """With the shipped rules."""
        plan = read_plan(CARE / "escalation.toml")
        return cls(practice_id, nurse_id, evaluate.Judgement(read_rulebook(CARE / "rules.toml"), plan))

    def judge(self, database: Database, *, now: datetime) -> None:
        """Judge what is new, and work through what has become old."""
        while evaluate.run_once(database, now=now, judgement=self.judgement).more:
            pass
        with database.transaction() as connection:
            for alert_id in seed.old_alerts(
                connection, practice_id=self.practice_id, before=now - ACKNOWLEDGED_AFTER, kinds=KINDS
            ):
                alerts.acknowledge(connection, alert_id=alert_id, staff_id=self.nurse_id, now=now)
            for alert_id in seed.old_alerts(
                connection, practice_id=self.practice_id, before=now - CLOSED_AFTER, kinds=KINDS
            ):
                disposition, note = DISPOSITIONS[alert_id % len(DISPOSITIONS)]
                alerts.close(
                    connection,
                    alert_id=alert_id,
                    staff_id=self.nurse_id,
                    disposition=disposition,
                    note=note,
                    now=now,
                )

    def end(self, database: Database, *, now: datetime) -> None:
        """The last word of the past: nothing of it calls anybody today."""
        with database.transaction() as connection:
            for alert_id in seed.old_alerts(connection, practice_id=self.practice_id, before=now, kinds=KINDS):
                alerts.acknowledge(connection, alert_id=alert_id, staff_id=self.nurse_id, now=now)
