"""What an alert's life ought to be, told simply: no rows, no locks, no replicas. The machine holds the product against it.

One patient and one rule: at most one episode at a time. An episode is called by its severity's steps; whoever has it stops that.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

LATE_AFTER: Final = timedelta(hours=4)
FORGOTTEN_AFTER: Final = timedelta(minutes=30)
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
    waiting: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    told: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])

    def arm(self, now: datetime) -> None:
        """Call from the first step, unless nobody is called for this."""
        self.status, self.step, self.acknowledged_at = Status.OPEN, 0, None
        self.next_at = now if STEPS[self.severity] and not self.late else None

    def stop(self, status: Status, now: datetime) -> None:
        """A person has it, or is done with it: nobody else is told."""
        self.status, self.next_at, self.acknowledged_at = status, None, now
        self.waiting.clear()

    def escalate(self, now: datetime) -> None:
        """One step on, where one is due. What was forgotten is nobody's again."""
        forgotten = self.acknowledged_at is not None and now - self.acknowledged_at >= FORGOTTEN_AFTER
        if self.status is Status.ACKNOWLEDGED and forgotten and self.severity == 3:
            self.arm(now)
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
    """Values that nobody has judged yet, as (measured at, severity; 0: in range), and the episodes so far."""

    news: list[tuple[datetime, int]] = field(default_factory=list[tuple[datetime, int]])
    episodes: list[Episode] = field(default_factory=list[Episode])

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
        if episode is None:
            self.episodes.append(Episode(timely or 1, late=not timely))
            self.episodes[-1].arm(now)
        elif timely > episode.severity or (timely and episode.late):
            episode.severity, episode.late = timely, False
            episode.arm(now)
