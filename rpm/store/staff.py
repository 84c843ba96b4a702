"""The people who work here: accounts of a practice."""

from dataclasses import dataclass
from datetime import datetime

from alerts.channels import Name
from rpm.store import contacts, queries
from rpm.store.database import Connection

_SQL = queries.load("staff")


@dataclass(frozen=True, slots=True)
class Account:
    """What a log-in needs to know of an account."""

    staff_id: int
    practice_id: int
    username: str
    display_name: str
    role: str
    password_hash: str
    active: bool


@dataclass(frozen=True, slots=True)
class Member:
    """One line of the list of users."""

    staff_id: int
    username: str
    display_name: str
    role: str
    email: str | None
    active: bool
    practice: str = ""


def add(
    connection: Connection,
    *,
    practice_id: int,
    username: str,
    display_name: str,
    role: str,
    email: str | None,
    password_hash: str,
    now: datetime,
) -> int | None:
    """Make an account and return its id; None where the username is taken. `email`: how it is reached, once proven."""
    row = connection.execute(
        _SQL["insert"],
        {
            "practice_id": practice_id,
            "username": username.lower(),
            "display_name": display_name,
            "role": role,
            "password_hash": password_hash,
            "now": now,
        },
    ).fetchone()
    if row is None:
        return None
    staff_id: int = row["id"]
    if email:
        contacts.add(connection, practice_id=practice_id, staff_id=staff_id, channel=Name.EMAIL, address=email, now=now)
    return staff_id


def by_username(connection: Connection, username: str) -> Account | None:
    """The account of that name, active or not."""
    row = connection.execute(_SQL["by_username"], {"username": username.lower()}).fetchone()
    if row is None:
        return None
    return Account(
        staff_id=row["id"],
        practice_id=row["practice_id"],
        username=row["username"],
        display_name=row["display_name"],
        role=row["role"],
        password_hash=row["password_hash"],
        active=row["active"],
    )


def of_practice(connection: Connection, practice_id: int) -> list[Member]:
    """Everybody of one practice, those who can sign in first."""
    rows = connection.execute(_SQL["of_practice"], {"practice_id": practice_id}).fetchall()
    return [
        Member(row["id"], row["username"], row["display_name"], row["role"], row["email"], row["active"])
        for row in rows
    ]


def everybody(connection: Connection) -> list[Member]:
    """Every account of the installation."""
    return [
        Member(
            row["id"],
            row["username"],
            row["display_name"],
            row["role"],
            row["email"],
            row["active"],
            row["practice"],
        )
        for row in connection.execute(_SQL["all"]).fetchall()
    ]


def set_password(connection: Connection, *, username: str, password_hash: str) -> int | None:
    """Change a password and return whose it was; None where there is no such account."""
    row = connection.execute(
        _SQL["set_password"], {"username": username.lower(), "password_hash": password_hash}
    ).fetchone()
    return None if row is None else row["id"]


def set_active(connection: Connection, *, username: str, active: bool) -> int | None:
    """Switch an account on or off and return whose it was; None where there is no such account."""
    row = connection.execute(_SQL["set_active"], {"username": username.lower(), "active": active}).fetchone()
    return None if row is None else row["id"]


@dataclass(frozen=True, slots=True)
class Practice:
    """A practice, and the zone its billing days are counted in."""

    practice_id: int
    name: str
    time_zone: str


def practice(connection: Connection, practice_id: int) -> Practice:
    """The practice of somebody who is signed in."""
    row = connection.execute(_SQL["practice_of_person"], {"practice_id": practice_id}).fetchone()
    assert row is not None, "staff.practice_id references practice"
    return Practice(practice_id, row["name"], row["time_zone"])


def practices(connection: Connection) -> dict[int, str]:
    """The installation's practices by number."""
    return {row["id"]: row["name"] for row in connection.execute(_SQL["practices"]).fetchall()}


def add_practice(connection: Connection, *, name: str, time_zone: str, now: datetime) -> int:
    """Make a practice and return its number."""
    row = connection.execute(_SQL["insert_practice"], {"name": name, "time_zone": time_zone, "now": now}).fetchone()
    assert row is not None, "insert returns its row"
    number: int = row["id"]
    return number
