"""How alerts were answered: time until somebody had each and until it was closed, by severity and by the shift it came in (F66).

The shift is the one in which an alert opened, by the practice's wall clock. Somebody has an alert who acknowledges it, lets it
wait, or closes it: whichever was first. Nothing here is about a patient.
"""

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.severity import Severity

#: Hours at which shifts begin; before the first it is still the last one's.
SHIFTS: Final = (7, 15, 23)


@dataclass(frozen=True, slots=True)
class Line:
    """One alert that called, or could have. `last_step`: it came to the last of its policy's several steps."""

    public_id: UUID
    severity: Severity
    technical: bool
    opened_at: datetime
    had_at: datetime | None
    closed_at: datetime | None
    last_step: bool


@dataclass(frozen=True, slots=True)
class Answered:
    """The alerts of one severity and shift. Times are None where there is none to tell of."""

    severity: Severity
    technical: bool
    shift: str
    alerts: int
    had_median: timedelta | None
    had_90: timedelta | None
    closed_median: timedelta | None
    closed_90: timedelta | None
    last_step: int
    nobody: int


def shift_of(at: datetime, zone: str) -> str:
    """The shift of an instant: `07-15`."""
    hour = at.astimezone(ZoneInfo(zone)).hour
    begins = max((one for one in SHIFTS if one <= hour), default=SHIFTS[-1])
    ends = SHIFTS[(SHIFTS.index(begins) + 1) % len(SHIFTS)]
    return f"{begins:02d}-{ends:02d}"


def answered(lines: Iterable[Line], *, zone: str) -> list[Answered]:
    """One row for each severity and shift in which something came: clinical before technical, the gravest first."""
    groups: dict[tuple[bool, int, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.technical, -line.severity, shift_of(line.opened_at, zone)), []).append(line)
    return [
        _row(technical=technical, severity=Severity(-minus), shift=shift, group=group)
        for (technical, minus, shift), group in sorted(groups.items())
    ]


def _row(*, technical: bool, severity: Severity, shift: str, group: Sequence[Line]) -> Answered:
    had = sorted(line.had_at - line.opened_at for line in group if line.had_at)
    closed = sorted(line.closed_at - line.opened_at for line in group if line.closed_at)
    return Answered(
        severity=severity,
        technical=technical,
        shift=shift,
        alerts=len(group),
        had_median=_rank(had, 0.5),
        had_90=_rank(had, 0.9),
        closed_median=_rank(closed, 0.5),
        closed_90=_rank(closed, 0.9),
        last_step=sum(line.last_step for line in group),
        nobody=sum(line.had_at is None for line in group),
    )


def _rank(spans: Sequence[timedelta], part: float) -> timedelta | None:
    """The nearest rank: a time that some alert really took. `spans` in order."""
    return spans[max(0, math.ceil(part * len(spans)) - 1)] if spans else None


def as_csv(rows: Iterable[Answered]) -> str:
    """The same as a table for a spreadsheet; times in minutes."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(
        [
            "queue", "severity", "shift", "alerts", "had_median_min", "had_90_min", "closed_median_min", "closed_90_min",
            "last_step", "nobody",
        ]
    )  # fmt: skip
    for row in rows:
        times = (row.had_median, row.had_90, row.closed_median, row.closed_90)
        writer.writerow(
            [
                "technical" if row.technical else "clinical",
                row.severity.word,
                row.shift,
                row.alerts,
                *("" if span is None else f"{span / timedelta(minutes=1):.1f}" for span in times),
                row.last_step,
                row.nobody,
            ]
        )
    return out.getvalue()
