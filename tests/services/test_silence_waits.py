"""A fault that was let wait: it calls again at its end, at once where more falls silent, and not at all once it is heard."""

from rpm.outage import Part, Stage, adds_to, sentence
from rpm.store import alerts
from tests.services.test_silence import Watch, watch

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
