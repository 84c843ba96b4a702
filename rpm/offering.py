"""A patient's usual as limits to approve: what is offered, what each would have called, and a clinician's decision on one.

What was decided on is what is usual at that moment: an offer is made anew when somebody decides, and refused where it has changed
since it was shown. Nothing here touches an urgent limit.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from alerts.baseline import OVER, Baseline, Offer, TooLittle, baselines, basis_of, offers
from alerts.evaluate import window_of
from alerts.facts import Facts
from alerts.layers import Layer, PatientLimit
from alerts.limits import Limits
from alerts.observations import Observations
from alerts.replay import replay
from alerts.rules import Rule
from alerts.series import Series, microseconds
from alerts.severity import Severity
from rpm.access import Actor
from rpm.errors import UserError
from rpm.limits import arranged
from rpm.store import facts, own_limits, series
from rpm.store.database import Connection
from rpm.store.series import Group
from schemas.codes import CODES

#: What the judge knows of a patient: everything a limit may be of.
_VITALS: Final = tuple(code for code in CODES if code.vital)
WEEKS: Final = OVER // timedelta(days=7)
REASON_LENGTH: Final = (3, 200)
STALE: Final = "this offer is not what it was when it was shown: readings came since, or the rules or limits changed; look at it again"
UNDER_18: Final = "this patient is under 18: no adult limit holds, and none is derived; limits are a clinician's orders"


@dataclass(frozen=True, slots=True)
class Tried:
    """One offer, by what it can be told apart from a later one, and the calls of its rule in each week, the oldest first."""

    offer: Offer
    rule: Rule
    basis: str
    before: tuple[int, ...] = ()
    after: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Offered:
    """What is usual of one patient, and what follows from it; the calls of all rules that are touched, all offers together."""

    usual: Sequence[Baseline | TooLittle]
    tried: Sequence[Tried]
    before: tuple[int, ...]
    after: tuple[int, ...]

    def of(self, quantity: str) -> list[Tried]:
        """The offers of one quantity."""
        return [one for one in self.tried if one.offer.quantity == quantity]


@dataclass(frozen=True, slots=True)
class _Past:
    """What one patient's offers rest on."""

    patient: int
    rules: Sequence[Rule]
    layers: Sequence[Layer]
    measured: Series
    own: Sequence[PatientLimit]
    group: dict[int, Group]
    facts: Facts
    now: datetime

    @property
    def usual(self) -> list[Baseline | TooLittle]:
        return baselines(
            self.measured, [code.name for code in _VITALS], patient=self.patient, facts=self.facts, now=self.now
        )

    def limits(self, more: Sequence[PatientLimit] = ()) -> Limits:
        """What holds, with some rows in the place of others."""
        keys = {(one.rule_id, one.band, one.quantity) for one in more}
        kept = [one for one in self.own if (one.rule_id, one.band, one.quantity) not in keys]
        return arranged([*kept, *more], self.rules, self.layers, self.group)

    def offers(self, usual: Sequence[Baseline | TooLittle]) -> list[Tried]:
        """Every offer, untried."""
        by_id = {rule.id: rule for rule in self.rules}
        limits = self.limits()
        found = [
            offer
            for one in usual
            if isinstance(one, Baseline)
            for offer in offers(one, self.rules, limits, patient=self.patient)
        ]
        return [Tried(one, by_id[one.rule_id], self.basis(one, by_id[one.rule_id])) for one in found]

    def basis(self, offer: Offer, rule: Rule) -> str:
        return basis_of(offer, rule, self.measured, patient=self.patient, now=self.now)

    def row(self, offer: Offer) -> PatientLimit:
        """The limit an offer would become."""
        return PatientLimit(self.patient, offer.rule_id, offer.band.word, offer.quantity, offer.unit, offer.offered)

    def calls(self, rules: Sequence[Rule], limits: Limits) -> tuple[int, ...]:
        """Calls of some rules in each of the last weeks, the oldest first."""
        since_us = microseconds(self.now - OVER - window_of(rules)) if rules else 0
        measured = self.measured.take(np.flatnonzero(self.measured.measured_at_us > since_us))
        observed = Observations.of_series(measured)
        found = Counter(
            (self.now - call.at) // timedelta(days=7)
            for call in replay(observed, rules, limits=limits, facts=self.facts)
        )
        return tuple(found[week] for week in reversed(range(WEEKS)))


def _past(
    connection: Connection, patient: int, rules: Sequence[Rule], layers: Sequence[Layer], *, now: datetime
) -> _Past:
    """UserError where no limit may be derived of this patient."""
    known = Facts.of(facts.of_patients(connection, [patient], now=now))
    if known.minor(known.patient, np.array([microseconds(now)])).any():
        raise UserError(UNDER_18)
    measured = series.window(
        connection,
        patients=[patient],
        codes=[code.number for code in _VITALS],
        since=now - OVER - window_of(rules),
        until=now,
    )
    own, group = series.own_limits(connection, [patient]), series.groups(connection, [patient])
    return _Past(patient, rules, layers, measured, own, group, known, now)


def offered(
    connection: Connection, patient: int, rules: Sequence[Rule], layers: Sequence[Layer], *, now: datetime
) -> Offered:
    """Each offer with what it would have called. Whose patient it is was asked before. UserError: nothing is derived."""
    past = _past(connection, patient, rules, layers, now=now)
    usual, holds = past.usual, past.limits()
    tried: list[Tried] = []
    calls: dict[str, tuple[int, ...]] = {}
    for one in past.offers(usual):
        if one.offer.refused is not None:
            tried.append(one)
            continue
        if one.rule.id not in calls:
            calls[one.rule.id] = past.calls([one.rule], holds)
        after = past.calls([one.rule], past.limits([past.row(one.offer)]))
        tried.append(Tried(one.offer, one.rule, one.basis, calls[one.rule.id], after))
    rows = [past.row(one.offer) for one in tried if one.offer.refused is None]
    touched = [rule for rule in rules if rule.id in calls]
    nothing = (0,) * WEEKS
    return Offered(
        usual,
        tried,
        past.calls(touched, holds) if touched else nothing,
        past.calls(touched, past.limits(rows)) if touched else nothing,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """Which offer somebody decides on, as it was shown, and what about it."""

    rule_id: str
    band: Severity
    quantity: str
    basis: str
    approved: bool
    reason: str


def decide(
    connection: Connection,
    actor: Actor,
    asked: Asked,
    *,
    patient: int,
    rules: Sequence[Rule],
    layers: Sequence[Layer],
    now: datetime,
) -> None:
    """Approve an offer, which then is the patient's limit, or decline it. UserError where it is no longer what was shown."""
    reason = asked.reason.strip()
    if not REASON_LENGTH[0] <= len(reason) <= REASON_LENGTH[1]:
        raise UserError("say why, in 3 to 200 characters")
    own_limits.lock(connection, patient, practice_id=actor.practice_id)
    past = _past(connection, patient, rules, layers, now=now)
    found = next(
        (
            one
            for one in past.offers(past.usual)
            if (one.offer.rule_id, one.offer.band, one.offer.quantity) == (asked.rule_id, asked.band, asked.quantity)
        ),
        None,
    )
    if found is None or found.basis != asked.basis:
        raise UserError(STALE)
    if found.offer.refused is not None:
        raise UserError(f"this limit is not offered: {found.offer.refused}")
    own_limits.decide(
        connection,
        actor,
        found.offer,
        rule_version=found.rule.version,
        patient=patient,
        approved=asked.approved,
        reason=reason,
        now=now,
    )
