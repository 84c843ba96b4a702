"""A number whose owner wrote STOP is sent nothing until START: what waits goes another way, and who keeps the rota is told."""

from datetime import datetime
from typing import Final

from rpm import delivery, trouble
from rpm.access import Actor, Role
from rpm.audit import Action, record
from rpm.store import contacts, reports
from rpm.store.contacts import Stopped
from rpm.store.database import Connection
from rpm.store.plans import Plans

RULE: Final = "contact_stopped"
VERSION: Final = "1"
WHY: Final = "its reader wrote STOP"


def stop(connection: Connection, address: str, plans: Plans | None, *, now: datetime) -> None:
    """Nothing more goes there. It may be nobody's number, or several people's; who says so again changes nothing.

    `plans`: who is told of it; None: nobody is.
    """
    stopped = contacts.stop(connection, address, now=now)
    given_up = reports.give_up(connection, [one.contact_id for one in stopped], answer=WHY, now=now)
    delivery.not_reached(connection, given_up, answer=WHY, now=now)
    if plans is not None:
        for one in stopped:
            _tell(connection, one, plans, now=now)
    for one in stopped:
        record(connection, _owner(one), Action.CONTACT_STOPPED, now=now, contact=one.contact_id)


def start(connection: Connection, address: str, *, now: datetime) -> bool:
    """It is written to again; False where nothing had stopped."""
    started = contacts.start(connection, address)
    for one in started:
        record(connection, _owner(one), Action.CONTACT_STARTED, now=now, contact=one.contact_id)
    return bool(started)


def _tell(connection: Connection, one: Stopped, plans: Plans, *, now: datetime) -> None:
    trouble.tell(
        connection,
        plans,
        practice_id=one.practice_id,
        # Each is another thing to mend: one that is open must not hide the next.
        rule_id=f"{RULE}:{one.contact_id}",
        rule_version=VERSION,
        reason=_sentence(one),
        now=now,
        # Who wrote STOP once more has written START meanwhile.
        quiet_for=trouble.NOT_QUIET,
    )


def _owner(one: Stopped) -> Actor:
    return Actor(one.staff_id, one.practice_id, Role(one.role), one.name)


def _sentence(one: Stopped) -> str:
    left = "Calls go to the other contacts" if one.others else "There is no other contact: nobody can call this person"
    return (
        f"{one.name} wrote STOP to the text messages about alerts, which therefore end. {left}. It counts as no cover until"
        " START is written to the same number; who is called is on the page On call"
    )
