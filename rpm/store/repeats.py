"""First readings out of range that wait for a second one, as rows: until when, who is asked at home, and what came of it.

The judge writes them in the transaction in which it judges; a loop (`rpm.jobs.repeats`) acts on them. So a process that is
killed in between leaves the wait, and its deadline, which is a column.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from psycopg.rows import class_row

from alerts.repeats import Outcome, Waiting
from rpm.store.arrays import array
from rpm.store.database import Connection
from rpm.store.queries import load

_SQL = load("repeats")

#: With less time than this nobody is asked: a minute of rest, and one for the cuff.
ASK_LEFT_MIN: Final = timedelta(minutes=2)
#: A rule that failed is tried again after this long.
AGAIN_AFTER: Final = timedelta(minutes=1)
#: The box itself sees most second readings first, and says so: it is told only of what it still shows after a while.
WITHDRAWN_AFTER: Final = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Known:
    """A reading that waits, as it was written; `rule_id` is the rule it waits for."""

    patient_id: int
    reading_no: int
    rule_id: str


@dataclass(frozen=True, slots=True)
class ToAsk:
    """Who is to be asked for a second reading. `gateway_id` None: the first one is not there any more."""

    patient_id: int
    reading_no: int
    practice_id: int
    until_at: datetime
    gateway_id: str | None
    kind: str | None
    user_slot: int | None


@dataclass(frozen=True, slots=True)
class ToWithdraw:
    """A request that has become pointless."""

    request_id: UUID
    practice_id: int


def waiting(connection: Connection, patients: Sequence[int]) -> list[Known]:
    """Of these patients, the readings that wait."""
    with connection.cursor(row_factory=class_row(Known)) as cursor:
        return cursor.execute(_SQL["waiting"], {"patients": list(patients)}).fetchall()


def unasked(connection: Connection, patients: Sequence[int], *, now: datetime) -> frozenset[int]:
    """Of these patients, the readings that would wait still, were there somebody who can be asked for a second."""
    rows = connection.execute(_SQL["unasked"], {"patients": list(patients), "now": now})
    return frozenset(row["reading_no"] for row in rows)


def save(connection: Connection, found: Iterable[Waiting], practice_of: Mapping[int, int], *, now: datetime) -> None:
    """These wait."""
    for one in found:
        fields = {
            "patient_id": one.patient, "reading_no": one.reading_no, "practice_id": practice_of[one.patient],
            "rule_id": one.rule_id, "severity": int(one.severity), "measured_at": one.measured_at, "until": one.until,
            "now": now,
        }  # fmt: skip
        connection.execute(_SQL["save"], fields)


def finish(connection: Connection, known: Known, outcome: Outcome, *, now: datetime) -> None:
    """It waits no more."""
    fields = {
        "patient_id": known.patient_id, "reading_no": known.reading_no, "outcome": str(outcome), "now": now,
    }  # fmt: skip
    connection.execute(_SQL["finish"], fields)


def again(connection: Connection, known: Known, *, now: datetime) -> None:
    """It is judged again in a while: its rule failed."""
    fields = {"patient_id": known.patient_id, "reading_no": known.reading_no, "earliest": now + AGAIN_AFTER}
    connection.execute(_SQL["again"], fields)


def wake(connection: Connection, *, now: datetime, limit: int) -> int:
    """Have those judged whose time is over; how many of the readings that wait."""
    due = connection.execute(_SQL["due"], {"now": now, "limit": limit}).fetchall()
    if due:
        fields = {
            "patients": array(row["patient_id"] for row in due),
            "readings": array(row["reading_no"] for row in due),
            "practices": array(row["practice_id"] for row in due),
            "now": now,
        }
        connection.execute(_SQL["wake"], fields)
        connection.execute(_SQL["woken"], fields)
    return len(due)


def to_ask(connection: Connection, *, now: datetime, limit: int) -> list[ToAsk]:
    """Whom nobody has asked yet, locked."""
    with connection.cursor(row_factory=class_row(ToAsk)) as cursor:
        asked = {"at_least_until": now + ASK_LEFT_MIN, "limit": limit}
        return cursor.execute(_SQL["to_ask"], asked).fetchall()


def asked(connection: Connection, one: ToAsk, request_id: UUID | None, *, now: datetime) -> None:
    """It was seen to; `request_id` None: there is nobody to be asked, and it is judged without a second reading."""
    fields = {"patient_id": one.patient_id, "reading_no": one.reading_no, "request_id": request_id, "now": now}
    connection.execute(_SQL["asked"], fields)


def give_up(connection: Connection, *, now: datetime) -> int:
    """Have those judged whose box does not know how to ask; how many."""
    return connection.execute(_SQL["give_up"], {"now": now}).rowcount


def to_withdraw(connection: Connection, *, now: datetime, limit: int) -> list[ToWithdraw]:
    """What is asked at home to no purpose any more."""
    with connection.cursor(row_factory=class_row(ToWithdraw)) as cursor:
        wanted = {"ended_before": now - WITHDRAWN_AFTER, "limit": limit}
        return cursor.execute(_SQL["to_withdraw"], wanted).fetchall()
