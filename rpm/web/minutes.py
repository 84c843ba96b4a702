"""The minutes: start and stop the timer, write down work by hand, take an entry back."""

from datetime import date, datetime, time
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from rpm.access import Actor
from rpm.audit import Action, record
from rpm.store import minutes, patients, worklist
from rpm.store.database import Connection
from rpm.web.patients import find
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Now, Nurse, Store, session_of_request
from rpm.web.spent import ENTRY_MINUTES_MAX, Activity, Spent, timed, typed

router = APIRouter()

NOTE_LENGTH_MAX: Final = 500

Note = Annotated[str, Form(max_length=NOTE_LENGTH_MAX)]
LiveContact = Annotated[bool, Form()]


def _back(public_id: UUID, *, saved: int | None = None, at: str = "") -> Response:
    query = f"?saved={saved}" if saved else ""
    return RedirectResponse(f"/patients/{public_id}{query}{at}", status_code=303)


@router.post("/patients/{public_id}/timer")
def start(
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    alert: Annotated[UUID | None, Query()] = None,
) -> Response:
    """Start the timer for a patient, for an alert where one is named. One timer a nurse: minutes are not shared."""
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        number = patients.alert_number(connection, alert, practice_id=actor.practice_id) if alert else None
        started = minutes.start_timer(
            connection,
            staff_id=actor.staff_id,
            practice_id=actor.practice_id,
            patient_id=patient.patient_id,
            alert_id=number.alert_id if number and number.patient_id == patient.patient_id else None,
            now=now,
        )
        if not started:
            running = minutes.running_timer(connection, actor.staff_id)
            if running and running.patient_id != patient.patient_id:
                raise BadInput("Your timer runs for another patient. Stop it first: no minute counts for two people.")
        else:
            worklist.announce(connection, actor.practice_id)
            record(connection, actor, Action.TIMER_STARTED, now=now, patient_id=patient.patient_id)
    return _back(public_id, at="#timer")


@router.post("/timer/stop")
def stop(
    actor: Nurse,
    store: Store,
    now: Now,
    activity: Annotated[Activity, Form()],
    interactive: LiveContact = False,  # noqa: FBT002 - FastAPI fills it by name
    pause: Annotated[int, Form(ge=0, le=ENTRY_MINUTES_MAX)] = 0,
    worked: Annotated[str, Form(max_length=4, pattern=r"^\d*$")] = "",
    note: Note = "",
) -> Response:
    """Stop the timer and keep what it measured."""
    with store.transaction() as connection:
        running = minutes.running_timer(connection, actor.staff_id)
        stopped = minutes.take_timer(connection, actor.staff_id)
        if running is None or stopped is None:
            raise BadInput("No timer of yours is running: it may have been stopped in another window.")
        spent = timed(stopped.started_at, now=now, pause_minutes=pause, minutes=int(worked) if worked else None)
        entry = _add(
            connection,
            actor,
            stopped.patient_id,
            stopped.alert_id,
            spent,
            activity,
            note,
            interactive=interactive,
            now=now,
        )
        worklist.announce(connection, actor.practice_id)
        record(connection, actor, Action.TIMER_STOPPED, now=now, patient_id=stopped.patient_id, time_entry=entry)
    return _back(running.public_id, saved=entry, at="#minutes")


@router.post("/timer/discard")
def discard(actor: Nurse, store: Store, now: Now) -> Response:
    """Stop the timer and keep nothing."""
    with store.transaction() as connection:
        running = minutes.running_timer(connection, actor.staff_id)
        stopped = minutes.take_timer(connection, actor.staff_id)
        if running is None or stopped is None:
            raise BadInput("No timer of yours is running: it may have been stopped in another window.")
        worklist.announce(connection, actor.practice_id)
        record(connection, actor, Action.TIMER_DISCARDED, now=now, patient_id=stopped.patient_id)
    return _back(running.public_id)


@router.post("/patients/{public_id}/minutes")
def add(
    request: Request,
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    day: Annotated[date, Form()],
    start: Annotated[time, Form()],
    worked: Annotated[int, Form(ge=1, le=ENTRY_MINUTES_MAX)],
    activity: Annotated[Activity, Form()],
    note: Note = "",
    interactive: LiveContact = False,  # noqa: FBT002 - FastAPI fills it by name
) -> Response:
    """Write down work no timer measured. Marked as typed in, with its reason and its author (F85)."""
    if not note.strip():
        raise BadInput("Minutes added by hand need a note: an auditor asks why no timer ran.")
    spent = typed(day, start, worked, zone=session_of_request(request).time_zone, now=now)
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        entry = _add(
            connection, actor, patient.patient_id, None, spent, activity, note, interactive=interactive, now=now
        )
        record(connection, actor, Action.MINUTES_ADDED, now=now, patient_id=patient.patient_id, time_entry=entry)
    return _back(public_id, saved=entry, at="#minutes")


def _add(
    connection: Connection,
    actor: Actor,
    patient_id: int,
    alert_id: int | None,
    spent: Spent,
    activity: Activity,
    note: str,
    *,
    interactive: bool,
    now: datetime,
) -> int:
    return minutes.add(
        connection,
        practice_id=actor.practice_id,
        patient_id=patient_id,
        staff_id=actor.staff_id,
        alert_id=alert_id,
        started_at=spent.started_at,
        ended_at=spent.ended_at,
        activity=activity,
        interactive=interactive,
        manual=spent.manual,
        note=note.strip(),
        now=now,
    )


@router.post("/patients/{public_id}/minutes/{entry_id}/reverse")
def reverse(public_id: UUID, entry_id: int, actor: Nurse, store: Store, now: Now, note: Note = "") -> Response:
    """Take an entry back by another: both stay on record."""
    if not note.strip():
        raise BadInput("Taking minutes back needs a note that says why.")
    with store.transaction() as connection:
        patient = find(connection, public_id, actor)
        reversed_for = minutes.reverse(
            connection,
            practice_id=actor.practice_id,
            entry_id=entry_id,
            staff_id=actor.staff_id,
            note=note.strip(),
            now=now,
        )
        if reversed_for != patient.patient_id:
            raise NotFound
        record(
            connection,
            actor,
            Action.MINUTES_REVERSED,
            now=now,
            patient_id=patient.patient_id,
            time_entry=entry_id,
        )
    return _back(public_id, at="#minutes")
