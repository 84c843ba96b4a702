"""Who falls silent is missed: each kind of silence is made by taking data away, and ended by giving it back.

Method: a clinic whose boxes and people speak through ingest's own door, the job turned by hand, the clock moved. Whoever is
told is read from the alerts' rows; that clinical alerts go on is tried with a red in the middle of an outage.
"""

from datetime import timedelta
from typing import Any

import pytest

from alerts.channels import Name
from alerts.escalation import Plan
from rpm.jobs import escalate, evaluate, send, silence
from rpm.jobs.silence import Patience, Silences
from rpm.outage import STAGE_SILENT_AFTER, WAY, Stage
from rpm.store import heartbeats
from rpm.store.database import Database
from schemas.codes import Kind
from tests.services.judging import BASE_URL, JUDGEMENT, PLAN, Outbox
from tests.support.clinic import Clinic, Person
from tests.support.clock import MORNING, SettableClock
from tests.support.homes import Homes

DAY = timedelta(days=1)


class Watch:
    """The clinic, its homes, and the silence loop, turned by hand."""

    def __init__(self, database: Database, clock: SettableClock, *, plan: Plan = PLAN) -> None:
        self.clinic = Clinic(database, now=clock())
        self.homes = Homes(self.clinic, clock)
        self.clock, self.database = clock, database
        self.mail = Outbox()
        self.clinic.staff("nora")
        self.clinic.staff("ada", "admin")
        self.loop = Silences(database, patience=Patience(), plan=plan)
        self.plan = plan

    def beats(self, *stages: Stage) -> None:
        """These stages, or all, beat now."""
        with self.database.transaction() as connection:
            for stage in stages or Stage:
                heartbeats.beat(connection, stage, now=self.clock())

    def passes(self, **span: float) -> None:
        """Time in which all stages beat."""
        self.clock.forward(**span)
        self.beats()

    def patient(self, *, days_ago: float = 0) -> Person:
        """Somebody whose cuff was heard so many days ago, and judged then."""
        person = self.clinic.patient("Maria", "Alvarez")
        self.measures(person, days_ago=days_ago)
        return person

    def measures(self, person: Person, *, days_ago: float = 0) -> None:
        self.homes.measures(person.devices[Kind.BLOOD_PRESSURE][1], days_ago=days_ago)
        self.execute("delete from patient_news")

    def turn(self) -> silence.Report:
        """The loop's turn, and that of those who call and send."""
        report = self.loop.turn(self.clock())
        self._call()
        return report

    def look(self) -> silence.Report:
        """One whole look, as somebody makes who has long been watching; then it is called and sent."""
        report = silence.run_once(
            self.database, now=self.clock(), patience=Patience(), plan=self.plan, watching_since=MORNING - 99 * DAY
        )
        self._call()
        return report

    def _call(self) -> None:
        while escalate.run_once(self.database, now=self.clock(), plan=self.plan).more:
            pass
        while send.run_once(self.database, now=self.clock(), channels={Name.EMAIL: self.mail}, base_url=BASE_URL).done:
            pass

    def alerts(self, *, status: str = "open", practice_id: int | None = None) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            return connection.execute(
                "select * from alert where kind = 'technical' and status = %s and practice_id = %s order by id",
                [status, practice_id or self.clinic.practice_id],
            ).fetchall()

    def standing(self) -> list[str]:
        """What is silent now, by the alerts."""
        return [each["rule_id"] for each in self.alerts() if each["back_in_range_at"] is None]

    def execute(self, statement: str, *parameters: Any) -> None:
        with self.database.transaction() as connection:
            connection.execute(statement.encode(), parameters)


@pytest.fixture
def watch(database: Database, clock: SettableClock) -> Watch:
    watch = Watch(database, clock)
    watch.beats()
    watch.homes.says()
    return watch


def test_a_calm_clinic_raises_nothing(watch: Watch) -> None:
    watch.patient(days_ago=2.9)
    assert watch.look().done == 0
    assert watch.standing() == []


# Boxes ---------------------------------------------------------------------------------------------------------------


def test_a_box_silent_for_a_day_is_told_once_and_is_back_when_it_is_heard(watch: Watch) -> None:
    watch.passes(hours=23.99)
    assert watch.look().done == 0, "not a moment early"
    watch.passes(hours=0.01)
    assert watch.look().opened == 1
    [alert] = watch.alerts()
    assert alert["rule_id"] == f"silence.box.{watch.clinic.gateway_id}"
    assert "No word from the box Home for 1 day" in alert["reason"]
    assert watch.mail.addresses == ["nora@clinic.example"]
    assert watch.look().done == 0, "told once"
    watch.homes.says()
    watch.clock.forward(seconds=1)
    watch.look()
    [alert] = watch.alerts()
    assert alert["back_in_range_at"] == watch.clock()
    assert len(watch.mail.sent) == 1, "nobody is called for what is heard"


def test_a_box_silent_again_calls_again_and_one_that_stays_closes_itself(watch: Watch) -> None:
    for times in (1, 2):
        watch.passes(hours=25)
        watch.look()
        [alert] = watch.alerts()
        assert (alert["armed"], alert["back_in_range_at"]) == (times, None)
        watch.homes.says()
        watch.passes(seconds=1)
        watch.look()
    for _ in range(4):
        watch.passes(hours=23)
        watch.homes.says()
        watch.look()
    assert watch.alerts() == []
    [closed] = watch.alerts(status="closed")
    assert closed["closed_by"] is None
    assert "by itself" in closed["note"]


def test_a_box_out_of_use_is_not_missed(watch: Watch) -> None:
    watch.execute("update gateway set retired_at = %s", watch.clock())
    watch.passes(hours=25)
    assert watch.look().done == 0


# People --------------------------------------------------------------------------------------------------------------


def test_three_days_without_a_reading_are_supports_with_the_likeliest_cause(watch: Watch) -> None:
    person = watch.patient(days_ago=3)
    watch.clock.forward(seconds=1)
    watch.homes.says()
    assert watch.look().opened == 1
    [alert] = watch.alerts()
    assert (alert["rule_id"], alert["patient_id"], alert["severity"]) == ("silence.readings", person.id, 1)
    assert alert["reason"].startswith("No readings for 3 days. Box and device are well: probably the patient")
    assert watch.mail.sent == [], "nobody is woken for it"


def test_after_six_days_they_are_called_and_the_device_looked_at(watch: Watch) -> None:
    watch.patient(days_ago=3)
    for _ in range(4):
        watch.passes(hours=23.9)
        watch.homes.says()
        watch.look()
    [alert] = watch.alerts()
    assert alert["severity"] == 2
    assert alert["reason"].endswith(silence.ASK_AND_LOOK)
    assert len(watch.mail.sent) == 1


def test_a_reading_ends_it_and_what_is_measured_late_is_no_news(watch: Watch) -> None:
    person = watch.patient(days_ago=4)
    watch.look()
    watch.measures(person, days_ago=5)
    watch.look()
    assert watch.standing() == ["silence.readings"]
    watch.measures(person)
    watch.look()
    assert watch.standing() == []


def test_who_has_no_device_any_more_or_is_not_looked_after_raises_nothing(watch: Watch) -> None:
    returned, ended, synthetic = (watch.patient(days_ago=5) for _ in range(3))
    watch.execute(
        "update device_assignment set during = tstzrange(lower(during), %s) where patient_id = %s",
        MORNING - DAY,
        returned.id,
    )
    watch.execute("update enrolment set ended_at = %s where patient_id = %s", MORNING - DAY, ended.id)
    watch.execute("update patient set synthetic = true where id = %s", synthetic.id)
    assert watch.look().done == 0


def test_who_was_given_a_device_yesterday_is_not_missed_for_the_days_before(watch: Watch) -> None:
    person = watch.clinic.patient("Maria", "Alvarez")
    watch.execute("update device_assignment set during = tstzrange(%s, null)", MORNING - DAY)
    assert watch.look().done == 0
    watch.execute("update device_assignment set during = tstzrange(%s, null)", MORNING - 4 * DAY)
    assert watch.look().opened == 1
    assert watch.alerts()[0]["patient_id"] == person.id
    assert "Nothing was ever heard from what they were given." in watch.alerts()[0]["reason"]


def test_what_ended_ends_the_alert(watch: Watch) -> None:
    person = watch.patient(days_ago=4)
    watch.look()
    watch.execute("update enrolment set ended_at = %s where patient_id = %s", watch.clock(), person.id)
    watch.look()
    assert watch.standing() == []


def test_while_the_pipeline_is_silent_nobody_is_called_for_someone_elses_silence(watch: Watch) -> None:
    watch.patient(days_ago=5.99)
    watch.look()
    watch.clock.forward(hours=0.5)
    for _ in range(2):
        watch.look()
    mild = {alert["rule_id"]: alert["severity"] for alert in watch.alerts()}
    assert set(mild) == {"silence.pipeline", "silence.readings"}
    assert mild["silence.readings"] < 2, "nothing can come from anybody"
    watch.passes(minutes=5)
    watch.homes.says()
    for _ in range(2):
        watch.look()
    assert watch.alerts()[0]["severity"] == 2


# The pipeline --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", WAY)
def test_a_stage_that_stops_is_one_alert_and_is_back_when_it_beats(watch: Watch, stage: Stage) -> None:
    watch.turn()
    for _ in range(8):
        watch.clock.forward(seconds=30)
        watch.homes.says()
        watch.beats(*(each for each in Stage if each is not stage))
        watch.turn()
    [alert] = watch.alerts()
    assert (alert["rule_id"], alert["severity"]) == ("silence.pipeline", 2)
    assert alert["opened_at"] - MORNING <= STAGE_SILENT_AFTER + 2 * silence.LOOK_EVERY
    # Whose beat says that nobody is called or written to is told by the watcher outside alone.
    assert watch.mail.addresses == ["nora@clinic.example"] or stage in {Stage.ESCALATE, Stage.SEND}
    watch.passes(minutes=5)
    watch.homes.says()
    watch.look()
    assert watch.standing() == []


def test_a_judge_that_beats_and_judges_nothing_is_told(watch: Watch) -> None:
    """Readings come, their patients have news, and the news stay."""
    watch.homes.measures(watch.clinic.patient("Maria", "Alvarez").devices[Kind.BLOOD_PRESSURE][1])
    for _ in range(12):
        watch.passes(seconds=30)
        watch.homes.says()
        watch.turn()
    assert "Readings wait to be judged since" in watch.alerts()[0]["reason"]


def test_five_hundred_boxes_at_once_are_one_alert_and_no_red_is_held_back(watch: Watch, database: Database) -> None:
    """The broker's network is gone for a day and a half; all the while one patient's readings come another way."""
    watch.execute(
        "insert into gateway (id, practice_id, label, created_at) select 'gw-many-' || n, %s, 'Home ' || n, 'epoch'"
        " from generate_series(1, 500) as n",
        watch.clinic.practice_id,
    )
    watch.execute(
        "insert into gateway_status (gateway_id, practice_id, heard_at, kind, version, uptime_s, outbox_depth,"
        " outbox_oldest_s, outbox_dropped, adapter) select id, practice_id, %s, 'heartbeat', '1', 1, 0, 0, 0, 'x'"
        " from gateway where id like 'gw-many-%%'",
        watch.clock(),
    )
    person = watch.patient(days_ago=2.5)
    for _ in range(36):
        watch.passes(hours=1)
        watch.look()
    assert watch.standing() == ["silence.pipeline"], "one alert, none for a box and none for a person"
    assert watch.alerts()[0]["opened_at"] == MORNING + timedelta(hours=1)
    assert "501 of 501 boxes are not heard" in watch.alerts()[0]["reason"]

    watch.clinic.now = watch.clock()
    watch.clinic.pressure(person, 192, 118)
    evaluate.run_once(database, now=watch.clock(), judgement=JUDGEMENT)
    with database.transaction() as connection:
        [red] = connection.execute("select severity, next_step_at from alert where kind = 'clinical'").fetchall()
    assert (red["severity"], red["next_step_at"]) == (3, watch.clock())

    watch.execute("update gateway_status set heard_at = %s where gateway_id <> 'gw-many-7'", watch.clock())
    watch.clock.forward(minutes=1)
    watch.look()
    watch.look()
    assert watch.standing() == ["silence.box.gw-many-7"], "they are back, but for the one that is not"


def test_a_practice_is_not_told_of_anothers_boxes(watch: Watch, database: Database) -> None:
    other = Clinic(database, now=watch.clock(), name="Other Clinic")
    watch.passes(hours=25)
    watch.look()
    assert watch.alerts(practice_id=other.practice_id) == []


def test_two_watchers_write_one_alert(watch: Watch) -> None:
    watch.passes(hours=25)
    first, second = (Silences(watch.database, patience=Patience(), plan=PLAN) for _ in range(2))
    assert first.turn(watch.clock()).opened + second.turn(watch.clock()).opened == 1


def test_nobody_is_blamed_for_the_time_nobody_looked(watch: Watch) -> None:
    """The database was away for ten minutes: all beats are old at the first turn after it, and new before the limit."""
    watch.turn()
    watch.clock.forward(minutes=10)
    watch.turn()
    watch.clock.forward(seconds=30)
    watch.beats()
    watch.homes.says()
    for _ in range(10):
        watch.clock.forward(seconds=30)
        watch.beats()
        watch.turn()
    assert watch.standing() == []


def test_only_so_much_in_one_turn_and_the_rest_at_once(watch: Watch) -> None:
    for _ in range(3):
        watch.patient(days_ago=4)
    report = silence.run_once(
        watch.database, now=watch.clock(), patience=Patience(), plan=PLAN, watching_since=MORNING, limit=2
    )
    assert (report.opened, report.more) == (2, True)
    assert watch.look().opened == 1
