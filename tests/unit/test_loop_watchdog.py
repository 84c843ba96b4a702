"""A loop that no longer comes round ends its process, whatever the other loops of it do; a process that stood still ends none."""

import threading
from time import monotonic
from typing import Final

from structlog.testing import capture_logs

from rpm.jobs.watchdog import EXIT_HANGS, LOOK_EVERY_S, Round, late, watch

LIMIT_S: Final = 150.0


def _looks(*rounds: Round, seconds: float, goes_on: tuple[Round, ...] = ()) -> Round | None:
    found = list[Round]()
    for _ in range(round(seconds / LOOK_EVERY_S)):
        for each in goes_on:
            each.turns += 1
        found = found or late(rounds, passed_s=LOOK_EVERY_S)
    return found[0] if found else None


def test_one_of_two_of_the_same_name_is_found_though_the_other_goes_on() -> None:
    """Both senders beat by one name: what the table of heartbeats cannot see."""
    hangs, sends = Round("send", LIMIT_S), Round("send", LIMIT_S)
    assert _looks(hangs, sends, seconds=LIMIT_S, goes_on=(sends,)) is None, "not a moment early"
    assert _looks(hangs, sends, seconds=LOOK_EVERY_S, goes_on=(sends,)) is hangs


def test_each_has_its_own_time() -> None:
    slow, soon = Round("retention", 900.0), Round("repeats", LIMIT_S)
    assert _looks(slow, soon, seconds=600, goes_on=(soon,)) is None
    assert _looks(slow, soon, seconds=600, goes_on=(soon,)) is slow


def test_nobody_is_late_for_the_time_in_which_nobody_looked() -> None:
    """The process was stopped, or its machine slept, for an hour: one look is one look."""
    only = Round("evaluate", LIMIT_S)
    assert _looks(only, seconds=LOOK_EVERY_S) is None


def test_it_leaves_and_says_whose_fault_it_is() -> None:
    left, stop = list[int](), threading.Event()
    goes_on, hangs = Round("evaluate", LIMIT_S), Round("repeats", 0.02)
    with capture_logs() as said:
        watch([goes_on, hangs], stop, every_s=0.01, leave=left.append)
    assert left == [EXIT_HANGS]
    assert [(each["event"], each["loop"]) for each in said] == [("loop_hangs", "repeats")]


def test_what_can_wait_does_not_end_those_that_call_and_is_said_once_for_each_time_it_hangs() -> None:
    left, stop = list[int](), threading.Event()
    chart, calls = Round("rollup", 0.02, can_wait=True), Round("escalate", 60.0)
    thread = threading.Thread(target=watch, args=([chart, calls], stop), kwargs={"every_s": 0.01, "leave": left.append})

    def said_after(times: int) -> int:
        until = monotonic() + 30
        while len(said) < times and monotonic() < until:
            stop.wait(0.01)
        stop.wait(0.2)
        return len(said)

    with capture_logs() as said:
        thread.start()
        assert said_after(1) == 1
        chart.turns += 1
        assert said_after(2) == 2, "it went on, and hangs again"
        assert left == []
        calls.turn_s_max = 0.0
        thread.join(30)
    assert left == [EXIT_HANGS]
    assert [(each["event"], each["loop"]) for each in said] == [
        ("loop_hangs", "rollup"), ("loop_hangs", "rollup"), ("loop_hangs", "escalate"),
    ]  # fmt: skip


def test_a_worker_that_ends_is_not_ended() -> None:
    left, stop = list[int](), threading.Event()
    stop.set()
    watch([Round("evaluate", -1.0)], stop, every_s=0.01, leave=left.append)
    assert left == []
