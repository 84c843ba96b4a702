"""A fault that was let wait: it calls again at its end, at once where more falls silent, and not at all once it is heard."""

from datetime import timedelta

import pytest

from alerts.escalation import parse_plan
from rpm.outage import Part, Stage, adds_to, sentence
from rpm.store import alerts
from rpm.store.database import Database
from tests.services.test_silence import Watch, watch
from tests.support.clock import SettableClock

__all__ = ["watch"]

HOUR = 60


def let_wait(watch: Watch, minutes: int = HOUR) -> None:
    with watch.database.transaction() as connection:
        [alert] = connection.execute("select id from alert where status = 'open'").fetchall()
        [nora] = connection.execute("select id from staff where username = 'nora'").fetchall()
        done = alerts.snooze(
            connection,
            alert_id=alert["id"],
            staff_id=nora["id"],
            minutes=minutes,
            reason="the electrician is there",
            now=watch.clock(),
        )
    assert done.done


def take(watch: Watch) -> None:
    with watch.database.transaction() as connection:
        [alert] = connection.execute("select id from alert where status = 'open'").fetchall()
        [nora] = connection.execute("select id from staff where username = 'nora'").fetchall()
        assert alerts.acknowledge(connection, alert_id=alert["id"], staff_id=nora["id"], now=watch.clock()).done


def without(watch: Watch, *silent: Stage, minutes: float) -> None:
    """Time in which these stages do not beat, looked at every half minute."""
    for _ in range(round(minutes * 2)):
        watch.clock.forward(seconds=30)
        watch.homes.says()
        watch.beats(*(each for each in Stage if each not in silent))
        watch.turn()


def test_an_outage_that_waits_calls_again_at_its_end(watch: Watch) -> None:
    watch.turn()
    without(watch, Stage.EVALUATE, minutes=4)
    assert len(watch.mail.sent) == 1
    let_wait(watch)
    without(watch, Stage.EVALUATE, minutes=59.5)
    assert len(watch.mail.sent) == 1
    without(watch, Stage.EVALUATE, minutes=0.5)
    assert len(watch.mail.sent) == 2


def test_another_part_that_stops_does_not_wait(watch: Watch) -> None:
    watch.turn()
    without(watch, Stage.EVALUATE, minutes=4)
    let_wait(watch)
    without(watch, Stage.EVALUATE, Stage.BROKER, minutes=2.5)
    assert len(watch.mail.sent) == 1
    without(watch, Stage.EVALUATE, Stage.BROKER, minutes=1)
    assert len(watch.mail.sent) == 2
    [alert] = watch.alerts()
    assert "no worker reaches the broker" in alert["reason"].lower()
    assert alert["snoozed_until"] is None
    without(watch, Stage.EVALUATE, Stage.BROKER, minutes=30)
    assert len(watch.mail.sent) == 2, "told once"


def test_a_loop_that_can_wait_does_not_end_a_wait(watch: Watch) -> None:
    watch.turn()
    without(watch, Stage.REPEATS, minutes=4)
    assert len(watch.mail.sent) == 1
    let_wait(watch)
    without(watch, Stage.REPEATS, Stage.ROLLUP, minutes=30)
    assert len(watch.mail.sent) == 1, "nobody is woken for a chart"
    without(watch, Stage.REPEATS, Stage.ROLLUP, Stage.DELIVERIES, minutes=4)
    assert len(watch.mail.sent) == 2


#: A practice that has routine findings about patients called, at any hour.
CALLS_ROUTINE = """
    fallback = ["role:admin"]
    [[policy]]
    severity = "priority"
    acknowledged_min = 60
    step = [{ after_min = 0, targets = ["role:nurse"] }]
    [[policy]]
    severity = "routine"
    acknowledged_min = 60
    step = [{ after_min = 0, targets = ["role:nurse"] }]
"""
#: One that wants calls for whatever does not work, too.
CALLS_ROUTINE_FAULTS = f"""{CALLS_ROUTINE}
    [[policy]]
    severity = "routine"
    queue = "technical"
    acknowledged_min = 60
    step = [{{ after_min = 0, targets = ["role:admin"] }}]
"""


@pytest.mark.parametrize("plan", [CALLS_ROUTINE, CALLS_ROUTINE_FAULTS], ids=["of patients", "of faults, too"])
@pytest.mark.parametrize("does", ["lets it wait", "takes it and forgets"])
def test_what_is_left_of_an_outage_and_can_wait_calls_nobody_at_the_end(
    database: Database, clock: SettableClock, plan: str, does: str
) -> None:
    """Second readings and charts stop; second readings come back. What nobody is called for is no reason to call at night."""
    watch = Watch(database, clock, plan=parse_plan(plan))
    watch.turn()
    without(watch, Stage.REPEATS, Stage.ROLLUP, minutes=4)
    assert len(watch.mail.sent) == 1
    if does == "lets it wait":
        let_wait(watch)
    else:
        take(watch)
    without(watch, Stage.ROLLUP, minutes=10)
    [alert] = watch.alerts(status="acknowledged")
    assert (alert["severity"], alert["band"]) == (1, "routine")
    assert alert["reason"].endswith("Tell whoever keeps this installation.")
    without(watch, Stage.ROLLUP, minutes=HOUR)
    assert {each["next_step_at"] for each in watch.alerts(status="open")} <= {None}
    assert len(watch.mail.sent) == 1
    without(watch, Stage.ROLLUP, Stage.REPEATS, minutes=4)
    assert len(watch.mail.sent) == 2, "what cannot wait calls anew"


def test_an_outage_of_which_the_rest_can_wait_calls_no_further(watch: Watch) -> None:
    watch.turn()
    without(watch, Stage.REPEATS, Stage.ROLLUP, minutes=4)
    with watch.database.transaction() as connection:
        connection.execute("update alert set next_step_at = %s", [watch.clock() + timedelta(minutes=20)])
    without(watch, Stage.ROLLUP, minutes=30)
    assert [each["next_step_at"] for each in watch.alerts()] == [None]
    assert len(watch.mail.sent) == 1


def test_one_that_opens_again_for_what_can_wait_calls_nobody_when_its_wait_ends(
    database: Database, clock: SettableClock
) -> None:
    """It called once, was back, and opens again within three days for a chart: the same alert, which "has called"."""
    watch = Watch(database, clock, plan=parse_plan(CALLS_ROUTINE_FAULTS))
    watch.turn()
    without(watch, Stage.REPEATS, minutes=4)
    without(watch, minutes=10)
    assert watch.standing() == []
    without(watch, Stage.ROLLUP, minutes=4)
    assert watch.standing() == ["silence.upkeep"]
    let_wait(watch, minutes=4 * HOUR)
    without(watch, Stage.ROLLUP, minutes=4 * HOUR + 1)
    assert [(each["status"], each["next_step_at"]) for each in watch.alerts()] == [("open", None)]
    assert len(watch.mail.sent) == 1


@pytest.mark.parametrize(
    "plan, called",
    [(CALLS_ROUTINE, []), (CALLS_ROUTINE_FAULTS, ["ada@clinic.example"])],
    ids=["of patients", "of faults, too"],
)
def test_people_of_whom_nothing_comes_for_three_days_call_by_a_technical_policy_alone(
    database: Database, clock: SettableClock, plan: str, called: list[str]
) -> None:
    watch = Watch(database, clock, plan=parse_plan(plan))
    watch.patient(days_ago=3.1)
    watch.homes.says()
    watch.beats()
    watch.look()
    assert [(each["rule_id"], each["severity"]) for each in watch.alerts()] == [("silence.readings", 1)]
    assert watch.mail.addresses == called
    let_wait(watch, minutes=24 * HOUR)
    watch.passes(hours=24.1)
    watch.homes.says()
    watch.look()
    assert watch.mail.addresses == 2 * called, "a wait ends as it began"


def test_boxes_that_fall_silent_behind_another_part_are_another_part() -> None:
    """What the boxes are in has no stage of its own; how many of them are quiet changes all the time."""
    said = sentence([Part("no message is sent", None)])
    many = Part("34 of 40 boxes are not heard", None)
    assert adds_to(said, [many])
    assert not adds_to(sentence([many]), [Part("36 of 40 boxes are not heard", None)])


def test_a_box_that_is_heard_again_calls_nobody_when_its_wait_ends(watch: Watch) -> None:
    watch.passes(hours=25)
    watch.look()
    assert len(watch.mail.sent) == 1
    let_wait(watch)
    watch.homes.says()
    watch.passes(minutes=1)
    watch.look()
    [alert] = watch.alerts()
    assert (alert["back_in_range_at"], alert["acknowledged_by"]) == (watch.clock(), None)
    watch.passes(hours=2)
    watch.look()
    assert len(watch.mail.sent) == 1
    watch.passes(hours=25)
    watch.look()
    assert len(watch.mail.sent) == 2, "silent again calls anew"


def test_people_of_whom_nothing_comes_for_six_days_do_not_wait(watch: Watch) -> None:
    watch.patient(days_ago=3.1)
    watch.look()
    assert watch.mail.sent == []
    let_wait(watch, minutes=3 * 24 * HOUR)
    watch.passes(days=2.95)
    watch.homes.says()
    watch.look()
    [alert] = watch.alerts()
    assert (alert["severity"], alert["snoozed_until"], alert["snooze_reason"]) == (2, None, None)
    assert len(watch.mail.sent) == 1
