"""What a nurse does about an alert: takes it, or closes it with what was done."""

from datetime import datetime
from typing import Annotated, Final
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from rpm.access import Actor, Role
from rpm.audit import Action, record
from rpm.store import alerts, patients, worklist
from rpm.store.alerts import TOLD_MAX, Disposition, Outcome
from rpm.store.database import Connection
from rpm.web.arrangement import Filter, Tab, Who
from rpm.web.pages import is_fragment
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Keeper, Now, Nurse, Store
from rpm.web.worklist import SEARCH_LENGTH_MAX, answer_rows, filter_of

router = APIRouter()

NOTE_LENGTH_MAX: Final = 2000
BACK_LENGTH_MAX: Final = 400

#: How a nurse reads what the database keeps; the order is that of the choices.
LABELS: Final[dict[Disposition, str]] = {
    Disposition.CALLED: "Spoke with the patient",
    Disposition.NO_ANSWER: "Called, no answer",
    Disposition.MEDICATION_CHANGE: "Medication changed",
    Disposition.EMERGENCY_DEPARTMENT: "Sent to the emergency department",
    Disposition.FALSE_READING: "False reading",
    Disposition.NO_ACTION: "No action needed",
}

Back = Annotated[str, Form(max_length=BACK_LENGTH_MAX)]
PatientId = Annotated[UUID | None, Form()]
#: As of which of its calls (`armed`) a page showed an alert.
Told = Annotated[int | None, Query(ge=0, le=TOLD_MAX)]


def filter_from(query: str) -> Filter:
    """The filter of the list somebody acted on; the plain list where it cannot be read."""
    pairs = dict(parse_qsl(query))
    try:
        return filter_of(
            tab=Tab(pairs.get("tab", Tab.CLINICAL)),
            who=Who(pairs.get("who", Who.ALL)),
            q=pairs.get("q", "")[:SEARCH_LENGTH_MAX],
            page=int(pairs.get("page", "1")),
        )
    except ValueError:
        return Filter()


def number_of(connection: Connection, public_id: UUID, actor: Actor) -> patients.AlertNumber:
    """The alert behind an address; NotFound for nobody's id and for another practice's alike."""
    number = patients.alert_number(connection, public_id, practice_id=actor.practice_id)
    if number is None:
        raise NotFound
    return number


def noted(connection: Connection, actor: Actor, number: patients.AlertNumber, action: Action, *, now: datetime) -> None:
    """Something was done about an alert: every open list shows it, and the record says who did."""
    worklist.announce(connection, actor.practice_id)
    record(connection, actor, action, now=now, patient_id=number.patient_id, alert=number.alert_id)


def refuse(outcome: Outcome) -> None:
    """BadInput with the reason where nothing was changed."""
    if outcome.anew:
        # A page may have stood still for an hour, in a browser that sleeps or under a note that is being written.
        raise BadInput(
            "Nothing was changed: it has become worse, or called again, since this page was drawn. Load it again and look."
        )
    if not outcome.done:
        raise BadInput(f"Nothing was changed: {outcome.reason}.")


@router.get("/alerts/{public_id}")
def show(public_id: UUID, actor: Keeper, store: Store) -> Response:
    """Where a message leads: the page of the alert's patient, or the held readings where nobody is known.

    Who mends boxes is led to the faults, whatever the alert is: there is nothing clinical there.
    """
    with store.transaction() as connection:
        number = number_of(connection, public_id, actor)
    if actor.role is not Role.NURSE:
        return RedirectResponse("/faults", status_code=303)
    if number.technical:
        return RedirectResponse("/worklist?tab=technical", status_code=303)
    if number.patient_public_id is None:
        return RedirectResponse("/held", status_code=303)
    return RedirectResponse(f"/patients/{number.patient_public_id}?alert={public_id}", status_code=303)


@router.post("/alerts/{public_id}/acknowledge")
def acknowledge(
    request: Request,
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    back: Back = "",
    patient: PatientId = None,
    told: Told = None,
) -> Response:
    """I have it: nobody else is called any more, and colleagues see who it is. `told`: as the page showed it (`armed`)."""
    with store.transaction() as connection:
        number = number_of(connection, public_id, actor)
        outcome = alerts.acknowledge(connection, alert_id=number.alert_id, staff_id=actor.staff_id, told=told, now=now)
        refuse(outcome)
        noted(connection, actor, number, Action.ACKNOWLEDGED, now=now)
    if is_fragment(request):
        return answer_rows(request, store, actor, filter_from(back), now=now)
    if patient is not None:
        return RedirectResponse(f"/patients/{patient}?alert={public_id}", status_code=303)
    return RedirectResponse(f"/worklist?{back}" if back else "/worklist", status_code=303)


@router.post("/alerts/{public_id}/close")
def close(
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    disposition: Annotated[str, Form(max_length=40)] = "",
    note: Annotated[str, Form(max_length=NOTE_LENGTH_MAX)] = "",
    patient: PatientId = None,
    told: Told = None,
) -> Response:
    """Dealt with, and how. What was chosen and the note stay with the alert."""
    if disposition not in set(Disposition):
        raise BadInput("Choose what was done before closing an alert.")
    with store.transaction() as connection:
        number = number_of(connection, public_id, actor)
        refuse(
            alerts.close(
                connection,
                alert_id=number.alert_id,
                staff_id=actor.staff_id,
                disposition=disposition,
                note=note.strip(),
                told=told,
                now=now,
            )
        )
        noted(connection, actor, number, Action.CLOSED, now=now)
    return RedirectResponse(f"/patients/{patient}" if patient else "/worklist", status_code=303)
