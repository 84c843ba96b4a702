"""What is wrong, when somebody is told, and when they are told that it is over. Pure: facts and `now` in, decisions out.

Nothing counts from before this process was there to see it: a watcher that was off for an hour blames nobody for the hour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from rpm.health import Health
from rpm.outage import CAN_WAIT, NOT_DONE, NOT_GETTING_ON, Stage
from rpm.watch.settings import WatchSettings

#: An age is told over a network: an alert's instant is known to so much.
AGE_TOLERANCE: Final = timedelta(seconds=2)
#: Alerts of which the mail is remembered.
ARRIVED_MAX: Final = 50


class Answer(StrEnum):
    """What asking the pages came to."""

    TOLD = "told"
    NO_DATABASE = "the pages answer that the database does not"
    NONE = "the pages do not answer"


@dataclass(frozen=True, slots=True)
class Look:
    """One question to the pages. `health`: where they TOLD."""

    answer: Answer
    health: Health | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """A mail of the synthetic patient: of which alert, and when it was here."""

    alert: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not work; `key` says what, whatever words it is told in."""

    key: str
    said: str


@dataclass(frozen=True, slots=True)
class Standing:
    """A finding that is there. `told_at`: when an alarm for it was last taken; None: not yet."""

    said: str
    since: datetime
    told_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered from look to look, and over restarts."""

    #: When the pages last told something.
    answered_at: datetime | None = None
    looked_at: datetime | None = None
    arrivals: tuple[Arrival, ...] = ()
    #: The newest alert of the synthetic patient that was heard of, and when it was raised by this machine's clock.
    raised: Arrival | None = None
    standing: Mapping[str, Standing] = field(default_factory=dict[str, Standing])


@dataclass(frozen=True, slots=True)
class Alarm:
    """A message to be sent now. `tells`: the keys it is about; none: all is well again."""

    subject: str
    body: str
    tells: tuple[str, ...]


def learn(memory: Memory, look: Look, arrivals: Sequence[Arrival], *, now: datetime) -> Memory:
    """The memory with what this look and these mails tell."""
    known = (*memory.arrivals, *arrivals)[-ARRIVED_MAX:]
    memory = replace(memory, looked_at=now, arrivals=known)
    if look.health is None:
        return memory
    raised = memory.raised
    told = look.health.synthetic
    if told is not None and (raised is None or raised.alert != told.alert):
        raised = Arrival(told.alert, now - timedelta(seconds=told.raised_age_s))
    return replace(memory, answered_at=now, raised=raised)


def findings(
    memory: Memory, look: Look, settings: WatchSettings, *, started_at: datetime, now: datetime
) -> list[Finding]:
    """What does not work now, by what was learnt. `started_at`: since when this process could have seen it work."""
    found: list[Finding] = []
    silent_after = timedelta(seconds=settings.silent_after_s)
    if look.health is None:
        if now - max(memory.answered_at or started_at, started_at) > silent_after:
            found.append(Finding("pages" if look.answer is Answer.NONE else "database", str(look.answer)))
    else:
        found += _of_stages(look.health, settings, started_at=started_at, now=now)
    late = _of_synthetic(memory, settings, started_at=started_at, now=now)
    return [*found, late] if late else found


def _of_stages(health: Health, settings: WatchSettings, *, started_at: datetime, now: datetime) -> list[Finding]:
    found: list[Finding] = []
    for stage in Stage:
        if stage in CAN_WAIT:
            continue  # Told on the lists inside, and nobody is woken for it.
        told = health.stages.get(stage)
        age_s = (now - started_at).total_seconds() if told is None or told.age_s is None else told.age_s
        if age_s > settings.silent_after_s:
            # A broker that nobody could ask about says nothing of its own.
            if stage is not Stage.BROKER or not any(one.key == f"stage.{Stage.INGEST}" for one in found):
                found.append(Finding(f"stage.{stage}", NOT_DONE[stage]))
        elif told is not None and told.waiting_s > settings.waiting_after_s and stage in NOT_GETTING_ON:
            found.append(Finding(f"waiting.{stage}", NOT_GETTING_ON[stage]))
    return found


def _of_synthetic(memory: Memory, settings: WatchSettings, *, started_at: datetime, now: datetime) -> Finding | None:
    """The synthetic patient's page that is missing: raised and not come, or not even raised."""
    if settings.synthetic is None:
        return None
    within = timedelta(minutes=settings.synthetic.within_min)
    every = timedelta(minutes=settings.synthetic.every_min)
    raised = memory.raised
    if raised is not None and now - max(raised.at, started_at) > within:
        come = any(one.alert == raised.alert and one.at >= raised.at - AGE_TOLERANCE for one in memory.arrivals)
        if not come:
            return Finding("synthetic", "the synthetic patient’s alert was raised, and its message did not arrive")
    newest = max((one.at for one in memory.arrivals), default=started_at)
    if now - max(newest, started_at) > every + within:
        return Finding("synthetic", "no message of the synthetic patient arrives, and no alert of it is known")
    return None


def alarm(
    memory: Memory, found: Sequence[Finding], settings: WatchSettings, *, now: datetime
) -> tuple[Memory, Alarm | None]:
    """What stands now, and the message that is due, if one is. Whoever sends it reports by `told` that it was taken."""
    before = memory.standing
    standing = {
        one.key: Standing(one.said, before[one.key].since, before[one.key].told_at)
        if one.key in before
        else Standing(one.said, now)
        for one in found
    }
    over = {key: was for key, was in before.items() if key not in standing}
    if standing:
        repeat = timedelta(minutes=settings.repeat_every_min)
        due = [key for key, one in standing.items() if one.told_at is None or now - one.told_at >= repeat]
        # What is over while other things stand is told with those; what nobody was told of is over in silence.
        if not due:
            return replace(memory, standing=standing), None
        lines = [f"{_upper(one.said)}, since {one.since:%Y-%m-%d %H:%M:%S} UTC." for one in standing.values()]
        subject = f"{settings.name}: monitoring does not work"
        body = "\n".join([*lines, "", _MEANS])
        return replace(memory, standing=standing), Alarm(subject, body, tuple(standing))
    told = [was for was in over.values() if was.told_at is not None]
    if not told:
        return replace(memory, standing={}), None
    lines = [f"Over: {was.said}, since {was.since:%Y-%m-%d %H:%M:%S} UTC." for was in told]
    well = Alarm(f"{settings.name}: monitoring works again", "\n".join(lines), ())
    # Remembered until the message is taken: nobody is left with an alarm that nobody called off.
    return replace(memory, standing=dict(over)), well


def told(memory: Memory, sent: Alarm, *, now: datetime) -> Memory:
    """The memory after a message was taken by at least one channel."""
    if not sent.tells:
        return replace(memory, standing={})
    return replace(
        memory,
        standing={key: replace(one, told_at=now) if key in sent.tells else one for key, one in memory.standing.items()},
    )


_MEANS: Final = (
    "Patients may be unwell without an alert until this works again. Whoever is on call for this installation looks now;\n"
    "the clinic is told that alerts may be missing. This message carries no patient data."
)


def _upper(said: str) -> str:
    return said[:1].upper() + said[1:]
