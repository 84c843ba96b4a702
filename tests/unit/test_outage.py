"""What follows from a part that is not heard: nothing is there, and that is the finding. Pure; data are removed, one part at a time."""

from datetime import datetime, timedelta

import pytest

from rpm.outage import (
    BOXES_MIN,
    NOT_DONE,
    NOT_GETTING_ON,
    STAGE_SILENT_AFTER,
    WAITS_TOO_LONG,
    Boxes,
    Part,
    Pipeline,
    Stage,
    boxes_part,
    pipeline_parts,
    sentence,
)
from tests.support.clock import MORNING

LONG_AGO = MORNING - timedelta(days=1)
A_MOMENT = timedelta(seconds=1)


def _all_but(*silent: Stage, at: datetime = MORNING) -> dict[str, datetime]:
    return {stage: at for stage in Stage if stage not in silent}


def _said(known: Pipeline, *, watching_since: datetime = LONG_AGO) -> list[str]:
    return [part.said for part in pipeline_parts(known, watching_since=watching_since, now=MORNING)]


def test_nothing_is_said_while_all_beat() -> None:
    assert _said(Pipeline(_all_but())) == []


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_without_a_single_beat_is_missed(stage: Stage) -> None:
    assert NOT_DONE[stage] in _said(Pipeline(_all_but(stage)))


@pytest.mark.parametrize("stage", Stage)
def test_a_stage_whose_beat_is_old_is_missed_and_not_a_moment_earlier(stage: Stage) -> None:
    just = {**_all_but(), stage: MORNING - STAGE_SILENT_AFTER}
    assert _said(Pipeline(just)) == []
    assert NOT_DONE[stage] in _said(Pipeline({**just, stage: MORNING - STAGE_SILENT_AFTER - A_MOMENT}))


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
    assert len(_said(old, watching_since=MORNING - STAGE_SILENT_AFTER - A_MOMENT)) == len(Stage) - 1


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
