"""Each practice's plan of who is called, as it keeps it itself, and who stands in for whom.

A practice that saved no plan uses the installation's file. What is kept was checked when it was saved; a plan that a
later release cannot read any more must not silence a practice, so that the installation's is used then, and it is told.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

import structlog

from alerts.escalation import EscalationError, Plan, parse_plan
from alerts.rota import Override
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("plans")
_log = structlog.get_logger()

#: Practices whose plan is kept parsed; a plan is read anew at every turn, and parsed once.
PARSED_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Plans:
    """The plan of every practice: its own, or the installation's."""

    default: Plan
    own: Mapping[int, Plan] = field(default_factory=dict[int, Plan])

    def of(self, practice_id: int) -> Plan:
        """The plan of one practice."""
        return self.own.get(practice_id, self.default)


@dataclass(frozen=True, slots=True)
class Saved:
    """One plan a practice had, as a person wrote it."""

    id: int
    text: str
    note: str
    saved_at: datetime
    saved_by: str


@dataclass(frozen=True, slots=True)
class StandIn:
    """One override as people see it. Who is None: the one replaced is away."""

    id: int
    override: Override
    who_name: str | None
    instead_of_name: str | None
    reason: str
    made_by: str


def current(connection: Connection, default: Plan) -> Plans:
    """Everybody's plan as it stands now."""
    own: dict[int, Plan] = {}
    for row in connection.execute(_SQL["newest"]).fetchall():
        try:
            own[row["practice_id"]] = _parsed(row["id"], row["text"])
        except EscalationError as error:
            _log.error("plan_unreadable", practice=row["practice_id"], plan=row["id"], said=str(error))
    return Plans(default, own)


@lru_cache(maxsize=PARSED_MAX)
def _parsed(plan_id: int, text: str) -> Plan:
    return parse_plan(text, name=f"plan {plan_id}")


def history(connection: Connection, practice_id: int, *, limit: int) -> list[Saved]:
    """The plans a practice had, newest first; empty where it uses the installation's."""
    rows = connection.execute(_SQL["history"], {"practice_id": practice_id, "limit": limit}).fetchall()
    return [Saved(row["id"], row["text"], row["note"], row["saved_at"], row["saved_by"]) for row in rows]


def save(
    connection: Connection, *, practice_id: int, text: str, note: str, seen: int, saved_by: int, now: datetime
) -> int | None:
    """Keep a plan that was checked; its number. None where somebody saved another than `seen` meanwhile (0: none yet)."""
    connection.execute(_SQL["lock_practice"], {"practice_id": practice_id})
    row = connection.execute(
        _SQL["save"],
        {"practice_id": practice_id, "text": text, "note": note, "seen": seen, "saved_by": saved_by, "now": now},
    ).fetchone()
    return None if row is None else int(row["id"])


def stand_ins(connection: Connection, practices: Iterable[int], *, since: datetime) -> dict[int, list[StandIn]]:
    """Overrides that hold at `since` or later, by practice, in the order of their beginning."""
    wanted = sorted(set(practices))
    found: dict[int, list[StandIn]] = {practice_id: [] for practice_id in wanted}
    for row in connection.execute(_SQL["overrides"], {"practices": wanted, "since": since}).fetchall():
        override = Override(
            rota=row["rota"],
            begins=row["begins_at"],
            ends=row["ends_at"],
            who=None if row["who"] is None else f"staff:{row['who']}",
            instead_of=None if row["instead_of"] is None else f"staff:{row['instead_of']}",
        )
        found[row["practice_id"]].append(
            StandIn(row["id"], override, row["who_name"], row["instead_of_name"], row["reason"], row["made_by"])
        )
    return found


def make_override(
    connection: Connection,
    *,
    practice_id: int,
    rota: str,
    begins_at: datetime,
    ends_at: datetime,
    who: int | None,
    instead_of: int | None,
    reason: str,
    made_by: int,
    now: datetime,
) -> int | None:
    """Write an override down; None where somebody it names is not of the practice."""
    row = connection.execute(
        _SQL["make_override"],
        {
            "practice_id": practice_id,
            "rota": rota,
            "begins_at": begins_at,
            "ends_at": ends_at,
            "who": who,
            "instead_of": instead_of,
            "reason": reason,
            "made_by": made_by,
            "now": now,
        },
    ).fetchone()
    return None if row is None else int(row["id"])


def withdraw_override(
    connection: Connection, override_id: int, *, practice_id: int, staff_id: int, now: datetime
) -> bool:
    """It holds no more; False where there is none of that number in the practice."""
    parameters = {"override_id": override_id, "practice_id": practice_id, "staff_id": staff_id, "now": now}
    return connection.execute(_SQL["withdraw_override"], parameters).fetchone() is not None


def programs_of(connection: Connection, patients: Sequence[int]) -> dict[int, str]:
    """The care programme of each patient."""
    if not patients:
        return {}
    rows = connection.execute(_SQL["programs"], {"patients": list(patients)}).fetchall()
    return {row["id"]: row["program"] for row in rows}


def practices_with_patients(connection: Connection) -> list[int]:
    """The practices in which somebody may need help."""
    return [row["practice_id"] for row in connection.execute(_SQL["practices_with_patients"]).fetchall()]
