"""What does not work, for those who mend it: technical alerts, taken and closed by support staff (F46, F61).

Nothing of what was measured is shown here, as on the homes page; who is shown is recorded.
"""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts.snooze import CHOICES
from rpm.access import Actor
from rpm.audit import Action, record
from rpm.store import alerts, worklist
from rpm.store.alerts import Disposition
from rpm.store.database import Connection
from rpm.store.patients import AlertNumber
from rpm.store.worklist import OpenAlert
from rpm.web.alerts import NOTE_LENGTH_MAX, Told, noted, number_of, refuse
from rpm.web.aside import REASON_LENGTH_MAX, let_wait
from rpm.web.pages import render
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Keeper, Now, Store

router = APIRouter()

ROWS_MAX: Final = 400
#: What support staff do about a fault.
LABELS: Final = {
    Disposition.CALLED: "Spoke with the patient",
    Disposition.NO_ANSWER: "Called, no answer",
    Disposition.NO_ACTION: "Mended, or nothing to do",
}


def technical(connection: Connection, practice_id: int) -> list[OpenAlert]:
    """The practice's open technical alerts, most severe first, then oldest."""
    return [alert for alert in worklist.open_alerts(connection, practice_id) if alert.kind == "technical"]


@router.get("/faults")
def show(request: Request, actor: Keeper, store: Store, now: Now) -> Response:
    """Every open one, with what is known of it."""
    with store.transaction() as connection:
        found = technical(connection, actor.practice_id)
        shown = found[:ROWS_MAX]
        seen = [alert.subject.patient_id for alert in shown if alert.subject]
        record(connection, actor, Action.SAW_FLEET, now=now, patients=seen)
    return render(
        request,
        "faults.html",
        now=now,
        faults=shown,
        more=len(found) - len(shown),
        labels=LABELS,
        snooze_choices=CHOICES,
        reason_length_max=REASON_LENGTH_MAX,
        note_length_max=NOTE_LENGTH_MAX,
    )


@router.post("/faults/{public_id}/acknowledge")
def acknowledge(public_id: UUID, actor: Keeper, store: Store, now: Now, told: Told = None) -> Response:
    """I have it: nobody else is called any more. `told`: as of which of its calls the page showed it."""
    with store.transaction() as connection:
        alert = _found(connection, actor, public_id)
        outcome = alerts.acknowledge(connection, alert_id=alert.alert_id, staff_id=actor.staff_id, told=told, now=now)
        refuse(outcome)
        noted(connection, actor, alert, Action.ACKNOWLEDGED, now=now)
    return RedirectResponse("/faults", status_code=303)


@router.post("/faults/{public_id}/snooze")
def snooze(
    public_id: UUID,
    actor: Keeper,
    store: Store,
    now: Now,
    minutes: Annotated[int, Form()],
    reason: Annotated[str, Form(max_length=REASON_LENGTH_MAX)] = "",
    told: Told = None,
) -> Response:
    """It may wait: until when and why is seen by everybody, and anything worse ends it."""
    with store.transaction() as connection:
        alert = _found(connection, actor, public_id)
        let_wait(connection, actor, alert, minutes=minutes, reason=reason, told=told, now=now)
    return RedirectResponse("/faults", status_code=303)


@router.post("/faults/{public_id}/close")
def close(
    public_id: UUID,
    actor: Keeper,
    store: Store,
    now: Now,
    disposition: Annotated[str, Form(max_length=40)] = "",
    note: Annotated[str, Form(max_length=NOTE_LENGTH_MAX)] = "",
    told: Told = None,
) -> Response:
    """It is dealt with, and how."""
    if disposition not in LABELS:
        raise BadInput("Choose what was done before closing it.")
    with store.transaction() as connection:
        alert = _found(connection, actor, public_id)
        outcome = alerts.close(
            connection,
            alert_id=alert.alert_id,
            staff_id=actor.staff_id,
            disposition=disposition,
            note=note.strip(),
            told=told,
            now=now,
        )
        refuse(outcome)
        noted(connection, actor, alert, Action.CLOSED, now=now)
    return RedirectResponse("/faults", status_code=303)


def _found(connection: Connection, actor: Actor, public_id: UUID) -> AlertNumber:
    """A clinical alert is not there for whoever mends boxes."""
    number = number_of(connection, public_id, actor)
    if not number.technical:
        raise NotFound
    return number
