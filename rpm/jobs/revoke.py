"""Make the lists of revoked certificates: at once when one is revoked, and every day (F6).

Runs wherever the authorities' keys are. The broker's guard fetches what is made here; `rpm.jobs.expiries` tells when it
is not made any more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from rpm.identity.authority import Authority
from rpm.identity.revocation import list_due, revocation_list
from rpm.store import revocations
from rpm.store.database import Database

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Made:
    """How many lists were made in a turn."""

    done: int
    more: bool = False


def run_once(database: Database, *, now: datetime, authorities: Sequence[Authority]) -> Made:
    """A new list of each authority that is due one."""
    made = 0
    for authority in authorities:
        with database.transaction() as connection:
            revocations.lock_lists(connection)
            found = revocations.newest_list(connection, authority.kind)
            newest = found[0] if found else None
            revoked = revocations.revoked(connection, authority.kind, now=now)
            why = list_due(newest, revoked, now=now)
            if why is None:
                continue
            number = newest.number + 1 if newest else 1
            signed = revocation_list(authority, revoked, number=number, now=now)
            revocations.add_list(connection, authority.kind, signed, number=number, now=now)
            made += 1
        _log.info("revocation_list_made", authority=authority.kind, number=number, count=len(revoked), why=why)
    return Made(made)
