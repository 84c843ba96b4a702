"""A stored reading that was wrong: set aside, put back, or given to the patient whose it is."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from rpm.store import corrections
from rpm.store.corrections import REASON_LENGTH_MAX
from rpm.web.held import told
from rpm.web.patients import find, stored_of
from rpm.web.session import Now, Nurse, Store

router = APIRouter()

Why = Annotated[str, Form(max_length=REASON_LENGTH_MAX)]


@router.post("/patients/{public_id}/readings/{reading_id}/void")
def void(public_id: UUID, reading_id: UUID, actor: Nurse, store: Store, now: Now, reason: Why = "") -> Response:
    """Set a reading aside: it stays visible and is not used."""
    with told(), store.transaction() as connection:
        stored_of(connection, reading_id, find(connection, public_id, actor), actor)
        corrections.void(connection, reading_id, reason=reason, actor=actor, now=now)
    return _shown(public_id, reading_id)


@router.post("/patients/{public_id}/readings/{reading_id}/restore")
def restore(public_id: UUID, reading_id: UUID, actor: Nurse, store: Store, now: Now, reason: Why = "") -> Response:
    """Use a reading again that was set aside."""
    with told(), store.transaction() as connection:
        stored_of(connection, reading_id, find(connection, public_id, actor), actor)
        corrections.restore(connection, reading_id, reason=reason, actor=actor, now=now)
    return _shown(public_id, reading_id)


@router.post("/patients/{public_id}/readings/{reading_id}/move")
def move(
    public_id: UUID,
    reading_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    patient: Annotated[UUID, Form()],
    reason: Why = "",
) -> Response:
    """Give a reading to the patient whose it is."""
    with told(), store.transaction() as connection:
        stored_of(connection, reading_id, find(connection, public_id, actor), actor)
        owner = find(connection, patient, actor)
        corrections.move(connection, reading_id, patient_id=owner.patient_id, reason=reason, actor=actor, now=now)
    return _shown(patient, reading_id)


def _shown(public_id: UUID, reading_id: UUID) -> Response:
    return RedirectResponse(f"/patients/{public_id}/readings/{reading_id}", status_code=303)
