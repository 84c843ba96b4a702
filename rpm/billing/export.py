"""The month as a file: CSV for a spreadsheet, JSON for a program."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from rpm.billing.outcome import BillableItem, Json, plain
from rpm.billing.report import MonthReport, ReportRow

#: A cell that begins so is run as a formula by spreadsheets; an apostrophe makes it text.
FORMULA_STARTS: Final = ("=", "+", "-", "@", "＝", "＋", "－", "＠")

COLUMNS: Final = (
    "month",
    "patient_id",
    "patient",
    "birth_date",
    "payer_profile",
    "condition_icd10",
    "ordered_by",
    "period_1",
    "period_1_days",
    "period_1_state",
    "period_2",
    "period_2_days",
    "period_2_state",
    "minutes",
    "live_contact",
    "codes",
    "codes_so_far",
    "codes_in_other_months",
    "blockers",
    "warnings",
    "still_possible",
    "not_billable",
    "data_days",
    "time_entries",
    "as_of",
)
#: A calendar month touches two periods at most: three would need 32 days.
PERIODS_MAX: Final = 2


def safe_cell(text: str) -> str:
    """A cell no spreadsheet runs, on one line: what is not printable would be run as a formula behind it, or hide."""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def as_csv(report: MonthReport) -> str:
    """One line per episode, header first. Every cell is text or a number; an empty one is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in report.rows:
        writer.writerow([safe_cell(cell) for cell in _cells(report, row)])
    return out.getvalue()


def _cells(report: MonthReport, row: ReportRow) -> Sequence[str]:
    episode = row.episode
    periods: list[str] = []
    for period in row.periods[:PERIODS_MAX]:
        periods += [f"{period.start} to {period.end}", str(len(period.days)), period.state]
    periods += [""] * (3 * PERIODS_MAX - len(periods))
    managed = row.management
    return (
        str(report.month),
        str(episode.public_id),
        episode.name,
        str(episode.birth_date),
        episode.payer_profile,
        episode.condition_icd10 or "",
        episode.ordered_by or "",
        *periods,
        str(managed.minutes) if managed else "0",
        "yes" if managed and managed.live_contact else "no",
        codes_text(row.codes),
        codes_text(row.so_far),
        codes_text(row.other_months),
        _join(one.reason for one in row.blockers),
        _join(one.reason for one in row.warnings),
        _join(f"{one.code}: {one.reason} (by {one.by})" for one in row.still_possible),
        _join(f"{one.code}: {one.reason}" for one in row.not_billable),
        " ".join(str(day) for period in row.periods for day in period.days),
        " ".join(managed.entry_ids) if managed else "",
        report.as_of.isoformat(timespec="seconds"),
    )


def codes_text(items: Iterable[BillableItem]) -> str:
    """`99454x1 on 2026-11-30`, one after another."""
    return "; ".join(f"{one.code}x{one.units} on {one.service_date}" for one in items)


def _join(sentences: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(sentences))


def as_json(report: MonthReport) -> dict[str, Json]:
    """The whole report, with the days and entry ids behind every item."""
    return {
        "practice": report.practice.name,
        "practice_zone": report.practice.time_zone,
        "month": str(report.month),
        "as_of": report.as_of.isoformat(),
        "rows": [_row_json(row) for row in report.rows],
    }


def _row_json(row: ReportRow) -> Json:
    episode = row.episode
    return {
        "patient_id": str(episode.public_id),
        "patient": episode.name,
        "birth_date": str(episode.birth_date),
        "payer_profile": episode.payer_profile,
        "periods": plain(row.periods),
        "management": plain(row.management),
        "codes": plain(row.codes),
        "so_far": plain(row.so_far),
        "other_months": plain(row.other_months),
        "not_billable": plain(row.not_billable),
        "blockers": plain(row.blockers),
        "warnings": plain(row.warnings),
        "still_possible": plain(row.still_possible),
        "entries_left_out": plain(row.result.entries_left_out),
        "entries_in_part": plain(row.result.entries_in_part),
    }
