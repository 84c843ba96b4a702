"""Closed months of billing: kept as they were reported, and what is noticed of them afterwards. Both are only ever added to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from rpm import audit
from rpm.access import Actor
from rpm.billing.adjustments import Adjustment, Cause
from rpm.billing.closing import Claim, Difference, Frozen, differences, freeze, thaw
from rpm.billing.episode import Practice, ServiceMonth
from rpm.billing.report import MonthReport, locked_out, month_report
from rpm.billing.rules import FAMILY, Family
from rpm.errors import UserError
from rpm.store import billing
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("closing")
_CAUSES: Final = TypeAdapter(tuple[Cause, ...])
#: A period that is dated in a month began at most so long before it.
PERIOD_BEFORE: Final = timedelta(days=31)
#: An adjustment names at most so many corrections of readings.
CAUSES_MAX: Final = 20


@dataclass(frozen=True)
class Closed:
    """A month as somebody closed it. `intact`: the bytes are those that were hashed then."""

    month_id: int
    closed_at: datetime
    closed_by: str
    frozen: Frozen
    sha256: bytes

    @property
    def intact(self) -> bool:
        """Whether what is kept is what was hashed."""
        return self.frozen.sha256 == self.sha256

    def check(self) -> None:
        """UserError where what is kept is not what was hashed: nobody bills by it."""
        if not self.intact:
            raise UserError("what is kept of this closed month is not what was hashed when it was closed")

    @cached_property
    def report(self) -> MonthReport:
        """The report as it was."""
        return thaw(self.frozen.report)


def close(connection: Connection, of: Practice, month: ServiceMonth, *, actor: Actor, now: datetime) -> Closed:
    """Close a practice's month: from now on it is what it was reported as. There is no way back.

    UserError where it is another practice's, is not over, or is closed.
    """
    if of.practice_id != actor.practice_id:
        raise UserError("a month is closed by its own practice's staff")
    if now < month.ends(of.time_zone):
        raise UserError(f"{month} is not over in {of.time_zone}: it can be closed once it is")
    report = month_report(billing.month_records(connection, of, month, now=now))
    frozen = freeze(report)
    row = connection.execute(
        _SQL["close"],
        {
            "practice_id": of.practice_id, "month": month.first, "staff_id": actor.staff_id, "report": frozen.report,
            "csv": frozen.csv, "json": frozen.json, "sha256": frozen.sha256, "now": now,
        },
    ).fetchone()  # fmt: skip
    if row is None:
        raise UserError(f"{month} is closed already; what changed since is among its adjustments")
    _claim_anchors(connection, report, now=now)
    patients = {one.episode.patient_id for one in report.rows}
    audit.record(
        connection, actor, audit.Action.MONTH_CLOSED, now=now, patients=patients, month=str(month),
        sha256=frozen.sha256.hex(),
    )  # fmt: skip
    made = closed(connection, of.practice_id, month)
    assert made is not None
    return made


def _claim_anchors(connection: Connection, report: MonthReport, *, now: datetime) -> None:
    """Keep where the periods of what was claimed begin: `rpm.billing.anchor` says why."""
    anchors = {
        row.episode.episode_id: row.result.anchor
        for row in report.rows
        if row.result.anchor is not None and any(FAMILY[item.code] is Family.SUPPLY for item in row.codes)
    }
    said = {"practice_id": report.practice.practice_id, "now": now}
    facts = {"episode_ids": list(anchors), "anchors": list(anchors.values())}
    connection.execute(_SQL["claim_anchors"], {**said, **facts})


def closed(connection: Connection, practice_id: int, month: ServiceMonth) -> Closed | None:
    """A practice's month as it was closed; None while it is open."""
    asked = {"practice_id": practice_id, "month": month.first}
    row = connection.execute(_SQL["closed"], asked).fetchone()
    if row is None:
        return None
    frozen = Frozen(bytes(row["report"]), bytes(row["csv"]), bytes(row["json"]))
    return Closed(row["id"], row["closed_at"], row["closed_by"], frozen, bytes(row["sha256"]))


def months(connection: Connection, practice_id: int, *, limit: int) -> list[ServiceMonth]:
    """The newest closed months of a practice."""
    rows = connection.execute(_SQL["months"], {"practice_id": practice_id, "limit": limit}).fetchall()
    return [ServiceMonth(row["month"]) for row in rows]


def notice(connection: Connection, of: Practice, month: ServiceMonth, *, now: datetime) -> int:
    """Compare a closed month with what is known now; how many adjustments were added. Again at once: none.

    Late data count for this, also those that came after their claim was locked: that is what a corrected claim would hold.
    """
    found = closed(connection, of.practice_id, month)
    if found is None or not found.intact:
        # What is not what was hashed then is compared with nothing: its page and its report say so.
        return 0
    key = {"month_id": found.month_id, "practice_id": of.practice_id}
    connection.execute(_SQL["lock"], key)
    last = {row["episode_id"]: row for row in connection.execute(_SQL["last_claims"], key).fetchall()}
    noticed = {number: Claim.read(row["after"]) for number, row in last.items()}
    known = month_report(billing.month_records(connection, of, month, now=now), late_counts=True)
    rows = {row.episode.episode_id: row for row in found.report.rows}
    added = 0
    for one in differences(found.report, known, noticed):
        episode_id = one.episode.episode_id
        before = last.get(episode_id)
        since = before["noticed_at"] if before else found.closed_at
        # What the report left out for it came too late is told once, by the first adjustment.
        late = locked_out(rows[episode_id], month) if before is None and episode_id in rows else []
        causes = [Cause("locked_out", at, on, count=count) for at, on, count in late]
        causes += _causes(connection, of, month, one.episode.patient_id, since=since, now=now)
        _add(connection, of, found.month_id, one, causes, now=now)
        added += 1
    return added


def _add(
    connection: Connection, of: Practice, month_id: int, one: Difference, causes: Sequence[Cause], *, now: datetime
) -> None:
    connection.execute(
        _SQL["adjust"],
        {
            "practice_id": of.practice_id, "month_id": month_id, "patient_id": one.episode.patient_id,
            "episode_id": one.episode.episode_id, "now": now, "changes_codes": one.changes_codes,
            "before": Jsonb(one.before.plain), "after": Jsonb(one.after.plain),
            "causes": Jsonb(_CAUSES.dump_python(tuple(causes), mode="json")),
        },
    )  # fmt: skip


def _causes(
    connection: Connection, of: Practice, month: ServiceMonth, patient_id: int, *, since: datetime, now: datetime
) -> tuple[Cause, ...]:
    """What happened to a patient's readings, minutes and stays in hospital of the month since an instant."""
    zone = of.time_zone
    asked = {
        "practice_id": of.practice_id, "patient_id": patient_id, "zone": zone, "since": since, "now": now,
        "begins": month.begins(zone) - PERIOD_BEFORE, "ends": month.ends(zone), "limit": CAUSES_MAX,
    }  # fmt: skip
    causes = [Cause(**row) for row in connection.execute(_SQL["corrected"], asked).fetchall()]
    for kind, statement in (("late_readings", "came_late"), ("minutes", "entered_late")):
        row = connection.execute(_SQL[statement], asked).fetchone()
        if row is not None and row["count"]:
            causes.append(Cause(kind, row["at"], row["on"], count=row["count"]))
    causes += [
        Cause("hospital" if row["stands"] else "not_in_hospital", row["at"], row["on"], by=row["by"])
        for row in connection.execute(_SQL["away_late"], asked).fetchall()
    ]
    return tuple(causes)


def adjustments(connection: Connection, practice_id: int, month: ServiceMonth) -> list[tuple[int, Adjustment]]:
    """What was noticed of a closed month, in order, each with its patient's inner id for the record of who saw whom."""
    rows = connection.execute(_SQL["adjustments"], {"practice_id": practice_id, "month": month.first}).fetchall()
    return [(row["patient_id"], _adjustment(row)) for row in rows]


def _adjustment(row: Mapping[str, Any]) -> Adjustment:
    first: date = row["month"]
    patient: UUID = row["public_id"]
    return Adjustment(
        month=str(ServiceMonth(first)),
        noticed_at=row["noticed_at"],
        patient=patient,
        name=f"{row['family_name']}, {row['given_name']}",
        changes_codes=row["changes_codes"],
        before=Claim.read(row["before"]),
        after=Claim.read(row["after"]),
        causes=_CAUSES.validate_python(row["causes"]),
    )
