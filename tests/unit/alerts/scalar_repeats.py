"""The plain reference of repeats: one patient's readings in their order, who is whose second, and what is judged of each.

Written from the words of the rules file, in loops. Shares the Rule model with the product, and no line of its arithmetic.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from alerts.rules import Limit, Rule
from tests.unit.alerts.scalar import Found, Row, findings

Key = tuple[datetime, int]
URGENT = 3


@dataclass(frozen=True, order=True)
class Waits:
    """A reading that waits for a second one."""

    rule_id: str
    patient: int
    at: datetime
    reading_no: int
    severity: int


@dataclass(frozen=True, order=True)
class Told:
    """A finding, and how it was judged: `single`, `mean`, `unconfirmed`, `disputed`, `lessened`."""

    found: Found
    how: str


@dataclass
class _Reading:
    key: Key
    rows: list[Row]
    out: bool
    sound: bool
    at_once: bool
    second: "_Reading | None" = None
    first: "_Reading | None" = None


def judged(rows: Sequence[Row], rule: Rule, *, now: datetime) -> tuple[list[Told], list[Waits]]:
    """What a rule with `repeat` finds, and what still waits."""
    assert rule.repeat is not None
    within = timedelta(minutes=rule.repeat.within_min)
    told: list[Told] = []
    waits: list[Waits] = []
    for patient in sorted({row.patient for row in rows}):
        readings = _readings(rows, rule, patient)
        for place, one in enumerate(readings):
            later = next((other for other in readings[place + 1 :] if other.sound), None)
            near = later is not None and later.key[0] - one.key[0] <= within
            if one.out and near and not one.at_once:
                one.second = later
            if one.sound and not one.at_once:
                one.first = _first_of(readings[:place], one, within)
        _leave_reds(readings, rule)
        made = [row for one in readings for row in _made(one)]
        unrepeated = rule.model_copy(update={"repeat": None})
        calls = findings(made, [unrepeated], [], now=now)
        called = {(found.at, found.reading_no) for found in calls}
        for one in readings:
            if one.first is None and one.second is not None and one.second.key not in called:
                reds = [found for found in findings(one.rows, [unrepeated], [], now=now) if found.severity == URGENT]
                beyond = any(_beyond(row, band.limits) for row in _made(one.second) for band in rule.bands)
                told += [Told(found, "lessened" if beyond else "disputed") for found in reds]
        for found in calls:
            one = next(one for one in readings if one.key == (found.at, found.reading_no))
            alone = one.first is None and one.second is None and not one.at_once
            if alone and found.at + within > now:
                waits.append(Waits(rule.id, patient, found.at, found.reading_no, found.severity))
            else:
                told.append(Told(found, "mean" if one.first else "unconfirmed" if alone else "single"))
    return sorted(told), sorted(waits)


def _readings(rows: Sequence[Row], rule: Rule, patient: int) -> list[_Reading]:
    grouped: dict[Key, list[Row]] = {}
    for row in rows:
        if row.patient == patient and row.quantity in rule.quantities:
            grouped.setdefault((row.at, row.reading_no), []).append(row)
    found = [
        _Reading(
            key,
            sorted(mine, key=lambda row: row.quantity, reverse=True),
            out=any(_beyond(row, band.limits) for row in mine for band in rule.bands),
            sound=rule.flagged == "judge" or not any(row.disturbed for row in mine),
            at_once=any(_beyond(row, rule.repeat.at_once) for row in mine) if rule.repeat else False,
        )
        for key, mine in grouped.items()
    ]
    # Of one instant: what is in range first, then what the device doubts, then the lower.
    return sorted(
        found,
        key=lambda one: (
            one.key[0], one.out, one.sound, one.rows[0].unit == "kPa", *[row.value for row in one.rows], one.key[1],
        ),
    )  # fmt: skip


def _leave_reds(readings: Sequence[_Reading], rule: Rule) -> None:
    """A red of which the mean with what came before would make none is not averaged."""

    def red(rows: Sequence[Row]) -> bool:
        return any(_beyond(row, band.limits) for band in rule.bands if band.severity == URGENT for row in rows)

    for hidden in [one for one in readings if one.first and red(one.rows) and not red(_made(one))]:
        hidden.first = None
        for other in readings:
            if other.second is hidden:
                other.second = None


def _beyond(row: Row, limits: Mapping[str, Limit]) -> bool:
    limit = limits.get(row.quantity)
    if limit is None:
        return False
    bound = limit.values[row.unit]
    match str(limit.comparison):
        case "above":
            return row.value > bound
        case "at_least":
            return row.value >= bound
        case _:
            return row.value < bound


def _first_of(before: Sequence[_Reading], one: _Reading, within: timedelta) -> _Reading | None:
    doubtful: _Reading | None = None
    for other in reversed(before):
        near = other.out and one.key[0] - other.key[0] <= within
        if other.sound:
            return other if near else doubtful
        if near and doubtful is None:
            doubtful = other
    return doubtful


def _made(one: _Reading) -> list[Row]:
    """A reading's rows as they are judged: no value where its second speaks for it; it stays one of its session."""
    if one.first is None:
        return [replace(row, value=float("nan")) for row in one.rows] if one.second is not None else one.rows
    earlier = {row.quantity: row for row in one.first.rows}
    return [replace(row, value=(earlier[row.quantity].value + row.value) / 2) for row in one.rows]
