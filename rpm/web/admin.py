"""Administration: who may sign in, whether the pipeline lives, who saw what of whom."""

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from rpm import drills
from rpm.access import Role, WeakPassword, hash_password
from rpm.audit import Action, record
from rpm.outage import Stage, silent_after
from rpm.store import audit, patients, sessions, staff
from rpm.store.heartbeats import heartbeats
from rpm.web.live import SILENT_AFTER, STAGES
from rpm.web.pages import render
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Admin, Now, Store

router = APIRouter()

AUDIT_ROWS: Final = 200
NAME_LENGTH_MAX: Final = 100


@router.get("/admin")
def show(request: Request, actor: Admin, store: Store, now: Now) -> Response:
    """Users, and the pipeline's signs of life."""
    with store.transaction() as connection:
        members = staff.of_practice(connection, actor.practice_id)
        beats = {beat.stage: beat.beat_at for beat in heartbeats(connection)}
        broken = audit.broken_links(connection)
    stages = [(stage, beats.get(stage), _patience(stage)) for stage in (*STAGES, *sorted(beats.keys() - set(STAGES)))]
    return render(
        request,
        "admin.html",
        now=now,
        members=members,
        stages=stages,
        roles=list(Role),
        broken=broken,
    )


def _patience(name: str) -> timedelta:
    """How old this sign of life may be."""
    if name == drills.STAGE:
        return drills.DRILL_AGE_MAX
    return silent_after(Stage(name)) if name in set(Stage) - set(STAGES) else SILENT_AFTER


@router.post("/admin/users")
def add_user(
    actor: Admin,
    store: Store,
    now: Now,
    username: Annotated[str, Form(max_length=NAME_LENGTH_MAX, pattern=r"^\s*\S+\s*$")],
    name: Annotated[str, Form(min_length=1, max_length=NAME_LENGTH_MAX)],
    role: Annotated[Role, Form()],
    password: Annotated[str, Form()],
    email: Annotated[str, Form(max_length=254, pattern=r"^\s*([^@\s,;]+@[^@\s,;]+)?\s*$")] = "",
) -> Response:
    """Add an account to the administrator's own practice."""
    password_hash = _hash(password)
    with store.transaction() as connection:
        made = staff.add(
            connection,
            practice_id=actor.practice_id,
            username=username.strip(),
            display_name=name.strip(),
            role=role,
            email=email.strip() or None,
            password_hash=password_hash,
            now=now,
        )
        if made is None:
            raise BadInput("That user name is taken: choose another one.")
        record(connection, actor, Action.USER_ADDED, now=now, user=made, role=role)
    return RedirectResponse("/admin", status_code=303)


def _hash(password: str) -> str:
    try:
        return hash_password(password)
    except WeakPassword as error:
        raise BadInput(str(error)) from error


@router.post("/admin/users/{staff_id}/password")
def change_password(staff_id: int, actor: Admin, store: Store, now: Now, password: Annotated[str, Form()]) -> Response:
    """Give somebody of the practice another password and end the sessions under the old one."""
    password_hash = _hash(password)
    with store.transaction() as connection:
        member = next(
            (one for one in staff.of_practice(connection, actor.practice_id) if one.staff_id == staff_id), None
        )
        if member is None:
            raise NotFound
        staff.set_password(connection, username=member.username, password_hash=password_hash)
        sessions.end_of_staff(connection, staff_id)
        record(connection, actor, Action.PASSWORD_CHANGED, now=now, user=staff_id)
    return RedirectResponse("/admin", status_code=303)


@router.post("/admin/users/{staff_id}/active")
def switch(
    staff_id: int,
    actor: Admin,
    store: Store,
    now: Now,
    active: Annotated[bool, Form()] = False,  # noqa: FBT002 - FastAPI fills it by name
) -> Response:
    """Switch an account on, or off with all its sessions."""
    if staff_id == actor.staff_id:
        raise BadInput("You cannot switch off your own account: another administrator can.")
    with store.transaction() as connection:
        member = next(
            (one for one in staff.of_practice(connection, actor.practice_id) if one.staff_id == staff_id), None
        )
        if member is None:
            raise NotFound
        staff.set_active(connection, username=member.username, active=active)
        if not active:
            sessions.end_of_staff(connection, staff_id)
        action = Action.USER_ENABLED if active else Action.USER_DISABLED
        record(connection, actor, action, now=now, user=staff_id)
    return RedirectResponse("/admin", status_code=303)


@router.get("/admin/audit")
def show_audit(
    request: Request,
    actor: Admin,
    store: Store,
    now: Now,
    patient: Annotated[UUID | None, Query()] = None,
    q: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """Who saw or did what: of one patient, or lately in the practice. Looking is recorded too."""
    with store.transaction() as connection:
        found = patients.by_public_id(connection, patient, practice_id=actor.practice_id) if patient else None
        if patient and found is None:
            raise NotFound
        choices = patients.search(connection, q, practice_id=actor.practice_id) if q.strip() else []
        if found:
            entries = audit.of_patient(
                connection, practice_id=actor.practice_id, patient_id=found.patient_id, limit=AUDIT_ROWS
            )
        else:
            entries = audit.of_practice(connection, practice_id=actor.practice_id, limit=AUDIT_ROWS)
        record(connection, actor, Action.SAW_AUDIT, now=now, patient_id=found.patient_id if found else None)
    return render(
        request,
        "audit.html",
        now=now,
        entries=entries,
        found=found,
        choices=choices,
        q=q,
        limit=AUDIT_ROWS,
    )
