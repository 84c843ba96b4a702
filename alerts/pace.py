"""How fast one contact is written to: singly at first, then in summaries, and the first red always at once (F58).

A telephone that rings a thousand times tells nobody anything, and a provider that is flooded sends nothing. Each contact has
its own pace: nobody's flood delays a message to anybody else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.severity import Severity

#: As far back as messages to a contact count.
WINDOW: Final = timedelta(minutes=5)
#: So many within the window go singly, where an installation says nothing else.
SINGLY_MAX: Final = 5
#: From then on one message for all that wait, this often.
SUMMARY_EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that a contact was sent within the window."""

    at: datetime
    severity: Severity


@dataclass(frozen=True, slots=True)
class Go:
    """Send it, alone or (`summary`) for all that wait for this contact."""

    summary: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Not before `until`."""

    until: datetime
    reason: str


def pace(sent: Sequence[Sent], severity: Severity, *, now: datetime, singly_max: int = SINGLY_MAX) -> Go | Wait:
    """What becomes of a message that is due for a contact. `sent`: what went to it within WINDOW, in any order."""
    if len(sent) < singly_max:
        return Go(False, "few went before it")
    if severity is Severity.URGENT and all(one.severity < Severity.URGENT for one in sent):
        return Go(False, "the first urgent one goes at once")
    next_at = max(one.at for one in sent) + SUMMARY_EVERY
    if now < next_at:
        return Wait(next_at, f"{len(sent)} went within {WINDOW // timedelta(minutes=1)} minutes")
    return Go(True, f"{len(sent)} went within {WINDOW // timedelta(minutes=1)} minutes: one message for all that wait")
