"""Who looks after the certificates is missed when they fall silent, by whoever could have heard them, and called off when they are heard.

Method: one practice whose box has a certificate; beats are given and taken away, the loop's turn is made by hand as often as it is made.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from rpm.jobs.expiries import LOOK_EVERY, Expiries
from rpm.outage import GUARD, LISTS
from rpm.store import alerts, heartbeats
from rpm.store.database import Database
from rpm.trouble import QUIET_FOR
from tests.services.judging import PLAN
from tests.support.clinic import Clinic
from tests.support.clock import SettableClock

A_DAY = int(QUIET_FOR / LOOK_EVERY)


class Watch:
    """The loop of one worker, and whom it listens for."""

    def __init__(self, database: Database, clock: SettableClock) -> None:
        self.database, self.clock = database, clock
        self.clinic = Clinic(database, now=clock())
        self.nora = self.clinic.staff("nora")
        self.loop = Expiries(database, plan=PLAN)
        with database.transaction() as connection:
            connection.execute(
                "insert into certificate (serial, authority, practice_id, name, role, public_key, pem, issued_at, not_after)"
                " values ('1', 'gateways', %s, 'gw-home', 'gateway', '', '', %s, %s)",
                [self.clinic.practice_id, clock(), clock() + timedelta(days=90)],
            )

    def beats(self, *keepers: str) -> None:
        """These beat now."""
        with self.database.transaction() as connection:
            for keeper in keepers:
                heartbeats.beat(connection, keeper, now=self.clock())

    def looks(self, times: int, *keepers: str) -> None:
        """So many looks, LOOK_EVERY apart, before each of which these keepers beat."""
        for _ in range(times):
            self.clock.forward(seconds=LOOK_EVERY.total_seconds())
            self.beats(*keepers)
            self.loop.turn(self.clock())

    def closes(self, disposition: str) -> None:
        """Nora closes what is open."""
        with self.database.transaction() as connection:
            done = alerts.close(
                connection, alert_id=self.alerts()[-1]["id"], staff_id=self.nora, disposition=disposition, note="",
                now=self.clock(),
            )  # fmt: skip
        assert done.done

    def alerts(self) -> list[dict[str, Any]]:
        with self.database.transaction() as connection:
            return connection.execute("select * from alert where kind = 'technical' order by id").fetchall()

    def told(self) -> list[tuple[str, str, datetime | None]]:
        return [(each["rule_id"], each["status"], each["back_in_range_at"]) for each in self.alerts()]


@pytest.fixture
def watch(database: Database, clock: SettableClock) -> Watch:
    watch = Watch(database, clock)
    watch.beats(GUARD, LISTS)
    watch.loop.turn(clock())
    return watch


@pytest.mark.parametrize("anew", [True, False], ids=["the worker was stopped, too", "its database was away"])
def test_a_stop_of_everything_is_nobodys_silence(watch: Watch, *, anew: bool) -> None:
    """All beats are old, because nobody could write one: nothing follows before there was time for new ones."""
    watch.looks(2, GUARD, LISTS)
    watch.clock.forward(hours=2)
    if anew:
        watch.loop = Expiries(watch.database, plan=PLAN)
    watch.loop.turn(watch.clock())
    assert watch.told() == []
    watch.looks(3, GUARD, LISTS)
    assert watch.told() == []


def test_one_that_does_not_come_back_after_a_stop_is_told(watch: Watch) -> None:
    watch.clock.forward(hours=2)
    watch.loop.turn(watch.clock())
    watch.looks(1, LISTS)
    assert watch.told() == []
    watch.looks(1, LISTS)
    assert watch.told() == [("silence.keeper.broker_guard", "open", None)]
    assert [each["next_step_at"] for each in watch.alerts()] == [watch.clock()], "it calls"


def test_it_is_called_off_when_it_is_heard_and_calls_anew_when_it_is_not(watch: Watch) -> None:
    watch.looks(2, LISTS)
    watch.looks(1, GUARD, LISTS)
    assert watch.told() == [("silence.keeper.broker_guard", "open", watch.clock())]
    assert [each["next_step_at"] for each in watch.alerts()] == [None], "nobody is called any more"
    watch.looks(2, LISTS)
    assert watch.told() == [("silence.keeper.broker_guard", "open", None)], "one alert with a history"


def test_what_somebody_has_closed_is_told_anew_after_it_was_heard_or_a_day_later(watch: Watch) -> None:
    watch.looks(2, LISTS)
    watch.closes("no_action")
    watch.looks(5, LISTS)
    assert [status for _, status, _ in watch.told()] == ["closed"]
    watch.looks(1, GUARD, LISTS)
    watch.looks(2, LISTS)
    assert [status for _, status, _ in watch.told()] == ["closed", "open"]
    watch.closes("no_action")
    watch.looks(A_DAY - 1, LISTS)
    assert [status for _, status, _ in watch.told()] == ["closed", "closed"]
    watch.looks(1, LISTS)
    assert [status for _, status, _ in watch.told()] == ["closed", "closed", "open"], (
        "what nobody mends is not forgotten"
    )


def test_whoever_reached_nobody_has_dealt_with_no_keepers_silence(watch: Watch) -> None:
    watch.looks(2, LISTS)
    watch.closes("no_answer")
    watch.looks(1, LISTS)
    assert [status for _, status, _ in watch.told()] == ["closed", "open"]
