"""What was noticed of a closed month, in words and as a file for a spreadsheet. Pure."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from rpm.billing.closing import Claim
from rpm.billing.export import safe_cell
from rpm.billing.outcome import plain

COLUMNS: Final = (
    "month", "noticed_at", "patient_id", "patient", "changes_codes", "before", "after", "why",
)  # fmt: skip
#: What was done to a reading, as a bill tells it.
CORRECTED: Final = {
    "void": "a reading of {on} was set aside",
    "restore": "a reading of {on} was put back",
    "move": "a reading of {on} was given to the patient whose it is",
}


#: What was said of a stay in hospital.
AWAY: Final = {
    "hospital": "a stay in hospital from {on} on was entered by {by}",
    "not_in_hospital": "a stay in hospital from {on} on was taken back by {by}",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """What makes a closed month's claim another. `kind`: void, restore, move, late_readings, minutes, locked_out, or one of AWAY.

    `count` is how many readings or entries (of `locked_out`: days); `on` the local day of the (first) one.
    """

    kind: str
    at: datetime
    on: date | None = None
    by: str = ""
    reason: str = ""
    count: int = 1

    @property
    def words(self) -> str:
        """For people."""
        if self.kind in CORRECTED:
            return f"{CORRECTED[self.kind].format(on=self.on)} by {self.by}: {self.reason}"
        if self.kind in AWAY:
            return AWAY[self.kind].format(on=self.on, by=self.by)
        if self.kind == "locked_out":
            whose = (
                f"the data of {self.on}" if self.count == 1 else f"the data of {self.count} days, the first {self.on},"
            )
            return f"{whose} came after the claim was locked"
        things = {"late_readings": "reading", "minutes": "entry of minutes"}[self.kind]
        if self.count != 1:
            things = {"late_readings": "readings", "minutes": "entries of minutes"}[self.kind]
        return f"{self.count} {things} came after the month was closed, the first of {self.on}"


@dataclass(frozen=True, slots=True)
class Adjustment:
    """One patient's claim in a closed month, before and after, and what made the difference."""

    month: str
    noticed_at: datetime
    patient: UUID
    name: str
    changes_codes: bool
    before: Claim
    after: Claim
    causes: tuple[Cause, ...]

    def __repr__(self) -> str:
        """No name of a person in a log line or a traceback."""
        return f"Adjustment({self.month}, {self.patient})"

    @property
    def why(self) -> str:
        """What caused it, in words."""
        return "; ".join(cause.words for cause in self.causes) or "what is known of the patient's enrolment changed"


def as_json(adjustments: Sequence[Adjustment]) -> list[dict[str, Any]]:
    """For a program: claims and causes in their parts."""
    return [
        {
            "month": one.month,
            "noticed_at": one.noticed_at.isoformat(),
            "patient_id": str(one.patient),
            "patient": one.name,
            "changes_codes": one.changes_codes,
            "before": one.before.plain,
            "after": one.after.plain,
            "causes": [plain(cause) for cause in one.causes],
            "why": one.why,
        }
        for one in adjustments
    ]


def as_csv(adjustments: Sequence[Adjustment]) -> str:
    """One line per adjustment, header first."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in adjustments:
        cells = (
            one.month, one.noticed_at.isoformat(timespec="seconds"), str(one.patient), one.name,
            "yes" if one.changes_codes else "no", one.before.words, one.after.words, one.why,
        )  # fmt: skip
        writer.writerow([safe_cell(cell) for cell in cells])
    return out.getvalue()
