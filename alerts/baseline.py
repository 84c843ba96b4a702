"""A patient's own usual, and the limits it would suggest: offered to a clinician, never taken by itself.

The usual is the median of the last weeks, how far it moves the median absolute deviation (MAD). Both are deaf to a few odd
readings. The offer is the median ± 2.5 MAD, the MAD scaled so that it means a standard deviation where values are normal: about
one reading in a hundred lies outside by chance alone.

What is offered replaces limits below urgent of rules that look at the value itself, in the unit of the device. An urgent limit is
never offered, and no offer lies beyond the urgent limit that holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

import numpy as np

from alerts.facts import Facts
from alerts.layers import Effective, LayerKind
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
    """Limits this usual suggests for the bands below urgent of rules over the value itself."""
    found: list[Offer] = []
    for rule in rules:
        if rule.measure is not None or rule.meal is not None or rule.pregnancy == "only":
            continue
        for band in rule.bands:
            limit = band.limits.get(usual.quantity)
            if limit is None or band.severity is Severity.URGENT:
                continue
            holds = limits.effective(rule, band.severity, usual.quantity, usual.unit, patient=patient)
            assert holds is not None, "every band's limit is written in every unit of its quantity"
            value = usual.low if rule.downward else usual.high
            red = limits.effective(rule, Severity.URGENT, usual.quantity, usual.unit, patient=patient)
            refused = None
            if holds.layer is LayerKind.PATIENT and holds.value == value:
                refused = "it is the limit that holds"
            elif usual.mad == 0:
                refused = "more than half of its values are one and the same, so no width is known"
            elif red is not None and (value <= red.value if rule.downward else value >= red.value):
                refused = f"it lies beyond the urgent limit of {red.value:g}"
            found.append(
                Offer(rule.id, band.severity, usual.quantity, usual.unit, limit.comparison, value, holds, refused)
            )
    return found
