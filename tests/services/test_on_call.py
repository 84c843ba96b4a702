"""Who is called when a practice keeps its own plan: it comes before the installation's, and people stand in for people."""

import subprocess
import sys
from datetime import timedelta

import pytest

from alerts.escalation import parse_plan
from rpm.jobs import cover
from rpm.settings import CARE
from rpm.store import alerts, plans
from rpm.store.database import Database
from tests.services.judging import PLAN, Desk
from tests.services.test_escalate import act, crisis, staff_id
from tests.support.clinic import PRIORITY
from tests.support.clock import MORNING

NORA, NELL, ADA, SAM = (f"{name}@clinic.example" for name in ("nora", "nell", "ada", "sam"))
OWN = """
fallback = ["role:admin"]
[[policy]]
severity = "urgent"
acknowledged_min = 10
step = [{ after_min = 0, targets = ["rota:days"] }, { after_min = 5, targets = ["role:admin"] }]
[[policy]]
severity = "urgent"
programs = ["heart_failure"]
step = [{ after_min = 2, targets = ["staff:nell"] }]
[[policy]]
severity = "priority"
queue = "technical"
step = [{ after_min = 0, targets = ["role:support"] }]
[[rota]]
name = "days"
time_zone = "America/New_York"
shift = [{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = "00:00", to = "24:00", who = ["staff:nora"] }]
"""


@pytest.fixture
def desk(database: Database) -> Desk:
    desk = Desk(database, now=MORNING)
    for name, role in (("nora", "nurse"), ("nell", "nurse"), ("ada", "admin"), ("sam", "support")):
        desk.clinic.staff(name, role)
    return desk


def keep(desk: Desk, text: str = OWN, *, seen: int = 0) -> int | None:
    with desk.database.transaction() as connection:
        return plans.save(
            connection,
            practice_id=desk.clinic.practice_id,
            text=text,
            note="agreed on Monday",
            seen=seen,
            saved_by=staff_id(desk, "ada"),
            now=desk.now,
        )


def swap(desk: Desk, who: str | None, instead_of: str | None, *, hours: float = 8) -> int | None:
    with desk.database.transaction() as connection:
        return plans.make_override(
            connection,
            practice_id=desk.clinic.practice_id,
            rota="days",
            begins_at=desk.now,
            ends_at=desk.now + timedelta(hours=hours),
            who=None if who is None else staff_id(desk, who),
            instead_of=None if instead_of is None else staff_id(desk, instead_of),
            reason="a swap",
            made_by=staff_id(desk, "nora"),
            now=desk.now,
        )


def withdraw(desk: Desk, number: int, *, practice_id: int) -> bool:
    nora = staff_id(desk, "nora")
    with desk.database.transaction() as connection:
        return plans.withdraw_override(connection, number, practice_id=practice_id, staff_id=nora, now=desk.now)


def test_a_practices_own_plan_comes_before_the_installations(desk: Desk) -> None:
    crisis(desk)
    keep(desk)
    desk.call()
    assert desk.outbox.addresses == [NORA]
    desk.forward(minutes=5)
    desk.call()
    assert desk.outbox.addresses == [NORA, ADA]


def test_another_practice_keeps_the_installations(desk: Desk) -> None:
    keep(desk)
    with desk.database.transaction() as connection:
        current = plans.current(connection, PLAN)
    assert current.of(desk.clinic.practice_id) == parse_plan(OWN)
    assert current.of(desk.clinic.practice_id + 1) is PLAN


def test_who_stands_in_is_called_until_it_is_withdrawn(desk: Desk) -> None:
    keep(desk)
    number = swap(desk, "nell", "nora")
    assert number is not None
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses == [NELL]
    assert not withdraw(desk, number, practice_id=desk.clinic.practice_id + 1)
    assert withdraw(desk, number, practice_id=desk.clinic.practice_id)
    assert not withdraw(desk, number, practice_id=desk.clinic.practice_id)
    crisis(desk, "Weiss")
    desk.call()
    assert desk.outbox.addresses == [NELL, NORA]


def test_an_override_ends_by_itself(desk: Desk) -> None:
    keep(desk)
    swap(desk, "nell", "nora", hours=1)
    desk.forward(hours=1)
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses == [NORA]


def test_away_without_anybody_in_place_calls_the_fallback(desk: Desk) -> None:
    keep(desk)
    swap(desk, None, "nora")
    crisis(desk)
    desk.call()
    # Nobody on duty: the fallback, and the next step at once.
    assert desk.outbox.addresses == [ADA, ADA]


def test_a_programme_s_own_policy_from_the_first_wait_on(desk: Desk) -> None:
    keep(desk)
    maria = desk.clinic.patient("Maria", "Alvarez")
    desk.rows("update patient set program = 'heart_failure' where id = %(id)s returning id", id=maria.id)
    desk.clinic.pressure(maria, 192, 118)
    desk.judge()
    desk.call()
    assert desk.outbox.addresses == []
    desk.forward(minutes=2)
    desk.call()
    assert desk.outbox.addresses == [NELL]


def test_what_does_not_work_calls_support(desk: Desk) -> None:
    keep(desk)
    desk.clinic.alert(None, "rule_failed.x", PRIORITY, "The rule x could not be applied", kind="technical")
    desk.call()
    assert desk.outbox.addresses == [SAM]


def test_an_acknowledgement_lasts_as_the_practices_own_plan_says(desk: Desk) -> None:
    """The installation's plan waits without an end; the practice's ten minutes, but for a programme it says nothing of."""
    keep(desk)
    alert_id = crisis(desk)
    other = desk.clinic.patient("Tom", "Weiss")
    desk.rows("update patient set program = 'heart_failure' where id = %(id)s returning id", id=other.id)
    desk.clinic.pressure(other, 190, 110)
    desk.judge()
    kept = int(desk.alerts()[-1]["id"])
    for one in (alert_id, kept):
        act(desk, one, "nora")
    desk.forward(minutes=10)
    desk.call()
    assert desk.outbox.addresses == [NORA]
    assert {row["id"]: row["status"] for row in desk.alerts()} == {alert_id: "open", kept: "acknowledged"}


def test_two_who_save_at_once_do_not_overwrite_each_other(desk: Desk) -> None:
    first = keep(desk)
    assert first is not None
    assert keep(desk, seen=0) is None
    assert keep(desk, seen=first) is not None
    with desk.database.transaction() as connection:
        assert [saved.note for saved in plans.history(connection, desk.clinic.practice_id, limit=9)] == [
            "agreed on Monday"
        ] * 2


def test_nobody_of_another_practice_can_stand_in(desk: Desk) -> None:
    desk.rows(
        "insert into practice (name, time_zone, created_at) values ('Oak', 'UTC', %(now)s) returning id", now=MORNING
    )
    desk.rows("update staff set practice_id = (select max(id) from practice) where username = 'nell' returning id")
    keep(desk)
    assert swap(desk, "nell", "nora") is None
    assert swap(desk, "ada", "nora") is not None


def test_a_plan_nobody_can_read_any_more_silences_no_practice(desk: Desk) -> None:
    desk.rows(
        "insert into escalation_plan (practice_id, text, note, saved_by, saved_at)"
        " values (%(practice)s, 'fallback = []', 'old', %(who)s, %(now)s) returning id",
        practice=desk.clinic.practice_id,
        who=staff_id(desk, "ada"),
        now=desk.now,
    )
    crisis(desk)
    desk.call()
    assert desk.outbox.addresses == [NORA, NELL]


def cli(desk: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rpm", "policy", *arguments],
        env={"RPM_DSN": desk.database.dsn, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_line(desk: Desk) -> None:
    """Ten past two on a Sunday: who is told. And the night that has an hour twice, and one that lacks one."""
    keep(desk)
    told = cli(desk, "simulate", "--at", "2026-11-29T02:10")
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines() == [
        "urgent, clinical alert that opens Sun 2026-11-29 02:10 EST:",
        "    Sun 2026-11-29 02:10 EST  nora (e-mail)",
        "        step 1 of the urgent policy: rota:days",
        "    Sun 2026-11-29 02:15 EST  ada (e-mail)",
        "        step 2 of the urgent policy: role:admin",
        "    then no further call: it stays on the list",
    ]
    assert "01:30 EDT" in cli(desk, "simulate", "--at", "2026-11-01T01:30").stdout
    gone = cli(desk, "simulate", "--at", "2026-03-08T02:30")
    assert (gone.returncode, gone.stderr) == (
        2,
        "rpm-cloud: --at: '2026-03-08T02:30' does not exist in America/New_York: clocks are put forward over it\n",
    )
    routine = cli(desk, "simulate", "--severity", "routine")
    assert routine.stdout.splitlines()[1:] == ["    calls nobody: it waits on the list"]
    installation = cli(desk, "simulate", "--severity", "priority", "--file", str(CARE / "escalation.toml"))
    assert "nora (e-mail), nell (e-mail)" in installation.stdout


def test_coverage_on_the_command_line(desk: Desk) -> None:
    keep(desk)
    # The installation's clock, not the test's: far ahead, so that the stretch is whole.
    with desk.database.transaction() as connection:
        begins = desk.database.clock() + timedelta(days=2)
        plans.make_override(
            connection,
            practice_id=desk.clinic.practice_id,
            rota="days",
            begins_at=begins,
            ends_at=begins + timedelta(hours=3),
            who=None,
            instead_of=staff_id(desk, "nora"),
            reason="at a funeral",
            made_by=staff_id(desk, "nora"),
            now=MORNING,
        )
    found = cli(desk, "coverage")
    assert found.returncode == 1, found.stderr
    [line] = found.stdout.splitlines()
    assert line.startswith("urgent: ")
    assert "(180 min): nobody is on duty by rota:days; the fallback is called" in line
    assert cli(desk, "coverage", "--days", "1").returncode == 0
    assert cli(desk, "coverage", "--practice", "99").stderr.startswith(
        "rpm-cloud: say which practice with --practice: "
    )


def test_somebody_is_told_days_before(desk: Desk) -> None:
    """An account is switched off, and no plan was touched: told once, to those who mend it."""
    keep(desk)
    assert cover.run_once(desk.database, now=desk.now, plan=PLAN).done == 0, "nobody is monitored yet"
    desk.clinic.patient("Maria", "Alvarez")
    assert cover.run_once(desk.database, now=desk.now, plan=PLAN).done == 0
    desk.rows("update staff set active = false where username = 'nora' returning id")
    assert cover.run_once(desk.database, now=desk.now, plan=PLAN).done == 1
    [alert] = desk.alerts()
    assert (alert["kind"], alert["rule_id"]) == ("technical", "no_cover")
    assert "20160 minutes in which a first call reaches nobody, the first from Wed 2026-06-10" in alert["reason"]
    assert "nora is switched off" in alert["reason"]
    desk.call()
    assert desk.outbox.addresses == [SAM]
    desk.forward(hours=1)
    assert cover.run_once(desk.database, now=desk.now, plan=PLAN).done == 0, "the alert is open"
    assert len(desk.alerts()) == 1


def test_hours_nobody_covers_are_quiet_for_a_day_once_somebody_has_dealt_with_them(desk: Desk) -> None:
    """A gap that runs begins now at each look: its words change, and it is the same."""
    keep(desk)
    desk.clinic.patient("Maria", "Alvarez")
    desk.rows("update staff set active = false where username = 'nora' returning id")

    def looks(hours: int) -> int:
        told = 0
        for _ in range(hours):
            desk.forward(hours=1)
            told += cover.run_once(desk.database, now=desk.now, plan=PLAN).done
        return told

    assert looks(1) == 1
    with desk.database.transaction() as connection:
        alerts.close(
            connection, alert_id=desk.alerts()[0]["id"], staff_id=staff_id(desk, "sam"), disposition="no_action",
            note="she is back on Friday", now=desk.now,
        )  # fmt: skip
    assert looks(23) == 0
    assert looks(1) == 1
    assert looks(5) == 0, "it is open"
    desk.rows("update staff set active = true where username = 'nora' returning id")
    assert looks(1) == 0
    desk.rows("update staff set active = false where username = 'nora' returning id")
    assert looks(1) == 0, "as it was"
    desk.rows("update staff set active = false where username = 'nell' returning id")
    assert looks(1) == 1, "another one cannot be reached, either"
    assert len(desk.alerts()) == 2


def test_a_practice_without_support_staff_is_covered_by_the_fallback(desk: Desk) -> None:
    """What does not work finds nobody first, and then the fallback: no alert of every day. The page lists it all the same."""
    keep(desk)
    desk.clinic.patient("Maria", "Alvarez")
    desk.rows("update staff set active = false where username = 'sam' returning id")
    assert cover.run_once(desk.database, now=desk.now, plan=PLAN).done == 0
    assert "priority, technical" in cli(desk, "coverage").stdout
