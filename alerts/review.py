"""How alerts were answered: time until somebody had each and until it was closed, by severity and by the shift it came in (F66).

The shift is the one in which an alert opened, by the practice's wall clock. Somebody has an alert who acknowledges it, lets it
wait, or closes it: whichever was first. Nothing here is about a patient.
"""

import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from alerts.severity import Severity


@dataclass(frozen=True, slots=True)
class Target:
    """Within what time somebody has an alert, and within what time it is closed."""

    had: timedelta
    closed: timedelta


#: Where a practice has set none. A red within a quarter of an hour is what its policy waits before it calls the next one.
TARGETS: Final[Mapping[Severity, Target]] = {
    Severity.URGENT: Target(timedelta(minutes=15), timedelta(hours=1)),
    Severity.PRIORITY: Target(timedelta(hours=4), timedelta(hours=24)),
    Severity.ROUTINE: Target(timedelta(hours=24), timedelta(hours=72)),
}
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
class Within:
    """How many were done within their target, of those of which it is known: done, or older than the target."""

    target: timedelta
    met: int
    known: int

    @property
    def share(self) -> float | None:
        """0 to 1; None where nothing is known yet."""
        return self.met / self.known if self.known else None


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
    had_within: Within
    closed_within: Within


def shift_of(at: datetime, zone: str) -> str:
    """The shift of an instant: `07-15`."""
    hour = at.astimezone(ZoneInfo(zone)).hour
    begins = max((one for one in SHIFTS if one <= hour), default=SHIFTS[-1])
    ends = SHIFTS[(SHIFTS.index(begins) + 1) % len(SHIFTS)]
    return f"{begins:02d}-{ends:02d}"


def answered(
    lines: Iterable[Line], *, zone: str, now: datetime, targets: Mapping[Severity, Target] = TARGETS
) -> list[Answered]:
    """One row for each severity and shift in which something came: clinical before technical, the gravest first.

    `targets`: of every severity. An alert that is younger than its target and not done yet is neither within nor beyond it.
    """
    groups: dict[tuple[bool, int, str], list[Line]] = {}
    for line in lines:
        groups.setdefault((line.technical, -line.severity, shift_of(line.opened_at, zone)), []).append(line)
    return [
        _row(
            technical=technical,
            severity=Severity(-minus),
            shift=shift,
            group=group,
            target=targets[Severity(-minus)],
            now=now,
        )
        for (technical, minus, shift), group in sorted(groups.items())
    ]


def _row(
    *, technical: bool, severity: Severity, shift: str, group: Sequence[Line], target: Target, now: datetime
) -> Answered:
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
        had_within=_within([(line.opened_at, line.had_at) for line in group], target.had, now=now),
        closed_within=_within([(line.opened_at, line.closed_at) for line in group], target.closed, now=now),
    )


def _within(spans: Sequence[tuple[datetime, datetime | None]], target: timedelta, *, now: datetime) -> Within:
    """`spans`: since when each waits, and when it was done; None: not yet."""
    met = sum(done is not None and done - since <= target for since, done in spans)
    return Within(target, met, sum(done is not None or now - since > target for since, done in spans))


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
            "last_step", "nobody", "had_target_min", "had_within", "had_known", "closed_target_min", "closed_within",
            "closed_known",
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
                *_cells(row.had_within),
                *_cells(row.closed_within),
            ]
        )
    return out.getvalue()


def _cells(within: Within) -> tuple[str, int, int]:
    return f"{within.target / timedelta(minutes=1):g}", within.met, within.known
