"""One rule's findings put together from parts: of its quantities, and of portions of the patients.

A portion is as many patients as have PORTION_ROWS rows: what a rule makes of them on its way (some dozens of columns) then stays
in a processor's second cache and in memory that the process already owns. All of a hundred thousand patients at once took
twice as long, most of it for pages that were written once.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from alerts.found import Explained, RuleFindings
from alerts.repeats import Repeated
from alerts.series import Ints, run_starts

#: Rows judged at once, more or less: no patient is in two portions.
PORTION_ROWS: Final = 500_000

_COLUMNS: Final = ("patient", "measured_at_us", "reading_no", "severity", "late", "row", "amount", "ask")
_STANDINGS: Final = ("stands_patient", "stands", "stands_at_us")


def portions(patient: Ints) -> Iterator[slice]:
    """Runs of whole patients that cover all rows in their order; one empty run of no rows. `patient` is sorted."""
    begin, count = 0, len(patient)
    while count - begin > PORTION_ROWS:
        last = patient[begin + PORTION_ROWS : begin + PORTION_ROWS + 1]
        end = int(np.searchsorted(patient, last, side="right")[0])
        yield slice(begin, end)
        begin = end
    if begin < count or not count:
        yield slice(begin, count)


def of_portions(parts: Sequence[RuleFindings]) -> RuleFindings:
    """One rule's findings on portions that follow each other: one after the other."""
    if len(parts) == 1:
        return parts[0]
    return RuleFindings(
        parts[0].rule,
        **{name: _column(parts, name) for name in (*_COLUMNS, *_STANDINGS, "short")},
        explained=_explained(parts),
        repeated=Repeated.joined(part.repeated for part in parts),
    )


def of_quantities(parts: Sequence[RuleFindings]) -> RuleFindings:
    """One rule's findings on several quantities: of one reading the most severe, of one patient the worst standing."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: _column(parts, name) for name in _COLUMNS}
    severity, number, at_us, patient = (
        columns[name] for name in ("severity", "reading_no", "measured_at_us", "patient")
    )
    order = np.lexsort((-severity.astype(np.int64), number, at_us, patient))
    keep = order[run_starts(patient[order], at_us[order], number[order])]
    stands_patient, stands, stands_at = (_column(parts, name) for name in _STANDINGS)
    ordered = np.lexsort((stands_at, stands, stands_patient))
    begins = run_starts(stands_patient[ordered])
    last = ordered[np.append(begins[1:], len(ordered)) - 1] if len(begins) else ordered
    explained = _explained(parts)
    return RuleFindings(
        parts[0].rule,
        **{name: column[keep] for name, column in columns.items()},
        stands_patient=stands_patient[last],
        stands=stands[last],
        stands_at_us=stands_at[last],
        short=np.unique(_column(parts, "short")),
        explained=explained.take(keep) if explained else None,
        repeated=None,
    )


def _column(parts: Sequence[RuleFindings], name: str) -> np.ndarray:
    return np.concatenate([getattr(part, name) for part in parts])


def _explained(parts: Sequence[RuleFindings]) -> Explained | None:
    """How all of them came about; None where a rule of single values needs no telling."""
    hows = [part.explained for part in parts if part.explained is not None]
    if not hows:
        return None
    offsets = np.cumsum([0, *(len(how.tracks) for how in hows[:-1])])
    return Explained(
        tracks=tuple(track for how in hows for track in how.tracks),
        track=np.concatenate([how.track + offset for how, offset in zip(hows, offsets, strict=True)]).astype(np.int32),
        **{
            name: np.concatenate([getattr(how, name) for how in hows])
            for name in ("place", "first", "count", "base", "low", "high")
        },
    )
