"""A night on call, on a real database: who is called when, who is not, and what stops it.

Time passes by telling the loops a later time. Crashes and races run real transactions beside each other.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from alerts.escalation import parse_plan
from rpm.jobs import escalate
from rpm.store import alerts, calls
from rpm.store.database import Database
from schemas.codes import Kind
from tests.services.judging import PLAN, Desk
from tests.support.clock import MORNING

NURSE, ADMIN = "nora@clinic.example", "ada@clinic.example"


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, now=MORNING)
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    desk.clinic.staff("ben", "biller")
    return desk


def staff_id(desk: Desk, username: str) -> int:
    return int(desk.rows("select id from staff where username = %(name)s", name=username)[0]["id"])


def crisis(desk: Desk, family: str = "Alvarez") -> int:
    """An urgent alert, judged; its id."""
    desk.clinic.pressure(desk.clinic.patient("Maria", family), 192, 118)
    desk.judge()
    return int(desk.alerts()[-1]["id"])


def act(desk: Desk, alert_id: int, who: str) -> alerts.Outcome:
    with desk.database.transaction() as connection:
        return alerts.acknowledge(connection, alert_id=alert_id, staff_id=staff_id(desk, who), now=desk.now)


def test_a_night_on_call(desk: Desk) -> None:
    alert_id = crisis(desk)
    desk.call()
    assert desk.outbox.addresses == [NURSE]
    desk.forward(minutes=14, seconds=59)
    desk.call()
    assert desk.outbox.addresses == [NURSE]
    desk.forward(seconds=1)
    desk.call()
    assert desk.outbox.addresses == [NURSE, ADMIN]
    desk.forward(minutes=15)
    desk.call()
    assert desk.outbox.addresses == [NURSE, ADMIN, ADMIN]
    desk.forward(days=2)
    desk.call()
    assert len(desk.outbox.sent) == 3
    assert desk.events(alert_id) == ["opened", *["called", "notified"] * 3]
    assert [row["reason"] for row in desk.rows("select reason from notification order by id")] == [
        "step 1 of the urgent policy: role:nurse",
        "step 2 of the urgent policy: role:admin",
        "step 3 of the urgent policy: role:admin",
    ]


def test_who_was_told_of_an_earlier_call_has_not_got_what_it_became(desk: Desk) -> None:
    """An answer and a worsening at once: one waits for the other's row, and the answer finds what it did not mean."""
    alert_id = crisis(desk)
    desk.rows("update alert set armed = 2 returning id")
    with desk.database.transaction() as connection:
        nora = staff_id(desk, "nora")
        outcome = alerts.acknowledge(connection, alert_id=alert_id, staff_id=nora, told=1, now=desk.now)
        assert (outcome.done, outcome.anew) == (False, True)
        assert alerts.acknowledge(connection, alert_id=alert_id, staff_id=nora, told=2, now=desk.now).done


def test_acknowledging_stops_it(desk: Desk) -> None:
    alert_id = crisis(desk)
    desk.call()
    desk.forward(minutes=5)
    assert act(desk, alert_id, "nora").done
    desk.forward(days=1)
    desk.call()
    assert desk.outbox.addresses == [NURSE]
    assert act(desk, alert_id, "nora") == alerts.Outcome(False, "you have it already")
    assert act(desk, alert_id, "ada") == alerts.Outcome(False, "a colleague has it already")
    assert desk.events(alert_id)[-1] == "acknowledged"


def test_acknowledging_cancels_messages_that_wait(desk: Desk) -> None:
    alert_id = crisis(desk)
    escalate.run_once(desk.database, now=desk.now, plan=PLAN)
    act(desk, alert_id, "nora")
    desk.call()
    assert desk.outbox.sent == []
    [message] = desk.rows("select state, answer from notification")
    assert message == {"state": "cancelled", "answer": "acknowledged before it was sent"}


def test_closing_stops_it_too_and_keeps_what_was_done(desk: Desk) -> None:
    alert_id = crisis(desk)
    with desk.database.transaction() as connection:
        done = alerts.close(
            connection,
            alert_id=alert_id,
            staff_id=staff_id(desk, "nora"),
            disposition="medication_change",
            note="lisinopril doubled",
            now=desk.now,
        )
    assert done.done
    desk.call()
    assert desk.outbox.sent == []
    [alert] = desk.alerts()
    assert (alert["status"], alert["disposition"], alert["note"]) == (
        "closed",
        "medication_change",
        "lisinopril doubled",
    )
    assert act(desk, alert_id, "nora") == alerts.Outcome(False, "it is closed already")
    with pytest.raises(ValueError, match="shrug"), desk.database.transaction() as connection:
        alerts.close(
            connection, alert_id=alert_id, staff_id=staff_id(desk, "nora"), disposition="shrug", note="", now=desk.now
        )


def test_another_practice_s_staff_find_no_alert(desk: Desk) -> None:
    alert_id = crisis(desk)
    other = Desk(desk.database, now=desk.now)
    other.clinic.staff("olga")
    assert act(desk, alert_id, "olga") == alerts.Outcome(False, "there is no such alert")
    desk.call()
    assert desk.outbox.addresses == [NURSE]


def test_a_deadline_missed_while_everything_was_down_is_acted_on_at_once(desk: Desk) -> None:
    """E4; and whoever is called then has the full time to answer before the next is."""
    crisis(desk)
    desk.forward(hours=9)
    desk.call()
    assert desk.outbox.addresses == [NURSE]
    desk.forward(minutes=14)
    desk.call()
    assert desk.outbox.addresses == [NURSE]
    desk.forward(minutes=1)
    desk.call()
    assert desk.outbox.addresses == [NURSE, ADMIN]


def test_urgent_goes_before_priority(desk: Desk) -> None:
    for number in range(3):
        desk.clinic.measure(desk.clinic.patient("P", str(number)), *_glucose(65.0), at=desk.now)
    desk.clinic.measure(desk.clinic.patient("P", "urgent"), *_glucose(40.0), at=desk.now)
    desk.judge()
    desk.call()
    assert [subject.split()[0] for _, subject, _ in desk.outbox.sent] == ["Urgent", "Priority", "Priority", "Priority"]


def _glucose(mg_dl: float) -> tuple[Kind, dict[str, tuple[float, str]]]:
    return Kind.GLUCOSE, {"glucose": (mg_dl, "mg/dL")}


def test_an_empty_rota_calls_the_fallback_and_the_next_step_at_once(database: Database) -> None:
    """E3: a shift nobody filled must not make a red wait a quarter of an hour."""
    plan = parse_plan("""
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
step = [{ after_min = 0, targets = ["rota:nights"] }, { after_min = 15, targets = ["role:nurse"] }]
[[rota]]
name = "nights"
time_zone = "America/New_York"
shift = [{ days = ["sat"], from = "19:00", to = "07:00", who = ["role:nurse"] }]
""")
    desk = Desk(database, now=MORNING, plan=plan)
    desk.clinic.staff("nora", "nurse")
    desk.clinic.staff("ada", "admin")
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses == [ADMIN, NURSE]


def test_nobody_at_all_is_written_down(database: Database) -> None:
    desk = Desk(database, now=MORNING)
    alert_id = crisis(desk)
    desk.call()
    assert desk.events(alert_id) == ["opened", *["nobody_to_call"] * 3]
    assert desk.outbox.sent == []


def test_a_switched_off_account_is_not_called(desk: Desk) -> None:
    with desk.database.transaction() as connection:
        connection.execute("update staff set active = false where username = 'nora'")
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses == [ADMIN, ADMIN]


NIGHTS = parse_plan("""
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
step = [{ after_min = 0, targets = ["rota:nurses"] }]
[[rota]]
name = "nurses"
time_zone = "America/New_York"
[[rota.shift]]
days = ["sat", "sun"]
from = "19:00"
to = "02:30"
who = ["staff:nora"]
[[rota.shift]]
days = ["sun", "mon"]
from = "02:30"
to = "19:00"
who = ["staff:nell"]
""")


@pytest.mark.parametrize(
    "instant, who",
    [
        # 2026-03-08: New York jumps from 02:00 EST to 03:00 EDT at 07:00 UTC; 02:30 does not exist.
        ("2026-03-08T06:59:59+00:00", "nora@clinic.example"),
        ("2026-03-08T07:00:00+00:00", "nell@clinic.example"),
        # 2026-11-01: 02:00 EDT becomes 01:00 EST at 06:00 UTC; 01:30 comes twice.
        ("2026-11-01T05:30:00+00:00", "nora@clinic.example"),
        ("2026-11-01T06:30:00+00:00", "nora@clinic.example"),
        ("2026-11-01T07:29:59+00:00", "nora@clinic.example"),
        ("2026-11-01T07:30:00+00:00", "nell@clinic.example"),
    ],
)
def test_the_night_the_clocks_change(database: Database, instant: str, who: str) -> None:
    desk = Desk(database, now=datetime.fromisoformat(instant), plan=NIGHTS)
    desk.clinic.staff("nora")
    desk.clinic.staff("nell")
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses == [who]


def test_three_replicas_take_every_step_once(desk: Desk) -> None:
    """E1, E2: without a fault, each of 60 alerts × 3 steps is written once, whoever takes it."""
    with desk.database.transaction() as connection:
        for number in range(60):
            connection.execute(
                "insert into alert (practice_id, kind, rule_id, rule_version, band, severity, reason, evidence, measured_at,"
                " opened_at, updated_at, next_step_at, armed)"
                " values (%s, 'technical', %s, '1', 'urgent', 3, 'r', '{}', %s, %s, %s, %s, 1)",
                [desk.clinic.practice_id, f"rule_{number}", *[desk.now] * 4],
            )
    replicas = [Database(desk.database.dsn).open() for _ in range(3)]
    for _ in range(3):
        together = threading.Barrier(3)

        def work(replica: Database, together: threading.Barrier = together, now: datetime = desk.now) -> None:
            together.wait()
            while escalate.run_once(replica, now=now, plan=PLAN, limit=2).done:
                pass

        _at_once([lambda replica=replica: work(replica) for replica in replicas])
        desk.forward(minutes=15)
    for replica in replicas:
        replica.close()
    counted = desk.rows(
        "select step, count(*) as n, count(distinct alert_id) as alerts from notification group by step order by step"
    )
    assert [(row["step"], row["n"], row["alerts"]) for row in counted] == [(0, 60, 60), (1, 60, 60), (2, 60, 60)]
    assert desk.rows("select 1 from alert where step <> 3 or next_step_at is not null") == []


def _at_once(works: list[Callable[[], None]]) -> None:
    failures: list[BaseException] = []

    def guarded(work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - carried to the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failures
    assert not any(thread.is_alive() for thread in threads)


def test_an_acknowledgement_in_progress_is_passed_over(desk: Desk) -> None:
    """E6, nurse first: the loop neither waits for her row nor calls about it."""
    alert_id, nurse = crisis(desk), staff_id(desk, "nora")
    with desk.database.transaction() as hers:
        alerts.acknowledge(hers, alert_id=alert_id, staff_id=nurse, now=desk.now)
        assert escalate.run_once(desk.database, now=desk.now, plan=PLAN).done == 0
    _is_silent(desk)


def test_an_acknowledgement_waits_for_the_call_in_progress_and_ends_it(desk: Desk) -> None:
    """E6, loop first: the acknowledgement is the last word."""
    alert_id = crisis(desk)
    nurse = threading.Thread(target=act, args=(desk, alert_id, "nora"))
    with desk.database.transaction() as claiming:
        assert len(calls.claim_due(claiming, now=desk.now, limit=10)) == 1
        nurse.start()
        calls.set_next_step(claiming, alert_id, desk.now + timedelta(minutes=15))
    nurse.join(15)
    _is_silent(desk)


def _is_silent(desk: Desk) -> None:
    desk.forward(days=1)
    desk.call()
    [alert] = desk.alerts()
    assert (alert["status"], alert["next_step_at"]) == ("acknowledged", None)
    assert desk.outbox.sent == []


def test_times_are_utc_in_and_out(desk: Desk) -> None:
    crisis(desk)
    assert desk.alerts()[0]["next_step_at"].tzinfo is not None
    assert desk.alerts()[0]["next_step_at"].astimezone(UTC) == MORNING
