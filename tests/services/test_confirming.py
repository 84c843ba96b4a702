"""A5, wrong kit at the wrong home: a device that was just given to somebody is nobody's until a reading is confirmed as theirs.

Method: readings through ingest's own door before and after somebody decides; plain SQL to look with. Where two transactions
meet, both are held open and let go in the order that would lose a reading.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rpm.access import Actor, Role
from rpm.confirmation import How
from rpm.errors import UserError
from rpm.ingest.admit import Unassigned, admit
from rpm.ingest.batch import settle
from rpm.jobs.evaluate import run_once as judge
from rpm.store import confirming, held, holding
from rpm.store.database import Database
from rpm.store.devices import assign, register_device
from rpm.store.held import Claimed
from rpm.store.known import known_of
from schemas.reading import Reading
from tests.services.judging import JUDGEMENT
from tests.services.settling import GATEWAY, NOW, count_of, message_of, outcomes_of, rows_of, two_homes
from tests.support.clinic import Clinic
from tests.support.readings import pressure

NEW = "C0:00:00:00:77:01"
WAIT_S_MAX = 30.0


class Kit:
    """A new cuff, given to Maria by Rosa an hour ago. Nobody knows yet at whose home it stands."""

    def __init__(self, database: Database, *, slot: int | None = None) -> None:
        self.database = database
        self.clinic = two_homes(database)
        self.maria = self.clinic.patient("Maria", "Alvarez", measures=False)
        self.tom = self.clinic.patient("Tom", "Weiss", measures=False)
        self.rosa = Actor(self.clinic.staff("rosa"), self.clinic.practice_id, Role.NURSE, "Rosa")
        self.kim = Actor(self.clinic.staff("kim"), self.clinic.practice_id, Role.NURSE, "Kim")
        self._seq = 0
        with database.transaction() as connection:
            self.cuff = register_device(
                connection, practice_id=self.clinic.practice_id, address=NEW, kind="blood_pressure", label="New cuff",
                single_person=slot is None, now=NOW,
            )  # fmt: skip
        self.use = self.give()

    def give(self, *, slot: int | None = None) -> int:
        with self.database.transaction() as connection:
            return assign(
                connection, device_id=self.cuff, patient_id=self.maria.id, user_slot=slot, start=NOW - timedelta(hours=1),
                actor=self.rosa, now=NOW,
            )  # fmt: skip

    def receives(self, *readings: Reading) -> dict[int, str]:
        message = message_of(*readings, gateway_id=GATEWAY, first_seq=self._seq + 1)
        self._seq += len(readings)
        return outcomes_of(settle(self.database, [message], now=NOW))

    def rows(self, statement: str, *values: Any) -> list[dict[str, Any]]:
        return rows_of(self.database, statement, *values)

    def waiting(self) -> list[int]:
        return [row["id"] for row in self.rows("select id from held where state = 'held' order by measured_at")]

    def confirm(self, held_id: int, said: str = "", *, actor: Actor | None = None, how: How = How.PATIENT) -> Claimed:
        with self.database.transaction() as connection:
            return confirming.confirm(
                connection, self.use, device_id=self.cuff, held_id=held_id, how=how, said=said, actor=actor or self.rosa,
                now=NOW,
            )  # fmt: skip

    def refuse(self, actor: Actor | None = None) -> int:
        with self.database.transaction() as connection:
            return confirming.refuse(connection, self.use, device_id=self.cuff, actor=actor or self.rosa, now=NOW)


@pytest.fixture
def kit(database: Database) -> Kit:
    return Kit(database)


def squeeze(systolic: float, minutes_ago: float, **more: Any) -> Reading:
    return pressure(systolic, 80, NOW - timedelta(minutes=minutes_ago), address=NEW, **more)


def test_before_it_is_confirmed_a_reading_is_kept_with_its_time_and_filed_under_nobody(kit: Kit) -> None:
    assert kit.receives(squeeze(142, 5)) == {1: "unassigned"}
    [row] = kit.rows("select reason, patient_id, measured_at, device_id from held")
    assert row == {
        "reason": "not_confirmed", "patient_id": None, "measured_at": NOW - timedelta(minutes=5), "device_id": kit.cuff,
    }  # fmt: skip
    for table in ("reading", "observation", "latest", "patient_news"):
        assert count_of(kit.database, table) == 0, table


def test_confirmed_by_the_patient_it_is_filed_in_the_range_of_the_use(kit: Kit) -> None:
    """What the device measured before Maria had it (an earlier home's, a tester's) is not filed under her."""
    kit.receives(squeeze(131, 200), squeeze(142, 50), squeeze(138, 5))
    before_her = kit.rows("select reason from held order by measured_at limit 1")
    assert before_her == [{"reason": "before_assignment"}]
    _, first, second = kit.waiting()
    assert kit.confirm(second, "138") == Claimed(2, 0, kit.use)
    assert kit.rows("select patient_id, measured_at from reading order by measured_at") == [
        {"patient_id": kit.maria.id, "measured_at": NOW - timedelta(minutes=ago)} for ago in (50, 5)
    ]
    assert kit.rows("select state from held where id = %s", first) == [{"state": "claimed"}]
    [use] = kit.rows("select pending, confirmed_by, confirmed_how, confirmed_at from device_assignment")
    assert use == {
        "pending": False, "confirmed_by": kit.rosa.staff_id, "confirmed_how": "patient", "confirmed_at": NOW,
    }  # fmt: skip
    assert kit.receives(squeeze(140, 1)) == {4: "stored"}, "from now on it is hers"


def test_the_wrong_number_confirms_nothing(kit: Kit) -> None:
    kit.receives(squeeze(142, 5))
    [number] = kit.waiting()
    with pytest.raises(UserError, match="may stand at another home"):
        kit.confirm(number, "118")
    assert count_of(kit.database, "reading") == 0
    assert kit.rows("select pending from device_assignment") == [{"pending": True}]
    assert kit.receives(squeeze(120, 1)) == {2: "unassigned"}


def test_a_second_person_confirms_and_never_the_first(kit: Kit) -> None:
    kit.receives(squeeze(142, 5))
    [number] = kit.waiting()
    with pytest.raises(UserError, match="somebody else has to confirm"):
        kit.confirm(number, how=How.SECOND_PERSON)
    assert kit.confirm(number, how=How.SECOND_PERSON, actor=kit.kim).admitted == 1


def test_refused_the_device_is_free_and_what_it_measured_can_be_claimed_for_whom_it_is(kit: Kit) -> None:
    kit.receives(squeeze(142, 50), squeeze(138, 5))
    assert kit.refuse() == 2
    assert count_of(kit.database, "device_assignment") == 0
    assert {row["reason"] for row in kit.rows("select reason from held")} == {"nobody_assigned"}
    first, _ = kit.waiting()
    with kit.database.transaction() as connection:
        done = held.claim(
            connection, first, patient_id=kit.tom.id, start=NOW - timedelta(hours=1), end=None, actor=kit.rosa, now=NOW
        )
    assert done.admitted == 2
    assert {row["patient_id"] for row in kit.rows("select patient_id from reading")} == {kit.tom.id}
    [use] = kit.rows("select pending, confirmed_how, confirmed_reading from device_assignment")
    assert (use["pending"], use["confirmed_how"]) == (False, "claim"), "who claims a reading has said whose it is"
    assert kit.receives(squeeze(140, 1)) == {3: "stored"}


def test_it_is_decided_once_and_only_by_its_own_practice(kit: Kit) -> None:
    kit.receives(squeeze(142, 5))
    [number] = kit.waiting()
    other = Clinic(kit.database, now=NOW, name="Elsewhere")
    stranger = Actor(other.staff("sam"), other.practice_id, Role.NURSE, "Sam")
    for act in (lambda: kit.confirm(number, "142", actor=stranger), lambda: kit.refuse(stranger)):
        with pytest.raises(UserError, match="not waiting to be confirmed"):
            act()
    with kit.database.transaction() as connection:
        assert confirming.pending(connection, practice_id=other.practice_id) == []
    kit.confirm(number, "142")
    for act in (lambda: kit.confirm(number, "142"), lambda: kit.refuse()):
        with pytest.raises(UserError, match="not waiting to be confirmed"):
            act()
    actions = kit.rows("select action, patient_id, staff_id from audit where action like '%%whose device%%'")
    assert actions == [
        {"action": "confirmed whose device it is", "patient_id": kit.maria.id, "staff_id": kit.rosa.staff_id}
    ]


def test_a_reading_of_something_else_confirms_nothing(kit: Kit) -> None:
    kit.receives(squeeze(142, 200), squeeze(142, 5))
    early, _ = kit.waiting()
    with pytest.raises(UserError, match="does not wait for this device"):
        kit.confirm(early, "142")


def test_a_red_among_the_waiting_still_calls_somebody(kit: Kit) -> None:
    """Whoever it is, somebody at some home measured it: quarantine never silences a red."""
    kit.receives(pressure(210, 125, NOW - timedelta(minutes=5), address=NEW))
    judge(kit.database, now=NOW, judgement=JUDGEMENT)
    [alert] = kit.rows("select kind, severity, patient_id, reason from alert")
    assert (alert["kind"], alert["severity"], alert["patient_id"]) == ("verify", 3, None)


def test_on_a_shared_scale_each_user_number_is_confirmed_for_itself(database: Database) -> None:
    kit = Kit(database, slot=1)
    first = kit.use
    with database.transaction() as connection:
        connection.execute("delete from device_assignment where id = %s", [first])
    kit.use = kit.give(slot=1)
    kit.receives(squeeze(142, 20, user_slot=1), squeeze(120, 10, user_slot=2))
    assert [row["reason"] for row in kit.rows("select reason from held order by id")] == [
        "not_confirmed",
        "nobody_assigned",
    ]
    hers, _ = kit.waiting()
    assert kit.confirm(hers, "142").admitted == 1
    assert kit.rows("select user_slot from reading") == [{"user_slot": 1}]


def test_what_waits_is_listed_with_a_question_and_without_its_value(kit: Kit) -> None:
    kit.receives(squeeze(142, 50), squeeze(138, 5))
    with kit.database.transaction() as connection:
        [use] = confirming.pending(connection, practice_id=kit.clinic.practice_id)
        tests = confirming.tests_of(connection, [use], practice_id=kit.clinic.practice_id)
    assert (use.waiting, use.waiting_since, use.given_name, use.assigner) == (2, NOW, "Maria", "Rosa")
    assert [(test.asks, test.measured_at) for test in tests[use.id]] == [
        ("Systolic in mmHg", NOW - timedelta(minutes=5)),
        ("Systolic in mmHg", NOW - timedelta(minutes=50)),
    ]


def test_the_first_confirmed_reading_proves_set_up_and_no_later_one(kit: Kit) -> None:
    """99453: set up is what an auditor asks the proof of. A date somebody entered before stays."""
    with kit.database.transaction() as connection:
        connection.execute("update enrolment set set_up_at = null where patient_id = %s", [kit.maria.id])
    reading = squeeze(142, 5)
    kit.receives(reading)
    [number] = kit.waiting()
    kit.confirm(number, "142")
    asked = "select set_up_at, set_up_reading from enrolment where patient_id = %s"
    proof = {"set_up_at": NOW - timedelta(minutes=5), "set_up_reading": reading.reading_id}
    assert kit.rows(asked, kit.maria.id) == [proof]
    [unchanged] = kit.rows(asked, kit.tom.id)
    assert unchanged["set_up_reading"] is None


def _until(look: Callable[[], object]) -> None:
    deadline = time.monotonic() + WAIT_S_MAX
    while not look():
        assert time.monotonic() < deadline, "nobody waits"
        time.sleep(0.01)


def test_a_reading_that_arrives_while_somebody_confirms_is_not_left_waiting(kit: Kit) -> None:
    """Ingest has seen the use pending and not yet committed when the nurse presses the button: she waits for it."""
    kit.receives(squeeze(142, 5))
    [number] = kit.waiting()
    late = squeeze(139, 2)
    done: list[Claimed] = []
    with kit.database.transaction() as connection:
        known = known_of(connection, [(GATEWAY, late)], now=NOW)
        decision = admit(late, gateway_id=GATEWAY, known=known, now=NOW)
        assert isinstance(decision, Unassigned)
        nurse = threading.Thread(target=lambda: done.append(kit.confirm(number, "142")))
        nurse.start()
        locks = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        _until(lambda: kit.rows(locks))
        item = message_of(late, first_seq=9).payload.decode()
        holding.hold(
            connection,
            [
                holding.ToHold(
                    practice_id=decision.practice_id, why="unassigned", reason=decision.reason, pointer="",
                    item=item[item.index('[{"seq"') + 1 : item.index("}],") + 1], raw=None, topic="t", gateway_id=GATEWAY,
                    epoch="0" * 16, seq=9, reading_id=late.reading_id, device_id=decision.device_id,
                    measured_at=late.measured_at,
                )
            ],
            now=NOW,
        )  # fmt: skip
    nurse.join(WAIT_S_MAX)
    assert [each.admitted for each in done] == [2]
    assert kit.waiting() == []
