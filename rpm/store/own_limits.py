"""A patient's own limits as a clinician approves them, and every decision on one that was offered."""

from dataclasses import dataclass
from datetime import datetime

from alerts.baseline import Offer
from alerts.severity import Severity
from rpm import audit
from rpm.access import Actor
from rpm.audit import Action
from rpm.errors import UserError
from rpm.store import readings
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("own_limits")


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody decided on an offer, and why."""

    rule_id: str
    rule_version: str
    band: str
    quantity: str
    unit: str
    value: float
    instead_of: float
    instead_of_layer: str
    decision: str
    reason: str
    decided_by: str
    decided_at: datetime


def lock(connection: Connection, patient: int, *, practice_id: int) -> None:
    """Two people who decide of one patient do so one after the other."""
    connection.execute(_SQL["lock"], {"patient_id": patient, "practice_id": practice_id})


def decide(
    connection: Connection,
    actor: Actor,
    offer: Offer,
    *,
    rule_version: str,
    patient: int,
    approved: bool,
    reason: str,
    now: datetime,
) -> None:
    """Write a decision down; an approved limit holds from the next judgement on. UserError of an urgent limit: it never moves here."""
    if offer.band is Severity.URGENT:
        raise UserError("an urgent limit is never made of what is usual")
    fields = {
        "practice_id": actor.practice_id,
        "patient_id": patient,
        "rule_id": offer.rule_id,
        "rule_version": rule_version,
        "band": offer.band.word,
        "quantity": offer.quantity,
        "unit": offer.unit,
        "value": offer.offered,
        "instead_of": offer.holds.value,
        "instead_of_layer": str(offer.holds.layer),
        "decision": "approved" if approved else "declined",
        "reason": reason,
        "staff_id": actor.staff_id,
        "approved_by": actor.display_name,
        "now": now,
    }
    connection.execute(_SQL["decide"], fields)
    if approved:
        connection.execute(_SQL["give_way"], fields)
        connection.execute(_SQL["hold"], fields)
        readings.save_news(connection, {(patient, actor.practice_id): 1}, now=now)
        readings.tell(connection)
    audit.record(
        connection,
        actor,
        Action.LIMIT_APPROVED if approved else Action.LIMIT_DECLINED,
        now=now,
        patient_id=patient,
        rule=offer.rule_id,
        band=offer.band.word,
        quantity=offer.quantity,
    )


def decisions(connection: Connection, *, practice_id: int, patient_id: int) -> list[Decision]:
    """Every decision on a patient's offers, the newest first."""
    rows = connection.execute(_SQL["decisions"], {"practice_id": practice_id, "patient_id": patient_id}).fetchall()
    return [Decision(**row) for row in rows]
