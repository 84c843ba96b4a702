"""How often a rule's alert was worth a person's time, by what people said when they closed it (positive predictive value).

Worth it: the patient was spoken to, a medication was changed, somebody was sent to the emergency department. Not: a false reading, or
nothing to do. Where nobody answered it is not known, and counts for neither.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Final

WORTH_IT: Final = frozenset({"called", "medication_change", "emergency_department"})
NOT_WORTH_IT: Final = frozenset({"false_reading", "no_action"})
#: A rule below this is to be looked at, once so many of its alerts in a month say so: of fewer it is chance.
SHARE_MIN: Final = 0.2
ANSWERED_MIN: Final = 10


@dataclass(frozen=True, slots=True)
class Closed:
    """How many alerts of a rule were closed in a month (its first day) with one disposition."""

    rule_id: str
    month: date
    disposition: str
    count: int


@dataclass(frozen=True, slots=True)
class RuleMonth:
    """One rule's month: closed alerts, and of those that say something how many were worth it."""

    rule_id: str
    month: date
    closed: int
    answered: int
    worth_it: int

    @property
    def share(self) -> float | None:
        """The positive predictive value; None where no alert says anything."""
        return self.worth_it / self.answered if self.answered else None

    @property
    def doubtful(self) -> bool:
        """Whether the rule is to be looked at."""
        return self.share is not None and self.answered >= ANSWERED_MIN and self.share < SHARE_MIN


def by_month(closed: Iterable[Closed]) -> list[RuleMonth]:
    """Each rule's months: the newest first, in it those to be looked at first, then the least worth it."""
    counts: dict[tuple[str, date], list[int]] = {}
    for one in closed:
        sums = counts.setdefault((one.rule_id, one.month), [0, 0, 0])
        sums[0] += one.count
        sums[1] += one.count if one.disposition in WORTH_IT | NOT_WORTH_IT else 0
        sums[2] += one.count if one.disposition in WORTH_IT else 0
    found = [RuleMonth(rule_id, month, *sums) for (rule_id, month), sums in counts.items()]
    return sorted(
        found,
        key=lambda one: (
            -one.month.toordinal(), not one.doubtful, 1.0 if one.share is None else one.share, one.rule_id,
        ),
    )  # fmt: skip
