"""The plain reference: one patient, one rule, one reading at a time, in nothing but loops and comparisons.

It shares the Rule model and the code table with the product and no line of arithmetic: gains are subtracted as decimals.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from math import isfinite

from alerts.limits import PatientLimit
from alerts.rules import Band, Rule
from schemas.quantity import KG_PER_LB, KPA_PER_MMHG, MG_DL_PER_MMOL_L

RAISE_WINDOW = timedelta(days=7)

_KG_PER_LB = Decimal("0.45359237")
_GRID = {"kg": Decimal("0.001"), "[lb_av]": Decimal("0.01")}
_FACTORS = {
    ("kg", "[lb_av]"): 1 / KG_PER_LB,
    ("[lb_av]", "kg"): KG_PER_LB,
    ("mm[Hg]", "kPa"): KPA_PER_MMHG,
    ("kPa", "mm[Hg]"): 1 / KPA_PER_MMHG,
    ("mg/dL", "mmol/L"): 1 / MG_DL_PER_MMOL_L,
    ("mmol/L", "mg/dL"): MG_DL_PER_MMOL_L,
}


@dataclass(frozen=True)
class Row:
    """One quantity of one reading."""

    patient: int
    at: datetime
    reading_no: int
    quantity: str
    unit: str
    value: float
    disturbed: bool = False
    meal: str = ""


def reading_at(
    patient: int, at: datetime, number: int, *, disturbed: bool = False, **values: tuple[float, str]
) -> list[Row]:
    """A reading's rows."""
    return [Row(patient, at, number, name, unit, value, disturbed) for name, (value, unit) in values.items()]


@dataclass(frozen=True, order=True)
class Found:
    """What both engines must agree on."""

    rule_id: str
    patient: int
    at: datetime
    reading_no: int
    severity: int
    late: bool


def findings(rows: Sequence[Row], rules: Sequence[Rule], own: Sequence[PatientLimit], *, now: datetime) -> list[Found]:
    found: list[Found] = []
    for rule in rules:
        for patient in sorted({row.patient for row in rows}):
            mine = [row for row in rows if row.patient == patient and row.quantity in rule.quantities]
            mine.sort(key=lambda row: (row.at, row.reading_no))
            for band in rule.bands:
                for at, number in _holding(mine, rule, band, own, patient):
                    known = any(
                        (one.rule_id, one.patient, one.at, one.reading_no) == (rule.id, patient, at, number)
                        for one in found
                    )
                    if at >= now - RAISE_WINDOW and not known:
                        late = at < now - timedelta(hours=rule.late_after_h)
                        found.append(Found(rule.id, patient, at, number, int(band.severity), late))
    return sorted(found)


def _holding(
    mine: Sequence[Row], rule: Rule, band: Band, own: Sequence[PatientLimit], patient: int
) -> list[tuple[datetime, int]]:
    """The readings, by (time, number), for which the band holds."""
    breaching: dict[tuple[datetime, int], bool] = {}
    for row in mine:
        amount = row.value if rule.gain_since is None else _gain(row, mine, rule)
        limit = _limit(rule, band, own, patient, row)
        breaches = (
            amount is not None
            and limit is not None
            and _breaches(amount, limit, str(band.limits[row.quantity].comparison))
        )
        key = (row.at, row.reading_no)
        breaching[key] = breaching.get(key, False) or breaches
    if band.sessions is None:
        return [key for key, breaches in breaching.items() if breaches]
    sessions: list[list[tuple[datetime, int]]] = []
    for key in breaching:
        apart = timedelta(minutes=band.sessions.apart_min)
        if sessions and key[0] - sessions[-1][-1][0] < apart:
            sessions[-1].append(key)
        else:
            sessions.append([key])
    holding: list[tuple[datetime, int]] = []
    for place, session in enumerate(sessions):
        last = sessions[max(0, place - band.sessions.of_last + 1) : place + 1]
        near = [one for one in last if session[0][0] - one[0][0] <= timedelta(hours=band.sessions.within_h)]
        count = sum(any(breaching[key] for key in one) for one in near)
        if any(breaching[key] for key in session) and count >= band.sessions.breaching:
            holding.extend(key for key in session if breaching[key])
    return holding


def _gain(row: Row, mine: Sequence[Row], rule: Rule) -> float | None:
    assert rule.gain_since is not None
    earliest = row.at - timedelta(hours=rule.gain_since.to_h)
    latest = row.at - timedelta(hours=rule.gain_since.from_h)
    earlier = [one for one in mine if earliest <= one.at <= latest and isfinite(one.value)]
    if not earlier or not isfinite(row.value):
        return None
    before = earlier[-1] if rule.gain_since.take == "newest" else earlier[0]
    base = Decimal(repr(before.value))
    if before.unit != row.unit:
        base = (base * _KG_PER_LB if row.unit == "kg" else base / _KG_PER_LB).quantize(_GRID[row.unit], ROUND_HALF_EVEN)
    return float((Decimal(repr(row.value)) - base).quantize(_GRID[row.unit], ROUND_HALF_EVEN))


def _limit(rule: Rule, band: Band, own: Sequence[PatientLimit], patient: int, row: Row) -> float | None:
    if row.quantity not in band.limits:
        return None
    mine = {
        one.unit: one.value
        for one in own
        if (one.patient, one.rule_id, one.band, one.quantity) == (patient, rule.id, band.severity.word, row.quantity)
    }
    if row.unit in mine:
        return mine[row.unit]
    if mine:
        unit, value = next(iter(mine.items()))
        if unit == "Cel":
            return float(Decimal(str(value)) * 9 / 5 + 32)
        if unit == "[degF]":
            return float((Decimal(str(value)) - 32) * 5 / 9)
        return value * _FACTORS[(unit, row.unit)]
    return band.limits[row.quantity].values[row.unit]


def _breaches(amount: float, limit: float, comparison: str) -> bool:
    if comparison == "above":
        return amount > limit
    if comparison == "at_least":
        return amount >= limit
    return amount < limit
