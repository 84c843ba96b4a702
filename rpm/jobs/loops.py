"""The loops of a worker: plain threads that ask what is due, do it, and wait.

Each turn asks the clock once and passes it down; waiting is by the monotonic clock (T6). A turn that fails is logged by
name and tried again; the loop goes on. NOTIFY only shortens a wait. Each beats by its name (`rpm.outage.Stage`) after a turn
that went well; one that hangs ends its process, unless it can wait (`rpm.jobs.watchdog`).
"""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, Protocol

import structlog

from alerts.channels import ChannelError
from alerts.channels.book import read_channels, read_hooks
from alerts.escalation import Plan
from alerts.rulefile import RulesError
from rpm.calling import installation_plan
from rpm.errors import UserError
from rpm.jobs import (
    contacts,
    cover,
    deliveries,
    escalate,
    evaluate,
    expiries,
    pauses,
    repeats,
    retention,
    rollup,
    scheduler,
    send,
    silence,
    synthetic,
    watchdog,
)
from rpm.jobs.report import Done
from rpm.outage import CAN_WAIT, Stage
from rpm.rulebook import read_layers, read_rulebook
from rpm.settings import Settings
from rpm.store import heartbeats, worklist
from rpm.store.database import Clock, Database
from rpm.store.listener import Listener, ListenerLost

log = structlog.get_logger()

#: The guarantee: a hint that got lost costs this much.
TICK_S: Final = 1.0
#: After a turn that failed: the database may be on its way back.
AFTER_FAILURE_S: Final = 2.0
HEARTBEAT_S: Final = 5.0
#: A turn that takes as long hangs: longer than any sender's lease, and started anew before somebody is called, also where this is
#: the only worker.
TURN_MAX: Final = timedelta(seconds=120)
#: Senders side by side: a mail server that answers one late does not hold up the other.
SENDERS: Final = 2
NEWS: Final = "patient_news"
#: Told whenever a list of alerts has changed: one more is due, or messages were written.
ALERTS: Final = worklist.CHANNEL
#: The loops that a worker may have alone, and the name of all others together.
STAGES: Final = ("evaluate", "escalate", "send")
UPKEEP: Final = "upkeep"


class Report(Protocol):
    """What a turn says of itself."""

    @property
    def done(self) -> int:
        """How much there was to do."""
        ...

    @property
    def more(self) -> bool:
        """Whether to go on without a wait."""
        ...


@dataclass(frozen=True, slots=True)
class Loop:
    """One thread: `turn` is told the time and reports; `channel` is what it is woken by, if by anything.

    `every`: what changes slowly is looked at this often; a turn that failed, or left something to do, is not waited after.
    `spares`: where it hangs, its process goes on, for that has more to do.
    """

    name: str
    turn: Callable[[datetime], Report]
    channel: str | None = None
    every: timedelta = timedelta(0)
    spares: bool = False

    @property
    def can_wait(self) -> bool:
        """Whether it ends nothing where it hangs: nobody is called while it is silent, or it is to spare its process."""
        return self.spares or self.name in CAN_WAIT

    @property
    def turn_max(self) -> timedelta:
        """How long a turn may take; what looks seldom may have much to do."""
        return max(TURN_MAX, self.every / 4)


def start(
    database: Database,
    settings: Settings,
    stop: threading.Event,
    *,
    clock: Clock | None = None,
    only: Collection[str] = (),
) -> list[threading.Thread]:
    """Start judging, calling, sending and housekeeping until `stop` is set; the threads to join then.

    `only`: these of STAGES alone, and with UPKEEP the loops that are none of them; empty: all. UserError where the rules,
    the escalation file or the mail URL cannot be used.
    """
    ask = clock or database.clock
    chosen = [
        loop for loop in loops(database, settings) if not only or (loop.name if loop.name in STAGES else UPKEEP) in only
    ]
    chores = scheduler.rounds() if not only or UPKEEP in only else {}
    threads = _started(chosen, database, stop, ask, also=chores.values())
    if chores:
        house = threading.Thread(
            target=_keep_house, args=(database, stop, ask, chores), name="housekeeping", daemon=True
        )
        house.start()
        threads.append(house)
    return threads


def start_watched(
    loop: Loop, database: Database, stop: threading.Event, *, also: Iterable[watchdog.Round] = ()
) -> list[threading.Thread]:
    """One loop alone, with its watchdog, until `stop` is set; the threads to join then. `also`: watched with it."""
    return _started([loop], database, stop, database.clock, also=also)


def _started(
    chosen: Sequence[Loop],
    database: Database,
    stop: threading.Event,
    ask: Clock,
    *,
    also: Iterable[watchdog.Round] = (),
) -> list[threading.Thread]:
    rounds = [watchdog.Round(loop.name, loop.turn_max.total_seconds(), loop.can_wait) for loop in chosen]
    threads = [
        threading.Thread(target=run, args=(loop, database, stop, ask, own), name=loop.name, daemon=True)
        for loop, own in zip(chosen, rounds, strict=True)
    ]
    watched = [*rounds, *also]
    threads.append(threading.Thread(target=watchdog.watch, args=(watched, stop), name="watchdog", daemon=True))
    for thread in threads:
        thread.start()
    return threads


def loops(database: Database, settings: Settings) -> list[Loop]:
    """The loops of a worker. UserError as in `start`."""
    plan = installation_plan(settings.escalation_file)
    try:
        rules = read_rulebook(settings.rules_file)
        judgement = evaluate.Judgement(rules, plan, read_layers(settings.limits_folder, rules))
        channels = read_channels(settings.channels_file, mail_url=settings.mail_url)
        reporting = read_hooks(settings.channels_file).keys()
    except (RulesError, ChannelError) as error:
        raise UserError(str(error)) from error
    for warning in plan.warnings():
        log.warning("uncovered_hours", said=warning)
    base = settings.public_url.rstrip("/")
    keep = retention.Keep.of(settings)
    sender = Loop(
        "send",
        lambda now: send.run_once(
            database, now=now, channels=channels, base_url=base, singly_max=settings.messages_singly_max, plan=plan
        ),
        ALERTS,
    )
    return [
        Loop("evaluate", evaluate.Judge(database, judgement).turn, NEWS),
        Loop("escalate", lambda now: escalate.run_once(database, now=now, plan=plan), ALERTS),
        Loop(
            "expiries",
            expiries.Expiries(database, plan=plan).turn,
            every=expiries.LOOK_EVERY,
        ),
        silence_loop(database, settings, plan),
        Loop(
            "deliveries",
            lambda now: deliveries.run_once(database, now=now, providers=reporting),
            every=deliveries.LOOK_EVERY,
        ),
        Loop("contacts", lambda now: contacts.run_once(database, now=now, channels=channels, base_url=base, plan=plan)),
        Loop("pauses", lambda now: pauses.run_once(database, now=now), every=pauses.LOOK_EVERY),
        Loop("repeats", lambda now: repeats.run_once(database, now=now)),
        Loop("synthetic", lambda now: synthetic.run_once(database, now=now)),
        Loop("cover", lambda now: cover.run_once(database, now=now, plan=plan), every=cover.LOOK_EVERY),
        Loop("rollup", lambda _now: rollup.run_once(database)),
        Loop(
            "retention",
            lambda now: retention.run_once(database, keep=keep, now=now),
            every=retention.LOOK_EVERY,
        ),
        *[sender] * SENDERS,
    ]


def silence_loop(database: Database, settings: Settings, plan: Plan) -> Loop:
    """What misses those who fall silent. Every process has one: none is missed by itself."""
    patience = silence.Patience(
        box=timedelta(hours=settings.box_silent_hours), readings=timedelta(days=settings.readings_missed_days)
    )
    return Loop("silence", silence.Silences(database, patience=patience, plan=plan).turn)


def start_silence(
    database: Database, settings: Settings, stop: threading.Event, *, also: Iterable[watchdog.Round] = ()
) -> list[threading.Thread]:
    """Only miss those who fall silent, until `stop` is set; the threads to join then. UserError as in `start`."""
    loop = silence_loop(database, settings, installation_plan(settings.escalation_file))
    return start_watched(loop, database, stop, also=also)


def run(loop: Loop, database: Database, stop: threading.Event, clock: Clock, own: watchdog.Round | None = None) -> None:
    """The life of one loop: turn, wait, until `stop`. `own`: where somebody counts its turns."""
    waiter = Waiter(database.dsn, loop.channel, stop)
    beat_at = -HEARTBEAT_S
    looked_at: datetime | None = None
    while not stop.is_set():
        if own is not None:
            own.turns += 1
        try:
            now = clock()
            report = Done(0)
            # A clock that was put back does not hold up what is due by the one that is right.
            if looked_at is None or not timedelta(0) <= now - looked_at < loop.every:
                report = loop.turn(now)
                looked_at = None if report.more else now
            if monotonic() - beat_at >= HEARTBEAT_S:
                with database.transaction() as connection:
                    heartbeats.beat(connection, loop.name, now=now, done=report.done)
                beat_at = monotonic()
        except Exception as error:  # noqa: BLE001 - the outer edge of a loop, by name: its next turn tries again
            log.error("turn_failed", loop=loop.name, error=type(error).__name__)
            stop.wait(AFTER_FAILURE_S)
            continue
        if not report.more:
            waiter.wait()
    waiter.close()


class Waiter:
    """Waits a tick, less where its channel speaks. Without a connection it just waits the tick."""

    def __init__(self, dsn: str, channel: str | None, stop: threading.Event) -> None:
        self._dsn = dsn
        self._channel = channel
        self._stop = stop
        self._listener: Listener | None = None

    def wait(self) -> None:
        """At most TICK_S, or until `stop`."""
        if self._channel is None:
            self._stop.wait(TICK_S)
            return
        try:
            if self._listener is None:
                # What was told before this moment is not heard: the caller looks once more right after.
                self._listener = Listener(self._dsn, self._channel)
                return
            self._listener.wait(TICK_S)
        except ListenerLost:
            self.close()
            self._stop.wait(TICK_S)

    def close(self) -> None:
        """Hear no more."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None


def _keep_house(
    database: Database, stop: threading.Event, clock: Clock, rounds: Mapping[Stage, watchdog.Round]
) -> None:
    stop_chores = scheduler.start(database, clock, rounds)
    stop.wait()
    stop_chores()
