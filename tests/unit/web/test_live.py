"""Silence of the pipeline is told from silence of the patients (H3)."""

import json
from datetime import UTC, datetime, timedelta

from rpm.store.worklist import Standing
from rpm.web.live import SILENT_AFTER, STAGES, Look, silence

NOW = datetime(2026, 6, 10, 14, tzinfo=UTC)


def test_all_stages_beat() -> None:
    assert silence(dict.fromkeys(STAGES, NOW - SILENT_AFTER), now=NOW) == (None, "")


def test_the_stage_silent_longest_is_named() -> None:
    beats = dict.fromkeys(STAGES, NOW) | {"send": NOW - timedelta(minutes=5), "ingest": NOW - timedelta(minutes=9)}
    assert silence(beats, now=NOW) == (NOW - timedelta(minutes=9), "ingest")


def test_a_stage_of_the_way_from_a_reading_to_a_call_is_named_before_any_other() -> None:
    """All workers ended at once: the last beats differ by seconds, and what it means is that nothing is taken in."""
    gone = NOW - timedelta(minutes=5)
    assert silence(dict.fromkeys(STAGES, gone), now=NOW) == (gone, "ingest")
    first = dict.fromkeys(STAGES, gone) | {
        "deliveries": gone - timedelta(seconds=4),
        "send": gone - timedelta(seconds=3),
    }
    assert silence(first, now=NOW) == (gone - timedelta(seconds=3), "send")
    assert silence(dict.fromkeys(STAGES, NOW) | {"repeats": gone}, now=NOW) == (gone, "repeats")


def test_a_stage_that_never_beat_is_silent_for_ever() -> None:
    since, stage = silence(dict.fromkeys(STAGES[1:], NOW), now=NOW)
    assert stage == STAGES[0]
    assert since is not None
    assert since.year == 1


def test_an_event_tells_one_practice_its_own_numbers() -> None:
    look = Look({1: Standing("v1", 2, 9), 2: Standing("v2", 0, 1)}, None, "", NOW, 0.0)
    facts = json.loads(look.event(1).removeprefix("data: "))
    assert (facts["version"], facts["urgent"], facts["open"], facts["silent_since"]) == ("v1", 2, 9, None)
    assert json.loads(look.event(3).removeprefix("data: "))["version"] == ""
