"""What the shipped rules say of people of whom there is nothing to say.

Goal: a nurse who looks after two hundred of them is not shouted at by chance (a month of one steady patient is about one line on
her list, nearly all of it a pressure above its goal). Method: sixty people whose pressure, pulse, saturation, glucose and weight
only scatter, seeded, judged twice a day for five weeks as the evaluate job does; each alert is closed a day later.
"""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from alerts.evaluate import evaluate
from alerts.lifecycle import Alert, ChangeReason, fold, settled
from alerts.limits import Limits
from alerts.rulefile import read_rules
from alerts.series import Series, microseconds
from rpm.settings import CARE
from schemas.codes import BY_NAME, UNIT_NUMBER

RULES = read_rules(CARE / "rules.toml")
START = datetime(2026, 3, 1, tzinfo=UTC)
PEOPLE, DAYS = 60, 35
#: name, unit, mean, scatter between people, scatter of one reading, step, times a day.
#: Home pressures vary by about 7 % and weights by half a kilogram from day to day.
SCATTER = (
    ("systolic", "mm[Hg]", 128, 4, 8, 1, 2),
    ("diastolic", "mm[Hg]", 76, 3, 5, 1, 2),
    ("pulse_rate", "/min", 72, 5, 5, 1, 2),
    ("oxygen_saturation", "%", 96.5, 0.5, 0.8, 1, 2),
    ("glucose", "mg/dL", 118, 8, 15, 1, 2),
    ("body_weight", "kg", 82, 14, 0.45, 0.05, 1),
)


def steady() -> Series:
    rng = np.random.default_rng(20260301)
    parts: dict[str, list[NDArray[Any]]] = {name: [] for name in ("patient", "measured_at_us", "code", "unit", "value")}
    for name, unit, mean, between, within, step, times in SCATTER:
        own = rng.normal(mean, between, (PEOPLE, 1, 1))
        value: NDArray[np.float64] = np.round((own + rng.normal(0, within, (PEOPLE, DAYS, times))) / step) * step
        hours = rng.normal(7, 0.5, value.shape) + 12 * np.arange(times) + 24 * np.arange(DAYS)[:, None]
        at_us: NDArray[np.int64] = (microseconds(START) + hours * 3.6e9).astype(np.int64)
        patient: NDArray[np.int64] = np.broadcast_to(np.arange(1, PEOPLE + 1)[:, None, None], value.shape)
        kept: NDArray[np.bool_] = rng.random(value.shape) < 0.85
        parts["value"].append(np.minimum(value, 100 if unit == "%" else 1000)[kept])
        parts["measured_at_us"].append(at_us[kept])
        parts["patient"].append(patient[kept])
        parts["code"].append(np.full(int(kept.sum()), BY_NAME[name].number))
        parts["unit"].append(np.full(int(kept.sum()), UNIT_NUMBER[unit]))
    columns = {name: np.concatenate(found) for name, found in parts.items()}
    return Series.of(reading_no=np.arange(1, len(columns["value"]) + 1), **columns)


@pytest.fixture(scope="module")
def opened() -> Counter[str]:
    """Rule → alerts opened."""
    series, limits = steady(), Limits.of([], RULES)
    open_: dict[tuple[int, str], Alert] = {}
    closed: list[Alert] = []
    count: Counter[str] = Counter()
    for half_day in range(1, 2 * DAYS + 1):
        # Three hours after the morning's and the evening's readings: nothing is late.
        now = START + timedelta(hours=12 * half_day - 2)
        seen = (series.measured_at_us <= microseconds(now)) & (
            series.measured_at_us > microseconds(now - timedelta(days=31))
        )
        known = settled([*open_.values(), *closed], RULES)
        found = evaluate(series.take(np.flatnonzero(seen)), RULES, limits=limits, now=now, settled=known)
        assert found.failures == ()
        for change in fold(open_.values(), found, now=now, rules=RULES):
            count[change.alert.rule_id] += change.reason is ChangeReason.OPENED
            open_[(change.alert.patient, change.alert.rule_id)] = change.alert
        if half_day % 2:
            closed += [replace(alert, closed_at=now) for alert in open_.values()]
            open_.clear()
    return count


def test_a_steady_month_is_about_one_line_on_the_list(opened: Counter[str]) -> None:
    months = PEOPLE * DAYS / 30
    assert 0.2 < opened.total() / months < 1.4


def test_no_rule_shouts(opened: Counter[str]) -> None:
    """One false weight alarm of three pounds in four months is what the published limit costs; nothing here costs more than 0.45."""
    months = PEOPLE * DAYS / 30
    assert {rule: round(count / months, 2) for rule, count in opened.items() if count / months > 0.45} == {}
