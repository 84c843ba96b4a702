"""An alert's whole life against a model of it: measured, judged, called, acknowledged, snoozed, forgotten,
worsened, closed, late, crashed; and its patient away and back.

Goal: whatever happens in whatever order, and wherever a replica dies, every patient has the alerts the model has, and every
person got the messages the model sent: each at least once, and only a death sends one again. Method: the product's loops on a
real database; a replica dies before or after the commit of its n-th transaction (`Dying`), or with a message handed over and
not marked; another goes on once the lease has ended.
"""

import re
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from itertools import count
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from alerts.escalation import parse_plan
from rpm.jobs import escalate, pauses
from rpm.jobs.send import LEASE
from rpm.store import alerts
from rpm.store import pauses as kept_pauses
from rpm.store.database import Connection, Database
from rpm.store.pauses import RULE as PAUSE_ENDED
from rpm.store.pauses import Why
from schemas.codes import Kind
from tests.services.alert_model import WAITS, Episode, Patient, Status
from tests.services.judging import Desk
from tests.support.clinic import Person
from tests.support.clock import MORNING

PLAN = parse_plan("""
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
acknowledged_min = 30
repeat_every_min = 15
repeat_times = 1
step = [{ after_min = 0, targets = ["role:nurse"] }, { after_min = 15, targets = ["role:admin"] }]
[[policy]]
severity = "priority"
step = [{ after_min = 0, targets = ["role:nurse"] }]
""")
GLUCOSE = {0: 100.0, 2: 65.0, 3: 40.0}
_lives = count(1)
SEVERITIES = st.sampled_from([0, 2, 2, 3, 3])
PEOPLE = st.integers(0, 1)
#: Each lets a minute pass that the model does not know of: fewer than would make a step due.
DEATHS_MAX = 3
_CALL = re.compile(r"/alerts/(?P<id>[0-9a-f-]{36}).*call (?P<call>\d)", re.DOTALL)


class Died(BaseException):
    """A replica ended here; nothing in it tidies up."""


class Dying:
    """A database whose user dies in its n-th transaction: before its commit, or right after."""

    def __init__(self, database: Database, *, at: int, committed: bool) -> None:
        self._database, self._left, self._committed = database, at, committed

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """As Database's, until it is time."""
        self._left -= 1
        with self._database.transaction() as connection:
            yield connection
            if not self._left and not self._committed:
                raise Died
        if not self._left:
            raise Died


class AlertLife(RuleBasedStateMachine):
    """Two patients, a nurse and an administrator. `database` is set by the test."""

    database: Database

    @initialize()
    def begin(self) -> None:
        self.desk = Desk(self.database, now=MORNING, plan=PLAN)
        # One database for all lives: whoever signs in has a name of her own.
        self.life = next(_lives)
        roles = {"nora": "nurse", "ada": "admin"}
        self.staff = {who: self.desk.clinic.staff(f"{who}{self.life}", role) for who, role in roles.items()}
        self.people: list[Person] = [self.desk.clinic.patient("P", str(number)) for number in range(2)]
        self.patients = [Patient() for _ in self.people]
        self.deaths = 0

    def teardown(self) -> None:
        """What is left of this life must not call in the next."""
        with self.database.transaction() as connection:
            connection.execute("update alert set status = 'closed', closed_at = opened_at, next_step_at = null")
            connection.execute("update notification set state = 'cancelled' where state in ('pending', 'sending')")
            connection.execute("delete from patient_news")
            connection.execute("update patient_pause set ended_at = ends_at where ended_at is null")

    # What happens

    @rule(who=PEOPLE, severity=SEVERITIES, hours_ago=st.sampled_from([0, 0, 0, 5]), then=st.integers(0, 2))
    def measure(self, *, who: int, severity: int, hours_ago: int, then: int) -> None:
        """A value comes in, sometimes late; it waits for others, or is judged at once, and called."""
        at = self.desk.now - timedelta(hours=hours_ago)
        self.desk.clinic.measure(self.people[who], Kind.GLUCOSE, {"glucose": (GLUCOSE[severity], "mg/dL")}, at=at)
        self.patients[who].news.append((at, severity))
        if then:
            self.judge()
        if then == 2:
            self.call()

    @rule(minutes=st.sampled_from([10, 20, 60, 250]), then=st.booleans())
    def time_passes(self, *, minutes: int, then: bool) -> None:
        """A second more than said: nothing falls on the very edge. What is due by then is called, or waits."""
        self.desk.forward(minutes=minutes, seconds=1)
        if then:
            self.call()

    @precondition(lambda self: any(patient.news for patient in self.patients))
    @rule()
    def judge(self) -> None:
        self.desk.judge()
        self._model_judges()

    @rule()
    def call(self) -> None:
        """Escalate and send, to the end."""
        self.desk.call()
        self._model_calls()

    @rule()
    def escalate(self) -> None:
        """Messages are written, and nobody has sent them yet."""
        escalate.run_once(self.database, now=self.desk.now, plan=PLAN)
        for patient in self.patients:
            for episode in patient.episodes:
                episode.escalate(self.desk.now)

    @precondition(lambda self: any(patient.current for patient in self.patients))
    @rule(who=PEOPLE)
    def acknowledge(self, *, who: int) -> None:
        done = self._act(
            who,
            lambda connection, alert_id: alerts.acknowledge(
                connection, alert_id=alert_id, staff_id=self.staff["nora"], now=self.desk.now
            ),
        )
        episode = self.patients[who].current
        assert done == (episode is not None and not episode.had)
        if done and episode is not None:
            episode.stop(Status.ACKNOWLEDGED, self.desk.now)

    @rule(who=PEOPLE, severity=SEVERITIES, minutes=st.sampled_from([15, 60, 60, 240]), again=SEVERITIES)
    def snooze(self, *, who: int, severity: int, minutes: int, again: int) -> None:
        """Of what has come it may wait for so long, or not that long; then perhaps another value comes, perhaps no worse."""
        self.measure(who=who, severity=severity, hours_ago=0, then=2)
        self._snooze(who, minutes)
        if again:
            self.measure(who=who, severity=again, hours_ago=0, then=2)

    def _snooze(self, who: int, minutes: int) -> None:
        done = self._act(
            who,
            lambda connection, alert_id: alerts.snooze(
                connection,
                alert_id=alert_id,
                staff_id=self.staff["nora"],
                minutes=minutes,
                reason="she measures again",
                now=self.desk.now,
            ),
        )
        episode = self.patients[who].current
        assert done == (episode is not None and minutes in WAITS[episode.severity])
        if done and episode is not None:
            episode.snooze(minutes, self.desk.now)

    @rule(who=PEOPLE, hours=st.sampled_from([1, 6]), severity=SEVERITIES)
    def go_away(self, *, who: int, hours: int, severity: int) -> None:
        """To hospital, with an end; whoever is away already is not away twice. Then somebody uses the cuff."""
        patient = self.patients[who]
        with self.database.transaction() as connection:
            begun = kept_pauses.begin(
                connection,
                practice_id=self.desk.clinic.practice_id,
                patient_id=self.people[who].id,
                why=Why.HOSPITAL,
                note="",
                ends_at=self.desk.now + timedelta(hours=hours),
                staff_id=self.staff["nora"],
                now=self.desk.now,
            )
        assert begun == (patient.away_until is None)
        if begun:
            patient.away_until = self.desk.now + timedelta(hours=hours)
        self.measure(who=who, severity=severity, hours_ago=0, then=2)

    @precondition(lambda self: any(patient.away_until for patient in self.patients))
    @rule(dies=st.sampled_from([None, None, False, True]))
    def come_back(self, *, dies: bool | None) -> None:
        """By itself, once the day has come; whoever ends pauses may die before or after its commit, and another comes."""
        if dies is not None and self.deaths < DEATHS_MAX:
            self._dies(self._end_pauses, at=1, committed=dies)
        self._end_pauses()
        for patient in self.patients:
            patient.return_by(self.desk.now)

    @precondition(lambda self: any(patient.current for patient in self.patients))
    @rule(who=PEOPLE)
    def close(self, *, who: int) -> None:
        done = self._act(
            who,
            lambda connection, alert_id: alerts.close(
                connection,
                alert_id=alert_id,
                staff_id=self.staff["nora"],
                disposition="called",
                note="",
                now=self.desk.now,
            ),
        )
        episode = self.patients[who].current
        assert done == (episode is not None)
        if episode is not None:
            episode.stop(Status.CLOSED, self.desk.now)

    @precondition(lambda self: self.deaths < DEATHS_MAX and any(patient.news for patient in self.patients))
    @rule(at=st.integers(1, 2), committed=st.booleans())
    def judge_dies(self, *, at: int, committed: bool) -> None:
        """Somewhere; another judges what is left."""
        self._dies(self.desk.judge, at=at, committed=committed)
        self.desk.judge()
        self._model_judges()

    @precondition(lambda self: self.deaths < DEATHS_MAX)
    @rule(who=PEOPLE, at=st.integers(1, 5), committed=st.booleans())
    def caller_dies(self, *, who: int, at: int, committed: bool) -> None:
        """There is a red: somewhere between a step that is due and a message that is marked as sent; another goes on after the lease."""
        self.measure(who=who, severity=3, hours_ago=0, then=1)
        self._model_calls()
        self._dies(self.desk.call, at=at, committed=committed)
        self.desk.forward(seconds=LEASE.total_seconds() + 1)
        self.desk.call()

    # What must be so

    @invariant()
    def alerts_and_messages_are_the_model_s(self) -> None:
        named: list[tuple[str, Episode]] = []
        for patient, person in zip(self.patients, self.people, strict=True):
            found = self._alerts(person)
            assert [(row["status"], row["severity"], row["late"]) for row in found] == [
                (str(one.status), one.severity, one.late) for one in patient.episodes
            ]
            assert all(
                (row["snoozed_until"], row["snooze_reason"]) == (None, None)
                for row, one in zip(found, patient.episodes, strict=True)
                if one.snoozed_until is None or one.status is Status.CLOSED
            ), "nothing of a wait that is over"
            said = self._alerts(person, of_pauses=True)
            assert [(row["status"], row["kind"]) for row in said] == ([("open", "review")] if patient.back else [])
            assert sum(self.desk.events(row["id"]).count("opened") for row in said) == patient.back
            named += [(str(row["public_id"]), one) for row, one in zip(found, patient.episodes, strict=True)]
        self._as_told_as_the_model_says(named)

    def _as_told_as_the_model_says(self, named: list[tuple[str, Episode]]) -> None:
        told = Counter(_read(address, subject, body) for address, subject, body in self.desk.outbox.sent)
        meant = Counter(
            (public_id, call, f"{who}{self.life}@clinic.example")
            for public_id, episode in named
            for call, who in episode.told
        )
        assert not meant - told, "somebody was not told"
        assert set(told) == set(meant), "somebody was told what nobody meant"
        assert (told - meant).total() <= self.deaths

    # Inside

    def _end_pauses(self) -> None:
        pauses.run_once(self.desk.database, now=self.desk.now)

    def _model_judges(self) -> None:
        for patient in self.patients:
            patient.judge(self.desk.now)

    def _model_calls(self) -> None:
        for patient in self.patients:
            for episode in patient.episodes:
                episode.escalate(self.desk.now)
                episode.send()

    def _dies(self, work: Callable[[], object], *, at: int, committed: bool) -> None:
        self.desk.database = cast(Database, Dying(self.database, at=at, committed=committed))
        try:
            work()
        except Died:
            self.deaths += 1
        finally:
            self.desk.database = self.database

    def _act(self, who: int, act: Callable[[Connection, int], alerts.Outcome]) -> bool:
        found = [row for row in self._alerts(self.people[who]) if row["status"] != "closed"]
        with self.database.transaction() as connection:
            return bool(found) and act(connection, found[0]["id"]).done

    def _alerts(self, person: Person, *, of_pauses: bool = False) -> list[dict[str, Any]]:
        """The patient's alerts; or what says that a pause is over."""
        found = self.desk.rows("select * from alert where patient_id = %(id)s order by id", id=person.id)
        return [row for row in found if (row["rule_id"] == PAUSE_ENDED) == of_pauses]


def _read(address: str, subject: str, body: str) -> tuple[str, int, str]:
    found = _CALL.search(f"{body} {subject}")
    assert found is not None
    return found["id"], int(found["call"]), address


@pytest.mark.timeout(180)
def test_whatever_happens_in_whatever_order(database: Database) -> None:
    """Hypothesis shrinks what fails to the shortest life that does."""
    AlertLife.database = database
    run_state_machine_as_test(
        AlertLife,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            derandomize=True,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
        ),
    )
