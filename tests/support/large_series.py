"""A month of many patients as one Series: what the benchmark of `alerts.evaluate` judges."""

from datetime import UTC, datetime

import numpy as np

from alerts.series import US_PER_HOUR, Series, microseconds
from schemas.codes import BY_NAME, UNIT_NUMBER

DAYS = 30
NOW = datetime(2026, 6, 10, 14, 0, tzinfo=UTC)
#: Values per patient and day.
VALUES_PER_DAY = 4
#: What the patients of three programmes measure in a day: hours, and quantities with their mean and spread.
PROGRAMMES = (
    (
        (7, (("systolic", 128.0, 11.0), ("diastolic", 78.0, 7.0))),
        (19, (("systolic", 126.0, 11.0), ("diastolic", 77.0, 7.0))),
    ),
    (
        (7, (("systolic", 124.0, 11.0), ("diastolic", 76.0, 7.0), ("pulse_rate", 72.0, 7.0))),
        (8, (("body_weight", 84.0, 0.4),)),
    ),
    tuple((hour, (("glucose", mean, 20.0),)) for hour, mean in ((7, 115.0), (10, 145.0), (13, 125.0), (19, 145.0))),
)


def large_series(patients: int, *, seed: int = 1) -> Series:
    """`patients` × DAYS × VALUES_PER_DAY values ending at NOW; each patient has a level of their own, and most lie in range."""
    draw = np.random.default_rng(seed)
    parts: list[dict[str, np.ndarray]] = []
    reading_no = 0
    for place, programme in enumerate(PROGRAMMES):
        people = np.arange(place + 1, patients + 1, len(PROGRAMMES))
        patient = np.repeat(people, DAYS)
        day_us = np.tile(np.arange(DAYS, 0, -1), len(people)) * 24 * US_PER_HOUR
        for hour, quantities in programme:
            at_us = microseconds(NOW) - day_us + hour * US_PER_HOUR + draw.integers(0, US_PER_HOUR, len(patient))
            numbers = np.arange(reading_no, reading_no + len(patient))
            reading_no += len(patient)
            for name, mean, spread in quantities:
                level = np.repeat(draw.normal(mean, spread / 2, len(people)), DAYS)
                parts.append(
                    {
                        "patient": patient,
                        "measured_at_us": at_us,
                        "reading_no": numbers,
                        "code": np.full(len(patient), BY_NAME[name].number),
                        "unit": np.full(len(patient), UNIT_NUMBER[BY_NAME[name].units[0]]),
                        "value": np.round(draw.normal(level, spread), 2 if name == "body_weight" else 0),
                    }
                )
    return Series.of(**{column: np.concatenate([part[column] for part in parts]) for column in parts[0]})
