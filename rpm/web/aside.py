"""What may wait because a nurse says so, each with an end: an alert is snoozed, a patient is away."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from rpm.audit import Action, record
from rpm.store import alerts, pauses, worklist
from rpm.store.pauses import Why
from rpm.web.alerts import noted, number_of, refuse
from rpm.web.patients import find
from rpm.web.problems import BadInput
from rpm.web.session import Now, Nurse, Store

router = APIRouter()

REASON_LENGTH_MAX: Final = 200
#: Whoever is away for longer is no longer monitored: that is said by ending the enrolment.
PAUSE_MAX: Final = timedelta(days=60)

Reason = Annotated[str, Form(max_length=REASON_LENGTH_MAX)]


@router.post("/alerts/{public_id}/snooze")
def snooze(
    public_id: UUID, actor: Nurse, store: Store, now: Now, minutes: Annotated[int, Form()], reason: Reason = ""
) -> Response:
    """It may wait: until when and why is seen by everybody, and anything worse ends it."""
    if not reason.strip():
        raise BadInput("Say why it can wait: who looks next will ask.")
    with store.transaction() as connection:
        number = number_of(connection, public_id, actor)
        refuse(
            alerts.snooze(
                connection,
                alert_id=number.alert_id,
                staff_id=actor.staff_id,
                minutes=minutes,
                reason=reason.strip(),
                now=now,
            )
        )
        noted(connection, actor, number, Action.SNOOZED, now=now)
    if number.patient_public_id is None:
        return RedirectResponse("/worklist", status_code=303)
    return RedirectResponse(f"/patients/{number.patient_public_id}?alert={public_id}", status_code=303)


def back_on(text: str, zone: str, *, now: datetime) -> datetime:
    """The first moment of the day somebody is expected back, where they live; BadInput where it is no day to come, or too far."""
    try:
        ends_at = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(zone))
    except ValueError as error:
        raise BadInput("Give the day on which the patient is back.") from error
    if not now < ends_at <= now + PAUSE_MAX:
        raise BadInput(f"The patient is back on a day to come, at most {PAUSE_MAX.days} days from now.")
    return ends_at


@router.post("/patients/{public_id}/pause")
def pause(
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    why: Annotated[Why, Form()],
    until: Annotated[str, Form(max_length=10)] = "",
    note: Reason = "",
) -> Response:
    """The patient is away until a day; it ends by itself."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        begun = pauses.begin(
            connection,
            practice_id=actor.practice_id,
            patient_id=patient.patient_id,
            why=why,
            note=note.strip(),
            ends_at=back_on(until, patient.time_zone, now=now),
            staff_id=actor.staff_id,
            now=now,
        )
        if not begun:
            raise BadInput("Nothing was changed: the patient is away already.")
        worklist.announce(connection, actor.practice_id)
        record(connection, actor, Action.PAUSED, now=now, patient_id=patient.patient_id, why=why, until=until)
    return RedirectResponse(f"/patients/{public_id}", status_code=303)


@router.post("/patients/{public_id}/pause/end")
def end_pause(public_id: UUID, actor: Nurse, store: Store, now: Now) -> Response:
    """Back before the day."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        ended = pauses.end(
            connection,
            practice_id=actor.practice_id,
            patient_id=patient.patient_id,
            staff_id=actor.staff_id,
            now=now,
        )
        if not ended:
            raise BadInput("Nothing was changed: the patient is not away.")
        worklist.announce(connection, actor.practice_id)
        record(connection, actor, Action.PAUSE_ENDED, now=now, patient_id=patient.patient_id)
    return RedirectResponse(f"/patients/{public_id}", status_code=303)
