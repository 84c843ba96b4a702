"""What follows from a part that is not heard: nothing is there, and that is the finding. Pure; data are removed, one part at a time."""

from datetime import datetime, timedelta

import pytest

from rpm.jobs import loops, scheduler, send
from rpm.jobs.loops import HEARTBEAT_S
from rpm.jobs.watchdog import LOOK_EVERY_S
from rpm.outage import (
    BOXES_MIN,
    CAN_WAIT,
    GUARD,
    KEEPER_EXPECTED_FOR,
    KEEPER_SILENT_AFTER,
    LISTS,
    LOOKS_EVERY,
    NO_UPKEEP,
    NOT_DONE,
    NOT_GETTING_ON,
    STAGE_SILENT_AFTER,
    UPKEEP,
    WAITS_TOO_LONG,
    WAY,
    Boxes,
    Part,
    Pipeline,
    Stage,
    boxes_part,
    heard_keepers,
    pipeline_parts,
    sentence,
    silent_after,
    silent_keepers,
    upkeep_parts,
)
from rpm.settings import Settings
from rpm.store.database import Database
from tests.support.clock import MORNING

LONG_AGO = MORNING - timedelta(days=1)
A_MOMENT = timedelta(seconds=1)
#: The supervisor's five seconds (deploy/README.md), and a start with room to spare.
STARTED_ANEW = timedelta(seconds=35)


def _all_but(*silent: Stage, at: datetime = MORNING) -> dict[str, datetime]:
    return {stage: at for stage in Stage if stage not in silent}


def _said(known: Pipeline, *, watching_since: datetime = LONG_AGO) -> list[str]:
    found = (of(known, watching_since=watching_since, now=MORNING) for of in (pipeline_parts, upkeep_parts))
    return [part.said for parts in found for part in parts]


def test_every_loop_and_chore_of_a_worker_is_a_stage_and_looked_for_by_its_own_interval() -> None:
    """A loop that is added and not missed when it falls silent fails here."""
    run = loops.loops(Database("dbname=nowhere"), Settings())
    every = {loop.name: loop.every for loop in run}
    every |= {chore.name: timedelta(seconds=chore.every_s) for chore in scheduler.CHORES}
    assert {*every, Stage.INGEST, Stage.BROKER} == set(Stage)
    assert {name: each for name, each in every.items() if each} == LOOKS_EVERY
    for loop in run:
        assert loop.turn_max < silent_after(Stage(loop.name)), "it is said before it is missed"
        if not loop.can_wait:
            assert loop.turn_max > send.LEASE, "no sound turn is ended"
            over = loop.turn_max + timedelta(seconds=HEARTBEAT_S + LOOK_EVERY_S) + STARTED_ANEW
            assert over < silent_after(Stage(loop.name)), "the only worker beats again before anybody is called"


def test_nothing_is_said_while_all_beat() -> None:
    assert _said(Pipeline(_all_but())) == []


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_without_a_single_beat_is_missed(stage: Stage) -> None:
    assert NOT_DONE[stage] in _said(Pipeline(_all_but(stage)))


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_whose_beat_is_old_is_missed_and_not_a_moment_earlier(stage: Stage) -> None:
    just = {**_all_but(), stage: MORNING - silent_after(stage)}
    assert _said(Pipeline(just)) == []
    assert _said(Pipeline({**just, stage: MORNING - silent_after(stage) - A_MOMENT})) == [NOT_DONE[stage]]


def test_what_looks_seldom_is_missed_after_three_of_its_looks() -> None:
    assert silent_after(Stage.REPEATS) == STAGE_SILENT_AFTER == timedelta(minutes=3)
    assert (silent_after(Stage.SESSIONS), silent_after(Stage.RETENTION)) == (timedelta(minutes=15), timedelta(hours=3))


def test_all_of_the_upkeep_at_once_is_one_part_since_its_last_beat() -> None:
    """Whoever runs it is gone: what looks seldom is no further finding, and who misses the others goes on beside the pages."""
    last = MORNING - STAGE_SILENT_AFTER - A_MOMENT
    beats = {**_all_but(at=last), **dict.fromkeys(WAY, MORNING), Stage.SILENCE: MORNING, Stage.COVER: LONG_AGO}
    beats[Stage.ROLLUP] -= A_MOMENT
    assert upkeep_parts(Pipeline(beats), watching_since=LONG_AGO, now=MORNING) == [Part(NO_UPKEEP, last)]
    beats[Stage.REPEATS] = MORNING
    assert NO_UPKEEP not in _said(Pipeline(beats)), "one of them goes on"


def test_who_looks_after_certificates_is_missed_where_there_was_one() -> None:
    beats = {GUARD: MORNING - KEEPER_SILENT_AFTER - A_MOMENT, LISTS: MORNING - KEEPER_SILENT_AFTER}
    assert list(silent_keepers(beats, watching_since=LONG_AGO, now=MORNING)) == [GUARD]
    assert heard_keepers(beats, now=MORNING) == [LISTS]
    assert silent_keepers({}, watching_since=LONG_AGO, now=MORNING) == {}, "an installation that has none misses none"
    gone = {GUARD: MORNING - KEEPER_EXPECTED_FOR - A_MOMENT}
    assert silent_keepers(gone, watching_since=LONG_AGO, now=MORNING) == {}, "given up"
    assert silent_keepers(beats, watching_since=MORNING - KEEPER_SILENT_AFTER, now=MORNING) == {}, (
        "no time for new beats"
    )


def test_what_harms_nobody_tonight_says_so_and_calls_nobody() -> None:
    """Nobody is woken for a chart; a first red that waits for its second is no chart."""
    calls = {stage for stage in UPKEEP if stage not in CAN_WAIT}
    assert calls == {Stage.REPEATS, Stage.DELIVERIES, Stage.PAUSES, Stage.SILENCE}
    chart, red = Part(NOT_DONE[Stage.ROLLUP], None, can_wait=True), Part(NOT_DONE[Stage.REPEATS], None)
    assert sentence([chart]).endswith("Alerts go on. Tell whoever keeps this installation.")
    assert "Patients may be unwell" in sentence([red, chart])


def test_a_broker_nobody_could_ask_is_no_second_finding() -> None:
    assert _said(Pipeline(_all_but(Stage.INGEST, Stage.BROKER))) == [NOT_DONE[Stage.INGEST]]
    assert _said(Pipeline(_all_but(Stage.BROKER))) == [NOT_DONE[Stage.BROKER]]


@pytest.mark.parametrize("stage", NOT_GETTING_ON)
def test_a_stage_that_beats_and_does_not_get_on_is_told(stage: Stage) -> None:
    due = {stage: MORNING - WAITS_TOO_LONG}
    assert _said(Pipeline(_all_but(), due)) == []
    assert _said(Pipeline(_all_but(), {stage: due[stage] - A_MOMENT})) == [NOT_GETTING_ON[stage]]


def test_nothing_follows_from_old_beats_before_there_was_time_for_new_ones() -> None:
    """The database was away for an hour: every beat is as old, and the stages are about to beat."""
    old = Pipeline(_all_but(at=MORNING - timedelta(hours=1)))
    assert _said(old, watching_since=MORNING - STAGE_SILENT_AFTER) == []
    soon = [NOT_DONE[stage] for stage in WAY if stage is not Stage.BROKER]
    assert _said(old, watching_since=MORNING - STAGE_SILENT_AFTER - A_MOMENT) == [*soon, NO_UPKEEP]
    slow = Pipeline({**old.beats, Stage.SESSIONS: LONG_AGO, **dict.fromkeys(WAY, MORNING), Stage.REPEATS: MORNING})
    assert NOT_DONE[Stage.SESSIONS] not in _said(slow, watching_since=MORNING - silent_after(Stage.SESSIONS))


@pytest.mark.parametrize(
    "expected, quiet, stuck, told",
    [
        (500, 500, 0, "500 of 500 boxes are not heard"),
        (500, 250, 0, "250 of 500 boxes are not heard"),
        (500, 249, 0, None),
        (BOXES_MIN, BOXES_MIN, 0, f"{BOXES_MIN} of {BOXES_MIN} boxes are not heard"),
        (2, 2, 0, None),  # two homes may well lose their power on one day
        (4, 0, 3, "3 of 4 boxes are heard, and their readings are not taken in"),
        (0, 0, 0, None),
    ],
)
def test_many_boxes_at_once_are_not_their_homes_fault(expected: int, quiet: int, stuck: int, told: str | None) -> None:
    part = boxes_part(Boxes(1, expected, quiet, stuck))
    assert (part.said if part else None) == told


def test_the_sentence_says_what_since_when_and_what_it_means() -> None:
    parts = [Part("no worker reaches the broker", MORNING), Part("nothing is judged", None)]
    assert sentence(parts) == (
        "No worker reaches the broker since 2026-06-10 14:00 UTC; nothing is judged."
        " Patients may be unwell without an alert until this works again."
    )
