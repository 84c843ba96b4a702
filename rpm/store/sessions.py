"""Sessions of people who signed in, and the wrong log-ins that make a key wait."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from rpm.access import (
    SESSION_AGE_MAX,
    SESSION_IDLE_MAX,
    THROTTLE_WINDOW,
    Actor,
    Failures,
    Role,
    new_token,
    token_hash,
)
from rpm.store import queries
from rpm.store.database import Connection

_SQL = queries.load("sessions")


@dataclass(frozen=True, slots=True)
class RunningTimer:
    """The timer its owner sees on every page, so that it is never forgotten."""

    public_id: UUID
    patient_name: str
    started_at: datetime


@dataclass(frozen=True, slots=True)
class Session:
    """A living or dead session. `csrf_token` is what its forms must carry."""

    actor: Actor
    practice: str
    time_zone: str
    csrf_token: str
    seen_at: datetime
    expires_at: datetime
    active: bool
    timer: RunningTimer | None


def start(connection: Connection, *, staff_id: int, now: datetime) -> str:
    """Make a session with a token of its own (a log-in never takes over an older one) and return the token."""
    token = new_token()
    connection.execute(
        _SQL["insert"],
        {
            "token_hash": token_hash(token),
            "staff_id": staff_id,
            "csrf_token": new_token(),
            "now": now,
            "expires_at": now + SESSION_AGE_MAX,
        },
    )
    return token


def find(connection: Connection, token: str) -> Session | None:
    """The session a token names, dead or alive: `rpm.access.session_end` tells which."""
    row = connection.execute(_SQL["find"], {"token_hash": token_hash(token)}).fetchone()
    if row is None:
        return None
    timer = None
    if row["timer_started_at"] is not None:
        name = f"{row['given_name']} {row['family_name']}"
        timer = RunningTimer(row["timer_public_id"], name, row["timer_started_at"])
    return Session(
        actor=Actor(row["staff_id"], row["practice_id"], Role(row["role"]), row["display_name"]),
        practice=row["practice"],
        time_zone=row["time_zone"],
        csrf_token=row["csrf_token"],
        seen_at=row["seen_at"],
        expires_at=row["expires_at"],
        active=row["active"],
        timer=timer,
    )


def touch(connection: Connection, token: str, *, now: datetime) -> None:
    """Note that the person behind the token did something."""
    connection.execute(_SQL["touch"], {"token_hash": token_hash(token), "now": now})


def end(connection: Connection, token: str) -> None:
    """End one session; ending one that is not there is no error."""
    connection.execute(_SQL["delete"], {"token_hash": token_hash(token)})


def end_of_staff(connection: Connection, staff_id: int) -> None:
    """End every session of one person: the password changed, or the account was switched off."""
    connection.execute(_SQL["delete_of_staff"], {"staff_id": staff_id})


def end_all(connection: Connection) -> int:
    """Everybody signs in anew; how many sessions that ends."""
    return connection.execute(_SQL["delete_all"]).rowcount


def expire(connection: Connection, *, now: datetime) -> int:
    """Forget sessions and wrong log-ins that no longer matter; returns how many sessions."""
    connection.execute(_SQL["delete_old_failures"], {"since": now - THROTTLE_WINDOW})
    return connection.execute(_SQL["delete_expired"], {"now": now, "idle_before": now - SESSION_IDLE_MAX}).rowcount


def failures(connection: Connection, keys: Collection[bytes], *, now: datetime) -> dict[bytes, Failures]:
    """Wrong log-ins of the last quarter of an hour by key."""
    rows = connection.execute(_SQL["failures"], {"keys": list(keys), "since": now - THROTTLE_WINDOW}).fetchall()
    return {bytes(row["key"]): Failures(row["count"], row["last_at"]) for row in rows}


def count_failure(connection: Connection, keys: Collection[bytes], *, now: datetime) -> None:
    """One more wrong log-in under each key."""
    connection.execute(_SQL["count_failure"], {"keys": sorted(keys), "now": now, "since": now - THROTTLE_WINDOW})


def forget_failures(connection: Connection, keys: Collection[bytes]) -> None:
    """The right password was given."""
    connection.execute(_SQL["forget_failures"], {"keys": list(keys)})
