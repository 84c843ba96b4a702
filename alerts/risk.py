"""In which order alerts stand before a nurse: points that add up, each of which she can see. Nothing is fitted or learnt.

The severity is worth more than all else together, and next to it whether anybody has the alert: a red stands above whatever is
not red, and within a severity what nobody has above what somebody has. The rest (at most 98 of the 99 points between two such
steps) orders alerts that are alike in both: how long one has waited, how much else is wrong with the patient, which way the
quantity goes, and how much of the patient is not seen any more. Each part only rises with what is bad and is cut off at its
`most`, so that more of anything bad never lowers a place. The weights are a judgement, not a measurement (README).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from alerts.series import Bools, Floats, Ints
from alerts.severity import Severity

#: Between two severities. Twice the next step, which is one more than the rest can reach together.
SEVERITY: Final = 200
NOBODY_HAS_IT: Final = 100
#: Points for each answer time that has passed (15 minutes, 4 hours, a day: `rpm.web.due`), and the most.
WAITING, WAITING_MOST = 10, 30
STILL_OUT: Final = 8
#: For each reading of the episode after its first.
REPEATED, REPEATED_MOST = 2, 10
#: For each other open alert of the patient, by severity.
OTHERS: Final = {Severity.URGENT: 9, Severity.PRIORITY: 6, Severity.ROUTINE: 3}
OTHERS_MOST: Final = 18
#: For each usual spread by which the last week's days lie on the bad side of the weeks before.
TREND, TREND_MOST = 5, 15
#: For each whole day without a reading after the first, and for each day that fewer were measured on than before.
SILENT, SILENT_MOST = 1, 10
MISSED, MISSED_MOST = 1, 7
#: Counts beyond it change nothing; a column of numbers from elsewhere must not overflow one of 64 bits.
COUNT_MAX: Final = 1_000_000

PARTS: Final = (
    "severity", "nobody has it", "waiting", "not back in range", "repeated", "other alerts", "trend", "silent", "missed days",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standings:
    """Open alerts as columns of one length, one row each.

    severity: 1 to 3. free: nobody has it. waited: how long nobody has had it, in answer times of its severity (0 where somebody
    has). out: not back in range. readings: of the episode. others: the patient's other open alerts by severity, shape (n, 3), routine
    first. spreads: how far the last week lies on the bad side of the weeks before, in usual spreads of a day (NaN: not known).
    silent_days: days since the newest reading (NaN: not known, or away). missed_days: days with a reading in the last two weeks, how
    many fewer than in the two weeks before (NaN: not known).
    """

    severity: Ints
    free: Bools
    waited: Floats
    out: Bools
    readings: Ints
    others: Ints
    spreads: Floats
    silent_days: Floats
    missed_days: Floats


def points(rows: Standings) -> Ints:
    """The points of every part, shape (n, len(PARTS)), in the order of PARTS; each from 0 to its most."""
    each = np.array([OTHERS[severity] for severity in Severity], np.int64)
    columns = (
        (rows.severity.astype(np.int64) - int(Severity.ROUTINE)) * SEVERITY,
        np.where(rows.free, NOBODY_HAS_IT, 0),
        _steps(rows.waited, WAITING, WAITING_MOST),
        np.where(rows.out, STILL_OUT, 0),
        _steps(rows.readings - 1, REPEATED, REPEATED_MOST),
        np.minimum(np.clip(rows.others, 0, COUNT_MAX) @ each, OTHERS_MOST),
        _steps(rows.spreads, TREND, TREND_MOST),
        _steps(rows.silent_days - 1, SILENT, SILENT_MOST),
        _steps(rows.missed_days, MISSED, MISSED_MOST),
    )
    return np.column_stack([column.astype(np.int64) for column in columns])


def _steps(amount: NDArray[Any], each: int, most: int) -> Floats:
    """Whole points, so that what is shown adds up; what is not known counts nothing."""
    known = np.where(np.isnan(amount), 0.0, amount)
    return np.floor(np.clip(known, 0.0, most / each) * each)


def order(total: Ints, opened_at_us: Ints, number: Ints) -> Ints:
    """Row numbers, the first to be looked at first: most points, then the oldest, then the alert's own number."""
    return np.lexsort((number, opened_at_us, -total))


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a place: what it is, in words, and its points of at most so many."""

    name: str
    words: str
    points: int
    most: int


#: The most points of each part, in the order of PARTS.
MOST: Final = (
    (max(Severity) - min(Severity)) * SEVERITY, NOBODY_HAS_IT, WAITING_MOST, STILL_OUT, REPEATED_MOST, OTHERS_MOST,
    TREND_MOST, SILENT_MOST, MISSED_MOST,
)  # fmt: skip
assert sum(MOST[2:]) < NOBODY_HAS_IT
assert sum(MOST[1:]) < SEVERITY


def parts(rows: Standings, scored: Ints, index: int) -> tuple[Part, ...]:
    """Why the alert of row `index` stands where it stands; `scored` as `points` gives it. Its points add up to the place."""
    words = _words(rows, index)
    each: Sequence[int] = scored[index].tolist()
    return tuple(Part(*one) for one in zip(PARTS, words, each, MOST, strict=True))


def _words(rows: Standings, index: int) -> tuple[str, ...]:
    severity, readings = Severity(int(rows.severity[index])), int(rows.readings[index])
    waited, spreads = float(rows.waited[index]), float(rows.spreads[index])
    silent, missed = float(rows.silent_days[index]), float(rows.missed_days[index])
    others = [f"{int(count)} {one.word}" for one, count in zip(Severity, rows.others[index], strict=True) if count > 0][
        ::-1
    ]
    return (
        severity.word,
        "no one took it or is with the patient" if rows.free[index] else "somebody has it",
        f"{waited:.1f} times its answer time" if rows.free[index] else "somebody has it",
        "its last reading is out of range" if rows.out[index] else "back in range",
        f"{readings} readings of this episode" if readings != 1 else "one reading",
        f"also open of this patient: {', '.join(others)}" if others else "nothing else is open of this patient",
        _trend(spreads),
        "not known, or away" if np.isnan(silent) else f"last reading {_days(silent)} ago",
        _measured(missed),
    )  # fmt: skip


def _trend(spreads: float) -> str:
    if np.isnan(spreads):
        return "too few days to tell a trend"
    if spreads <= 0:
        return "last week no worse than the weeks before"
    return f"last week {spreads:.1f} usual spreads worse than the weeks before"


def _measured(missed: float) -> str:
    if np.isnan(missed):
        return "not known, or away"
    if missed <= 0:
        return "measures no less often than before"
    return f"measured on {_days(missed)} fewer in two weeks than in the two before"


def _days(count: float) -> str:
    whole = int(min(max(count, 0.0), COUNT_MAX))
    return "1 day" if whole == 1 else f"{whole} days"
