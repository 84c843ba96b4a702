"""What one rule found, as columns: a row per breaching reading, and per patient where they stand. Words: `alerts.findings`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from alerts.repeats import Repeated
from alerts.rules import Rule
from alerts.series import Bools, Floats, Ints
from alerts.tracks import Track

#: Why a finding asks: nothing, its device doubts it, it may be somebody else or another scale, its second reading disputes it.
ASKS_NOTHING, ASKS_AGAIN, ASKS_WHO, ASKS_BOTH = 0, 1, 2, 3


@dataclass(frozen=True, slots=True)
class Explained:
    """Per finding of a measure, what it takes to say why: which track, its row there, and where its window begins.

    `base`, `low`, `high` as in `alerts.amounts.Amounts`; NaN where there is none.
    """

    tracks: tuple[Track, ...]
    track: NDArray[np.int32]
    place: Ints
    first: Ints
    count: Ints
    base: Floats
    low: Floats
    high: Floats

    def take(self, keep: Ints) -> "Explained":
        """The findings of these indices."""
        return Explained(
            self.tracks,
            self.track[keep],
            self.place[keep],
            self.first[keep],
            self.count[keep],
            self.base[keep],
            self.low[keep],
            self.high[keep],
        )


@dataclass(frozen=True, slots=True)
class RuleFindings:
    """The findings of one rule as columns (one row per breaching reading) and where its patients stand (one per patient).

    `row` is the reading's row in the series that the finding speaks of (-1: of a silence from the beginning), `amount` what
    crossed the limit, `ask` one of ASKS_…. `short`: patients whose newest reading had not enough data behind it, ascending.
    """

    rule: Rule
    patient: Ints
    measured_at_us: Ints
    reading_no: Ints
    severity: NDArray[np.int8]
    late: Bools
    row: Ints
    amount: Floats
    ask: NDArray[np.int8]
    stands_patient: Ints
    stands: Bools
    stands_at_us: Ints
    short: Ints
    explained: Explained | None = None
    #: Of a rule that asks for a second reading, where any of its readings was out of range.
    repeated: Repeated | None = None
