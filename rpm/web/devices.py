"""Devices and gateways: who uses what since when, what was last heard, and what waits in an outbox."""

from datetime import timedelta
from typing import Annotated, Final
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import RedirectResponse, Response

from rpm.access import Role
from rpm.audit import Action, record
from rpm.confirmation import SAID_LENGTH_MAX, How
from rpm.store import confirming, devices, gateways, held, patients
from rpm.store.devices import LABEL_LENGTH_MAX, Wiping
from rpm.web.held import local_instant, told
from rpm.web.pages import render
from rpm.web.patients import find
from rpm.web.problems import NotFound
from rpm.web.session import Admin, Keeper, Now, Store, session_of_request
from schemas.codes import Kind

router = APIRouter()

SEARCH_LENGTH_MAX: Final = 60
#: Heartbeats come every minute; a gateway that was not heard for this long is silent.
GATEWAY_SILENT_AFTER: Final = timedelta(minutes=10)

#: What the page says after something was done, by the word in its address.
DONE: Final = {
    "confirmed": "Confirmed. What the device measured is filed under this patient, and so is what it measures from now on.",
    "wiped": "Written down: nothing of its last user is in the device any more.",
    "refused": "The device is nobody’s now. What it measured waits among the held readings.",
}

Label = Annotated[str, Form(min_length=1, max_length=LABEL_LENGTH_MAX)]


@router.get("/devices")
def show_list(
    request: Request,
    actor: Keeper,
    store: Store,
    now: Now,
    q: Annotated[str, Query(max_length=SEARCH_LENGTH_MAX)] = "",
) -> Response:
    """The practice's gateways and devices, with who uses each."""
    text = q.replace("\0", "").strip()
    with store.transaction() as connection:
        uses = devices.list_devices(connection, practice_id=actor.practice_id, text=text, now=now)
        found = gateways.list_gateways(connection, practice_id=actor.practice_id, unclaimed=actor.role is Role.ADMIN)
        seen = {use.patient_id for use in uses if use.patient_id is not None}
        record(connection, actor, Action.SAW_DEVICES, now=now, patients=seen)
    return render(
        request,
        "devices.html",
        now=now,
        uses=uses,
        gateways=found,
        q=text,
        full=len(uses) == devices.LIST_MAX,
        kinds=list(Kind),
        silent_after=GATEWAY_SILENT_AFTER,
        label_length_max=LABEL_LENGTH_MAX,
    )


@router.get("/devices/{device_id}")
def show(
    request: Request,
    device_id: int,
    actor: Keeper,
    store: Store,
    now: Now,
    done: Annotated[str, Query(max_length=10)] = "",
) -> Response:
    """One device: who uses it, and the forms to give it to someone or take it back."""
    with store.transaction() as connection:
        uses = devices.device_uses(connection, device_id, practice_id=actor.practice_id, now=now)
        if not uses:
            raise NotFound
        people = patients.search(connection, "", practice_id=actor.practice_id)
        back = devices.returned(connection, device_id, practice_id=actor.practice_id, now=now)
        pending = confirming.pending(connection, practice_id=actor.practice_id, device_id=device_id)
        tests = confirming.tests_of(connection, pending, practice_id=actor.practice_id)
        record(
            connection, actor, Action.SAW_DEVICES, now=now, device=device_id,
            patients={use.patient_id for use in (*uses, *back) if use.patient_id is not None},
        )  # fmt: skip
    return render(
        request,
        "device.html",
        now=now,
        device=uses[0],
        uses=[use for use in uses if use.assignment_id is not None],
        people=people,
        back=back,
        ways=list(Wiping),
        zone=ZoneInfo(session_of_request(request).time_zone),
        slot_max=devices.USER_SLOT_MAX,
        pending=[(use, tests.get(use.id, [])) for use in pending],
        done=DONE.get(done, ""),
        said_length_max=SAID_LENGTH_MAX,
    )


@router.post("/devices")
def register(
    actor: Keeper,
    store: Store,
    now: Now,
    address: Annotated[str, Form(max_length=32)],
    kind: Annotated[Kind, Form()],
    label: Label,
    single_person: Annotated[bool, Form()] = False,  # noqa: FBT002 - FastAPI fills it by name
) -> Response:
    """Add a device, or rename one."""
    with told(), store.transaction() as connection:
        device_id = devices.register_device(
            connection,
            practice_id=actor.practice_id,
            address=address,
            kind=kind,
            label=label,
            single_person=single_person,
            now=now,
        )
        record(connection, actor, Action.DEVICE_REGISTERED, now=now, device=device_id)
    return RedirectResponse(f"/devices/{device_id}", status_code=303)


@router.post("/devices/{device_id}/assign")
def assign(
    request: Request,
    device_id: int,
    actor: Keeper,
    store: Store,
    now: Now,
    patient: Annotated[UUID, Form()],
    start: Annotated[str, Form(max_length=32)] = "",
    slot: Annotated[str, Form(max_length=3, pattern=r"^\d*$")] = "",
    as_it_is: Annotated[bool, Form()] = False,  # noqa: FBT002 - FastAPI fills it by name
) -> Response:
    """Give the device, or one of its user slots, to a patient: from now, or from the time given.

    One that was not wiped since somebody else had it only where the form says so.
    """
    since = local_instant(start, session_of_request(request).time_zone) if start else now
    with told(), store.transaction() as connection:
        person, user_slot = find(connection, patient, actor), int(slot) if slot else None
        if not as_it_is:
            devices.refuse_unwiped(
                connection, device_id=device_id, user_slot=user_slot, patient_id=person.patient_id, actor=actor, now=now
            )
        devices.assign(
            connection,
            device_id=device_id,
            patient_id=person.patient_id,
            user_slot=user_slot,
            start=since,
            actor=actor,
            now=now,
        )
    return RedirectResponse(f"/devices/{device_id}", status_code=303)


@router.post("/devices/{device_id}/uses/{assignment_id}/return")
def give_back(
    request: Request,
    device_id: int,
    assignment_id: int,
    actor: Keeper,
    store: Store,
    now: Now,
    at: Annotated[str, Form(max_length=32)] = "",
) -> Response:
    """Take the device back: now, or as of the time given."""
    when = local_instant(at, session_of_request(request).time_zone) if at else now
    with told(), store.transaction() as connection:
        devices.return_device(connection, assignment_id=assignment_id, at=when, actor=actor, now=now)
    return RedirectResponse(f"/devices/{device_id}", status_code=303)


@router.post("/devices/{device_id}/uses/{assignment_id}/wiped")
def wiped(
    device_id: int, assignment_id: int, actor: Keeper, store: Store, now: Now, how: Annotated[Wiping, Form()]
) -> Response:
    """What its last user measured is out of the device."""
    with told(), store.transaction() as connection:
        devices.wipe(connection, device_id=device_id, assignment_id=assignment_id, how=how, actor=actor, now=now)
    return RedirectResponse(f"/devices/{device_id}?done=wiped", status_code=303)


@router.post("/devices/{device_id}/uses/{assignment_id}/confirm")
def confirm(
    device_id: int,
    assignment_id: int,
    actor: Keeper,
    store: Store,
    now: Now,
    reading: Annotated[int, Form(le=2**63 - 1)],
    how: Annotated[How, Form()],
    said: Annotated[str, Form(max_length=SAID_LENGTH_MAX)] = "",
) -> Response:
    """A test reading was confirmed: the device stands at this patient's home (A5)."""
    with told(), store.transaction() as connection:
        confirming.confirm(
            connection, assignment_id, device_id=device_id, held_id=reading, how=how, said=said, actor=actor, now=now
        )
    return RedirectResponse(f"/devices/{device_id}?done=confirmed", status_code=303)


@router.post("/devices/{device_id}/uses/{assignment_id}/refuse")
def refuse(device_id: int, assignment_id: int, actor: Keeper, store: Store, now: Now) -> Response:
    """The device stands at another home: it is nobody's again."""
    with told(), store.transaction() as connection:
        confirming.refuse(connection, assignment_id, device_id=device_id, actor=actor, now=now)
    return RedirectResponse(f"/devices/{device_id}?done=refused", status_code=303)


@router.post("/gateways")
def register_gateway(
    actor: Admin, store: Store, now: Now, gateway_id: Annotated[str, Form(max_length=48)], label: Label
) -> Response:
    """Make a gateway the practice's; what it sent before is looked at again."""
    with told(), store.transaction() as connection:
        gateways.register_gateway(connection, gateway_id, practice_id=actor.practice_id, label=label, now=now)
        held.look_again(connection, gateway_id=gateway_id, actor=actor, now=now)
        record(connection, actor, Action.GATEWAY_REGISTERED, now=now, gateway=gateway_id)
    return RedirectResponse("/devices", status_code=303)
