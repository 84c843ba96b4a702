"""Many patients' weeks as one Series, made in a second: what the benchmark of `alerts.evaluate` judges."""

from datetime import UTC, datetime

import numpy as np

from alerts.series import US_PER_HOUR, Series, microseconds
from schemas.codes import BY_NAME, UNIT_NUMBER

DAYS = 15
NOW = datetime(2026, 6, 10, 14, 0, tzinfo=UTC)
#: Values per patient and day: two blood pressures of three, a weight, two glucoses.
VALUES_PER_DAY = 9


def large_series(patients: int, *, seed: int = 1) -> Series:
    """`patients` × DAYS × VALUES_PER_DAY values ending at NOW. Most lie in range; about 1 % of pressures are urgent."""
    draw = np.random.default_rng(seed)
    count = patients * DAYS
    patient = np.repeat(np.arange(1, patients + 1), DAYS)
    day_us = np.tile(np.arange(DAYS, 0, -1), patients) * 24 * US_PER_HOUR
    parts: list[dict[str, np.ndarray]] = []
    reading_no = 0
    plan = [
        ("morning", (("systolic", 138.0, 18.0), ("diastolic", 82.0, 9.0), ("pulse_rate", 74.0, 9.0))),
        ("evening", (("systolic", 135.0, 18.0), ("diastolic", 80.0, 9.0), ("pulse_rate", 74.0, 9.0))),
        ("scale", (("body_weight", 84.0, 0.5),)),
        ("breakfast", (("glucose", 120.0, 22.0),)),
        ("supper", (("glucose", 140.0, 25.0),)),
    ]
    for place, (_, quantities) in enumerate(plan):
        at = microseconds(NOW) - day_us + place * 3 * US_PER_HOUR + draw.integers(0, US_PER_HOUR, count)
        numbers = np.arange(reading_no, reading_no + count)
        reading_no += count
        for name, mean, spread in quantities:
            decimals = 3 if name == "body_weight" else 0
            parts.append(
                {
                    "patient": patient,
                    "measured_at_us": at,
                    "reading_no": numbers,
                    "code": np.full(count, BY_NAME[name].number),
                    "unit": np.full(count, UNIT_NUMBER[BY_NAME[name].units[0]]),
                    "value": np.round(draw.normal(mean, spread, count), decimals),
                }
            )
    return Series.of(**{column: np.concatenate([part[column] for part in parts]) for column in parts[0]})
