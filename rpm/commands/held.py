"""`rpm-cloud held`: what is kept but not used; look, release, void, claim. Every look and decision names a person."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Final
from uuid import UUID

import typer

from rpm import audit
from rpm.access import Actor, Role
from rpm.errors import UserError
from rpm.settings import read_settings
from rpm.store import held, holding, patients, staff
from rpm.store.database import Connection
from rpm.store.migrate import open_current
from rpm.store.suggestions import suggestions

readings = typer.Typer(help="Held readings: list, show, release, void, claim.", no_args_is_help=True)

As = Annotated[str, typer.Option("--as", help="Your username: what you see and decide is written down")]
#: The most a bigint of the database holds.
NUMBER_MAX: Final = 2**63 - 1
Number = Annotated[int, typer.Argument(help="The number that `rpm-cloud held list` shows", min=1, max=NUMBER_MAX)]


#: Who may see what was measured and decide on it, as on the pages; and who looks after boxes and devices.
CARE: Final = frozenset({Role.NURSE, Role.ADMIN})
HOMES: Final = CARE | {Role.SUPPORT}


@contextmanager
def acting(username: str, roles: frozenset[Role] = CARE) -> Generator[tuple[Connection, Actor, datetime]]:
    """One transaction of a member of staff; UserError where there is none of that name who may do this."""
    database = open_current(read_settings().require("dsn").dsn)
    try:
        now = database.clock()
        with database.transaction() as connection:
            yield connection, _actor(connection, username, roles), now
    finally:
        database.close()


def _actor(connection: Connection, username: str, roles: frozenset[Role]) -> Actor:
    account = staff.by_username(connection, username)
    if account is None or not account.active:
        raise UserError(f"there is no user {username} who may sign in: `rpm-cloud user list` shows them")
    if account.role not in roles:
        allowed = ", ".join(sorted(roles))
        raise UserError(f"{username} is a {account.role}: this is for {allowed}")
    return Actor(account.staff_id, account.practice_id, Role(account.role), account.display_name)


def instant(text: str) -> datetime:
    """An instant somebody typed; UserError where it is none, or names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UserError("a time looks like 2026-06-10T14:00+00:00") from error
    if found.tzinfo is None:
        raise UserError("say in which zone, as in 2026-06-10T14:00+00:00")
    return found


@readings.command("list")
def list_held(
    username: As,
    everything: Annotated[bool, typer.Option("--all", help="Decided ones too")] = False,
) -> None:
    """List what waits for a decision, newest first."""
    with acting(username) as (connection, actor, now):
        found = holding.list_held(connection, actor=actor, state=None if everything else "held")
        for each in found:
            device = each.device_label or each.gateway_id or "?"
            print(f"{each.id:>7}  {each.held_at:%Y-%m-%d %H:%M}  {each.state:8}  {device:20}  {each.sentence}")
        if not found:
            print("Nothing is held.")
        audit.record(connection, actor, audit.Action.SAW_HELD, now=now, count=len(found))


@readings.command()
def show(number: Number, username: As) -> None:
    """Show one held reading as it came, and what can be done with it."""
    with acting(username) as (connection, actor, now):
        found = holding.show(connection, number, actor=actor)
        print(found.sentence)
        print(f"where: {found.pointer or 'the whole item'}   topic: {found.topic}   state: {found.state}")
        can = [word for word, may in (("release", found.releasable), ("claim", found.claimable)) if may]
        print(f"can be: {', '.join([*can, 'void']) if found.state == 'held' else 'nothing more'}")
        suggestion = suggestions(connection, [found], actor=actor).get(number)
        if suggestion:
            print(f"whose it may be: {suggestion.sentence}")
            for standing in suggestion.ranking:
                who = f"{standing.user.name}, born {standing.user.birth_date}"
                print(f"  {who}: {standing.confidence}", *standing.reasons, sep="\n    ")
        print(json.dumps(found.item, indent=2) if found.item is not None else (found.raw or b"").hex())
        seen = suggestion.people if suggestion else None
        audit.record(
            connection, actor, audit.Action.SAW_HELD, now=now, patient_id=found.patient_id, patients=seen, held=number
        )


@readings.command()
def release(number: Number, username: As) -> None:
    """Use an unlikely value as it is, marked as released by hand."""
    with acting(username) as (connection, actor, now):
        held.release(connection, number, actor=actor, now=now)
    print(f"reading {number} is released")


@readings.command()
def void(
    number: Number, username: As, note: Annotated[str, typer.Option(help="Why, for whoever looks later")] = ""
) -> None:
    """Set a held reading aside for good."""
    with acting(username) as (connection, actor, now):
        held.void(connection, number, actor=actor, note=note, now=now)
    print(f"reading {number} is void")


@readings.command()
def claim(
    number: Number,
    username: As,
    patient: Annotated[UUID, typer.Option(help="The patient's id, as in the address of the patient's page")],
    since: Annotated[
        str, typer.Option("--from", help="Since when the patient uses the device (2026-06-10T14:00+00:00)")
    ],
    until: Annotated[str, typer.Option("--until", help="Until when; empty: still")] = "",
) -> None:
    """Say whose a reading is, and since when the device is theirs; everything held of that time becomes theirs."""
    start, end = instant(since), instant(until) if until else None
    with acting(username) as (connection, actor, now):
        found = patients.by_public_id(connection, patient, practice_id=actor.practice_id)
        if found is None:
            raise UserError("no such patient in this practice")
        done = held.claim(connection, number, patient_id=found.patient_id, start=start, end=end, actor=actor, now=now)
    print(f"{done.admitted} readings are the patient's now; {done.still_held} are still held for another reason")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(readings, name="held")
