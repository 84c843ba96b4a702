"""What of the pipeline does not work, told from what the database knows of each part (F61, H3, H13, S4). Pure.

No part judges itself: a stage is missed by whoever reads the table of heartbeats, and that is the worker's silence loop, the
same loop beside the pages, and, from elsewhere, `rpm-cloud watch`. Nothing here looks at whether readings are fresh: that
would silence the alarm for the very case it is there for (H4).

Each loop beats by its own name, whichever worker runs it: what is missed here is work that nobody does any more. That one
loop of one worker hangs while another's goes on is its own process's to end (`rpm.jobs.watchdog`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

#: A stage beats every five seconds, and one turn of it may take as long as a lease of the sender, a minute and a half.
STAGE_SILENT_AFTER: Final = timedelta(minutes=3)
#: What looks seldom is silent when so many of its looks are missing.
LOOKS_MISSED: Final = 3
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
    """A part of the pipeline that beats: the way from a reading to a call, then every other loop of a worker."""

    INGEST = "ingest"
    #: Beaten by a worker while the broker lets it in.
    BROKER = "broker"
    EVALUATE = "evaluate"
    ESCALATE = "escalate"
    SEND = "send"
    REPEATS = "repeats"
    DELIVERIES = "deliveries"
    PAUSES = "pauses"
    SILENCE = "silence"
    CONTACTS = "contacts"
    COVER = "cover"
    EXPIRIES = "expiries"
    SYNTHETIC = "synthetic"
    ROLLUP = "rollup"
    RETENTION = "retention"
    ADJUST = "adjust_closed_months"
    SESSIONS = "expire_sessions"


#: From a reading to a call.
WAY: Final = (Stage.INGEST, Stage.BROKER, Stage.EVALUATE, Stage.ESCALATE, Stage.SEND)
#: Everything else a worker looks after.
UPKEEP: Final = tuple(stage for stage in Stage if stage not in WAY)
#: What of it nobody is called for: it is a fault on support's list, and no patient is worse off tonight.
CAN_WAIT: Final = frozenset(
    {
        Stage.CONTACTS, Stage.COVER, Stage.EXPIRIES, Stage.SYNTHETIC, Stage.ROLLUP, Stage.RETENTION, Stage.ADJUST,
        Stage.SESSIONS,
    }
)  # fmt: skip
#: How often what changes slowly is looked at. Everything else takes a turn every second.
LOOKS_EVERY: Final[Mapping[Stage, timedelta]] = {
    Stage.DELIVERIES: timedelta(seconds=5),
    Stage.PAUSES: timedelta(minutes=1),
    Stage.SESSIONS: timedelta(minutes=5),
    Stage.EXPIRIES: timedelta(minutes=10),
    Stage.COVER: timedelta(hours=1),
    Stage.RETENTION: timedelta(hours=1),
    Stage.ADJUST: timedelta(hours=1),
}

#: What does not happen while a stage is silent.
NOT_DONE: Final[Mapping[Stage, str]] = {
    Stage.INGEST: "no worker takes in readings",
    Stage.BROKER: "no worker reaches the broker",
    Stage.EVALUATE: "nothing is judged",
    Stage.ESCALATE: "nobody is called",
    Stage.SEND: "no message is sent",
    Stage.REPEATS: "a first reading out of range is not asked for again, and is not judged when its time is over",
    Stage.DELIVERIES: "nobody looks for messages that did not arrive",
    Stage.PAUSES: "what was set aside while somebody was away is not looked at again",
    Stage.SILENCE: "nobody misses boxes and people who fall silent",
    Stage.CONTACTS: "contacts are not asked whether they still reach their owner",
    Stage.COVER: "nobody looks ahead for hours in which a call would reach nobody",
    Stage.EXPIRIES: "nobody looks for certificates that end and backups that are not tried",
    Stage.SYNTHETIC: "the synthetic patient’s alerts are not closed",
    Stage.ROLLUP: "the charts of weeks and months are not brought up to date",
    Stage.RETENTION: "nothing is let go of that need not be kept any longer",
    Stage.ADJUST: "closed months of billing are not compared with what became known since",
    Stage.SESSIONS: "sessions that ended are not tidied away",
}
#: How it is told where all of the upkeep is silent at once, as where nobody runs it.
NO_UPKEEP: Final = (
    "nobody looks after anything that is due by itself: second readings, messages that did not arrive, pauses"
)
#: What an installation with certificates runs besides, by its sign of life, and what does not happen while it is silent.
GUARD: Final = "broker_guard"
LISTS: Final = "revoke"
NOT_KEPT: Final[Mapping[str, str]] = {
    GUARD: "The guard beside the broker is silent: a box that is revoked stays in, a new one is not let in, and within a week the"
    " broker refuses everybody. See that `rpm-cloud broker guard` runs",
    LISTS: "Nobody makes lists of revoked certificates: a box that is revoked stays in. See that `rpm-cloud serve` or"
    " `rpm-cloud ca serve` runs with RPM_CA_FOLDER",
}
KEEPER_SILENT_AFTER: Final = timedelta(minutes=15)
#: What was not heard for longer was given up, and so was what was never heard.
KEEPER_EXPECTED_FOR: Final = timedelta(days=30)
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
    """One thing that does not work, and since when; `since` None: it never did. `can_wait`: see CAN_WAIT."""

    said: str
    since: datetime | None
    can_wait: bool = False


def silent_after(stage: Stage) -> timedelta:
    """How old the last beat of a stage may be."""
    return max(STAGE_SILENT_AFTER, LOOKS_MISSED * LOOKS_EVERY.get(stage, timedelta(0)))


def pipeline_parts(known: Pipeline, *, watching_since: datetime, now: datetime) -> list[Part]:
    """What of the way from a reading to a call does not work, the first in the path of a reading first.

    `watching_since`: since when whoever asks could have seen a beat. After the database was away every beat is old, and
    nothing follows from that until there was time for a new one.
    """
    parts: list[Part] = []
    for stage in WAY:
        if not _could_be_seen(stage, watching_since, now=now):
            continue
        waiting = known.waiting_since.get(stage)
        if _is_silent(known, stage, now=now):
            # A broker that nobody could ask about says nothing of its own.
            told_already = stage is Stage.BROKER and any(part.said == NOT_DONE[Stage.INGEST] for part in parts)
            if not told_already:
                parts.append(Part(NOT_DONE[stage], known.beats.get(stage)))
        elif waiting is not None and now - waiting > WAITS_TOO_LONG and stage in NOT_GETTING_ON:
            parts.append(Part(NOT_GETTING_ON[stage], waiting))
    return parts


def upkeep_parts(known: Pipeline, *, watching_since: datetime, now: datetime) -> list[Part]:
    """What of everything else does not work, what cannot wait first. `watching_since`: see `pipeline_parts`."""
    silent = [
        stage
        for stage in UPKEEP
        if _is_silent(known, stage, now=now) and _could_be_seen(stage, watching_since, now=now)
    ]
    # What looks seldom is silent later; whoever misses the others beats himself.
    soon = {stage for stage in UPKEEP if silent_after(stage) == STAGE_SILENT_AFTER} - {Stage.SILENCE}
    if soon <= set(silent):
        beats = [known.beats.get(stage) for stage in soon]
        return [Part(NO_UPKEEP, None if None in beats else max(beat for beat in beats if beat is not None))]
    return [Part(NOT_DONE[stage], known.beats.get(stage), stage in CAN_WAIT) for stage in silent]


def silent_keepers(beats: Mapping[str, datetime], *, watching_since: datetime, now: datetime) -> dict[str, str]:
    """What of that which looks after the certificates is not heard any more, each with what to tell.

    `watching_since`: as in `pipeline_parts`.
    """
    if now - watching_since <= KEEPER_SILENT_AFTER:
        return {}
    return {
        name: f"{said}. It was last heard {beats[name]:%Y-%m-%d %H:%M} UTC"
        for name, said in NOT_KEPT.items()
        if name in beats and KEEPER_SILENT_AFTER < now - beats[name] <= KEEPER_EXPECTED_FOR
    }


def heard_keepers(beats: Mapping[str, datetime], *, now: datetime) -> list[str]:
    """What of it is heard."""
    return [name for name in NOT_KEPT if name in beats and now - beats[name] <= KEEPER_SILENT_AFTER]


def _is_silent(known: Pipeline, stage: Stage, *, now: datetime) -> bool:
    beat_at = known.beats.get(stage)
    return beat_at is None or now - beat_at > silent_after(stage)


def _could_be_seen(stage: Stage, watching_since: datetime, *, now: datetime) -> bool:
    return now - watching_since > silent_after(stage)


def boxes_part(boxes: Boxes) -> Part | None:
    """What a practice's boxes together say of the way from the homes; None where each has to be looked at by itself."""
    enough = max(BOXES_MIN, BOXES_SHARE * boxes.expected)
    if boxes.quiet >= enough:
        return Part(f"{boxes.quiet} of {boxes.expected} boxes are not heard", None)
    if boxes.stuck >= enough:
        return Part(f"{boxes.stuck} of {boxes.expected} boxes are heard, and their readings are not taken in", None)
    return None


#: What it means where a patient may be worse off, and where nobody is.
HARMS: Final = "Patients may be unwell without an alert until this works again."
WAITS: Final = "Alerts go on. Tell whoever keeps this installation."


def sentence(parts: list[Part]) -> str:
    """The parts as an alert tells them; no part, no sentence."""
    told = [f"{part.said} since {part.since:%Y-%m-%d %H:%M} UTC" if part.since else part.said for part in parts]
    words = "; ".join(told)
    means = WAITS if all(part.can_wait for part in parts) else HARMS
    return f"{words[:1].upper()}{words[1:]}. {means}"


def adds_to(said: str, parts: list[Part]) -> bool:
    """Whether one of the parts is silent of which a sentence says nothing."""
    return any(_uncounted(part.said) not in _uncounted(said) for part in parts)


def _uncounted(text: str) -> str:
    """How many boxes are quiet changes all the time, and is no other part."""
    return re.sub(r"\d+", "#", text.casefold())
