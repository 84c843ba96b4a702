"""The ingest loop: take a batch, settle it, send receipts, acknowledge. In this order and no other (L5, L20).

Two hands do so in turn: while one waits for the database the other decides, and a batch that has to wait for a lock holds up
no other. They share nothing but the inbox, as two workers share nothing but the broker.

While the database is away nothing is acknowledged and nothing lost: the same batch is tried until it is settled.
"""

import os
import random
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

import structlog

from rpm.broker.tls import identity_of
from rpm.ingest.batch import SettledMeanwhile, settle
from rpm.ingest.inbox import Delivery, Inbox
from rpm.ingest.receipts import Settlement, receipts
from rpm.ingest.subscriber import Subscriber, broker_address
from rpm.outage import Stage
from rpm.settings import Settings
from rpm.store import heartbeats, readings, requests
from rpm.store.clock import SteadyClock
from rpm.store.database import Clock, Database, DatabaseUnavailable
from rpm.store.names import HeldName
from schemas.messages import Receipt, Request

STAGE: Final = Stage.INGEST
#: A third finds neither the processor nor the database free.
HANDS: Final = 2
BEAT_EVERY_S: Final = 5.0
ASK_EVERY_S: Final = 1.0
ASKED_AT_ONCE_MAX: Final = 100
#: An idle loop turns at least this often.
IDLE_WAIT_S: Final = 0.5
RETRY_S_MIN: Final = 0.2
RETRY_S_MAX: Final = 5.0
#: A loop that has not turned for this long hangs: above what one statement and one wait for a connection may take.
STALL_S_MAX: Final = 45.0
WATCH_EVERY_S: Final = 1.0
#: Told to whoever started the process: it ended itself, start it again (EX_SOFTWARE).
EXIT_STALLED: Final = 70

_random = random.SystemRandom()
_log = structlog.get_logger()


class Post(Protocol):
    """What the loop needs of the broker."""

    inbox: Inbox

    @property
    def alive(self) -> bool:
        """Whether messages can still arrive."""
        ...

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""
        ...

    def send(self, receipts: Sequence[Receipt]) -> int:
        """Send receipts; how many were left out."""
        ...

    def ask(self, asked: Sequence[Request]) -> int:
        """Send requests; how many were left out."""
        ...

    def acknowledge(self, deliveries: Sequence[Delivery]) -> int:
        """Acknowledge to the broker; how many belong to an earlier connection."""
        ...


class IngestLoop:
    """One worker's loop. `turned_at` (monotonic seconds, of the hand that turned longest ago) is what the watchdog looks at."""

    def __init__(self, database: Database, post: Post, stop: threading.Event, *, clock: Clock | None = None) -> None:
        self._database = database
        self._post = post
        self._stop = stop
        self._clock = clock or SteadyClock(database.clock)
        self._connections = [database.lasting() for _ in range(HANDS)]
        #: By hand: each writes its own place only.
        self._turned_at = [time.monotonic()] * HANDS
        self._settled = [0] * HANDS
        self._beat_at = 0.0
        self._asked_at = 0.0

    @property
    def turned_at(self) -> float:
        """When the hand that has been busy longest last began something."""
        return min(self._turned_at)

    def run(self) -> None:
        """Turn until `stop` is set; the batches in hand are finished first."""
        others = [
            threading.Thread(target=self._work, args=(hand,), name=f"ingest-{hand}", daemon=True)
            for hand in range(1, HANDS)
        ]
        for thread in others:
            thread.start()
        while not self._stop.is_set():
            self.turn(wait_s=IDLE_WAIT_S)
        self._connections[0].rest()
        for thread in others:
            thread.join()

    def turn(self, *, wait_s: float) -> int:
        """One turn of the first hand, which also keeps house; how many messages its batch had."""
        self._turned_at[0] = time.monotonic()
        self._beat()
        self._ask()
        return self.take_and_settle(0, wait_s=wait_s)

    def _work(self, hand: int) -> None:
        while not self._stop.is_set():
            self.take_and_settle(hand, wait_s=IDLE_WAIT_S)
        self._connections[hand].rest()

    def take_and_settle(self, hand: int, *, wait_s: float) -> int:
        """One batch, from the inbox to its acknowledgement; how many messages it had. The simulation runs this too."""
        self._turned_at[hand] = time.monotonic()
        batch = self._post.inbox.take(wait_s=wait_s)
        if not batch:
            self._connections[hand].rest()
            return 0
        settlements = self._settle(hand, batch)
        if settlements is None:
            return 0
        self._post.send(receipts(settlements))
        stale = self._post.acknowledge(batch)
        self._settled[hand] += len(settlements)
        if stale:
            _log.info("ingest.stale_acknowledgements", count=stale)
        return len(batch)

    def _settle(self, hand: int, batch: Sequence[Delivery]) -> list[Settlement] | None:
        """What the batch came to; None where `stop` was set while the database was away."""
        messages = [delivery.message for delivery in batch]
        retry_s = RETRY_S_MIN
        attempts = 0
        while True:
            self._turned_at[hand] = time.monotonic()
            try:
                settlements = settle(self._connections[hand], messages, now=self._clock())
            except (DatabaseUnavailable, SettledMeanwhile) as error:
                attempts += 1
                _log.warning("ingest.database_away", attempts=attempts, messages=len(batch), error=str(error))
            else:
                if attempts:
                    _log.info("ingest.database_back", attempts=attempts)
                return settlements
            if self._stop.wait(retry_s * _random.uniform(0.5, 1.0)):
                return None
            retry_s = min(2 * retry_s, RETRY_S_MAX)

    def _beat(self) -> None:
        """Every few seconds: this stage is alive, and how much waits."""
        if time.monotonic() - self._beat_at < BEAT_EVERY_S:
            return
        self._beat_at = time.monotonic()
        try:
            now: datetime = self._clock()
            with readings.one_transaction(self._database) as connection:
                heartbeats.beat(connection, STAGE, now=now, waiting=len(self._post.inbox), settled=sum(self._settled))
                if self._post.connected:
                    heartbeats.beat(connection, Stage.BROKER, now=now)
        except DatabaseUnavailable:
            _log.warning("ingest.no_heartbeat")

    def _ask(self) -> None:
        """Every second: publish what gateways are asked. Marked as sent first; what gets lost goes again."""
        if time.monotonic() - self._asked_at < ASK_EVERY_S:
            return
        self._asked_at = time.monotonic()
        try:
            now: datetime = self._clock()
            with readings.one_transaction(self._database) as connection:
                requests.expire(connection, now=now)
                asked = requests.claim(connection, now=now, limit=ASKED_AT_ONCE_MAX)
        except DatabaseUnavailable:
            return  # the beat says so
        if asked:
            left_out = self._post.ask(asked)
            _log.info("ingest.asked", requests=len(asked), left_out=left_out)


def watch(loop: IngestLoop, post: Post, stop: threading.Event, *, leave: Callable[[int], None] = os._exit) -> None:
    """End the process where the loop hangs or the broker's thread has died: a supervisor starts a sound one (L14)."""
    while not stop.wait(WATCH_EVERY_S):
        stalled_s = time.monotonic() - loop.turned_at
        if stalled_s > STALL_S_MAX or not post.alive:
            _log.critical("ingest.watchdog", stalled_s=round(stalled_s), broker_thread=post.alive)
            leave(EXIT_STALLED)
            return


def start(
    database: Database, settings: Settings, stop: threading.Event, *, clock: Clock | None = None
) -> list[threading.Thread]:
    """Join the workers at the broker and take in readings until `stop` is set; the threads to join then.

    UserError where the broker's URL is none, the broker refuses the account, or another worker has the same certificate.
    """
    identity = identity_of(settings)
    # Before the broker is asked: it would throw out the one that already works (F13).
    held = HeldName(database.dsn, identity.name) if identity else None
    subscriber = Subscriber(broker_address(settings.broker_url), identity)
    subscriber.start()
    loop = IngestLoop(database, subscriber, stop, clock=clock)
    watchdog = threading.Thread(target=watch, args=(loop, subscriber, stop), name="ingest-watchdog", daemon=True)
    watchdog.start()
    thread = threading.Thread(target=_run, args=(loop, subscriber, held), name="ingest", daemon=True)
    thread.start()
    return [thread]


def _run(loop: IngestLoop, subscriber: Subscriber, held: HeldName | None) -> None:
    try:
        loop.run()
    finally:
        subscriber.stop()
        if held is not None:
            held.close()
