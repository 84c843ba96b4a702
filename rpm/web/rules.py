"""What is asked of one patient's readings, by whose authority; and the facts that rules look at, to enter and to end."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import RedirectResponse, Response

from alerts.explain import none_apply
from rpm.audit import Action, record
from rpm.explaining import rules_held
from rpm.store import facts
from rpm.store.facts import FactKind
from rpm.web.held import told
from rpm.web.installed import layers_of, rules_of
from rpm.web.pages import render
from rpm.web.patients import find
from rpm.web.problems import BadInput
from rpm.web.session import Now, Nurse, Store

router = APIRouter()

FactId = Annotated[int, Path(ge=1, lt=2**63)]


@router.get("/patients/{public_id}/rules")
def show(request: Request, public_id: UUID, actor: Nurse, store: Store, now: Now) -> Response:
    """Each rule with the limits that hold for this patient, their layer, who approved them and when."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        held = rules_held(connection, rules_of(request), patient.patient_id, layers=layers_of(request), now=now)
        known = facts.history(connection, practice_id=actor.practice_id, patient_id=patient.patient_id)
        record(connection, actor, Action.SAW_RULES, now=now, patient_id=patient.patient_id)
    return render(
        request,
        "patient_rules.html",
        now=now,
        patient=patient,
        held=held,
        unjudged=none_apply(held),
        facts=known,
        units=facts.WEIGHT_UNITS,
    )


@router.post("/patients/{public_id}/facts")
def enter(
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    kind: Annotated[FactKind, Form()],
    from_on: Annotated[date, Form()],
    value: Annotated[float, Form(allow_inf_nan=False)] = 0.0,
    unit: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Enter a dry weight or a pregnancy, from a day on."""
    _possible(from_on)
    with told(), store.transaction() as connection:
        who = {"patient_id": find(connection, public_id, actor).patient_id}
        if kind is FactKind.DRY_WEIGHT:
            facts.enter_dry_weight(connection, **who, value=value, unit=unit, from_on=from_on, actor=actor, now=now)
        else:
            facts.enter_pregnancy(connection, **who, from_on=from_on, actor=actor, now=now)
    return _shown(public_id)


@router.post("/patients/{public_id}/facts/{fact_id}/end")
def end(
    public_id: UUID, fact_id: FactId, actor: Nurse, store: Store, now: Now, until_on: Annotated[date, Form()]
) -> Response:
    """Say until when a fact holds; of a pregnancy, the day of the birth."""
    _possible(until_on)
    with told(), store.transaction() as connection:
        patient_id = find(connection, public_id, actor).patient_id
        facts.end(connection, fact_id, patient_id=patient_id, until_on=until_on, actor=actor, now=now)
    return _shown(public_id)


@router.post("/patients/{public_id}/facts/{fact_id}/withdraw")
def withdraw(public_id: UUID, fact_id: FactId, actor: Nurse, store: Store, now: Now) -> Response:
    """It was entered by mistake."""
    with told(), store.transaction() as connection:
        patient_id = find(connection, public_id, actor).patient_id
        facts.withdraw(connection, fact_id, patient_id=patient_id, actor=actor, now=now)
    return _shown(public_id)


def _possible(day: date) -> None:
    if not facts.FIRST_DAY <= day <= facts.LAST_DAY:
        raise BadInput(f"{day.isoformat()} cannot be the day.")


def _shown(public_id: UUID) -> Response:
    return RedirectResponse(f"/patients/{public_id}/rules", status_code=303)
