"""Where providers of messages say what became of one, and bring what its reader answers. Each is signed by its provider.

Whose practice it is nobody knows before the message is looked up, as with the links (`rpm.web.answer`).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final, cast
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import structlog
from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import Response

from alerts.channels import twilio_sms
from alerts.channels.twilio_sms import Outcome
from alerts.replies import Reply, reply_to
from rpm import delivery
from rpm.access import Actor, Role
from rpm.store import alerts, reports
from rpm.store.database import Connection
from rpm.web.answer import Token, take
from rpm.web.problems import NotFound
from rpm.web.session import Now, database_of, settings_of

router = APIRouter()
_log = structlog.get_logger()

NAME_LENGTH_MAX: Final = 41

ProviderName = Annotated[str, Path(max_length=NAME_LENGTH_MAX)]


async def signed_form(request: Request, provider: ProviderName) -> Mapping[str, str]:
    """The form that came, if the provider signed it; NotFound for one that has no business here."""
    secrets = cast(Mapping[str, str], request.app.state.hooks)
    secret = secrets.get(provider)
    if secret is None:
        raise NotFound
    fields = parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True)
    # As the provider knows it: before any proxy of ours.
    url = settings_of(request).public_url.rstrip("/") + request.url.path
    if request.url.query:
        url += f"?{request.url.query}"
    if not twilio_sms.signed_by(secret, url, fields, request.headers.get(twilio_sms.SIGNATURE_HEADER, "")):
        _log.warning("unsigned_report", provider=provider)
        raise HTTPException(403)
    return dict(fields)


Form = Annotated[Mapping[str, str], Depends(signed_form)]


@router.post("/hooks/{provider}/report/{token}")
def report(request: Request, provider: ProviderName, token: Token, form: Form, now: Now) -> Response:
    """What became of a message: it arrived; or it did not, and the next way is tried at once."""
    outcome = twilio_sms.outcome_of(form.get("MessageStatus", ""))
    with database_of(request).transaction() as connection:
        if outcome is Outcome.DELIVERED:
            found = reports.delivered(connection, token, provider=provider, now=now)
            if found is not None:
                alerts.add_event(
                    connection,
                    practice_id=found.practice_id,
                    alert_id=found.alert_id,
                    at=now,
                    kind="delivered",
                    staff_id=found.recipient_id,
                    reason=f"{found.channel}: {provider} says that it arrived",
                )
        elif outcome is Outcome.NOT_DELIVERED:
            answer = f"{provider} says that it did not arrive"
            failed = reports.refused(connection, token, provider=provider, answer=answer)
            delivery.not_reached(connection, failed, answer=answer, now=now)
    return Response(status_code=204)


@router.post("/hooks/{provider}/message")
def message(request: Request, provider: ProviderName, form: Form, now: Now) -> Response:
    """Somebody answers by text: one call is acknowledged, or none, and the answer says which."""
    del provider
    with database_of(request).transaction() as connection:
        said = answered(connection, form.get("From", ""), form.get("Body", ""), now=now).said
    return Response(
        f'<?xml version="1.0" encoding="UTF-8"?><Response><Message>{escape(said)}</Message></Response>',
        media_type="text/xml",
    )


def answered(connection: Connection, address: str, text: str, *, now: datetime) -> Reply:
    """Acknowledge the call that a text from this number means, if it means exactly one."""
    calls = reports.calls_of_number(connection, address, now=now)
    reply = reply_to(text, list(calls))
    if reply.call is None:
        return reply
    call, sender = reply.call, calls[reply.call]
    who = Actor(call.recipient_id, call.practice_id, Role(sender.role), sender.name)
    outcome = take(connection, who, call.alert_id, by="text", now=now)
    return reply if outcome.done else Reply(f"Nothing was acknowledged: {outcome.reason}.")
