"""The plain reference of measures: what a rule makes of the readings up to one of them; None is "not enough data"."""

import math
import statistics
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from alerts.facts import PatientFacts
from alerts.measures import Baseline, Drift, DryWeight, Mean, Reference, Slope, Variability
from alerts.rules import Rule
from tests.unit.alerts.scalar import _FACTORS as FACTORS
from tests.unit.alerts.scalar import _GRID as GRID
from tests.unit.alerts.scalar import Row

STEPS = {"kg": 3, "[lb_av]": 2, "kPa": 2, "mm[Hg]": 1, "mg/dL": 1, "mmol/L": 2, "%": 1, "/min": 1}


def day_of(facts: PatientFacts, at: datetime) -> date:
    return at.astimezone(ZoneInfo(facts.time_zone)).date()


def one_unit(track: list[Row]) -> list[Row]:
    """Everything in the unit of the newest."""
    unit = track[-1].unit if track else ""
    return [
        row
        if row.unit == unit
        else Row(
            row.patient,
            row.at,
            row.reading_no,
            row.quantity,
            unit,
            round(row.value * FACTORS[(row.unit, unit)], STEPS[unit]),
        )
        for row in track
    ]


def amounts(
    track: list[Row], place: int, rule: Rule, facts: PatientFacts, now: datetime
) -> tuple[float | None, float | None]:
    """What is compared, and the same without jumps; None: not enough data."""
    measure, row = rule.measure, track[place]
    sign = -1 if rule.lessening else 1
    if isinstance(measure, Reference):
        return _change(track, place, measure, sign)
    found: float | None = None
    if measure is None:
        found = row.value
    elif isinstance(measure, Mean):
        found = _mean(track, place, measure, facts)
    elif isinstance(measure, Variability):
        found = _variability(track, place, measure, facts)
    elif isinstance(measure, Baseline):
        found = _from_baseline(track, place, measure, facts, sign)
    elif isinstance(measure, Slope):
        found = _slope(track, place, measure, sign)
    elif isinstance(measure, Drift):
        found = _drift(track, place, measure, sign, now)
    elif isinstance(measure, DryWeight) and facts.dry_weight_kg is not None:
        dry = facts.dry_weight_kg if row.unit == "kg" else round(facts.dry_weight_kg * FACTORS[("kg", row.unit)], 2)
        found = float((Decimal(repr(row.value)) - Decimal(repr(dry))).quantize(GRID[row.unit]))
    return found, found


def _window(track: list[Row], place: int, days: float) -> list[Row]:
    return [row for row in track[: place + 1] if track[place].at - row.at < timedelta(days=days)]


def _morning(row: Row, facts: PatientFacts) -> bool:
    return row.at.astimezone(ZoneInfo(facts.time_zone)).hour < 12


def _exact_mean(values: Sequence[float]) -> float:
    return float(sum(Fraction(value) for value in values) / len(values))


def _mean(track: list[Row], place: int, measure: Mean, facts: PatientFacts) -> float | None:
    if measure.part != "any" and _morning(track[place], facts) != (measure.part == "morning"):
        return None
    window = _window(track, place, measure.over_days)
    if measure.part != "any":
        window = [row for row in window if _morning(row, facts) == (measure.part == "morning")]
    if measure.drop_first_day:
        window = [row for row in window if day_of(facts, row.at) != day_of(facts, window[0].at)]
    if len(window) < measure.min_readings or len({day_of(facts, row.at) for row in window}) < measure.min_days:
        return None
    return round(_exact_mean([row.value for row in window]), 6)


def _variability(track: list[Row], place: int, measure: Variability, facts: PatientFacts) -> float | None:
    if measure.first_of_morning:
        chosen: dict[date, Row] = {}
        for row in track:
            if _morning(row, facts):
                chosen.setdefault(day_of(facts, row.at), row)
        firsts = list(chosen.values())
        if track[place] not in firsts:
            return None
        track, place = firsts, firsts.index(track[place])
    values = [row.value for row in _window(track, place, measure.over_days)]
    if len(values) < measure.min_readings:
        return None
    return round(100 * statistics.stdev(values) / statistics.fmean(values), 6)


def _from_baseline(track: list[Row], place: int, measure: Baseline, facts: PatientFacts, sign: int) -> float | None:
    row = track[place]
    recent = _window(track, place, measure.mean_days) if measure.mean_days else [row]
    value = round(_exact_mean([one.value for one in recent]), 6)
    begin = track.index(recent[0])
    while begin > 0 and day_of(facts, track[begin - 1].at) == day_of(facts, track[begin].at):
        begin -= 1
    before = [one.value for one in track[:begin] if track[begin].at - one.at <= timedelta(days=measure.over_days)]
    if len(before) < measure.min_readings:
        return None
    return round(sign * (value - statistics.median(before)), 6)


def _slope(track: list[Row], place: int, measure: Slope, sign: int) -> float | None:
    window = _window(track, place, measure.over_days)
    if len(window) < measure.min_readings or place != len(track) - 1:
        return None
    days = [(row.at - window[0].at) / timedelta(days=1) for row in window]
    values = [row.value for row in window]
    slope, low, high = (theil_sen if measure.method == "theil_sen" else least_squares)(days, values)
    if slope is None:
        return None
    sure = low is not None and high is not None and (low > 0 or high < 0)
    return round(sign * round(slope, 6) * measure.project_days, 6) if sure else 0.0


def least_squares(days: list[float], values: list[float]) -> tuple[float | None, float | None, float | None]:
    count, middle, mean = len(days), statistics.fmean(days), statistics.fmean(values)
    across = math.fsum((day - middle) ** 2 for day in days)
    if across < 1e-9:
        return None, None, None
    slope = math.fsum((day - middle) * (value - mean) for day, value in zip(days, values, strict=True)) / across
    rest = math.fsum((value - mean - slope * (day - middle)) ** 2 for day, value in zip(days, values, strict=True))
    half = student_t95(count - 2) * math.sqrt(rest / (count - 2) / across)
    return slope, round(slope - half, 6), round(slope + half, 6)


def theil_sen(days: list[float], values: list[float]) -> tuple[float | None, float | None, float | None]:
    count = len(days)
    slopes = sorted(
        (values[other] - values[one]) / (days[other] - days[one])
        for one in range(count)
        for other in range(one + 1, count)
        if days[other] > days[one]
    )
    if not slopes:
        return None, None, None
    half = 1.959964 * math.sqrt(count * (count - 1) * (2 * count + 5) / 18)

    def at(rank: float) -> float | None:
        if not 1 <= rank <= len(slopes):
            return None
        low = math.floor(rank)
        share = rank - low
        return round(slopes[low - 1] + (share * (slopes[low] - slopes[low - 1]) if share > 0 else 0.0), 6)

    return statistics.median(slopes), at((len(slopes) - half) / 2), at((len(slopes) + half) / 2 + 1)


@lru_cache(maxsize=100)
def student_t95(freedom: int) -> float:
    """Where the density, integrated by Simpson's rule from 0, reaches 0.475; three decimals, as tables have it."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)

    def area(to: float) -> float:
        steps = 4000
        width = to / steps
        heights = [scale * (1 + (width * step) ** 2 / freedom) ** (-(freedom + 1) / 2) for step in range(steps + 1)]
        return width / 3 * (heights[0] + heights[-1] + 4 * sum(heights[1:-1:2]) + 2 * sum(heights[2:-1:2]))

    low, high = 1.9, 13.0
    while high - low > 1e-7:
        middle = (low + high) / 2
        low, high = (middle, high) if area(middle) < 0.475 else (low, middle)
    return round(low, 3)


def _drift(track: list[Row], place: int, measure: Drift, sign: int, now: datetime) -> float | None:
    if place != len(track) - 1:
        return None
    watch = now - timedelta(days=measure.over_days)
    base = [row.value for row in track if watch - timedelta(days=measure.baseline_days) < row.at <= watch]
    watched = [row for row in track if row.at > watch]
    if len(base) < measure.min_readings or not watched:
        return None
    start, state = statistics.median(base), 0.0
    for row in watched:
        moved = sign * (row.value - start)
        if measure.slack is None:
            state = measure.weight * moved + (1 - measure.weight) * state
        else:
            state = max(0.0, state + moved - measure.slack[row.unit])
    return round(state, 6)


def _change(track: list[Row], place: int, measure: Reference, sign: int) -> tuple[float | None, float | None]:
    row = track[place]
    earlier = [
        number
        for number, one in enumerate(track[:place])
        if timedelta(hours=measure.from_h) <= row.at - one.at <= timedelta(hours=measure.to_h)
    ]
    if not earlier:
        return None, None
    since = earlier[-1] if measure.take == "newest" else earlier[0]
    sizes = _jumps(track, measure)
    if _alone(track, since, sizes, measure):
        since += -1 if measure.take == "newest" else 1
        if since not in earlier:
            return None, None
    bad = [_alone(track, number, sizes, measure) for number in range(len(track))]
    lasting = [0.0 if bad[number] or (number and bad[number - 1]) else size for number, size in enumerate(sizes)]
    far = [size if bad[number] else 0.0 for number, size in enumerate(sizes)]
    between = Decimal(str(round(sum(lasting[since + 1 : place + 1]) + far[place] - far[since], 6)))
    moved = (Decimal(repr(row.value)) - Decimal(repr(track[since].value))).quantize(GRID[row.unit])

    def counted(change: Decimal) -> float:
        amount = sign * float(change)
        return round(100 * amount / track[since].value, 6) if measure.percent else amount

    return counted(moved), counted((moved - between).quantize(GRID[row.unit]))


def _jumps(track: list[Row], measure: Reference) -> list[float]:
    sizes = [0.0]
    for one, other in pairwise(track):
        moved = other.value - one.value
        near = other.at - one.at <= timedelta(hours=measure.step_within_h)
        jumps = measure.step is not None and near and abs(moved) > measure.step[other.unit] + 1e-9
        sizes.append(moved if jumps else 0.0)
    return sizes


def _alone(track: list[Row], place: int, sizes: list[float], measure: Reference) -> bool:
    if measure.step is None or place + 1 >= len(track) or not sizes[place] or not sizes[place + 1]:
        return False
    return abs(sizes[place] + sizes[place + 1]) <= measure.step[track[place].unit]
