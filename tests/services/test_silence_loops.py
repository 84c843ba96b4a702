"""Each loop of a worker that stops alone is told by name, to whom it concerns, and called off when it goes on.

Method: as in test_silence: beats are taken away, one at a time, and given back.
"""

import pytest

from alerts.escalation import parse_plan
from rpm.outage import CAN_WAIT, NO_UPKEEP, NOT_DONE, UPKEEP, WAY, Stage, silent_after
from rpm.store.database import Database
from tests.services.test_silence import Watch, watch
from tests.support.clock import SettableClock

__all__ = ["watch"]


@pytest.mark.parametrize("stage", UPKEEP)
def test_a_loop_that_stops_alone_is_told_by_name_and_is_back_when_it_beats(watch: Watch, stage: Stage) -> None:
    """All other loops beat. Nobody is woken for what can wait, and a box that falls silent meanwhile is told as ever."""
    watch.clock.forward(seconds=silent_after(stage).total_seconds())
    watch.homes.says()
    watch.beats(*(each for each in Stage if each is not stage))
    assert watch.look().opened == 0, "not a moment early"
    watch.clock.forward(seconds=1)
    assert watch.look().opened == 1
    [alert] = watch.alerts()
    assert alert["rule_id"] == "silence.upkeep"
    assert alert["reason"].lower().startswith(NOT_DONE[stage])
    assert alert["severity"] == (1 if stage in CAN_WAIT else 2)
    assert watch.mail.addresses == ([] if stage in CAN_WAIT else ["nora@clinic.example"])
    assert watch.look().done == 0, "told once"
    watch.clock.forward(hours=24)
    watch.beats(*(each for each in Stage if each is not stage))
    watch.look()
    assert watch.standing() == ["silence.upkeep", f"silence.box.{watch.clinic.gateway_id}"]
    watch.passes(minutes=5)
    watch.homes.says()
    watch.clock.forward(seconds=1)
    watch.look()
    assert watch.standing() == []


def test_a_loop_that_cannot_wait_calls_though_one_that_can_is_told_already(watch: Watch) -> None:
    def passes(*silent: Stage) -> None:
        watch.clock.forward(minutes=4)
        watch.homes.says()
        watch.beats(*(each for each in Stage if each not in silent))
        watch.look()

    passes(Stage.ROLLUP)
    assert watch.mail.sent == []
    passes(Stage.ROLLUP, Stage.REPEATS)
    [alert] = watch.alerts()
    assert (alert["severity"], alert["band"]) == (2, "priority")
    assert NOT_DONE[Stage.REPEATS] in alert["reason"].lower()
    assert "Patients may be unwell" in alert["reason"]
    assert len(watch.mail.sent) == 1
    passes(Stage.ROLLUP)
    assert [each["severity"] for each in watch.alerts()] == [2]
    assert len(watch.mail.sent) == 1, "told once"
    watch.passes(minutes=6)
    watch.homes.says()
    watch.look()
    assert watch.standing() == []
    passes(Stage.ROLLUP)
    assert [each["severity"] for each in watch.alerts()] == [1], "it can wait again"


def test_a_practice_with_a_policy_for_routine_alerts_is_not_called_for_what_can_wait(
    database: Database, clock: SettableClock
) -> None:
    """What a practice wants of a routine finding about a patient is not said of our charts."""
    routine = parse_plan(
        """
        fallback = ["role:admin"]
        [[policy]]
        severity = "routine"
        step = [{ after_min = 0, targets = ["role:nurse"] }]
        """
    )
    watch = Watch(database, clock, plan=routine)
    watch.clock.forward(minutes=4)
    watch.homes.says()
    watch.beats(*(each for each in Stage if each is not Stage.ROLLUP))
    watch.look()
    assert [(each["severity"], each["next_step_at"]) for each in watch.alerts()] == [(1, None)]
    assert watch.mail.sent == []


def test_workers_that_are_gone_are_one_call_and_what_stays_away_is_told_after_it(watch: Watch) -> None:
    watch.clock.forward(minutes=4)
    watch.homes.says()
    watch.look()
    [alert] = watch.alerts()
    assert alert["rule_id"] == "silence.pipeline"
    assert NO_UPKEEP in alert["reason"]
    watch.clock.forward(minutes=6)
    watch.homes.says()
    watch.beats(*WAY)
    watch.look()
    assert watch.standing() == ["silence.upkeep"], "readings become calls again, and nothing looks after the rest"
