"""A practice written down at once: for the demonstration and the benchmarks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("seed")


def practices(connection: Connection) -> list[str]:
    """The names of the practices there are."""
    return [row["name"] for row in connection.execute(_SQL["practices"])]


def add(connection: Connection, what: str, facts: Mapping[str, Any]) -> int:
    """Enter one practice, patient or device, by the statement `add_{what}`; its id."""
    row = connection.execute(_SQL[f"add_{what}"], facts).fetchone()
    assert row is not None
    return row["id"]


def put(connection: Connection, what: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Enter many enrolments, gateways, assignments or time entries, by the statement `add_{what}`."""
    with connection.cursor() as cursor:
        cursor.executemany(_SQL[f"add_{what}"], rows)


def old_alerts(connection: Connection, *, practice_id: int, before: datetime, kinds: Sequence[str]) -> list[int]:
    """The ids of alerts of these kinds that are open and were raised before a time."""
    asked = {"practice_id": practice_id, "before": before, "kinds": list(kinds)}
    return [row["id"] for row in connection.execute(_SQL["old_alerts"], asked)]


def opened_since(connection: Connection, since: datetime) -> bool:
    """Whether an alert about a patient was raised after a time."""
    row = connection.execute(_SQL["opened_since"], {"since": since}).fetchone()
    assert row is not None
    return row["found"]
