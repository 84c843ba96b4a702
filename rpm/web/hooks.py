"""Where providers of messages say what became of one, and bring what its reader answers. Each is signed by its provider.

Whose practice it is nobody knows before the message is looked up, as with the links (`rpm.web.answer`). What a provider signs
can be sent again by whoever has seen it: a report says nothing twice, and a call hears KEYS_MAX keys and acknowledges once.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, cast

import structlog
from fastapi import APIRouter, Depends, HTTPException, Path, Request
from fastapi.responses import Response

from alerts.channels.carriers import Calls, Came, Carrier, Fields, Outcome, Texts, Told, Written
from alerts.escalation import Plan
from alerts.notices import CLINIC_SPOKEN, Notice
from alerts.receipts import Receipt
from alerts.replies import STARTED, TOO_LONG, TOO_MANY, Pressed, Reply, Wish, pressed, reply_to, wish_of
from rpm import delivery, stopping
from rpm.access import Actor, Role, ThrottleScope, texter_keys, texter_waits_until
from rpm.store import notifications, reports, sessions
from rpm.store.database import Connection
from rpm.store.notifications import Linked
from rpm.store.plans import current
from rpm.web.answer import Token, mine, news, refusal, take
from rpm.web.problems import NotFound
from rpm.web.session import Now, database_of, settings_of

router = APIRouter()
_log = structlog.get_logger()

NAME_LENGTH_MAX: Final = 41
TAKEN: Final = "You have the alert. Nobody else is called. Please look at it now."

ProviderName = Annotated[str, Path(max_length=NAME_LENGTH_MAX)]


@dataclass(frozen=True, slots=True)
class Signed:
    """What a provider said, and signed."""

    carrier: Carrier
    fields: Fields


async def signed(request: Request, provider: ProviderName, now: Now) -> Signed:
    """What came, if its provider signed it; NotFound for one that has no business here."""
    carrier = cast("Mapping[str, Carrier]", request.app.state.hooks).get(provider)
    if carrier is None:
        raise NotFound
    # As the provider knows it: before any proxy of ours.
    url = settings_of(request).public_url.rstrip("/") + request.url.path
    if request.url.query:
        url += f"?{request.url.query}"
    # Names of headers come in small letters.
    fields = carrier.believed(Came(url, dict(request.headers), await request.body()), now=now)
    if fields is None:
        _log.warning("unsigned_report", provider=provider)
        raise HTTPException(403)
    return Signed(carrier, fields)


Believed = Annotated[Signed, Depends(signed)]


@router.post("/hooks/{provider}/report/{token}")
def report(request: Request, provider: ProviderName, token: Token, came: Believed, now: Now) -> Response:
    """What became of a message: it arrived; or not, and the next way is tried at once. A call is told what to say besides."""
    told = came.carrier.told(came.fields)
    written = Written("", "text/plain")
    with database_of(request).transaction() as connection:
        if isinstance(came.carrier, Calls) and (told.picked_up or told.keys is not None):
            linked = notifications.by_token(connection, token)
            if linked is None:
                raise NotFound
            said = (
                _key(connection, token, linked, told.keys, now=now)
                if told.keys is not None
                else _greeting(connection, token, linked, told, now=now)
            )
            written = came.carrier.spoken(said.said, asks=said.again)
        _note(connection, token, told, provider=provider, now=now)
    return Response(written.body, media_type=written.media_type)


@router.post("/hooks/{provider}/message")
def message(request: Request, provider: ProviderName, came: Believed, now: Now) -> Response:
    """Somebody answers by text: one call is acknowledged, or none, and the answer says which. Who wants no texts gets none."""
    if not isinstance(came.carrier, Texts):
        raise NotFound
    text = came.carrier.text(came.fields)
    if text is None:
        raise NotFound
    with database_of(request).transaction() as connection:
        match text.wish or wish_of(text.body):
            case _ if text.part is not None:
                # Each part comes by itself: only the first is answered.
                said = TOO_LONG if text.part == 1 else ""
            case Wish.STOP:
                plans = current(connection, cast("Plan", request.app.state.plan))
                stopping.stop(connection, text.sender, plans, now=now)
                said = ""
            case Wish.START if stopping.start(connection, text.sender, now=now):
                said = STARTED
            case _:
                said = answered(connection, text.sender, text.body, now=now).said
    # Outside the transaction: some say it by a request of their own.
    written = came.carrier.replied(said, to=text.sender, name=provider)
    if written.unsaid:
        _log.warning("reply_not_sent", provider=provider, why=written.unsaid)
    return Response(written.body, media_type=written.media_type)


def answered(connection: Connection, address: str, text: str, *, now: datetime) -> Reply:
    """Acknowledge the call that a text from this number means, if it means exactly one."""
    calls = reports.calls_of_number(connection, address, now=now)
    reply = reply_to(text, list(calls))
    if reply.call is None and not reply.missed:
        return reply
    # Their alerts first, as everywhere; and whoever guesses many at once is counted one after the other.
    notifications.lock_alert(connection, *(call.alert_id for call in calls))
    if _guesses_too_much(connection, address, missed=reply.missed, now=now):
        return Reply(TOO_MANY)
    if reply.call is None:
        return reply
    call, sender = reply.call, calls[reply.call]
    who = Actor(call.recipient_id, call.practice_id, Role(sender.role), sender.name)
    outcome = take(connection, who, call.alert_id, told=call.told, by="text", now=now)
    return reply if outcome.done else Reply(f"Nothing was acknowledged: {outcome.reason}.")


def _guesses_too_much(connection: Connection, address: str, *, missed: bool, now: datetime) -> bool:
    """Whether digits from this number have to wait; else wrong ones are counted, and right ones make up for those."""
    keys = texter_keys(address)
    texter, texts = keys[ThrottleScope.TEXTER], keys[ThrottleScope.TEXTS]
    failures = sessions.failures(connection, [texter, texts], now=now)
    if texter_waits_until(failures.get(texter), failures.get(texts), now=now) is not None:
        _log.warning("texts_throttled")
        return True
    if missed:
        sessions.count_failure(connection, [texter, texts], now=now)
    else:
        sessions.forget_failures(connection, [texter])
    return False


def _note(connection: Connection, token: str, told: Told, *, provider: str, now: datetime) -> None:
    """On the message's row and its alert's timeline; what failed goes by the next way."""
    if told.outcome is Outcome.ON_ITS_WAY:
        return
    found = reports.keep(connection, token, Receipt(provider, told.message, told.outcome, told.why))
    if found is not None:
        delivery.settle(connection, found, now=now)


def _greeting(connection: Connection, token: str, linked: Linked, told: Told, *, now: datetime) -> Pressed:
    """What a call says to whoever picked it up; nothing to a machine, which would hear it to no end."""
    if told.outcome is Outcome.NOT_DELIVERED:
        return Pressed(False)
    refused = _refused(linked, now=now)
    if refused is not None:
        return Pressed(False, f"{linked.clinic[:CLINIC_SPOKEN]}. {refused}")
    notice = Notice(
        severity=linked.severity,
        public_id=linked.public_id,
        step=linked.step + 1,
        url="",
        clinic=linked.clinic,
        others=reports.told_besides(connection, token),
    )
    return Pressed(False, notice.spoken_asking or notice.spoken, again=bool(notice.spoken_asking))


def _refused(linked: Linked, *, now: datetime) -> str | None:
    """Why no key of this call has the alert. One that became worse is no longer what the call says: it calls anew, from its first step."""
    anew = news(linked, "call")
    return refusal(linked, now=now) or (anew and f"{anew} Please open the list of alerts.")


def _key(connection: Connection, token: str, linked: Linked, keys: str, *, now: datetime) -> Pressed:
    """Acknowledge the alert this call is about, and no other, if the one right key was pressed; what the call says then."""
    # The alert before the message, as everywhere.
    notifications.lock_alert(connection, linked.alert_id)
    linked = notifications.by_token(connection, token) or linked
    if linked.mine_since is not None:
        return Pressed(False, mine(linked.mine_since, linked.time_zone))
    result = pressed(keys, heard=reports.hear_key(connection, token) if keys else 0)
    if not result.takes:
        return result
    reports.hear_no_more(connection, token)
    refused = _refused(linked, now=now)
    if refused is None:
        who = Actor(linked.recipient_id, linked.practice_id, Role(linked.role), linked.recipient)
        outcome = take(connection, who, linked.alert_id, told=linked.told, by="key", now=now)
        refused = None if outcome.done else f"{outcome.reason.capitalize()}."
    return Pressed(refused is None, TAKEN if refused is None else f"Nothing was acknowledged. {refused}")
