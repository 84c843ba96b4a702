"""What the order of the worklist rests on besides the alerts themselves: how much of a patient is seen, and which way it goes.

From the sums of days (`rpm.store.rollups`), so that a list of hundreds is one question of each kind. A day that was not summed yet is
missing for a moment; the order is a help, and no red depends on it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.codes import CODES

_SQL = load("risk")

#: Days of an older week are no trend of now.
TREND_SINCE: Final = timedelta(days=42)
#: Four weeks where anybody lives.
SEEN_SINCE: Final = timedelta(days=30)
#: Days with a reading a mean of a week needs, and a spread of the weeks before.
DAYS_MIN, DAYS_BEFORE_MIN = 2, 7
_VITALS: Final = [code.number for code in CODES if code.vital]


@dataclass(frozen=True, slots=True)
class Seen:
    """When something of a patient came last, or they came back; days with a reading in two weeks, and in the two before.

    None: nothing ever, or not known because of an absence.
    """

    patient_id: int
    seen_at: datetime | None
    lately: int | None
    before: int | None


@dataclass(frozen=True, slots=True)
class Trend:
    """One quantity in one unit: the mean of a week of days, of the three weeks before, and how those days spread."""

    patient_id: int
    code: int
    unit: int
    newest: date
    days: int
    mean: float
    days_before: int
    mean_before: float | None
    spread: float | None

    @property
    def rise(self) -> float | None:
        """By how many usual spreads the week lies above the weeks before; None: too few days, or no spread at all."""
        if self.days < DAYS_MIN or self.days_before < DAYS_BEFORE_MIN or not self.spread or self.mean_before is None:
            return None
        return (self.mean - self.mean_before) / self.spread


def seen(connection: Connection, *, practice_id: int, patients: Collection[int], now: datetime) -> dict[int, Seen]:
    """By patient; who is away or looked after no more is not in it."""
    since = (now - SEEN_SINCE).date()
    parameters = {
        "practice_id": practice_id, "patients": sorted(patients), "codes": _VITALS, "since": since, "now": now
    }  # fmt: skip
    rows = connection.execute(_SQL["seen"], parameters).fetchall()
    return {row["patient_id"]: Seen(**row) for row in rows}


def trends(
    connection: Connection, *, practice_id: int, wanted: Collection[tuple[int, int]], now: datetime
) -> dict[tuple[int, int], Trend]:
    """By (patient, code), in the unit used last."""
    pairs = sorted(set(wanted))
    parameters = {
        "practice_id": practice_id,
        "wanted_patients": [patient for patient, _ in pairs],
        "wanted_codes": [code for _, code in pairs],
        "since": now - TREND_SINCE,
    }
    rows = connection.execute(_SQL["trends"], parameters).fetchall()
    # In the order of their newest day: the last stays.
    return {(row["patient_id"], row["code"]): Trend(**row) for row in rows}
