"""What of the pipeline does not work, told from what the database knows of each part (F61, H3, H13, S4). Pure.

No part judges itself: a stage is missed by whoever reads the table of heartbeats, and that is the worker's silence loop, the
same loop beside the pages, and, from elsewhere, `rpm-cloud watch`. Nothing here looks at whether readings are fresh: that
would silence the alarm for the very case it is there for (H4).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

#: A stage beats every five seconds, and one turn of it may take as long as a lease of the sender, a minute.
STAGE_SILENT_AFTER: Final = timedelta(minutes=3)
#: What waits for a stage that beats is due at once; it may retry for 75 seconds.
WAITS_TOO_LONG: Final = timedelta(minutes=5)
#: Boxes tell a heartbeat every minute.
BOX_QUIET_AFTER: Final = timedelta(minutes=15)
#: A box that was heard within this time is expected to be heard.
BOX_EXPECTED_FOR: Final = timedelta(days=30)
#: So many of a practice's boxes, and this share of them, quiet at once: it is not their homes.
BOXES_MIN: Final = 3
BOXES_SHARE: Final = 0.5


class Stage(StrEnum):
    """A part of the pipeline that beats."""

    INGEST = "ingest"
    #: Beaten by a worker while the broker lets it in.
    BROKER = "broker"
    EVALUATE = "evaluate"
    ESCALATE = "escalate"
    SEND = "send"
    #: Everything else a worker looks after, known by the loop of it that is due most often.
    UPKEEP = "deliveries"


#: What does not happen while a stage is silent.
NOT_DONE: Final[Mapping[Stage, str]] = {
    Stage.INGEST: "no worker takes in readings",
    Stage.BROKER: "no worker reaches the broker",
    Stage.EVALUATE: "nothing is judged",
    Stage.ESCALATE: "nobody is called",
    Stage.SEND: "no message is sent",
    Stage.UPKEEP: "nobody looks for messages that did not arrive, or after anything else that is due by itself",
}
#: How a stage that beats and does not get on is told.
NOT_GETTING_ON: Final[Mapping[Stage, str]] = {
    Stage.EVALUATE: "readings wait to be judged",
    Stage.ESCALATE: "calls that are due are not made",
    Stage.SEND: "messages are not taken by their provider",
}


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the database knows. `waiting_since`: of what is due at a stage the oldest; absent where nothing is."""

    beats: Mapping[str, datetime]
    waiting_since: Mapping[Stage, datetime] = field(default_factory=dict[Stage, datetime])


@dataclass(frozen=True, slots=True)
class Boxes:
    """A practice's boxes: how many are expected to be heard, how many of those are quiet or cannot get rid of readings."""

    practice_id: int
    expected: int
    quiet: int
    stuck: int


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that does not work, and since when; `since` None: it never did."""

    said: str
    since: datetime | None


def pipeline_parts(known: Pipeline, *, watching_since: datetime, now: datetime) -> list[Part]:
    """What of the pipeline's own stages does not work, the first in the path of a reading first.

    `watching_since`: since when whoever asks could have seen a beat. After the database was away every beat is old, and
    nothing follows from that until there was time for a new one.
    """
    parts: list[Part] = []
    patient = now - watching_since <= STAGE_SILENT_AFTER
    for stage in Stage:
        beat_at = known.beats.get(stage)
        waiting = known.waiting_since.get(stage)
        if beat_at is None or now - beat_at > STAGE_SILENT_AFTER:
            # A broker that nobody could ask about says nothing of its own.
            told_already = stage is Stage.BROKER and any(part.said == NOT_DONE[Stage.INGEST] for part in parts)
            if not patient and not told_already:
                parts.append(Part(NOT_DONE[stage], beat_at))
        elif waiting is not None and now - waiting > WAITS_TOO_LONG and stage in NOT_GETTING_ON and not patient:
            parts.append(Part(NOT_GETTING_ON[stage], waiting))
    return parts


def boxes_part(boxes: Boxes) -> Part | None:
    """What a practice's boxes together say of the way from the homes; None where each has to be looked at by itself."""
    enough = max(BOXES_MIN, BOXES_SHARE * boxes.expected)
    if boxes.quiet >= enough:
        return Part(f"{boxes.quiet} of {boxes.expected} boxes are not heard", None)
    if boxes.stuck >= enough:
        return Part(f"{boxes.stuck} of {boxes.expected} boxes are heard, and their readings are not taken in", None)
    return None


def sentence(parts: list[Part]) -> str:
    """The parts as an alert tells them; no part, no sentence."""
    told = [f"{part.said} since {part.since:%Y-%m-%d %H:%M} UTC" if part.since else part.said for part in parts]
    words = "; ".join(told)
    return f"{words[:1].upper()}{words[1:]}. Patients may be unwell without an alert until this works again."


def adds_to(said: str, parts: list[Part]) -> bool:
    """Whether one of the parts is silent of which a sentence says nothing."""
    return any(_uncounted(part.said) not in _uncounted(said) for part in parts)


def _uncounted(text: str) -> str:
    """How many boxes are quiet changes all the time, and is no other part."""
    return re.sub(r"\d+", "#", text.casefold())
