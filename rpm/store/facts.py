"""What judging a patient takes besides readings: birth date and zone from the record, dry weight and pregnancy as entered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import structlog

from alerts.facts import PatientFacts
from rpm import audit
from rpm.access import Actor
from rpm.audit import Action
from rpm.errors import UserError
from rpm.store import readings
from rpm.store.database import Connection
from rpm.store.queries import load
from schemas.quantity import converted

log = structlog.get_logger()

_SQL = load("facts")

#: A dry weight below or above is a slip of the pen: the bounds within which a weighing is used.
DRY_WEIGHT_KG: Final = (22.7, 340.2)
WEIGHT_UNITS: Final = ("kg", "[lb_av]")
#: Days that are no slip of the pen.
FIRST_DAY: Final = date(1990, 1, 1)
LAST_DAY: Final = date(2100, 1, 1)


class FactKind(StrEnum):
    """What may be entered of a patient."""

    DRY_WEIGHT = "dry_weight"
    PREGNANCY = "pregnancy"


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact as somebody entered it. It holds from one day until another, both included, unless it was withdrawn."""

    fact_id: int
    kind: FactKind
    value: float | None
    unit: str | None
    from_on: date
    until_on: date | None
    entered_by: str
    entered_at: datetime
    ended_by: str | None
    withdrawn_by: str | None
    withdrawn_at: datetime | None


def of_patients(connection: Connection, patients: Sequence[int], *, now: datetime) -> list[PatientFacts]:
    """What is known of some patients now."""
    rows = connection.execute(_SQL["judged"], {"patients": list(patients), "now": now})
    return [_facts(row) for row in rows]


def _facts(row: Mapping[str, Any]) -> PatientFacts:
    weight = None if row["value"] is None else converted(row["value"], row["unit"], "kg")
    return PatientFacts(
        row["id"],
        time_zone=known_zone(row["time_zone"]),
        birth_date=row["birth_date"],
        pregnant_from=row["from_on"],
        delivered_on=row["until_on"],
        dry_weight_kg=weight,
    )


@lru_cache(maxsize=1000)
def known_zone(name: str) -> str:
    """A zone this machine knows too. The database has more ways to name one, and that must not stop anybody from being judged."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        log.error("time_zone_unknown_here", zone=name, used="UTC")
        return "UTC"
    return name


def history(connection: Connection, *, practice_id: int, patient_id: int) -> list[FactLine]:
    """All that was ever entered of a patient: what stands first, the newest first."""
    rows = connection.execute(_SQL["history"], {"practice_id": practice_id, "patient_id": patient_id})
    return [
        FactLine(
            row["id"],
            FactKind(row["kind"]),
            row["value"],
            row["unit"],
            row["from_on"],
            row["until_on"],
            row["entered_by"],
            row["entered_at"],
            row["ended_by"],
            row["withdrawn_by"],
            row["withdrawn_at"],
        )
        for row in rows
    ]


def enter_dry_weight(
    connection: Connection, *, patient_id: int, value: float, unit: str, from_on: date, actor: Actor, now: datetime
) -> None:
    """The dry weight from a day on, in place of what stood. UserError where it is none."""
    if unit not in WEIGHT_UNITS or not DRY_WEIGHT_KG[0] <= converted(value, unit, "kg") <= DRY_WEIGHT_KG[1]:
        raise UserError("a dry weight is between 22.7 and 340.2 kg (50 and 750 lb)")
    fields = _fields(patient_id, FactKind.DRY_WEIGHT, from_on, actor, now) | {"value": value, "unit": unit}
    connection.execute(_SQL["lock"], fields)
    connection.execute(_SQL["give_way"], fields)
    connection.execute(_SQL["enter"], fields)
    _entered(connection, patient_id, Action.FACT_ENTERED, actor, now)


def enter_pregnancy(connection: Connection, *, patient_id: int, from_on: date, actor: Actor, now: datetime) -> None:
    """A pregnancy from a day on, until somebody says when it ended. UserError where one stands already."""
    fields = _fields(patient_id, FactKind.PREGNANCY, from_on, actor, now) | {"value": None, "unit": None}
    connection.execute(_SQL["lock"], fields)
    if connection.execute(_SQL["overlaps"], fields).fetchone():
        raise UserError("a pregnancy is recorded for these days already: end it, or withdraw it, first")
    connection.execute(_SQL["enter"], fields)
    _entered(connection, patient_id, Action.FACT_ENTERED, actor, now)


def end(connection: Connection, fact_id: int, *, patient_id: int, until_on: date, actor: Actor, now: datetime) -> None:
    """The last day on which a fact holds; of a pregnancy, the day of the birth. UserError where it cannot be."""
    fields = _fields(patient_id, None, None, actor, now) | {"fact_id": fact_id, "until_on": until_on}
    if connection.execute(_SQL["end"], fields).fetchone() is None:
        raise UserError("that day is before it began, or somebody has ended it meanwhile")
    _entered(connection, patient_id, Action.FACT_ENDED, actor, now)


def withdraw(connection: Connection, fact_id: int, *, patient_id: int, actor: Actor, now: datetime) -> None:
    """It was entered by mistake: it stays on the record and holds no more. UserError where somebody was quicker."""
    fields = _fields(patient_id, None, None, actor, now) | {"fact_id": fact_id}
    if connection.execute(_SQL["withdraw"], fields).fetchone() is None:
        raise UserError("somebody has withdrawn it meanwhile")
    _entered(connection, patient_id, Action.FACT_WITHDRAWN, actor, now)


def _fields(
    patient_id: int, kind: FactKind | None, from_on: date | None, actor: Actor, now: datetime
) -> dict[str, Any]:
    return {
        "practice_id": actor.practice_id,
        "patient_id": patient_id,
        "kind": kind,
        "from_on": from_on,
        "staff_id": actor.staff_id,
        "now": now,
    }


def _entered(connection: Connection, patient_id: int, action: Action, actor: Actor, now: datetime) -> None:
    """Judged anew, and on the record."""
    readings.save_news(connection, {(patient_id, actor.practice_id): 1}, now=now)
    readings.tell(connection)
    audit.record(connection, actor, action, now=now, patient_id=patient_id)
