"""Asking a home for something, from a page: measure again, call us, send again."""

from datetime import datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Form
from fastapi.responses import RedirectResponse, Response

from rpm.access import Actor
from rpm.audit import Action, record
from rpm.errors import UserError
from rpm.store import gateways, patients, requests
from rpm.store.database import Connection
from rpm.web.asked import ASK_MINUTES, askable
from rpm.web.held import told
from rpm.web.patients import find
from rpm.web.problems import NotFound
from rpm.web.session import Keeper, Now, Nurse, Store
from schemas.codes import Kind
from schemas.messages import RequestKind

router = APIRouter()

CALL_FOR: Final = timedelta(hours=24)
REPLAY_FOR: Final = timedelta(hours=1)
SLOT_MAX: Final = 254
NUMBER_MAX: Final = 2**63 - 1


def ask(
    connection: Connection,
    gateway_id: str,
    kind: RequestKind,
    arguments: dict[str, str | int],
    *,
    actor: Actor,
    lasting: timedelta,
    patient_id: int | None = None,
    now: datetime,
) -> UUID:
    """Ask, and record it. UserError as `rpm.store.requests.ask` raises it."""
    number = requests.ask(
        connection, gateway_id, kind, arguments, practice_id=actor.practice_id, staff_id=actor.staff_id,
        patient_id=patient_id, expires_at=now + lasting, now=now,
    )  # fmt: skip
    record(
        connection, actor, Action.GATEWAY_ASKED, now=now, patient_id=patient_id, gateway=gateway_id, request=str(number),
        what=str(kind),
    )  # fmt: skip
    return number


@router.post("/gateways/{gateway_id}/ask")
def ask_gateway(
    gateway_id: str,
    actor: Keeper,
    store: Store,
    now: Now,
    what: Annotated[RequestKind, Form()],
    measure: Annotated[Kind, Form()] = Kind.BLOOD_PRESSURE,
    slot: Annotated[str, Form(max_length=3, pattern=r"^\d*$")] = "",
    minutes: Annotated[int, Form(ge=1, le=7 * 24 * 60)] = ASK_MINUTES[0],
    from_seq: Annotated[int, Form(ge=1, le=NUMBER_MAX)] = 1,
) -> Response:
    """Ask one box of the practice for something."""
    with told(), store.transaction() as connection:
        box = gateways.gateway(connection, gateway_id, practice_id=actor.practice_id)
        if box is None:
            raise NotFound
        arguments: dict[str, str | int] = {}
        lasting = CALL_FOR
        if what is RequestKind.MEASURE_AGAIN:
            arguments["kind"] = measure.value
            lasting = timedelta(minutes=minutes)
            if slot:
                arguments["user_slot"] = _slot(slot)
        elif what is RequestKind.REPLAY:
            if box.epoch is None:
                raise UserError("this box has not said yet what it keeps: wait until it is heard")
            arguments, lasting = {"epoch": box.epoch, "from_seq": from_seq, "to_seq": NUMBER_MAX}, REPLAY_FOR
        ask(connection, gateway_id, what, arguments, actor=actor, lasting=lasting, now=now)
    return RedirectResponse(f"/gateways/{gateway_id}#asked", status_code=303)


def _slot(text: str) -> int:
    number = int(text)
    if number > SLOT_MAX:
        raise UserError(f"a user number is from 0 to {SLOT_MAX}")
    return number


@router.post("/patients/{public_id}/measure-again")
def ask_patient(
    public_id: UUID,
    actor: Nurse,
    store: Store,
    now: Now,
    measure: Annotated[Kind, Form()],
    minutes: Annotated[int, Form(ge=1, le=7 * 24 * 60)] = ASK_MINUTES[0],
) -> Response:
    """Have the box at a patient's home ask them to measure again: their place on the device, not the spouse's."""
    with told(), store.transaction() as connection:
        person = find(connection, public_id, actor)
        owned = patients.devices(connection, practice_id=actor.practice_id, patient_id=person.patient_id)
        device = next((each for each in askable(owned, now=now) if each.kind == measure), None)
        if device is None or device.gateway_id is None:
            raise UserError("no box has heard a device of this patient that measures this")
        arguments: dict[str, str | int] = {"kind": measure.value}
        if device.user_slot is not None:
            arguments["user_slot"] = device.user_slot
        ask(
            connection, device.gateway_id, RequestKind.MEASURE_AGAIN, arguments, actor=actor,
            lasting=timedelta(minutes=minutes), patient_id=person.patient_id, now=now,
        )  # fmt: skip
    return RedirectResponse(f"/patients/{public_id}#asked", status_code=303)
