"""Claims: codes by which a box is let in once. A page or a command opens one; only `rpm.enrolment` uses it."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rpm.access import Actor
from rpm.errors import UserError
from rpm.identity.claims import CLAIM_WINDOW, Claim, code_hash, draw_code
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("claims")


@dataclass(frozen=True, slots=True)
class Opened:
    """A code to type in or print, shown this once, and until when it works."""

    gateway_id: str
    code: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimStanding:
    """What came of the newest claim of a gateway."""

    gateway_id: str
    opened_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    used_at: datetime | None

    def waits(self, *, now: datetime) -> bool:
        """Whether a box may still come in by it."""
        return self.used_at is None and self.withdrawn_at is None and now < self.expires_at


def open_claim(connection: Connection, gateway_id: str, *, actor: Actor, now: datetime) -> Opened:
    """A code for a gateway of the actor's practice; one given out before and not used works no more.

    UserError where the practice has no such gateway. The caller records it (`Action.GATEWAY_CLAIMED`).
    """
    code = draw_code()
    asked = {
        "gateway_id": gateway_id,
        "practice_id": actor.practice_id,
        "staff_id": actor.staff_id,
        "code_hash": code_hash(code),
        "now": now,
        "expires_at": now + CLAIM_WINDOW,
    }
    if connection.execute(_SQL["lock"], asked).fetchone() is None:
        raise UserError(f"your practice has no gateway {gateway_id}: `rpm-cloud gateway register` makes it yours")
    connection.execute(_SQL["withdraw"], asked)
    connection.execute(_SQL["open"], asked)
    return Opened(gateway_id, code, now + CLAIM_WINDOW)


def find_claim(connection: Connection, hash_given: bytes) -> Claim | None:
    """The claim of a code's hash, locked until the transaction ends."""
    connection.execute(_SQL["lock_code"], {"code_hash": hash_given})
    with connection.cursor(row_factory=class_row(Claim)) as cursor:
        return cursor.execute(_SQL["find"], {"code_hash": hash_given}).fetchone()


def use_claim(connection: Connection, claim_id: int, *, serial: str, now: datetime) -> None:
    """The code brought this certificate, and brings no other."""
    connection.execute(_SQL["use"], {"claim_id": claim_id, "serial": serial, "now": now})


def latest_claims(connection: Connection, *, practice_id: int) -> dict[str, ClaimStanding]:
    """The newest claim of each of a practice's gateways that ever had one, by gateway."""
    with connection.cursor(row_factory=class_row(ClaimStanding)) as cursor:
        rows = cursor.execute(_SQL["latest"], {"practice_id": practice_id}).fetchall()
    return {row.gateway_id: row for row in rows}
