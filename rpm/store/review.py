"""Alerts of the last days, as a review looks at them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from alerts.quality import Closed
from alerts.review import TARGETS, Line, Target
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


def targets(connection: Connection, *, practice_id: int) -> dict[Severity, Target]:
    """A practice's targets, its own before the defaults."""
    rows = connection.execute(_SQL["targets"], {"practice_id": practice_id}).fetchall()
    own = {
        Severity(row["severity"]): Target(
            timedelta(minutes=row["had_minutes"]), timedelta(minutes=row["closed_minutes"])
        )
        for row in rows
    }
    return {**TARGETS, **own}


def set_targets(
    connection: Connection, wanted: Mapping[Severity, Target], *, practice_id: int, staff_id: int, now: datetime
) -> None:
    """From now on these; what came before is held against them, too."""
    for severity, target in wanted.items():
        connection.execute(
            _SQL["set_target"],
            {
                "practice_id": practice_id,
                "severity": int(severity),
                "had_minutes": target.had // timedelta(minutes=1),
                "closed_minutes": target.closed // timedelta(minutes=1),
                "staff_id": staff_id,
                "now": now,
            },
        )


def closed(connection: Connection, *, practice_id: int, since: datetime) -> list[Closed]:
    """What was done about the practice's clinical alerts that were closed since then, by rule and month."""
    rows = connection.execute(_SQL["closed"], {"practice_id": practice_id, "since": since}).fetchall()
    return [Closed(**row) for row in rows]
