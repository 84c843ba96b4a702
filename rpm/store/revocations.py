"""Lists of revoked certificates, and what the broker's guard still has to do about the revoked and the new."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography.x509 import CertificateRevocationList
from psycopg.rows import class_row

from rpm.identity.authority import Kind, pem_of
from rpm.identity.certificates import serial_text
from rpm.identity.revocation import LISTED_AFTER_END, Newest, Revoked, Why
from rpm.store.database import Connection
from rpm.store.locks import Lock
from rpm.store.queries import load

_SQL = load("revocations")

#: Of each authority's lists so many are kept: to see what a broker may still have.
LISTS_KEPT: Final = 10


@dataclass(frozen=True, slots=True)
class Account:
    """A name the broker is to know. `may`: it has a certificate that is not revoked."""

    name: str
    role: str
    may: bool


def newest_list(connection: Connection, kind: Kind) -> tuple[Newest, str] | None:
    """An authority's newest list and its PEM; None where none was made yet."""
    row = connection.execute(_SQL["newest"], {"authority": kind}).fetchone()
    if row is None:
        return None
    serials = frozenset(int(serial, 16) for serial in row["serials"])
    return Newest(row["number"], row["issued_at"], row["next_update"], serials), row["pem"]


def lock_lists(connection: Connection) -> None:
    """Until the transaction ends nobody else makes a list."""
    connection.execute(_SQL["one_at_a_time"], {"key": Lock.REVOKE})


def revoked(connection: Connection, kind: Kind, *, now: datetime) -> list[Revoked]:
    """What stands on an authority's list at `now`."""
    rows = connection.execute(
        _SQL["revoked"], {"authority": kind, "now": now, "ended_after": now - LISTED_AFTER_END}
    ).fetchall()
    return [Revoked(int(row["serial"], 16), row["revoked_at"], Why(row["revoked_why"])) for row in rows]


def add_list(
    connection: Connection, kind: Kind, made: CertificateRevocationList, *, number: int, now: datetime
) -> None:
    """Keep a list that was signed, and let the oldest go."""
    connection.execute(
        _SQL["add"],
        {
            "authority": kind,
            "number": number,
            "next_update": made.next_update_utc,
            "serials": [serial_text(entry.serial_number) for entry in made],
            "pem": pem_of(made),
            "now": now,
        },
    )
    connection.execute(_SQL["forget"], {"authority": kind, "number": number - LISTS_KEPT})


def to_cut(connection: Connection, kind: Kind, listed: Collection[int]) -> dict[str, list[str]]:
    """Names to be thrown out, with their serials: revoked, on the list the broker has, and not thrown out yet."""
    rows = connection.execute(
        _SQL["to_cut"], {"authority": kind, "serials": [serial_text(serial) for serial in listed]}
    ).fetchall()
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["name"], []).append(row["serial"])
    return found


def mark_cut(connection: Connection, serials: Sequence[str], *, now: datetime) -> None:
    """The owners of these certificates were thrown out."""
    connection.execute(_SQL["cut"], {"serials": list(serials), "now": now})


def accounts(connection: Connection, *, now: datetime, names: Collection[str] | None = None) -> list[Account]:
    """What the broker is to know: of these names, or of all that ever had a certificate."""
    statement = _SQL["accounts"] if names is None else _SQL["accounts_of"]
    with connection.cursor(row_factory=class_row(Account)) as cursor:
        return cursor.execute(statement, {"now": now, "names": list(names or ())}).fetchall()


def to_grant(connection: Connection, *, limit: int, now: datetime) -> list[str]:
    """Names whose account the broker has not been told of. A name that has one already is not told again."""
    connection.execute(_SQL["grant_renewed"], {"now": now})
    return [row["name"] for row in connection.execute(_SQL["to_grant"], {"limit": limit}).fetchall()]


def mark_granted(connection: Connection, names: Sequence[str], *, now: datetime) -> None:
    """The broker has their accounts."""
    connection.execute(_SQL["grant"], {"names": list(names), "now": now})
