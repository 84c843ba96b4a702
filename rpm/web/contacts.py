"""My contacts: how calls about alerts reach me, in the order in which they are tried, and whether each was proven to."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts.channels import Name
from rpm.audit import Action, record
from rpm.store import contacts
from rpm.store.contacts import CODE_TRIES_MAX, CONTACTS_MAX
from rpm.store.notifications import VERIFIED_FOR
from rpm.web.pages import render
from rpm.web.problems import BadInput, NotFound
from rpm.web.session import Keeper, Now, Store

router = APIRouter()

ADDRESS_LENGTH_MAX: Final = 254
_NUMBER: Final = re.compile(r"\+[1-9]\d{6,14}")
_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+")
#: What each channel's address looks like, and how it is asked for. Others carry whatever their provider understands.
SHAPES: Final = {
    Name.EMAIL: (_EMAIL, "An e-mail address, such as nora@clinic.example."),
    Name.SMS: (_NUMBER, "A telephone number with its country, such as +15550100100."),
    Name.VOICE: (_NUMBER, "A telephone number with its country, such as +15550100100."),
}


def address_of(channel: Name, text: str) -> str:
    """What was typed as the channel wants it; BadInput where it cannot be one."""
    text = text.strip()
    if channel in {Name.SMS, Name.VOICE}:
        text = re.sub(r"[\s().-]", "", text)
    shape, wanted = SHAPES.get(channel, (re.compile(r"\S+"), "An address without spaces."))
    if not shape.fullmatch(text):
        raise BadInput(wanted)
    return text


@router.get("/me/contacts")
def show(request: Request, actor: Keeper, store: Store, now: Now) -> Response:
    """One's own contacts."""
    with store.transaction() as connection:
        mine = contacts.of_staff(connection, actor.staff_id)
    return render(
        request,
        "contacts.html",
        now=now,
        mine=mine,
        verified_since=now - VERIFIED_FOR,
        channels=list(Name),
        most=CONTACTS_MAX,
        address_length_max=ADDRESS_LENGTH_MAX,
    )


@router.post("/me/contacts")
def add(
    actor: Keeper,
    store: Store,
    now: Now,
    channel: Annotated[Name, Form()],
    address: Annotated[str, Form(max_length=ADDRESS_LENGTH_MAX)],
) -> Response:
    """Another way to reach me: it is asked at once, and counts when it has answered."""
    with store.transaction() as connection:
        made = contacts.add(
            connection,
            practice_id=actor.practice_id,
            staff_id=actor.staff_id,
            channel=channel,
            address=address_of(channel, address),
            now=now,
        )
        if made is None:
            raise BadInput(f"It is there already, or there are {CONTACTS_MAX}: take one out first.")
        record(connection, actor, Action.CONTACT_ADDED, now=now, contact=made, channel=channel)
    return _back()


@router.post("/me/contacts/{contact_id}/remove")
def remove(contact_id: int, actor: Keeper, store: Store, now: Now) -> Response:
    """It is used no more."""
    with store.transaction() as connection:
        if not contacts.remove(connection, contact_id, staff_id=actor.staff_id, now=now):
            raise NotFound
        record(connection, actor, Action.CONTACT_REMOVED, now=now, contact=contact_id)
    return _back()


@router.post("/me/contacts/{contact_id}/first")
def put_first(contact_id: int, actor: Keeper, store: Store) -> Response:
    """It is tried first."""
    with store.transaction() as connection:
        if not contacts.put_first(connection, contact_id, staff_id=actor.staff_id):
            raise NotFound
    return _back()


@router.post("/me/contacts/{contact_id}/ask")
def ask(contact_id: int, actor: Keeper, store: Store) -> Response:
    """Send the question again."""
    with store.transaction() as connection:
        if not contacts.ask_again(connection, contact_id, staff_id=actor.staff_id):
            raise NotFound
    return _back()


@router.post("/me/contacts/{contact_id}/code")
def type_code(
    contact_id: int, actor: Keeper, store: Store, now: Now, code: Annotated[str, Form(max_length=12)]
) -> Response:
    """What the voice said."""
    with store.transaction() as connection:
        proven = contacts.type_code(connection, contact_id, code, staff_id=actor.staff_id, now=now)
    # Outside the transaction: a wrong guess stays counted.
    if not proven:
        raise BadInput(
            f"That is not the code, or it is too old: {CODE_TRIES_MAX} tries within the hour. Ask for another."
        )
    return _back()


def _back() -> Response:
    return RedirectResponse("/me/contacts", status_code=303)
