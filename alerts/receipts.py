"""What the reports on a message say of it, in whatever order they came: one may be here before our own "sent" is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from alerts.channels.carriers import Outcome


@dataclass(frozen=True, slots=True)
class Receipt:
    """One report. `message`: as the provider names what it speaks of; empty where the signed address says that."""

    provider: str
    message: str
    outcome: Outcome
    why: str


def verdict(receipts: Sequence[Receipt], *, provider: str, messages: Collection[str]) -> Receipt | None:
    """What became of what `provider` took, and calls by `messages` (several: it went in parts); None: nothing certain yet.

    One part that does not arrive is a message that does not, and what has arrived does not fail. What another provider says,
    or this one of another message, says nothing.
    """
    parts = set(messages) or {""}
    own = [one for one in receipts if one.provider == provider and one.message in parts]
    arrived = {one.message: one for one in own if one.outcome is Outcome.DELIVERED}
    failed = [one for one in own if one.outcome is Outcome.NOT_DELIVERED and one.message not in arrived]
    if failed:
        return failed[0]
    return next(iter(arrived.values())) if arrived.keys() == parts else None
