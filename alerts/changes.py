"""A value against an earlier one, and what remains of the difference without jumps that no body makes."""

from dataclasses import dataclass

import numpy as np

from alerts.amounts import Amounts
from alerts.kernels import gains
from alerts.measures import Reference
from alerts.rules import Rule
from alerts.series import US_PER_HOUR, Bools, Floats, Ints
from alerts.tracks import Track
from schemas.codes import UNIT_NUMBER, UNITS


@dataclass(frozen=True, slots=True)
class Changes:
    """`amounts.first` is the row each change is since. `jumped`: whether jumps lie in between; None where nobody looks."""

    amounts: Amounts
    jumped: Bools | None
    without_jumps: Floats


def changes_of(rule: Rule, reference: Reference, track: Track) -> Changes:
    """The changes of a track's rows since the earlier row that the rule names; NaN where there is none."""
    from_us, to_us = (int(hours * US_PER_HOUR) for hours in (reference.from_h, reference.to_h))
    since = gains.earlier_value(track.at_us, track.position, take=reference.take, from_us=from_us, to_us=to_us)
    total: Floats | None = None
    if reference.step is not None:
        step = _per_unit(reference.step, track)
        within_us = int(reference.step_within_h * US_PER_HOUR)
        total, alone = gains.jumps(track.value, track.at_us, track.position, step=step, within_us=within_us)
        if alone.any():
            since = _not_alone(track, since, alone, reference.take, from_us=from_us, to_us=to_us)
    known = since >= 0
    base = np.maximum(since, 0)
    earlier = track.value[base] if len(track) else track.value
    moved = gains.change(track.value, track.unit, earlier, track.unit)
    amount = _signed(rule, reference, moved, earlier, known)
    count = np.full(len(track), 2)
    amounts = Amounts(track, amount, np.where(known, base, np.arange(len(track))), count)
    if total is None:
        return Changes(amounts, None, amount)
    between = total - total[base] if len(track) else total
    jumped = known & (between != 0)
    if not jumped.any():
        return Changes(amounts, None, amount)
    without = gains.change(track.value - between, track.unit, earlier, track.unit)
    return Changes(amounts, jumped, _signed(rule, reference, without, earlier, known))


def _signed(rule: Rule, reference: Reference, moved: Floats, earlier: Floats, known: Bools) -> Floats:
    amount = -moved if rule.lessening else moved
    if reference.percent:
        with np.errstate(divide="ignore", invalid="ignore"):
            amount = np.round(100.0 * amount / earlier, 6)
    return np.where(known, amount, np.nan)


def _not_alone(track: Track, since: Ints, alone: Bools, take: str, *, from_us: int, to_us: int) -> Ints:
    """One bad reading is nothing to measure from: its neighbour is, where the rule's span still reaches it."""
    bad = np.flatnonzero((since >= 0) & alone[np.maximum(since, 0)])
    other = since[bad] + (-1 if take == "newest" else 1)
    inside = (other >= 0) & (other < bad)
    other = np.clip(other, 0, len(track) - 1)
    inside &= track.patient[other] == track.patient[bad]
    ago = track.at_us[bad] - track.at_us[other]
    inside &= (ago >= from_us) & (ago <= to_us)
    result = since.copy()
    result[bad] = np.where(inside, other, -1)
    return result


def _per_unit(values: dict[str, float], track: Track) -> Floats:
    table = np.full(len(UNITS) + 1, np.nan)
    for name, value in values.items():
        table[UNIT_NUMBER[name]] = value
    return table[track.unit]
