"""How far the box has come that a gateway's newest code lets in, as the database has it; `rpm.installing` says it in steps."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("installs")


@dataclass(frozen=True, slots=True)
class Progress:
    """A code and what came of it. An instant that is None: not yet, or (assigned, confirmed) long before.

    `heard_at`: the first message with the certificate that the code brought. `reading_at`: when the first reading after it
    arrived, held for confirmation or filed. `proof`: it is kept as the proof that monitoring was set up.
    """

    gateway_id: str
    opened_at: datetime
    expires_at: datetime
    withdrawn_at: datetime | None
    used_at: datetime | None
    heard_at: datetime | None
    reading_at: datetime | None
    assigned: bool
    assigned_at: datetime | None
    confirmed: bool
    confirmed_at: datetime | None
    pending_device_id: int | None
    proof: bool

    def waits(self, *, now: datetime) -> bool:
        """Whether a box may still come in by the code."""
        return self.used_at is None and self.withdrawn_at is None and now < self.expires_at


def progress(connection: Connection, gateway_id: str, *, practice_id: int, now: datetime) -> Progress | None:
    """What came of the newest code of a gateway; None where it never had one, or is another practice's."""
    asked = {"gateway_id": gateway_id, "practice_id": practice_id, "now": now}
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        return cursor.execute(_SQL["progress"], asked).fetchone()
