"""How members of staff are reached, and whether each way was proven to reach: its owner gave back what was sent to it."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alerts.channels import Name
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("contacts")

#: As many ways to reach one person as anybody needs.
CONTACTS_MAX: Final = 8
#: What is typed is short, so it is good for an hour and a few tries; a link is long, and good for a week.
CODE_LASTS: Final = timedelta(hours=1)
CODE_TRIES_MAX: Final = 5
LINK_LASTS: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Kept:
    """One contact as its owner sees it."""

    id: int
    staff_id: int
    channel: Name
    address: str
    position: int
    verified_at: datetime | None
    code_sent_at: datetime | None
    created_at: datetime
    #: When its owner wrote STOP; until START nothing is sent to it.
    stopped_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """A contact whose owner wrote STOP, or START. `others`: in how many more ways he can be reached."""

    contact_id: int
    practice_id: int
    staff_id: int
    name: str
    role: str
    others: int


@dataclass(frozen=True, slots=True)
class Asked:
    """A contact that is to be asked whether it reaches its owner."""

    id: int
    channel: Name
    address: str
    clinic: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A contact whose link was opened."""

    id: int
    practice_id: int
    staff_id: int
    channel: Name
    clinic: str


def of_staff(connection: Connection, staff_id: int) -> list[Kept]:
    """One person's, in the order in which they are tried."""
    return [_kept(row) for row in connection.execute(_SQL["of_staff"], {"staff_id": staff_id}).fetchall()]


def of_practice(connection: Connection, practice_id: int) -> dict[int, list[Kept]]:
    """Everybody's of a practice, by person."""
    found: dict[int, list[Kept]] = {}
    for row in connection.execute(_SQL["of_practice"], {"practice_id": practice_id}).fetchall():
        found.setdefault(row["staff_id"], []).append(_kept(row))
    return found


def add(
    connection: Connection, *, practice_id: int, staff_id: int, channel: Name, address: str, now: datetime
) -> int | None:
    """Another way to reach somebody; None where it is there already, or he has CONTACTS_MAX."""
    row = connection.execute(_SQL["count"], {"staff_id": staff_id}).fetchone()
    if row is not None and row["n"] >= CONTACTS_MAX:
        return None
    made = connection.execute(
        _SQL["add"],
        {"practice_id": practice_id, "staff_id": staff_id, "channel": channel, "address": address, "now": now},
    ).fetchone()
    return None if made is None else int(made["id"])


def remove(connection: Connection, contact_id: int, *, staff_id: int, now: datetime) -> bool:
    """It is used no more; False where it is not this person's."""
    parameters = {"contact_id": contact_id, "staff_id": staff_id, "now": now}
    return connection.execute(_SQL["remove"], parameters).fetchone() is not None


def put_first(connection: Connection, contact_id: int, *, staff_id: int) -> bool:
    """It is tried first; False where it is not this person's."""
    parameters = {"contact_id": contact_id, "staff_id": staff_id}
    return connection.execute(_SQL["first"], parameters).fetchone() is not None


def ask(connection: Connection, contact_id: int, code: str, *, now: datetime) -> None:
    """Keep the hash of what is about to be sent to a contact."""
    connection.execute(_SQL["ask"], {"contact_id": contact_id, "code_hash": _hash(code), "now": now})


def by_link(connection: Connection, token: str, *, now: datetime) -> Answered | None:
    """The contact to which this link was sent; None where there is none, or it is too old."""
    row = connection.execute(_SQL["by_code"], {"code_hash": _hash(token)}).fetchone()
    if row is None or now - row["code_sent_at"] > LINK_LASTS:
        return None
    return Answered(row["id"], row["practice_id"], row["staff_id"], Name(row["channel"]), row["clinic"])


def type_code(connection: Connection, contact_id: int, code: str, *, staff_id: int, now: datetime) -> bool:
    """Whether this is the code that was sent to the person's contact; then it is proven."""
    row = connection.execute(_SQL["guess"], {"contact_id": contact_id, "staff_id": staff_id}).fetchone()
    if row is None or row["code_tries"] > CODE_TRIES_MAX or now - row["code_sent_at"] > CODE_LASTS:
        return False
    if not hmac.compare_digest(bytes(row["code_hash"]), _hash(code)):
        return False
    verify(connection, contact_id, now=now)
    return True


def verify(connection: Connection, contact_id: int, *, now: datetime) -> None:
    """Its owner has answered from it."""
    connection.execute(_SQL["verify"], {"contact_id": contact_id, "now": now})


def stop(connection: Connection, address: str, *, now: datetime) -> list[Stopped]:
    """No more texts to this number, whoever's it is; those that had it until now."""
    return _stopped(connection, address, now)


def start(connection: Connection, address: str) -> list[Stopped]:
    """Texts to this number again; those that had stopped."""
    return _stopped(connection, address, None)


def _stopped(connection: Connection, address: str, stopped_at: datetime | None) -> list[Stopped]:
    parameters = {"channel": Name.SMS, "address": address, "stopped_at": stopped_at}
    return [Stopped(**row) for row in connection.execute(_SQL["stop"], parameters).fetchall()]


def due(connection: Connection, *, verified_before: datetime, asked_before: datetime, limit: int) -> list[Asked]:
    """Contacts to ask, claimed in this transaction: those never proven, or last before `verified_before`."""
    parameters = {"verified_before": verified_before, "asked_before": asked_before, "limit": limit}
    rows = connection.execute(_SQL["due"], parameters).fetchall()
    return [Asked(row["id"], Name(row["channel"]), row["address"], row["clinic"]) for row in rows]


def _hash(code: str) -> bytes:
    """A code belongs to its contact alone, and is not there to be read."""
    return hashlib.sha256(code.strip().encode()).digest()


def _kept(row: dict[str, object]) -> Kept:
    return Kept(**{**row, "channel": Name(str(row["channel"]))})  # pyright: ignore[reportArgumentType]


def ask_again(connection: Connection, contact_id: int, *, staff_id: int) -> bool:
    """Its owner wants to be asked now, and it is not proven until then; False where it is not this person's."""
    parameters = {"contact_id": contact_id, "staff_id": staff_id}
    return connection.execute(_SQL["ask_again"], parameters).fetchone() is not None
