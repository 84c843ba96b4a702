"""What an alert's life ought to be, told simply: no rows, no locks, no replicas. The machine holds the product against it.

One patient and one rule: at most one episode at a time. An episode is called by its severity's steps; whoever has it stops that,
for good or until an end that was said. Of a patient who is away only what is urgent calls.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

LATE_AFTER: Final = timedelta(hours=4)
FORGOTTEN_AFTER: Final = timedelta(minutes=30)
#: By severity: how many minutes it may wait.
WAITS: Final = {1: (240,), 2: (60, 240), 3: (15, 60)}
#: By severity: after how long since the step before, who.
STEPS: Final = {
    1: (),
    2: ((timedelta(0), "nora"),),
    3: ((timedelta(0), "nora"), (timedelta(minutes=15), "ada"), (timedelta(minutes=15), "ada")),
}


class Status(StrEnum):
    """Of an episode."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


@dataclass
class Episode:
    """One alert. `waiting`: messages written and not sent; `told`: (call, who) of those that went out, in order."""

    severity: int
    late: bool
    status: Status = Status.OPEN
    step: int = 0
    next_at: datetime | None = None
    acknowledged_at: datetime | None = None
    snoozed_until: datetime | None = None
    #: It has called, or was about to: only that is taken up again after a snooze.
    called: bool = False
    waiting: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    told: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    @property
    def had(self) -> bool:
        """Somebody is at work. A snooze is nobody at work: who takes it ends it."""
        return self.status is Status.ACKNOWLEDGED and self.snoozed_until is None

    def arm(self, now: datetime, *, away: bool) -> None:
        """Call from the first step, unless nobody is called for this."""
        calls = STEPS[self.severity] and not self.late and (self.severity == 3 or not away)
        self._open(now if calls else None)

    def _open(self, next_at: datetime | None) -> None:
        self.status, self.step, self.acknowledged_at, self.snoozed_until = Status.OPEN, 0, None, None
        self.next_at = next_at
        self.called = self.called or next_at is not None

    def stop(self, status: Status, now: datetime) -> None:
        """A person has it, or is done with it: nobody else is told."""
        self.status, self.next_at, self.acknowledged_at, self.snoozed_until = status, None, now, None
        self.waiting.clear()

    def snooze(self, minutes: int, now: datetime) -> None:
        """A person has it, and it calls again by itself."""
        self.stop(Status.ACKNOWLEDGED, now)
        self.snoozed_until = now + timedelta(minutes=minutes)

    def escalate(self, now: datetime) -> None:
        """One step on, where one is due. What was forgotten is nobody's again, and so is what was to wait until now."""
        if self.status is Status.ACKNOWLEDGED and self.acknowledged_at is not None:
            if self.snoozed_until is not None:
                if self.snoozed_until <= now:
                    self._open(now if self.called else None)
            elif now - self.acknowledged_at >= FORGOTTEN_AFTER and self.severity == 3:
                self._open(now)
        if self.status is not Status.OPEN or self.next_at is None or self.next_at > now:
            return
        self.waiting.append((self.step + 1, STEPS[self.severity][self.step][1]))
        self.step += 1
        further = STEPS[self.severity][self.step :]
        self.next_at = now + further[0][0] if further else None

    def send(self) -> None:
        """What waits goes out."""
        self.told += self.waiting
        self.waiting.clear()


@dataclass
class Patient:
    """Values that nobody has judged yet, as (measured at, severity; 0: in range), and the episodes so far.

    `away_until`: the end of a pause that nothing has ended yet; `back`: how often it was said that one is over.
    """

    news: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    episodes: list[Episode] = field(default_factory=list[Episode])
    away_until: datetime | None = None
    back: int = 0

    def return_by(self, now: datetime) -> None:
        """The day has come: the pause is over, and that is said."""
        if self.away_until is not None and self.away_until <= now:
            self.away_until = None
            self.back += 1

    @property
    def current(self) -> Episode | None:
        """The one that is not closed."""
        return next((one for one in self.episodes if one.status is not Status.CLOSED), None)

    def judge(self, now: datetime) -> None:
        """All news at once. A late red is looked at on the next business day, and calls nobody."""
        reds = [(severity, now - at > LATE_AFTER) for at, severity in self.news if severity]
        self.news.clear()
        if not reds:
            return
        timely = max((severity for severity, late in reds if not late), default=0)
        episode = self.current
        away = self.away_until is not None and self.away_until > now
        if episode is None:
            self.episodes.append(Episode(timely or 1, late=not timely))
            self.episodes[-1].arm(now, away=away)
        elif timely > episode.severity or (timely and episode.late):
            episode.severity, episode.late = timely, False
            episode.arm(now, away=away)
        elif timely == 3 and episode.snoozed_until is not None:
            # Another red: whoever said that it may wait did not know of it.
            episode.arm(now, away=away)
