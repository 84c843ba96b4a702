"""Limits made of a patient's own usual: shown with what they would have called, approved or declined by a clinician."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts.severity import Severity
from rpm.audit import Action, record
from rpm.errors import UserError
from rpm.offering import REASON_LENGTH, Asked, Offered, decide, offered
from rpm.store import own_limits
from rpm.web.held import told
from rpm.web.installed import layers_of, rules_of
from rpm.web.pages import render
from rpm.web.patients import find
from rpm.web.problems import BadInput
from rpm.web.session import Now, Nurse, Store
from schemas.codes import UNIT_LABEL

router = APIRouter()

#: What may be decided on: an urgent limit is not among it.
_BANDS = {severity.word: severity for severity in Severity if severity is not Severity.URGENT}


@router.get("/patients/{public_id}/limits")
def show(request: Request, public_id: UUID, actor: Nurse, store: Store, now: Now) -> Response:
    """What is usual of a patient, the limits that would follow from it, and what was decided on earlier ones."""
    found: Offered | None = None
    why_not = ""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        try:
            found = offered(connection, patient.patient_id, rules_of(request), layers_of(request), now=now)
        except UserError as error:
            why_not = str(error)
        decided = own_limits.decisions(connection, practice_id=actor.practice_id, patient_id=patient.patient_id)
        record(connection, actor, Action.SAW_RULES, now=now, patient_id=patient.patient_id)
    declined = {
        (one.rule_id, one.band, one.quantity, one.unit, one.value) for one in decided if one.decision == "declined"
    }
    return render(
        request,
        "patient_limits.html",
        now=now,
        patient=patient,
        found=found,
        why_not=why_not,
        decided=decided,
        declined=declined,
        reason_length_max=REASON_LENGTH[1],
        units=UNIT_LABEL,
    )


@router.post("/patients/{public_id}/limits")
def decide_on(
    request: Request,
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    rule_id: Annotated[str, Form(max_length=100)],
    band: Annotated[str, Form(max_length=10)],
    quantity: Annotated[str, Form(max_length=40)],
    basis: Annotated[str, Form(max_length=64)],
    do: Annotated[str, Form(max_length=10)],
    reason: Annotated[str, Form(max_length=REASON_LENGTH[1])] = "",
) -> Response:
    """Approve or decline one offer, as it was shown."""
    if band not in _BANDS or do not in ("approve", "decline"):
        raise BadInput("There is no such offer.")
    asked = Asked(rule_id, _BANDS[band], quantity, basis, do == "approve", reason)
    with told(), store.transaction() as connection:
        patient = find(connection, public_id, actor)
        decide(
            connection,
            actor,
            asked,
            patient=patient.patient_id,
            rules=rules_of(request),
            layers=layers_of(request),
            now=now,
        )
    return RedirectResponse(f"/patients/{public_id}/limits", status_code=303)
