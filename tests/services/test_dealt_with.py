"""A fault that somebody closed is quiet for a day while it is as it was, never for ever, and not where it becomes worse (F6, F38, F60).

Method: a backup nobody has tried for days, a list and a certificate that end; the loop looks every ten minutes, and a person closes
what it told.
"""

from datetime import timedelta
from typing import Any

import pytest

from rpm import drills, trouble
from rpm.jobs.expiries import LOOK_EVERY, run_once
from rpm.store import alerts, heartbeats
from rpm.store.database import Database
from rpm.store.plans import current
from tests.services.judging import PLAN
from tests.services.test_silence import Watch, watch
from tests.support.clinic import Clinic
from tests.support.clock import SettableClock

__all__ = ["watch"]

A_DAY = int(trouble.QUIET_FOR / LOOK_EVERY)
LIST, CERTIFICATE, DRILL = "revocation_list.gateways", "service_certificate.broker", drills.RULE


class Keeper:
    """Who keeps the installation, and the loop that tells her."""

    def __init__(self, database: Database, clock: SettableClock) -> None:
        self.database, self.clock = database, clock
        self.clinic = Clinic(database, now=clock())
        self.ada = self.clinic.staff("ada", "admin")

    def certificate(self, authority: str, name: str, ends: timedelta) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "insert into certificate (serial, authority, practice_id, name, role, public_key, pem, issued_at, not_after)"
                " values (%s, %s, %s, %s, %s, '', '', %s, %s)",
                [
                    name,
                    authority,
                    self.clinic.practice_id,
                    name,
                    authority.removesuffix("s") if authority == "gateways" else "guard",
                    self.clock(),
                    self.clock() + ends,
                ],
            )

    def list_of_revoked(self, ends: timedelta) -> None:
        with self.database.transaction() as connection:
            connection.execute(
                "insert into revocation_list (authority, number, issued_at, next_update, serials, pem)"
                " values ('gateways', 1, %s, %s, '{}', '')",
                [self.clock(), self.clock() + ends],
            )

    def drilled(self) -> None:
        with self.database.transaction() as connection:
            drills.went_well(connection, taken_at=self.clock(), rows=1, now=self.clock())

    def looks(self, times: int = 1) -> int:
        """So many looks, LOOK_EVERY apart; how many alerts they opened."""
        opened = 0
        for _ in range(times):
            self.clock.forward(seconds=LOOK_EVERY.total_seconds())
            with self.database.transaction() as connection:
                heartbeats.beat(connection, "broker_guard", now=self.clock())
            opened += run_once(self.database, now=self.clock(), plan=PLAN, watching_since=self.clock()).done
        return opened

    def open(self) -> dict[str, dict[str, Any]]:
        with self.database.transaction() as connection:
            rows = connection.execute("select * from alert where status <> 'closed' order by id").fetchall()
        return {row["rule_id"]: row for row in rows}

    def closes(self, rule_id: str, disposition: str = "no_action") -> None:
        with self.database.transaction() as connection:
            alerts.close(
                connection, alert_id=self.open()[rule_id]["id"], staff_id=self.ada, disposition=disposition, note="",
                now=self.clock(),
            )  # fmt: skip


@pytest.fixture
def keeper(database: Database, clock: SettableClock) -> Keeper:
    return Keeper(database, clock)


def test_a_backup_nobody_tries_is_told_a_day_after_it_was_closed(keeper: Keeper) -> None:
    keeper.drilled()
    keeper.clock.forward(hours=73)
    assert keeper.looks() == 1
    keeper.closes(DRILL)
    assert keeper.looks(A_DAY - 1) == 0
    assert keeper.looks() == 1, "what nobody mends is not forgotten"
    assert keeper.open()[DRILL]["next_step_at"], "and calls again"


def test_one_that_was_tried_and_then_neglected_again_is_another(keeper: Keeper) -> None:
    keeper.drilled()
    keeper.clock.forward(hours=73)
    keeper.looks()
    keeper.closes(DRILL)
    keeper.looks(A_DAY // 2)
    keeper.drilled()
    keeper.clock.forward(hours=73)
    assert keeper.looks() == 1


def test_a_certificate_is_told_again_each_day_and_at_once_when_it_has_ended(keeper: Keeper) -> None:
    keeper.certificate("gateways", "gw-home", timedelta(days=90))
    keeper.certificate("services", "broker", timedelta(days=1, hours=12))
    assert keeper.looks() == 1
    assert " ends 20" in keeper.open()[CERTIFICATE]["reason"]
    keeper.closes(CERTIFICATE)
    assert keeper.looks(A_DAY) == 1
    keeper.closes(CERTIFICATE)
    assert keeper.looks(A_DAY // 2 - 2) == 0
    assert keeper.looks(2) == 1
    assert " ended 20" in keeper.open()[CERTIFICATE]["reason"]


def test_a_list_is_told_at_once_when_the_broker_refuses_everybody(keeper: Keeper) -> None:
    keeper.certificate("gateways", "gw-home", timedelta(days=90))
    keeper.list_of_revoked(timedelta(hours=2))
    assert keeper.looks() == 1
    keeper.closes(LIST)
    assert keeper.looks(10) == 0
    assert keeper.looks(2) == 1
    assert ", and since 20" in keeper.open()[LIST]["reason"]


@pytest.mark.parametrize("waits", [False, True], ids=["taken", "let wait"])
def test_what_becomes_worse_while_somebody_has_it_calls_anew(keeper: Keeper, *, waits: bool) -> None:
    keeper.certificate("gateways", "gw-home", timedelta(days=90))
    keeper.list_of_revoked(timedelta(hours=2))
    assert keeper.looks() == 1
    before = keeper.open()[LIST]
    with keeper.database.transaction() as connection:
        alert_id, staff_id, now = before["id"], keeper.ada, keeper.clock()
        done = (
            alerts.snooze(connection, alert_id=alert_id, staff_id=staff_id, minutes=240, reason="on Monday", now=now)
            if waits
            else alerts.acknowledge(connection, alert_id=alert_id, staff_id=staff_id, now=now)
        )
    assert done.done
    assert keeper.looks(10) == 0, "as it was"
    assert keeper.open()[LIST]["next_step_at"] is None
    assert keeper.looks(2) == 1
    after = keeper.open()[LIST]
    assert after["id"] == before["id"], "one alert with a history"
    assert ", and since 20" in after["reason"]
    assert (after["status"], after["snoozed_until"], after["step"], after["armed"]) == (
        "open",
        None,
        0,
        before["armed"] + 1,
    )
    assert after["next_step_at"], "it calls"
    assert keeper.looks(5) == 0, "once"


def test_whoever_reached_nobody_has_dealt_with_nothing(keeper: Keeper) -> None:
    keeper.drilled()
    keeper.clock.forward(hours=73)
    keeper.looks()
    keeper.closes(DRILL, "no_answer")
    assert keeper.looks() == 1


def test_a_drill_that_fails_the_next_night_is_another(keeper: Keeper) -> None:
    failed = "The restore drill failed: pg_restore ended with status 1"
    for night in range(2):
        with keeper.database.transaction() as connection:
            told = drills.tell(connection, failed, plan=PLAN, now=keeper.clock(), quiet_for=trouble.NOT_QUIET)
        assert told == 1, f"night {night + 1}"
        keeper.closes(DRILL)
        keeper.clock.forward(hours=23)


def test_what_one_practice_closed_is_told_to_another(keeper: Keeper) -> None:
    keeper.drilled()
    keeper.clock.forward(hours=73)
    keeper.looks()
    keeper.closes(DRILL)
    with keeper.database.transaction() as connection:
        other = connection.execute(
            "insert into practice (name, time_zone, created_at) values ('Hill Street', 'UTC', 'epoch') returning id"
        ).fetchone()
        assert other is not None
        plans = current(connection, PLAN)
        told = [
            trouble.tell(
                connection, plans, practice_id=practice_id, rule_id=DRILL, rule_version="1",
                reason=drills.overdue(connection, now=keeper.clock()) or "", now=keeper.clock(),
            )
            for practice_id in (keeper.clinic.practice_id, other["id"])
        ]  # fmt: skip
    assert told == [False, True]


def closes(watch: Watch, disposition: str = "called") -> None:
    """Support closes the one fault that is open."""
    with watch.database.transaction() as connection:
        [nora] = connection.execute("select id from staff where username = 'nora'").fetchall()
        [alert] = watch.alerts()
        alerts.close(
            connection, alert_id=alert["id"], staff_id=nora["id"], disposition=disposition, note="", now=watch.clock()
        )


def test_a_box_that_stays_silent_is_told_a_day_after_it_was_closed(watch: Watch) -> None:
    watch.passes(hours=25)
    watch.look()
    closes(watch)
    watch.passes(hours=23.9)
    assert watch.look().opened == 0
    watch.passes(hours=0.2)
    assert watch.look().opened == 1
    closes(watch)
    watch.homes.says()
    watch.passes(hours=24.1)
    assert watch.look().opened == 1, "heard again, and silent again: another silence"
    closes(watch, "no_answer")
    assert watch.look().opened == 1


def test_somebody_who_was_spoken_with_is_missed_a_day_later_or_when_it_cannot_wait(watch: Watch) -> None:
    watch.patient(days_ago=3.1)
    watch.homes.says()
    watch.beats()
    watch.look()
    closes(watch)
    for hours, opened in ((23.9, 0), (0.2, 1)):
        watch.homes.says()
        watch.passes(hours=hours)
        assert watch.look().opened == opened
    watch.homes.says()
    watch.passes(hours=36)
    watch.homes.says()
    closes(watch)
    assert watch.look().opened == 0, "five days and a half"
    watch.passes(hours=12)
    watch.homes.says()
    assert watch.look().opened == 1, "six days, and the one that was closed could wait"
    [alert] = watch.alerts()
    assert (alert["severity"], alert["next_step_at"] is not None or watch.mail.sent != []) == (2, True)
    closes(watch)
    watch.passes(hours=12)
    watch.homes.says()
    assert watch.look().opened == 0
