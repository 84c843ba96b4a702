"""Alerts of the last days, as a review looks at them."""

from datetime import datetime
from typing import Final

from alerts.quality import Closed
from alerts.review import Line
from alerts.severity import Severity
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("review")

#: The newest so many; a page that shows as many says so.
LINES_MAX: Final = 20_000


def lines(connection: Connection, *, practice_id: int, since: datetime) -> list[Line]:
    """The practice's alerts that called and opened since then, the newest first."""
    rows = connection.execute(
        _SQL["alerts"], {"practice_id": practice_id, "since": since, "limit": LINES_MAX}
    ).fetchall()
    return [
        Line(
            public_id=row["public_id"],
            severity=Severity(row["severity"]),
            technical=row["technical"],
            opened_at=row["opened_at"],
            had_at=row["had_at"],
            closed_at=row["closed_at"],
            last_step=row["last_step"],
        )
        for row in rows
    ]


def closed(connection: Connection, *, practice_id: int, since: datetime) -> list[Closed]:
    """What was done about the practice's clinical alerts that were closed since then, by rule and month."""
    rows = connection.execute(_SQL["closed"], {"practice_id": practice_id, "since": since}).fetchall()
    return [Closed(**row) for row in rows]
