"""A patient's own usual, and the limits it would suggest: offered to a clinician, never taken by itself.

The usual is the median of the last weeks, how far it moves the median absolute deviation (MAD). Both are deaf to a few odd
readings. The offer is the median ± 2.5 MAD, the MAD scaled so that it means a standard deviation where values are normal: about
one reading in a hundred lies outside by chance alone.

What is offered replaces limits below urgent of rules that look at the value itself, in the unit of the device. An urgent limit is
never offered, and no offer lies beyond the urgent limit that holds; none lies among ordinary values, nor nearer to them than the
mildest limit that any rule has for such a value (137 is nobody's low pressure, though 148 be usual: a fall is told by a rule of
its own). The bands of a rule stay apart and in their order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from typing import Final, Self

import numpy as np

from alerts.facts import Facts
from alerts.layers import Effective
from alerts.limits import Limits
from alerts.rules import Comparison, Rule
from alerts.series import Bools, Series, microseconds
from alerts.severity import Severity
from alerts.tracks import track_of
from schemas.codes import BY_NAME, UNIT_BY_NUMBER

#: How far back the usual is looked for, and on how many clinical days at least there has to be a reading.
OVER: Final = timedelta(days=28)
DAYS_MIN: Final = 14
WIDTH: Final = 2.5
#: What makes the MAD of normal values their standard deviation.
MAD_TO_SD: Final = 1.4826


@dataclass(frozen=True, slots=True)
class Baseline:
    """What is usual of one quantity. `low` and `high` are median ∓ 2.5 MAD, rounded as the device shows it."""

    quantity: str
    unit: str
    median: float
    mad: float
    readings: int
    days: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TooLittle:
    """There is no usual yet: on how many days there was a reading, of DAYS_MIN."""

    quantity: str
    days: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A limit a clinician may approve in the place of the one that holds; `looser` lets pass what that one would tell."""

    rule_id: str
    band: Severity
    quantity: str
    unit: str
    comparison: Comparison
    offered: float
    holds: Effective
    #: None: it can be approved. Otherwise why it is not offered.
    refused: str | None

    @property
    def looser(self) -> bool:
        """Whether fewer values would be told."""
        if self.comparison is Comparison.BELOW:
            return self.offered < self.holds.value
        return self.offered > self.holds.value


def baselines(
    series: Series, quantities: Sequence[str], *, patient: int, facts: Facts, now: datetime
) -> list[Baseline | TooLittle]:
    """One patient's, of each of these quantities that was measured at all in the last weeks.

    What the device itself doubted is left out.
    """
    found: list[Baseline | TooLittle] = []
    recent = _recent(series, patient, now)
    for quantity in quantities:
        code = BY_NAME[quantity]
        track = track_of(series, quantity, np.flatnonzero(recent & (series.code == code.number)))
        if not len(track):
            continue
        day, _ = track.days(facts)
        days = len(np.unique(day))
        if days < DAYS_MIN:
            found.append(TooLittle(quantity, days))
            continue
        unit = UNIT_BY_NUMBER[int(track.unit[-1])]
        median = float(np.median(track.value))
        mad = float(np.median(np.abs(track.value - median)))
        width, decimals = WIDTH * MAD_TO_SD * mad, code.decimals[unit]
        found.append(
            Baseline(
                quantity,
                unit,
                round(median, decimals + 1),
                round(mad, decimals + 1),
                len(track),
                days,
                round(median - width, decimals),
                round(median + width, decimals),
            )
        )
    return found


def _recent(series: Series, patient: int, now: datetime) -> Bools:
    """What the usual is made of."""
    within = (series.measured_at_us > microseconds(now - OVER)) & (series.measured_at_us <= microseconds(now))
    return within & (series.patient == patient) & ~series.disturbed


def basis_of(offer: Offer, rule: Rule, series: Series, *, patient: int, now: datetime) -> str:
    """A word for all that an offer rests on: another reading, version of the rule or limit that holds makes another word."""
    rows = _recent(series, patient, now) & (series.code == BY_NAME[offer.quantity].number)
    said = (
        rule.id,
        rule.version,
        offer.band.word,
        offer.quantity,
        offer.unit,
        offer.offered,
        offer.refused,
        offer.holds,
    )
    return sha256(repr(said).encode() + np.sort(series.reading_no[rows]).tobytes()).hexdigest()[:32]


def offers(usual: Baseline, rules: Sequence[Rule], limits: Limits, *, patient: int) -> list[Offer]:
    """Limits this usual suggests for the bands below urgent of rules over the value itself, the most severe of a rule first."""
    found: list[Offer] = []
    for rule in rules:
        if not rule.of_every_value:
            continue
        ladder = _Ladder.of(usual, rule, rules, limits, patient=patient)
        for place in reversed(range(len(ladder.rungs))):
            rung = ladder.rungs[place]
            found.append(
                Offer(
                    rule.id,
                    rung.band,
                    usual.quantity,
                    usual.unit,
                    rung.comparison,
                    ladder.wanted[place],
                    rung.holds,
                    ladder.refusal(place, varies=usual.mad > 0),
                )
            )
    return found


@dataclass(frozen=True, slots=True)
class _Rung:
    """A band below urgent: the limit that holds, and the one that would without limits of the patient's own."""

    band: Severity
    comparison: Comparison
    holds: Effective
    layered: float


@dataclass(frozen=True, slots=True)
class _Ladder:
    """What is offered for the bands of one rule, the mildest first.

    `edge`: where ordinary values end. `sign` × a value is the greater the farther out it lies. `red`: the urgent limit that
    holds. `nearest`: the mildest limit that any rule has for such a value.
    """

    rungs: tuple[_Rung, ...]
    wanted: tuple[float, ...]
    edge: float
    sign: int
    red: float | None
    nearest: float

    @classmethod
    def of(cls, usual: Baseline, rule: Rule, rules: Sequence[Rule], limits: Limits, *, patient: int) -> Self:
        quantity, unit, sign = usual.quantity, usual.unit, -1 if rule.downward else 1
        edge = usual.low if rule.downward else usual.high
        rungs: list[_Rung] = []
        for band in reversed(rule.bands):
            if quantity in band.limits and band.severity is not Severity.URGENT:
                holds = limits.effective(rule, band.severity, quantity, unit, patient=patient)
                layered = limits.layered(rule, band.severity, quantity, unit, patient=patient)
                assert holds is not None, "every band's limit is written in every unit of its quantity"
                assert layered is not None, "every band's limit is written in every unit of its quantity"
                rungs.append(_Rung(band.severity, band.limits[quantity].comparison, holds, layered.value))
        red = limits.limit(rule, Severity.URGENT, quantity, unit, patient=patient)
        wanted = _wanted(edge, [rung.layered for rung in rungs], red, sign, decimals=BY_NAME[quantity].decimals[unit])
        known = [
            limits.layered(one, band.severity, quantity, unit, patient=patient)
            for one in rules
            if one.downward == rule.downward and (one.of_every_value or one.mean_over) and one.pregnancy != "only"
            for band in one.bands
            if quantity in band.limits
        ]
        nearest = sign * min((sign * one.value for one in known if one is not None), default=sign * edge)
        return cls(tuple(rungs), tuple(wanted), edge, sign, red, nearest)

    def refusal(self, place: int, *, varies: bool) -> str | None:
        """Why a band's limit is not offered; None: it can be approved. `varies`: a width is known."""
        wanted, holds = self.wanted[place], self.rungs[place].holds.value
        if wanted == holds:
            return "it is the limit that holds"
        if not varies:
            return "more than half of its values are one and the same, so no width is known"
        if self.red is not None and not self._within(wanted, self.red):
            return f"it lies beyond the urgent limit of {self.red:g}"
        if place == 0 and self._within(wanted, self.nearest):
            return f"nearer than {self.nearest:g} it would call values that no rule takes for unusual"
        milder, severer = self.wanted[:place], self.wanted[place + 1 :]
        if self._within(wanted, self.edge) or not self._in_order([*milder, wanted, *severer]):
            beyond = "a more severe one" if self.red is None else f"the urgent limit of {self.red:g}"
            return f"between ordinary values and {beyond} there is no room for it"
        if self._within(holds, wanted) and self._within(self.edge, holds):
            return "ordinary values stay clear of the limit that holds"
        return self._first(place)

    def _first(self, place: int) -> str | None:
        """Which other band has to be decided on before, since with its limit as it is one of the two would never be told."""
        wanted = self.wanted[place]
        for other in (place + 1, place - 1):
            if not 0 <= other < len(self.rungs):
                continue
            rung = self.rungs[other]
            holds = rung.holds.value
            if not (self._within(wanted, holds) if other > place else self._within(holds, wanted)):
                does = "call before it" if other > place else "never be told"
                return f"the {rung.band.word} limit of {holds:g} would {does}: decide about that one first"
        return None

    def _within(self, one: float, other: float) -> bool:
        """Whether `one` lies nearer to the usual than `other`."""
        return self.sign * one < self.sign * other

    def _in_order(self, limits: Sequence[float]) -> bool:
        return all(self._within(one, other) for one, other in pairwise(limits))


def _wanted(edge: float, layered: Sequence[float], red: float | None, sign: int, *, decimals: int) -> list[float]:
    """The limit of each band, the mildest first: that one where ordinary values end.

    A more severe one that ordinary values reach moves by as much as the mildest, no farther than a step before the red;
    one they do not reach stays as the layers have it.
    """
    if not layered:
        return []
    wanted = [edge]
    for limit in layered[1:]:
        reached = sign * edge >= sign * limit
        wanted.append(round(limit + edge - layered[0], decimals) if reached else limit)
    bound = red
    for place in reversed(range(1, len(wanted))):
        if bound is not None and wanted[place] != layered[place] and sign * wanted[place] >= sign * bound:
            wanted[place] = round(bound - sign * 10.0**-decimals, decimals)
        bound = wanted[place]
    return wanted
