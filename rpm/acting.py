"""Who acts on the command line: a member of staff by name, in one transaction, with what the role allows."""

from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import typer

from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.settings import read_settings
from rpm.store import patients, staff
from rpm.store.database import Connection, Database
from rpm.store.migrate import open_current
from rpm.store.patients import Patient

As = Annotated[str, typer.Option("--as", help="Your username: what you see and decide is written down")]
#: The most a bigint of the database holds.
NUMBER_MAX: Final = 2**63 - 1

#: Who may see what was measured and decide on it, as on the pages; who looks after boxes and devices; who bills.
CARE: Final = frozenset({Role.NURSE, Role.ADMIN})
HOMES: Final = CARE | {Role.SUPPORT}
BILLING: Final = frozenset({Role.BILLER, Role.ADMIN})


@contextmanager
def signed_in(username: str, roles: frozenset[Role] = CARE) -> Generator[tuple[Database, Actor]]:
    """A database and a member of staff, for work of several transactions; UserError where there is none who may do this."""
    database = open_current(read_settings().require("dsn").dsn)
    try:
        with database.transaction() as connection:
            actor = _actor(connection, username, roles)
        yield database, actor
    finally:
        database.close()


@contextmanager
def acting(username: str, roles: frozenset[Role] = CARE) -> Generator[tuple[Connection, Actor, datetime]]:
    """One transaction of a member of staff; UserError where there is none of that name who may do this."""
    with signed_in(username, roles) as (database, actor):
        now = database.clock()
        with database.transaction() as connection:
            yield connection, actor, now


def _actor(connection: Connection, username: str, roles: frozenset[Role]) -> Actor:
    account = staff.by_username(connection, username)
    if account is None or not account.active:
        raise UserError(f"there is no user {username} who may sign in: `rpm-cloud user list` shows them")
    if account.role not in roles:
        allowed = ", ".join(sorted(roles))
        raise UserError(f"{username} is a {account.role}: this is for {allowed}")
    return Actor(account.staff_id, account.practice_id, Role(account.role), account.display_name)


def patient_of(connection: Connection, actor: Actor, public_id: UUID) -> Patient:
    """A patient of the actor's practice, by the id in the address of the page; UserError where there is none."""
    found = patients.by_public_id(connection, public_id, practice_id=actor.practice_id)
    if found is None:
        raise UserError("no such patient in this practice")
    return found


def instant(text: str) -> datetime:
    """An instant somebody typed; UserError where it is none, or names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError("a time looks like 2026-06-10T14:00+00:00") from error
    if found.tzinfo is None:
        raise UserError("say in which zone, as in 2026-06-10T14:00+00:00")
    return found
