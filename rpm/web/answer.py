"""Answers without a log-in: "I have it" to a call, "this reaches me" from a contact. Each by a link that was sent to one person.

A link is opened by a person, and by every program that looks at mail before him: so opening changes nothing, and a button
does. The pages say nothing of a patient, and what they can do is what the message's owner may do anyway. Whose practice it
is, nobody knows before the link is looked up: these are the pages, with the log-in, that look into the whole database.
"""

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response

from alerts.replies import had_since
from rpm.access import Actor, Role
from rpm.audit import Action, record
from rpm.store import alerts, contacts, notifications, worklist
from rpm.store.alerts import TOLD_MAX, Outcome
from rpm.store.database import Connection
from rpm.store.notifications import Linked
from rpm.web.pages import render
from rpm.web.session import Now, database_of

router = APIRouter()

#: An alert a day old is the list's business; a link that lies in an inbox should not answer for ever.
ANSWER_WITHIN: Final = timedelta(hours=24)
TOKEN_LENGTH_MAX: Final = 64

Token = Annotated[str, Path(max_length=TOKEN_LENGTH_MAX, pattern=r"^[A-Za-z0-9_-]+$")]


def refusal(linked: Linked | None, *, now: datetime) -> str | None:
    """Why a link acknowledges nothing; None where it would."""
    if linked is None:
        return "This link belongs to no call. Sign in, and look at the list."
    if not linked.active:
        return "This account is switched off: somebody else has to take it."
    if linked.status == "closed":
        return "This alert is closed already: there is nothing left to do."
    if linked.mine_since is not None:
        return mine(linked.mine_since, linked.time_zone)
    if linked.status == "acknowledged":
        return "Somebody has it already. Sign in to see who."
    if now - linked.created_at > ANSWER_WITHIN:
        return "This call is more than a day old: sign in, and look at the list."
    return None


def mine(since: datetime, zone: str) -> str:
    """Whoever says twice that he has it, has it."""
    return f"You have it already, since {had_since(since, zone)}. Nobody else is called."


def news(linked: Linked, what: str) -> str | None:
    """What its reader has to be told before an alert is his: how it stands now. `what`: a message or a call; None: as it said."""
    if linked.told == linked.armed:
        return None
    if linked.stands > linked.severity:
        return f"It has become worse since this {what}: it was {linked.severity.word}, and is {linked.stands.word} now."
    return f"It has called again since this {what}, and nobody has it."


def take(connection: Connection, who: Actor, alert_id: int, *, told: int, by: str, now: datetime) -> Outcome:
    """Somebody who has answered a call has its alert as he was told of it (`told`); by what he answered is on the record."""
    outcome = alerts.acknowledge(connection, alert_id=alert_id, staff_id=who.staff_id, told=told, now=now)
    if outcome.done:
        worklist.announce(connection, who.practice_id)
        record(connection, who, Action.ACKNOWLEDGED, now=now, alert=alert_id, by=by)
    return outcome


@router.get("/a/{token}")
def ask(request: Request, token: Token, now: Now) -> Response:
    """What the call was, and a button."""
    with database_of(request).transaction() as connection:
        linked = notifications.by_token(connection, token)
    return _call(request, token, linked, now=now, refused=refusal(linked, now=now))


@router.post("/a/{token}")
def acknowledge(
    request: Request, token: Token, now: Now, told: Annotated[int | None, Form(ge=0, le=TOLD_MAX)] = None
) -> Response:
    """The person the message went to has it, as the page showed it (`told`; without: as the message said).

    What has become worse since then is shown, and asked for once more.
    """
    with database_of(request).transaction() as connection:
        linked = notifications.by_token(connection, token)
        refused, done = refusal(linked, now=now), False
        if linked is not None and refused is None:
            who = Actor(linked.recipient_id, linked.practice_id, Role(linked.role), linked.recipient)
            seen = linked.told if told is None else told
            outcome = take(connection, who, linked.alert_id, told=seen, by="link", now=now)
            done = outcome.done
            if outcome.anew:
                linked = notifications.by_token(connection, token)
            elif not done:
                refused = f"{outcome.reason.capitalize()}."
    return _call(request, token, linked, now=now, refused=refused, done=done, asked_again=not done)


@router.get("/c/{token}")
def ask_contact(request: Request, token: Token, now: Now) -> Response:
    """Whether calls reach somebody here, and a button."""
    with database_of(request).transaction() as connection:
        found = contacts.by_link(connection, token, now=now)
    return render(
        request, "answer_contact.html", now=now, status=200 if found else 404, token=token, found=found, done=False
    )


@router.post("/c/{token}")
def prove_contact(request: Request, token: Token, now: Now) -> Response:
    """They do."""
    with database_of(request).transaction() as connection:
        found = contacts.by_link(connection, token, now=now)
        if found is not None:
            contacts.verify(connection, found.id, now=now)
    return render(
        request,
        "answer_contact.html",
        now=now,
        status=200 if found else 404,
        token=token,
        found=found,
        done=found is not None,
    )


def _call(
    request: Request,
    token: str,
    linked: Linked | None,
    *,
    now: datetime,
    refused: str | None,
    done: bool = False,
    asked_again: bool = False,
) -> Response:
    status = 404 if linked is None else 409 if refused or asked_again else 200
    return render(
        request,
        "answer_call.html",
        now=now,
        status=status,
        token=token,
        linked=linked,
        refused=refused,
        done=done,
        news=linked and news(linked, "message"),
    )
