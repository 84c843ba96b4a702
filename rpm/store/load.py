"""The practice of made-up patients: its homes, what a run of simulated gateways left in it, and how that is taken away.

Its patients are marked as made up and nobody is enrolled: no bill counts them, no member of staff belongs to the practice,
so no list shows them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import tuple_row

from rpm.errors import UserError
from rpm.store.database import Connection
from rpm.store.queries import load
from rpm.store.seed import add

_SQL = load("load")
PRACTICE: Final = "Load test: nobody here is real"
#: What hangs on the readings of the practice, in the order in which it goes.
_FORGOTTEN: Final = (
    "forget_observations",
    "forget_rollups",
    "forget_rollup_marks",
    "forget_latest",
    "forget_news",
    "forget_held",
    "forget_messages",
    "retire_gateways",
)
#: A run of millions of readings is read back, or taken away, by one statement.
STATEMENT_S_MAX: Final = 900
TIME_ZONE: Final = "America/New_York"
#: The cuffs were theirs before anything was measured.
OWNED_FOR: Final = timedelta(days=365)


def has_real_patients(connection: Connection) -> bool:
    """Whether anybody in the database is not made up."""
    row = connection.execute(_SQL["real_patients"]).fetchone()
    return row is not None and row["found"]


def practice_of(connection: Connection) -> int | None:
    """The practice of made-up patients, if there is one. UserError where somebody real is in it."""
    row = connection.execute(_SQL["practice"], {"name": PRACTICE}).fetchone()
    if row is None:
        return None
    if row["real"]:
        raise UserError(f"the practice «{PRACTICE}» has patients who are not made up: nothing is simulated in it")
    return row["id"]


def settle_in(connection: Connection, *, gateways: Sequence[str], addresses: Sequence[str], now: datetime) -> int:
    """Have these gateways and cuffs, each cuff in the hands of a made-up patient; their practice.

    UserError where a gateway of that name is somebody else's.
    """
    practice_id = practice_of(connection) or add(
        connection, "practice", {"name": PRACTICE, "time_zone": TIME_ZONE, "now": now}
    )
    facts = {"practice_id": practice_id, "now": now}
    row = connection.execute(_SQL["add_gateways"], {**facts, "gateways": list(gateways)}).fetchone()
    if row is None or row["entered"] < len(gateways):
        raise UserError("a gateway with the name of a simulated one belongs to another practice")
    people = {"addresses": list(addresses), "time_zone": TIME_ZONE, "since": now - OWNED_FOR}
    connection.execute(_SQL["add_people"], {**facts, **people})
    return practice_id


def analyze(connection: Connection) -> None:
    """Tell the planner of everybody who was just entered: many times what was there."""
    # Not a named statement: it cannot be prepared, as those are in tests.
    connection.execute("analyze patient, device, device_assignment, gateway")


def take_time(connection: Connection) -> None:
    """Let each statement of this transaction take STATEMENT_S_MAX: all rows of a run are looked at."""
    connection.execute(_SQL["take_time"], {"limit": f"{STATEMENT_S_MAX}s"})


def last_number(connection: Connection) -> int:
    """The number of the newest reading: what is stored from now on has a higher one."""
    row = connection.execute(_SQL["last_number"]).fetchone()
    return 0 if row is None else row["number"]


def readings_of(
    connection: Connection, epoch: str, *, after: int, since: datetime, until: datetime
) -> list[tuple[int, str, int]]:
    """(number, gateway, seq) of what is stored of a run; `after`: `last_number` before it."""
    asked = {"epoch": epoch, "after": after, "since": since, "until": until}
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(_SQL["readings_of"], asked).fetchall()


def values_of(
    connection: Connection, practice_id: int, *, after: int, since: datetime, until: datetime
) -> dict[int, int]:
    """Number of a reading → how many values it has, of the practice's readings after number `after`."""
    asked = {"practice_id": practice_id, "after": after, "since": since, "until": until}
    with connection.cursor(row_factory=tuple_row) as cursor:
        rows: list[tuple[int, int]] = cursor.execute(_SQL["values_of"], asked).fetchall()
    return dict(rows)


def held_of(connection: Connection, practice_id: int, epoch: str) -> dict[str, int]:
    """Reason → how many rows of a run are held for it."""
    rows: list[dict[str, Any]] = connection.execute(
        _SQL["held_of"], {"practice_id": practice_id, "epoch": epoch}
    ).fetchall()
    return {row["reason"]: row["count"] for row in rows}


def forget(connection: Connection, practice_id: int, *, now: datetime) -> int:
    """Take away what was measured in the practice, and retire its gateways; how many readings went. People stay."""
    asked = {"practice_id": practice_id, "now": now}
    row = connection.execute(_SQL["forget_readings"], asked).fetchone()
    for name in _FORGOTTEN:
        connection.execute(_SQL[name], asked)
    return 0 if row is None else row["count"]
