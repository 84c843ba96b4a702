"""What may wait because a nurse says so, each with an end: an alert is snoozed, a patient is away."""

from datetime import date, datetime, time, timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from rpm.access import Actor
from rpm.audit import Action, record
from rpm.store import alerts, pauses, worklist
from rpm.store.database import Connection
from rpm.store.patients import AlertNumber
from rpm.store.pauses import LATELY, Why
from rpm.web.alerts import Told, noted, number_of, refuse
from rpm.web.patients import find
from rpm.web.problems import BadInput
from rpm.web.session import Now, Nurse, Store

router = APIRouter()

REASON_LENGTH_MAX: Final = 200
#: Whoever is away for longer is no longer monitored: that is said by ending the enrolment.
PAUSE_MAX: Final = timedelta(days=60)

Reason = Annotated[str, Form(max_length=REASON_LENGTH_MAX)]


def let_wait(
    connection: Connection, actor: Actor, number: AlertNumber, *, minutes: int, reason: str, now: datetime,
    told: int | None = None,
) -> None:  # fmt: skip
    """Snooze an alert, with a reason; BadInput without one, where it cannot wait so long, or is not as he was `told` any more."""
    if not reason.strip():
        raise BadInput("Say why it can wait: who looks next will ask.")
    refuse(
        alerts.snooze(
            connection,
            alert_id=number.alert_id,
            staff_id=actor.staff_id,
            minutes=minutes,
            reason=reason.strip(),
            told=told,
            now=now,
        )
    )
    noted(connection, actor, number, Action.SNOOZED, now=now)


@router.post("/alerts/{public_id}/snooze")
def snooze(
    public_id: UUID, actor: Nurse, store: Store, now: Now, minutes: Annotated[int, Form()], reason: Reason = "",
    told: Told = None,
) -> Response:  # fmt: skip
    """It may wait: until when and why is seen by everybody, and anything worse ends it."""
    with store.transaction() as connection:
        number = number_of(connection, public_id, actor)
        let_wait(connection, actor, number, minutes=minutes, reason=reason, told=told, now=now)
    if number.patient_public_id is None:
        return RedirectResponse("/worklist", status_code=303)
    return RedirectResponse(f"/patients/{number.patient_public_id}?alert={public_id}", status_code=303)


def back_on(text: str, zone: str, *, since: datetime | None, now: datetime) -> datetime:
    """The first moment of the day somebody is back, where they live; BadInput where it is no day to come, or too far.

    `since`: away since then, and then the day may be over.
    """
    try:
        ends_at = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(zone))
    except ValueError as error:
        raise BadInput("Give the day on which the patient is back.") from error
    if since is None and not now < ends_at <= now + PAUSE_MAX:
        raise BadInput(f"The patient is back on a day to come, at most {PAUSE_MAX.days} days from now.")
    if since is not None and not since < ends_at <= since + PAUSE_MAX:
        raise BadInput(f"The patient is back on a day after the first, at most {PAUSE_MAX.days} days later.")
    return ends_at


def away_since(text: str, zone: str, *, now: datetime) -> datetime | None:
    """The first moment of the day since when somebody is away; None where nothing is said: from now on."""
    if not text:
        return None
    try:
        begins_at = datetime.combine(date.fromisoformat(text), time(), ZoneInfo(zone))
    except ValueError as error:
        raise BadInput("Give the day since when the patient is away, or leave it empty.") from error
    if not now - LATELY <= begins_at <= now:
        raise BadInput(f"Since when: a day that has begun, at most {LATELY.days} days ago.")
    return begins_at


@router.post("/patients/{public_id}/pause")
def pause(
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    why: Annotated[Why, Form()],
    since: Annotated[str, Form(max_length=10)] = "",
    until: Annotated[str, Form(max_length=10)] = "",
    note: Reason = "",
) -> Response:
    """The patient is away until a day, and it ends by itself; or was, and it is for the bill."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        begins_at = away_since(since, patient.time_zone, now=now)
        begun = pauses.begin(
            connection,
            practice_id=actor.practice_id,
            patient_id=patient.patient_id,
            why=why,
            note=note.strip(),
            begins_at=begins_at,
            ends_at=back_on(until, patient.time_zone, since=begins_at, now=now),
            staff_id=actor.staff_id,
            now=now,
        )
        if not begun:
            raise BadInput("Nothing was changed: the patient is away already. End that first, or take it back.")
        worklist.announce(connection, actor.practice_id)
        record(
            connection,
            actor,
            Action.PAUSED,
            now=now,
            patient_id=patient.patient_id,
            why=why,
            since=since or "now",
            until=until,
        )
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


@router.post("/patients/{public_id}/pauses/{pause_id}/withdraw")
def withdraw_pause(public_id: UUID, pause_id: int, actor: Nurse, store: Store, now: Now) -> Response:
    """It was said by mistake: the patient was not away."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        withdrawn = pauses.withdraw(
            connection,
            pause_id,
            practice_id=actor.practice_id,
            patient_id=patient.patient_id,
            staff_id=actor.staff_id,
            now=now,
        )
        if not withdrawn:
            raise BadInput("Nothing was changed: there is no such pause.")
        worklist.announce(connection, actor.practice_id)
        record(connection, actor, Action.PAUSE_WITHDRAWN, now=now, patient_id=patient.patient_id, pause=pause_id)
    return RedirectResponse(f"/patients/{public_id}", status_code=303)
