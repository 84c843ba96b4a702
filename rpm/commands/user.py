"""`rpm-cloud user`: who may sign in. A password is read from the terminal or a pipe, never from the command line."""

import getpass
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from rpm.access import Role, WeakPassword, hash_password
from rpm.errors import UserError
from rpm.settings import read_settings
from rpm.store import sessions, staff
from rpm.store.database import Connection, Database
from rpm.store.migrate import open_current

NAME_LENGTH_MAX: Final = 100

_EMAIL: Final = re.compile(r"[^@\s,;]+@[^@\s,;]+")

users = typer.Typer(help="Accounts: add, list, password, disable, enable.", no_args_is_help=True)

Username = Annotated[str, typer.Argument(help="What the person types to sign in; lower case")]


def _database() -> Database:
    return open_current(read_settings().require("dsn").dsn)


def read_password() -> str:
    """A password asked for twice at a terminal, or one line of standard input; UserError where it will not do."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password (12 characters or more): ")
        if password != getpass.getpass("Again: "):
            raise UserError("the two passwords differ: run the command again")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    try:
        return hash_password(password)
    except WeakPassword as error:
        raise UserError(f"{error} Run the command again with another one.") from error


def _practice(connection: Connection, number: int | None, new: str, time_zone: str, *, now: datetime) -> int:
    """The practice a new account belongs to: a new one, the one named, or the only one."""
    if new:
        try:
            ZoneInfo(time_zone)
        except (ValueError, OSError, ZoneInfoNotFoundError) as error:
            raise UserError("--time-zone wants a name such as America/New_York: billing days follow it") from error
        return staff.add_practice(connection, name=new, time_zone=time_zone, now=now)
    return the_practice(staff.practices(connection), number)


def the_practice(known: Mapping[int, str], number: int | None) -> int:
    """The practice of that number, or the only one there is; UserError where that says none."""
    if number is None and len(known) == 1:
        return next(iter(known))
    if number is not None and number in known:
        return number
    if not known:
        raise UserError(
            "there is no practice yet: `rpm-cloud user add` makes one by --new-practice NAME and --time-zone ZONE"
        )
    listed = ", ".join(f"{one} ({name})" for one, name in known.items())
    raise UserError(f"say which practice with --practice: {listed}")


@users.command()
def add(
    username: Username,
    role: Annotated[Role, typer.Option(help="What the person is here for")],
    name: Annotated[str, typer.Option(help="Name shown to colleagues")] = "",
    email: Annotated[str, typer.Option(help="Where calls for help go")] = "",
    practice: Annotated[int | None, typer.Option(help="Number of the practice, where there is more than one")] = None,
    new_practice: Annotated[str, typer.Option(help="Make a practice of this name, and the account its first")] = "",
    time_zone: Annotated[str, typer.Option(help="The new practice's zone, e.g. America/New_York")] = "",
) -> None:
    """Add an account. The password is asked for, or read from a pipe."""
    username = username.strip().lower()
    if not username or len(username) > NAME_LENGTH_MAX or not username.isprintable() or " " in username:
        raise UserError("a username is one word of at most 100 characters")
    if email and not _EMAIL.fullmatch(email):
        raise UserError("--email wants an address such as nora@clinic.example: calls for help go there")
    database = _database()
    now = database.clock()
    password_hash = read_password()
    with database.transaction() as connection:
        practice_id = _practice(connection, practice, new_practice, time_zone, now=now)
        made = staff.add(
            connection,
            practice_id=practice_id,
            username=username,
            display_name=name or username,
            role=role,
            email=email or None,
            password_hash=password_hash,
            now=now,
        )
        if made is None:
            raise UserError(
                f"there is a user {username} already: choose another name, or `rpm-cloud user password {username}`"
            )
    database.close()
    print(f"{username} may sign in as {role}")


@users.command("list")
def list_users() -> None:
    """List all accounts."""
    database = _database()
    with database.transaction() as connection:
        for member in staff.everybody(connection):
            state = "" if member.active else "  (switched off)"
            print(f"{member.username:24} {member.role:8} {member.practice:24} {member.display_name}{state}")
    database.close()


@users.command()
def password(username: Username) -> None:
    """Give an account another password and end its sessions."""
    database = _database()
    password_hash = read_password()
    with database.transaction() as connection:
        staff_id = staff.set_password(connection, username=username, password_hash=password_hash)
        if staff_id is not None:
            sessions.end_of_staff(connection, staff_id)
    _done(database, staff_id, username, "has a new password; its sessions are ended")


@users.command()
def disable(username: Username) -> None:
    """Switch an account off and end its sessions."""
    _switch(username, active=False)


@users.command()
def enable(username: Username) -> None:
    """Switch an account on again."""
    _switch(username, active=True)


def _switch(username: str, *, active: bool) -> None:
    database = _database()
    with database.transaction() as connection:
        staff_id = staff.set_active(connection, username=username, active=active)
        if staff_id is not None and not active:
            sessions.end_of_staff(connection, staff_id)
    _done(database, staff_id, username, "may sign in again" if active else "is switched off; its sessions are ended")


def _done(database: Database, staff_id: int | None, username: str, what: str) -> None:
    database.close()
    if staff_id is None:
        raise UserError(f"there is no user {username}: `rpm-cloud user list` shows them")
    print(f"{username} {what}")


def register(app: typer.Typer) -> None:
    """Add the verbs."""
    app.add_typer(users, name="user")
