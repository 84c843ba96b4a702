"""What rests on a reading follows its correction: days and weeks, trends, alerts, days of a bill; what was so before is kept (F33).

Method: a week of pressures whose mean is above its limit, judged by the shipped rules; then the readings that made it so are set
aside, put back, or given to whose they are.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from alerts.rulefile import read_rules
from rpm.access import Actor, Role
from rpm.jobs import evaluate, rollup
from rpm.settings import CARE
from rpm.store import corrections
from rpm.store.database import Database
from schemas.codes import BY_NAME, Kind
from tests.services.judging import PLAN, Desk
from tests.services.settling import rows_of
from tests.support.clinic import Person
from tests.support.clock import MORNING

SHIPPED = evaluate.Judgement(read_rules(CARE / "rules.toml"), PLAN)
SYSTOLIC = BY_NAME["systolic"].number


class Week:
    """Twelve readings of Maria's in six days: the newest six are too high for her mean."""

    def __init__(self, database: Database) -> None:
        self.desk = Desk(database, now=MORNING, judgement=SHIPPED)
        clinic = self.desk.clinic
        self.maria, self.jose = clinic.patient("Maria", "Alvarez"), clinic.patient("José", "Alvarez")
        self.rosa = Actor(clinic.staff("rosa"), clinic.practice_id, Role.NURSE, "Rosa")
        self.readings = [self._measured(half) for half in range(12)]
        self.settle()

    def _measured(self, half: int) -> UUID:
        values = {"systolic": (124.0 if half < 6 else 158.0, "mm[Hg]"), "diastolic": (70.0, "mm[Hg]")}
        at = self.desk.now - timedelta(hours=12 * (11 - half))
        return self.desk.clinic.measure(self.maria, Kind.BLOOD_PRESSURE, values, at=at)

    def settle(self) -> None:
        """The jobs have done what they do."""
        while rollup.run_once(self.desk.database).more:
            pass
        self.desk.judge()

    def correct(self, verb: Any, number: int, **facts: Any) -> None:
        with self.desk.database.transaction() as connection:
            verb(
                connection, self.readings[number], reason="the grandson’s", actor=self.rosa, now=self.desk.now, **facts
            )

    def sums(self, person: Person) -> tuple[int, float]:
        """How many systolic values all days of a patient have, and the highest."""
        (row,) = rows_of(
            self.desk.database,
            "select coalesce(sum(count), 0)::int as n, coalesce(max(maximum), 0) as top from rollup"
            " where patient_id = %s and code = %s and grain = 'day'",
            person.id,
            SYSTOLIC,
        )
        return row["n"], row["top"]

    def days(self, person: Person) -> int:
        """Days of a bill."""
        (row,) = rows_of(
            self.desk.database,
            "select count(distinct (measured_at at time zone 'America/New_York')::date) as n from reading"
            " where patient_id = %s and voided_at is null",
            person.id,
        )
        return row["n"]

    def life(self, person: Person) -> list[tuple[str, list[str]]]:
        """Each alert of a patient: its reason's beginning, and the kinds of what happened."""
        rows = rows_of(
            self.desk.database,
            "select alert.reason, array_agg(alert_event.kind order by alert_event.id) as kinds from alert"
            " join alert_event on alert_event.alert_id = alert.id where patient_id = %s group by alert.id order by alert.id",
            person.id,
        )
        return [(row["reason"], row["kinds"]) for row in rows]


@pytest.fixture
def week(database: Database) -> Week:
    return Week(database)


MEAN = "7-day mean systolic 141.0 mmHg over 12 readings"


def _told(week: Week) -> list[str]:
    """What happened to Maria's alert about the mean, after it was opened."""
    (kinds,) = [kinds for reason, kinds in week.life(week.maria) if reason.startswith(MEAN)]
    assert kinds[0] == "opened"
    return kinds[1:]


def test_an_alert_about_a_mean_tells_of_each_reading_in_it(week: Week) -> None:
    """Not only of the newest, at which it was raised: it stays open, as it was found, for a person to decide."""
    week.correct(corrections.void, 8)
    assert _told(week) == ["reading_corrected"]
    week.settle()
    assert _told(week) == ["reading_corrected"], "judged anew, and not told twice"


@pytest.mark.parametrize("verb", [corrections.void, corrections.move])
def test_days_weeks_and_days_of_a_bill_follow_and_come_back(week: Week, verb: Any) -> None:
    assert (week.sums(week.maria), week.days(week.maria)) == ((12, 158), 7)
    moves = verb is corrections.move
    for number in range(6, 12):
        week.correct(verb, number, **({"patient_id": week.jose.id} if moves else {}))
    week.settle()
    assert (week.sums(week.maria), week.days(week.maria)) == ((6, 124), 4)
    assert (week.sums(week.jose), week.days(week.jose)) == (((6, 158), 4) if moves else ((0, 0), 0))
    assert _told(week) == ["reading_corrected"] * 6
    back = corrections.move if moves else corrections.restore
    for number in range(6, 12):
        week.correct(back, number, **({"patient_id": week.maria.id} if moves else {}))
    week.settle()
    assert (week.sums(week.maria), week.days(week.maria)) == ((12, 158), 7)
    assert (week.sums(week.jose), week.days(week.jose)) == ((0, 0), 0)
    kept = rows_of(week.desk.database, "select kind, patient_before, patient_after from correction order by id")
    jose = week.jose.id if moves else week.maria.id
    first, second = ("move", "move") if moves else ("void", "restore")
    assert [(row["kind"], row["patient_before"], row["patient_after"]) for row in kept] == [
        *[(first, week.maria.id, jose)] * 6, *[(second, jose, week.maria.id)] * 6,
    ]  # fmt: skip
    (evidence,) = rows_of(
        week.desk.database, "select evidence -> 'values' as seen from alert where reason like %s", f"{MEAN}%"
    )
    assert len(evidence["seen"]) == 12, "what it showed when it was raised is kept"


@pytest.mark.parametrize("aside", [True, False])
def test_a_mean_is_judged_by_the_readings_as_they_stand(week: Week, *, aside: bool) -> None:
    """Closed as a false reading, it is raised by the next one again, unless the high ones were set aside."""
    for number in range(6, 12) if aside else ():
        week.correct(corrections.void, number)
    with week.desk.database.transaction() as connection:
        connection.execute(
            "update alert set status = 'closed', closed_at = %s, disposition = 'false_reading'", [week.desk.now]
        )
    week.desk.forward(hours=12)
    week.desk.clinic.pressure(week.maria, 124, 70)
    week.settle()
    raised = rows_of(
        week.desk.database, "select reason from alert where status <> 'closed' and reason like '7-day mean%%'"
    )
    assert len(raised) == (0 if aside else 1)
