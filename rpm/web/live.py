"""What is live: one thread watches the database, every open page hears of it by server-sent events.

An event says what the list's version is, how many alerts are open, and since when the pipeline is silent. It is sent on
every change and every few seconds besides, but only while the watcher itself has just seen the database: a page that
hears nothing for half a minute tells its reader by its own clock that it is not live (H3, H6).
"""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from rpm.access import Actor
from rpm.jobs.watchdog import Round
from rpm.outage import CAN_WAIT, WAY, Stage
from rpm.store import worklist
from rpm.store.database import Clock, Database, DatabaseUnavailable
from rpm.store.heartbeats import heartbeats
from rpm.store.listener import Listener, ListenerLost
from rpm.web.session import Everything, Nurse, find_session, now_of, require, token_of

router = APIRouter()
_log = structlog.get_logger()

#: The watcher looks this often even where nothing was announced.
LOOK_EVERY_S: Final = 1.0
#: A look that takes as long hangs.
HANGS_AFTER_S: Final = 120.0
#: A page hears something at least this often while all is well.
BEAT_EVERY_S: Final = 5.0
#: A look older than this is not passed on as live.
LOOK_AGE_MAX_S: Final = 10.0
#: An open stream asks this often whether its session still lives: a revoked one is cut off soon.
SESSION_EVERY_S: Final = 10.0
STREAMS_MAX: Final = 400
#: The stages without which readings, or their silence, do not become alerts that reach a person. Not the broker, which is
#: away for a moment whenever a worker starts.
STAGES: Final = tuple(str(stage) for stage in Stage if stage not in CAN_WAIT and stage is not Stage.BROKER)
#: A stage that has not beaten for this long is silent.
SILENT_AFTER: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Look:
    """What the watcher saw: each practice's standing, and since when which stage of the pipeline is silent."""

    standings: Mapping[int, worklist.Standing]
    silent_since: datetime | None
    silent_stage: str
    at: datetime
    seen_s: float

    def event(self, practice_id: int) -> str:
        """The look as one server-sent event for one practice."""
        standing = self.standings.get(practice_id)
        facts = {
            "version": standing.version if standing else "",
            "urgent": standing.urgent if standing else 0,
            "open": standing.alerts if standing else 0,
            "silent_since": self.silent_since.isoformat() if self.silent_since else None,
            "silent_stage": self.silent_stage,
        }
        return f"data: {json.dumps(facts)}\n\n"


def silence(beats: Mapping[str, datetime], *, now: datetime) -> tuple[datetime | None, str]:
    """Since when which stage is silent, (None, "") while all beat: the longest silent of the way, before any other.

    A stage that never beat is silent since the beginning of time: nobody knows better.
    """
    never = datetime.min.replace(tzinfo=now.tzinfo)
    silent = [
        (stage not in WAY, beats.get(stage, never), order, stage)
        for order, stage in enumerate(STAGES)
        if now - beats.get(stage, never) > SILENT_AFTER
    ]
    if not silent:
        return None, ""
    _, beat_at, _, stage = min(silent)
    return beat_at, stage


class Watcher:
    """Looks at the database in a thread of its own and wakes the streams when something changed."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._look: Look | None = None
        self._waiting: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._thread = threading.Thread(target=self._run, name="live-watcher", daemon=True)
        #: Counts its looks, for whoever ends a process of which no page is live.
        self.round = Round("live-watcher", HANGS_AFTER_S)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def end_streams(self) -> None:
        """End the watch, and every stream with it; the thread ends in its own time."""
        self._stop.set()
        self._wake()

    def stop(self) -> None:
        """End the watch and wait for its thread."""
        self.end_streams()
        self._thread.join(timeout=2 * LOOK_EVERY_S)

    @property
    def stopped(self) -> bool:
        """Whether the server is going down."""
        return self._stop.is_set()

    @property
    def streams(self) -> int:
        """How many pages listen."""
        with self._lock:
            return len(self._waiting)

    def look(self) -> Look | None:
        """The last look, or None where it is too old to be called live."""
        with self._lock:
            look = self._look
        return look if look and monotonic() - look.seen_s <= LOOK_AGE_MAX_S else None

    def join(self) -> asyncio.Event:
        """An event that is set whenever something changed; give it back with `leave`."""
        woken = asyncio.Event()
        with self._lock:
            self._waiting.add((asyncio.get_running_loop(), woken))
        return woken

    def leave(self, woken: asyncio.Event) -> None:
        """A page went away."""
        with self._lock:
            self._waiting = {pair for pair in self._waiting if pair[1] is not woken}

    def _wake(self) -> None:
        with self._lock:
            waiting = list(self._waiting)
        for loop, woken in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(woken.set)

    def _run(self) -> None:
        while not self._stop.is_set():
            self.round.turns += 1
            try:
                with Listener(self._database.dsn, worklist.CHANNEL) as listener:
                    while not self._stop.is_set():
                        self.round.turns += 1
                        self._look_once()
                        listener.wait(LOOK_EVERY_S)
            except (ListenerLost, DatabaseUnavailable) as error:
                _log.warning("live_database_away", kind=type(error).__name__)
                self._stop.wait(LOOK_EVERY_S)

    def _look_once(self) -> None:
        now = self._clock()
        with self._database.transaction() as connection:
            standings = worklist.standings(connection)
            since, stage = silence({one.stage: one.beat_at for one in heartbeats(connection)}, now=now)
        look = Look(standings, since, stage, now, monotonic())
        with self._lock:
            before, self._look = self._look, look
        if before is None or (before.standings, before.silent_stage) != (look.standings, look.silent_stage):
            self._wake()


def watcher_of(request: Request) -> Watcher:
    """The application's watcher."""
    watcher: Watcher = request.app.state.watcher
    return watcher


@router.get("/live")
def live(
    request: Request, actor: Nurse, store: Everything, watcher: Annotated[Watcher, Depends(watcher_of)]
) -> Response:
    """A stream of what changed in the practice's worklist. Ends when the session does."""
    if watcher.streams >= STREAMS_MAX:
        return Response("Too many pages are open.", status_code=503)
    stream = _stream(request, actor, store, watcher)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _stream(request: Request, actor: Actor, store: Database, watcher: Watcher) -> AsyncIterator[str]:
    woken = watcher.join()
    asked_s = monotonic()
    try:
        yield "retry: 2000\n\n"
        while not watcher.stopped:
            woken.clear()
            look = watcher.look()
            if look is not None:
                yield look.event(actor.practice_id)
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), BEAT_EVERY_S)
            if monotonic() - asked_s >= SESSION_EVERY_S:
                asked_s = monotonic()
                if not await run_in_threadpool(_still_signed_in, request, store):
                    yield "event: ended\ndata: {}\n\n"
                    return
    finally:
        watcher.leave(woken)


def _still_signed_in(request: Request, store: Database) -> bool:
    try:
        with store.transaction() as connection:
            session, _ = find_session(connection, token_of(request), now=now_of(request))
    except DatabaseUnavailable:
        # Not known: the page hears nothing while the database is away, and is asked again.
        return True
    return session is not None


@router.post("/live/active", status_code=204)
def active(_actor: Annotated[Actor, Depends(require("nurse", "support", "biller", "admin"))]) -> None:
    """A person is at the page (keys, pointer): the session's idle time starts again."""
