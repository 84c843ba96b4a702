"""Ask each contact whether it still reaches its owner: when it is new, and every month (F60).

What nobody answers from counts as no cover a week later, and is tried all the same. By voice a code is spoken, which its
owner types on the page of his contacts; everything else carries a link.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final

import structlog

from alerts.channels import Channels, Name, NoChannel
from alerts.escalation import Plan
from rpm import stopping
from rpm.jobs.report import Done
from rpm.store import contacts
from rpm.store.contacts import LINK_LASTS, Asked
from rpm.store.database import Database
from rpm.store.plans import current

log = structlog.get_logger()

ASK_AGAIN_AFTER: Final = timedelta(days=28)
#: Between two questions to one contact that does not answer.
PATIENCE: Final = timedelta(days=2)
#: Each may take as long as its providers may: a turn of several would seem to hang.
LIMIT: Final = 1
CODE_DIGITS: Final = 6
TOKEN_BYTES: Final = 16


def run_once(
    database: Database,
    *,
    now: datetime,
    channels: Channels,
    base_url: str,
    limit: int = LIMIT,
    plan: Plan | None = None,
) -> Done:
    """Ask at most `limit` contacts; each with something new, whose hash alone is kept.

    `plan`: by which those are told who keep the rota, where a contact wants no more messages; None: nobody is.
    """
    with database.transaction() as connection:
        due = contacts.due(connection, verified_before=now - ASK_AGAIN_AFTER, asked_before=now - PATIENCE, limit=limit)
        said = {one.id: _new_code(one.channel) for one in due}
        for contact_id, code in said.items():
            contacts.ask(connection, contact_id, code, now=now)
    failed = 0
    for one in due:
        channel = channels.get(one.channel, NoChannel(f"this installation sends nothing by {one.channel}"))
        subject, body = question(one, said[one.id], base_url)
        answer = channel.send(one.address, subject=subject, body=body)
        failed += not answer.accepted
        if answer.stopped:
            with database.transaction() as connection:
                stopping.stop(connection, one.address, plan and current(connection, plan), now=now)
    if failed:
        log.warning("contacts_not_asked", count=failed)
    return Done(len(due), len(due) == limit)


def question(asked: Asked, code: str, base_url: str) -> tuple[str, str]:
    """Subject (empty where the channel has none) and text. It names no person: the address may be a stranger's."""
    if asked.channel is Name.VOICE:
        spoken = ", ".join(code)
        said = f"This is {asked.clinic}. Your code is {spoken}."
        return "", f"{said} Please type it on the page of your contacts, within the hour. I repeat. {said}"
    link = f"{base_url}/c/{code}"
    if asked.channel is Name.SMS:
        return "", f"{asked.clinic[:40]}: do calls about alerts reach you here? Say yes: {link}"
    return (
        f"{asked.clinic}: do calls about alerts reach you here?",
        (
            f"Calls about alerts of {asked.clinic} go to this address.\n\nThey reach me here: {link}\n\n"
            f"The link is good for {LINK_LASTS.days} days. If you do not know what this is, do nothing.\n"
        ),
    )


def _new_code(channel: Name) -> str:
    if channel is Name.VOICE:
        return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    return secrets.token_urlsafe(TOKEN_BYTES)
