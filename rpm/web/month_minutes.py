"""What of a month's minutes counts for the bill, entry by entry, as billing itself counts it. Pure.

The patient page tells a nurse how much is still missing: a number of its own beside the bill's would let her stop too soon.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from rpm.billing.report import MonthReport, ReportRow
from rpm.store.minutes import Entry
from rpm.web.spent import counted

NOT_BILLED: Final = "nothing is billed for this patient, who is not enrolled, or made up for trials"


@dataclass(frozen=True, slots=True)
class MonthMinutes:
    """Whole minutes: those that count, and all that were worked; `why` not, or not the whole of it, by entry."""

    counted: int
    worked: int
    live: bool
    why: dict[int, str] = field(default_factory=dict[int, str])


def month_minutes(entries: Sequence[Entry], report: MonthReport) -> MonthMinutes:
    """One patient's month. `report`: of this patient alone, a row for each episode; `entries`: all of the month."""
    standing = [one for one in entries if not one.reversed and one.reverses is None]
    worked = counted((one.started_at, one.ended_at) for one in standing) // timedelta(minutes=1)
    months = [row.management for row in report.rows if row.management is not None]
    whole = {entry_id for month in months for entry_id in month.entry_ids}
    why = {one.entry_id: _why(str(one.entry_id), report.rows, whole) for one in standing}
    return MonthMinutes(
        counted=sum(month.minutes for month in months),
        worked=worked,
        live=any(month.live_contact for month in months),
        why={entry_id: said for entry_id, said in why.items() if said},
    )


def _why(entry_id: str, rows: Sequence[ReportRow], whole: Collection[str]) -> str:
    """Empty where the whole entry counts."""
    parts = [one for row in rows for one in row.result.entries_in_part if one.entry_id == entry_id]
    if parts:
        return f"Counts in part, not the rest: {parts[0].reason}"
    if entry_id in whole:
        return ""
    left_out = [one for row in rows for one in row.result.entries_left_out if one.evidence_id == entry_id]
    if left_out:
        return f"Does not count: {left_out[-1].reason}"
    blocked = [notice.reason for row in rows for notice in row.blockers]
    return f"Does not count: {blocked[0] if blocked else NOT_BILLED}"
